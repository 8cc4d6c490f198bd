"""`sportradarNfl`: the NFL API of Sportradar, with the environment's key."""

from typing import Any

import msgspec

from pulse.effects.calls import Call, Effect, EffectFailed, Told
from pulse.effects.world.web import ERRORS, Web

BASE = "https://api.sportradar.com/nfl/official/trial/v7/en"
KEY = "SPORTRADAR_API_KEY"


class Path(msgspec.Struct, array_like=True, frozen=True):
    path: str


class Sports:
    """Sportradar's data. `base` is the address that paths stand behind."""

    def __init__(self, web: Web, base: str = BASE) -> None:
        self._web = web
        self._base = base

    def effects(self) -> list[Effect[Any]]:
        return [
            Effect(
                "sportradarNfl",
                "await sportradarNfl(path)",
                "Reads from Sportradar's NFL API, such as games/current_week/schedule.json, with the variable "
                f"{KEY} (and SPORTRADAR_BASE_URL, where yours is another plan's).",
                Path,
                self.read,
                answers="the JSON that the API answers with",
                errors={
                    **ERRORS,
                    "not_configured": f"the variable {KEY} is not set",
                    "unauthorized": "the key is not valid for this path",
                    "not_found": "there is nothing under that path",
                    "rate_limited": "too many requests; retryable",
                    "rejected": "the API does not take the request",
                    "server_error": "the API failed; retryable",
                },
                reads=True,
            )
        ]

    async def read(self, call: Call, given: Path) -> Told:
        key = call.variables.get(KEY)
        if key is None:
            raise EffectFailed("not_configured", f"Set the variable {KEY} in this environment.")
        path = given.path.strip("/")
        if not path or ".." in path or "://" in path:
            raise EffectFailed("invalid_arguments", "path: such as games/current_week/schedule.json.")
        base = call.variables.get("SPORTRADAR_BASE_URL", self._base).rstrip("/")
        reply, data = await self._web.json("GET", f"{base}/{path}", headers={"x-api-key": key})
        told = {"type": "api", "service": "sportradar", "path": path.partition("?")[0], "status": reply.status}
        told["durationMs"] = reply.elapsed_ms
        if reply.status != 200:
            code = {401: "unauthorized", 403: "unauthorized", 404: "not_found", 429: "rate_limited"}.get(reply.status)
            code = code or ("server_error" if reply.status >= 500 else "rejected")
            retryable = code in ("rate_limited", "server_error")
            words = f"Sportradar answered {reply.status} for {told['path']}."
            raise EffectFailed(code, words, retryable=retryable, log={**told, "success": False, "code": code})
        return Told(data, {**told, "success": True})
