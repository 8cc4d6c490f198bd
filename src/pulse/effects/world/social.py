"""Posts to Mastodon: `POST /api/v1/statuses`, which knows idempotency keys (docs.joinmastodon.org)."""

from typing import Any

import msgspec

from pulse.effects.calls import Call, Effect, EffectFailed, Told
from pulse.effects.world.web import ERRORS, Web
from pulse.models.wire.hiding import shown

MAX_STATUS = 500
FAILURES = {200: "bad_answer", 401: "unauthorized", 403: "forbidden", 422: "rejected", 429: "rate_limited"}


class Post(msgspec.Struct, array_like=True, frozen=True, rename="camel"):
    mastodon_url: str
    access_token: str
    status: str


class Latest(msgspec.Struct, array_like=True, frozen=True):
    """The latest answer to a prompt (the sandbox adds it)."""

    status: str | None = None


class Mastodon:
    """Statuses on a Mastodon server."""

    def __init__(self, web: Web) -> None:
        self._web = web

    def effects(self) -> list[Effect[Any]]:
        answers = "{id, url, created_at, content}"
        errors = {
            **ERRORS,
            "unauthorized": "the access token is not valid",
            "forbidden": "the token may not post",
            "rejected": "the server does not take this text",
            "rate_limited": "too many posts; retryable",
            "server_error": "the server failed; retryable",
            "bad_answer": "the answer is none of Mastodon's, and nobody knows whether it was posted",
        }
        return [
            Effect(
                "postToMastodon",
                "await postToMastodon(mastodonUrl, accessToken, status)",
                "Posts a status, at most 500 characters, under an idempotency key.",
                Post,
                self.post,
                answers=answers,
                secrets=("1",),
                errors=errors,
            ),
            Effect(
                "postLatestPromptToMastodon",
                "await postLatestPromptToMastodon()",
                "Posts the latest answer to a prompt, with the variables MASTODON_URL and MASTODON_ACCESS_TOKEN.",
                Latest,
                self.post_latest,
                answers=answers,
                errors={**errors, "not_configured": "one of the variables is not set", "no_response": "no prompt yet"},
            ),
        ]

    async def post_latest(self, call: Call, given: Latest) -> Told:
        address, token = call.variables.get("MASTODON_URL"), call.variables.get("MASTODON_ACCESS_TOKEN")
        if address is None or token is None:
            words = "Set the variables MASTODON_URL and MASTODON_ACCESS_TOKEN in this environment."
            raise EffectFailed("not_configured", words)
        if given.status is None:
            raise EffectFailed("no_response", "No prompt has been answered yet: there is nothing to post.")
        return await self.post(call, Post(address, token, given.status))

    async def post(self, call: Call, given: Post) -> Told:
        if not 1 <= len(given.status) <= MAX_STATUS:
            raise EffectFailed("invalid_arguments", f"status: 1 to {MAX_STATUS} characters, not {len(given.status)}.")
        url = f"{given.mastodon_url.rstrip('/')}/api/v1/statuses"
        headers = {"authorization": f"Bearer {given.access_token}"}
        reply, data = await self._web.json("POST", url, headers=headers, body={"status": given.status}, key=call.key)
        told = {"type": "api", "service": "mastodon", "status": reply.status, "durationMs": reply.elapsed_ms}
        if reply.status != 200 or not isinstance(data, dict):
            raise _refused(reply.status, data, given.access_token, {**told, "success": False})
        answer = {name: data.get(name) for name in ("id", "url", "created_at", "content")}
        return Told(answer, {**told, "success": True})


def _refused(status: int, data: Any, token: str, told: dict[str, Any]) -> EffectFailed:
    """The server's own words say what is wrong; the token is not repeated, whatever a server says."""
    code = FAILURES.get(status, "server_error" if status >= 500 else "rejected")
    said = data.get("error") if isinstance(data, dict) else None
    words = f"Mastodon answered {status}{f': {shown(said, (token,))}' if isinstance(said, str) else ''}."
    retryable = code in ("rate_limited", "server_error")
    return EffectFailed(code, words, retryable=retryable, log={**told, "code": code})
