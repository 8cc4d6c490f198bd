"""The older ways to a model: an address with a Bearer token, or with a client's key and secret.

Scripts bring both themselves, or name a legacy model that is stored with them (platform.md 7.2).

What such a server answers has no known shape. The places where the usual ones put their text are looked at: Chat
Completions, Anthropic's Messages, Bedrock's Nova and Titan (platform.md 6), a plain `text`, `response` or `output`.
"""

import base64
from collections.abc import Callable
from typing import Any

import msgspec

from pulse.core.redaction import Redaction
from pulse.effects.calls import EffectFailed, Told
from pulse.effects.world.web import ERRORS, Web
from pulse.models.port import Access, ModelFailed, Models, Prompt
from pulse.prompts.records import BEDROCK, LegacyAccess
from pulse.prompts.secrets import Secrets

KEYS = {
    **ERRORS,
    "unauthorized": "the server does not take the secret",
    "forbidden": "the secret may not do this",
    "model_not_found": "there is no model at that address",
    "invalid_request": "the server does not take the request",
    "rate_limited": "too many requests; retryable",
    "provider_error": "the server failed; retryable",
}
TOKEN = {
    **KEYS,
    "not_configured": "this installation has no AWS credentials for bedrock://",
    "context_too_long": "the prompt is longer than the model takes (bedrock://)",
    "content_filtered": "the model refused the content (bedrock://)",
    "quota_exceeded": "the account's quota is used up (bedrock://)",
    "overloaded": "the model is overloaded (bedrock://); retryable",
    "bad_answer": "the answer cannot be read (bedrock://)",
}
FAILURES = {400: "invalid_request", 401: "unauthorized", 403: "forbidden", 404: "model_not_found", 429: "rate_limited"}


class Token(msgspec.Struct, array_like=True, frozen=True, rename="camel"):
    token: str | None
    prompt_text: str
    model_url: str


class Keys(msgspec.Struct, array_like=True, frozen=True, rename="camel"):
    key: str
    secret: str
    prompt_text: str
    url: str


class LegacyModels:
    """`bedrock` speaks to AWS with the installation's own rights, `region` says where; None: it has none."""

    def __init__(self, web: Web, bedrock: Models | None, region: str) -> None:
        self._web = web
        self._bedrock = bedrock
        self._region = region

    async def by_token(self, given: Token, key: str) -> Told:
        if given.model_url.startswith(BEDROCK):
            return await self._ask_bedrock(given.model_url.removeprefix(BEDROCK), given.prompt_text)
        proof = {"authorization": f"Bearer {given.token}"} if given.token else {}
        return await self._post(given.model_url, given.prompt_text, proof, key)

    async def by_keys(self, given: Keys, key: str) -> Told:
        proof = {"authorization": f"Basic {_basic(given.key, given.secret)}"}
        return await self._post(given.url, given.prompt_text, proof, key)

    async def stored(self, model: LegacyAccess, text: str, key: str) -> Told:
        """Asks a model that is stored. A server that repeats its secrets does not tell them to the script."""
        secrets = model.secrets
        try:
            if secrets.access_key and secrets.secret_key:
                told = await self.by_keys(Keys(secrets.access_key, secrets.secret_key, text, model.url), key)
            else:
                told = await self.by_token(Token(secrets.api_key, text, model.url), key)
        except EffectFailed as error:
            error.log = {"model": model.name, **(error.log or {})}
            raise
        return Told(Redaction(_telling(secrets)).clean(told.value), {"model": model.name, **told.log})

    async def _ask_bedrock(self, model: str, text: str) -> Told:
        if self._bedrock is None:
            raise EffectFailed("not_configured", "This installation has no AWS credentials: use a model configuration.")
        told: dict[str, Any] = {"type": "api", "service": "llm", "model": model, "provider": "bedrock"}
        try:
            found = await self._bedrock.complete(Access(region=self._region), Prompt(model, text))
        except ModelFailed as error:
            told |= {"success": False, "code": error.reason}
            raise EffectFailed(error.reason, error.message, retryable=error.retryable, log=told) from None
        usage = {"inputTokens": found.usage.input_tokens, "outputTokens": found.usage.output_tokens}
        return Told(found.text, {**told, "success": True, **usage})

    async def _post(self, url: str, text: str, headers: dict[str, str], key: str) -> Told:
        body = {"prompt": text, "messages": [{"role": "user", "content": text}]}
        reply, data = await self._web.json("POST", url, headers=headers, body=body, key=key)
        told = {"type": "api", "service": "llm", "status": reply.status, "durationMs": reply.elapsed_ms}
        if reply.status >= 400:
            code = FAILURES.get(reply.status, "provider_error" if reply.status >= 500 else "invalid_request")
            retryable = code in ("rate_limited", "provider_error")
            words = f"The model's server answered {reply.status}."
            raise EffectFailed(code, words, retryable=retryable, log={**told, "success": False, "code": code})
        return Told(text_of(data), {**told, "success": True})


def _basic(key: str, secret: str) -> str:
    """RFC 7617."""
    return base64.b64encode(f"{key}:{secret}".encode()).decode()


def _telling(secrets: Secrets) -> list[str]:
    """All texts that would give the secrets away."""
    if secrets.access_key and secrets.secret_key:
        return [secrets.access_key, secrets.secret_key, _basic(secrets.access_key, secrets.secret_key)]
    return [secrets.api_key] if secrets.api_key else []


def text_of(data: Any) -> Any:
    """The text of an answer; the answer as it is, where it is of no known shape."""
    for look in _PLACES:
        try:
            found = look(data)
        except (KeyError, IndexError, TypeError):
            continue
        if isinstance(found, str):
            return found
    return data


_PLACES: tuple[Callable[[Any], Any], ...] = (
    lambda data: data["choices"][0]["message"]["content"],
    lambda data: data["content"][0]["text"],
    lambda data: data["output"]["message"]["content"][0]["text"],
    lambda data: data["candidates"][0]["content"]["parts"][0]["text"],
    lambda data: data["results"][0]["outputText"],
    lambda data: data["output"],
    lambda data: data["response"],
    lambda data: data["text"],
)
