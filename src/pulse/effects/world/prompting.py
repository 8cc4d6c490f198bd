"""Calls of models: by a configuration (platform.md 7.1), and the two older ways, which scripts bring the secrets for.

A legacy model (7.2) is asked the older way, with the secrets that are stored. It is sent a text and nothing else.

What a model answers becomes `promptResponse_n` in the script's globals: the sandbox sees to that, whichever of these
functions was called.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec

from pulse.core.errors import Conflict, InvalidJson, Misconfigured, NotFound
from pulse.effects.calls import Call, Effect, EffectFailed, Told
from pulse.effects.world.images import images_of, listed
from pulse.effects.world.legacy import KEYS, TOKEN, Keys, LegacyModels, Token
from pulse.effects.world.web import ERRORS as REQUESTS
from pulse.effects.world.web import Web
from pulse.models.port import Image, ModelFailed
from pulse.prompts.caller import Ask, Called, ModelCaller
from pulse.prompts.kept import KeptModels
from pulse.prompts.records import LegacyAccess
from pulse.prompts.templates.answers import json_in

ERRORS = {
    # Pictures are fetched.
    **REQUESTS,
    "invalid_arguments": "no text, or something that is not as it must be; the message says where",
    "unknown_model": "no model configuration and no legacy model has that id or name, or there is no default",
    "not_configured": TOKEN["not_configured"],
    "unauthorized": "the provider does not take the credential",
    "forbidden": "the credential may not use this model",
    "model_not_found": "the provider does not have the model",
    "invalid_request": "the provider does not take the request; the message says why",
    "context_too_long": "the prompt is longer than the model takes",
    "content_filtered": "the provider refused the content",
    "quota_exceeded": "the account's quota is used up",
    "rate_limited": "too many requests; retryable",
    "overloaded": "the provider is overloaded; retryable",
    "timeout": "no answer in time; retryable",
    "unreachable": "no connection; retryable",
    "address_refused": "the provider's address is private (EGRESS_ALLOW opens some)",
    "bad_answer": "the answer cannot be read",
    "provider_error": "the provider failed; retryable",
    "invalid_image": "a picture that cannot be used",
}


class Choice(msgspec.Struct, rename="camel", frozen=True):
    """A model configuration by id or name, and what is asked otherwise than it says; more fields are passed over."""

    id: str | None = None
    name: str | None = None
    system: str | None = None
    temperature: float | None = None
    max_tokens: int | None = None
    timeout_ms: int | None = None
    schema: dict[str, Any] | None = None


# What only a configuration can ask otherwise, as scripts and as Choice name it.
BEYOND_LEGACY = {
    "system": "system",
    "temperature": "temperature",
    "maxTokens": "max_tokens",
    "timeoutMs": "timeout_ms",
    "schema": "schema",
}


class Universal(msgspec.Struct, array_like=True, frozen=True, rename="camel"):
    model_configuration: Choice | str | None
    prompt_text: str
    image_urls_json: str | list[str] | None = None


class Prompting:
    """Models as scripts call them."""

    def __init__(self, caller: ModelCaller | None, models: KeptModels | None, legacy: LegacyModels, web: Web) -> None:
        self._caller = caller
        self._models = models
        self._legacy = legacy
        self._web = web

    def effects(self) -> list[Effect[Any]]:
        answers = "the answer's text; what was parsed from it, where modelConfiguration has a schema"
        return [
            Effect(
                "promptCallUniversal",
                "await promptCallUniversal(modelConfiguration, promptText, imageUrlsJson?)",
                "Asks a model, by id, name or {id | name, system?, temperature?, maxTokens?, timeoutMs?, schema?}; "
                "null is the default one, a legacy model takes text alone. Pictures: a list of addresses as JSON text.",
                Universal,
                self.universal,
                answers=answers,
                errors=ERRORS,
            ),
            Effect(
                "executePromptWithModel",
                "await executePromptWithModel()",
                "What a Prompt's own step does: asks the model of the global modelConfiguration the Prompt's text, "
                "with the pictures of __promptImageUrls__.",
                Universal,
                self.universal,
                answers=answers,
                errors=ERRORS,
            ),
            Effect(
                "promptCallToken",
                "await promptCallToken(token, promptText, modelUrl)",
                "The older way: posts the prompt to an address with a Bearer token. bedrock://<model-id> asks "
                "AWS Bedrock "
                "with the installation's own rights, and passes over the token.",
                Token,
                self.by_token,
                answers="the answer's text, or its JSON where it is of no known shape",
                secrets=("0",),
                errors=TOKEN,
            ),
            Effect(
                "promptCallKeys",
                "await promptCallKeys(key, secret, promptText, url)",
                "The older way with a client's key and secret (HTTP Basic).",
                Keys,
                self.by_keys,
                answers="the answer's text, or its JSON where it is of no known shape",
                secrets=("0", "1"),
                errors=KEYS,
            ),
        ]

    async def universal(self, call: Call, given: Universal) -> Told:
        choice = given.model_configuration
        choice = Choice(id=choice) if isinstance(choice, str) else choice or Choice()
        if not given.prompt_text.strip():
            raise EffectFailed("invalid_arguments", "promptText: say what to ask.")
        organization_id, wanted = call.work.organization_id, choice.id or choice.name
        with _failures(wanted):
            found = await self._models.choose(organization_id, wanted) if self._models is not None else None
            if isinstance(found, LegacyAccess):
                return await self._asked_older(call, found, choice, given)
            images = await images_of(given.image_urls_json, self._web)
            if found is None or self._caller is None:
                raise EffectFailed("not_available", "There are no models here.")
            called = await self._caller.call(organization_id, found, _ask(call, choice, given, images))
        text = called.completion.text
        return Told(_parsed(called) if choice.schema is not None else text, _entry(called))

    async def by_token(self, call: Call, given: Token) -> Told:
        return await self._legacy.by_token(given, call.key)

    async def by_keys(self, call: Call, given: Keys) -> Told:
        return await self._legacy.by_keys(given, call.key)

    async def _asked_older(self, call: Call, model: LegacyAccess, choice: Choice, given: Universal) -> Told:
        beyond = [name for name, field in BEYOND_LEGACY.items() if getattr(choice, field) is not None]
        beyond += ["pictures"] if listed(given.image_urls_json) else []
        if beyond:
            words = f"{model.name!r} is a legacy model, which is sent the prompt's text and nothing else"
            words = f"{words}: use a model configuration, or leave out {', '.join(beyond)}."
            raise EffectFailed("invalid_arguments", words, log=_told_of(model.name))
        return await self._legacy.stored(model, given.prompt_text, call.key)


def _ask(call: Call, choice: Choice, given: Universal, images: Sequence[Image]) -> Ask:
    return Ask(
        given.prompt_text,
        system=choice.system,
        images=images,
        temperature=choice.temperature,
        max_tokens=choice.max_tokens,
        timeout_ms=choice.timeout_ms,
        schema=choice.schema,
        key=call.key,
    )


@contextmanager
def _failures(wanted: str | None) -> Iterator[None]:
    """What fails in here fails as an effect does, and is in the execution log."""
    told = _told_of(wanted)
    try:
        yield
    except NotFound as error:
        raise EffectFailed("unknown_model", error.message, log=told) from None
    except (Conflict, Misconfigured) as error:
        raise EffectFailed("invalid_request", error.message, log=told) from None
    except ModelFailed as error:
        told |= {"code": error.reason, "retries": error.details.get("attempts", 1) - 1}
        raise EffectFailed(error.reason, error.message, retryable=error.retryable, log=told) from None


def _told_of(wanted: str | None) -> dict[str, Any]:
    """The entry in the execution log of a call that came to nothing."""
    return {"type": "api", "service": "llm", "model": wanted, "success": False}


def _entry(called: Called) -> dict[str, Any]:
    """The call in the execution log."""
    usage = called.completion.usage
    return {
        "type": "api",
        "service": "llm",
        "model": called.model,
        "provider": called.provider,
        "durationMs": called.duration_ms,
        "success": True,
        "inputTokens": usage.input_tokens,
        "outputTokens": usage.output_tokens,
        "costUsd": called.cost_micros / 1_000_000,
        "retries": called.attempts - 1,
        "stop": called.completion.stop,
    }


def _parsed(called: Called) -> Any:
    """The JSON that was asked for, with or without a fence around it."""
    try:
        return json_in(called.completion.text)
    except InvalidJson:
        words = "The model's answer is not the JSON that was asked for."
        if called.completion.stop == "length":
            words = "The model's answer ends in the middle of the JSON that was asked for: raise maxTokens."
        told = {**_entry(called), "success": False, "code": "bad_answer"}
        raise EffectFailed("bad_answer", words, log=told) from None
