"""`pubsubPublish`: text on a channel of the installation's Redis, for other programs that listen there."""

from typing import Any, Protocol

import msgspec

from pulse.core.errors import Unavailable
from pulse.effects.calls import Call, Effect, EffectFailed, Told

MAX_CHANNEL = 512


class Publisher(Protocol):
    """A server with channels."""

    async def publish(self, channel: str, text: str) -> None:
        """Returns when the server has it. Raises Unavailable."""
        ...

    async def close(self) -> None: ...


class Arguments(msgspec.Struct, array_like=True, frozen=True):
    channel: str
    message: str


class Announcements:
    """Channels that others listen to. Names are the installation's own: scripts of all organizations share them."""

    def __init__(self, publisher: Publisher | None) -> None:
        self._publisher = publisher

    def effects(self) -> list[Effect[Any]]:
        return [
            Effect(
                "pubsubPublish",
                "await pubsubPublish(channel, message)",
                "Publishes text on a channel of the Redis server that REDIS_URL names. Both are strings; names of "
                "channels are case-sensitive. Whoever does not listen at that moment misses it.",
                Arguments,
                self.publish,
                errors={
                    "not_configured": "REDIS_URL is not set",
                    "unreachable": "the server did not take it; retryable",
                },
            )
        ]

    async def publish(self, _call: Call, given: Arguments) -> Told:
        if self._publisher is None:
            raise EffectFailed("not_configured", "Redis not configured: set REDIS_URL.")
        if not 1 <= len(given.channel) <= MAX_CHANNEL:
            raise EffectFailed("invalid_arguments", f"channel: 1 to {MAX_CHANNEL} characters.")
        told: dict[str, Any] = {"type": "api", "service": "pubsub", "channel": given.channel}
        try:
            await self._publisher.publish(given.channel, given.message)
        except Unavailable as error:
            told |= {"success": False, "code": "unreachable"}
            raise EffectFailed("unreachable", error.message, retryable=True, log=told) from None
        return Told(None, {**told, "success": True})
