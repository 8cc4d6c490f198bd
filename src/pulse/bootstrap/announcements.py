"""What one process changes, the others hear of, and forget what they kept. One that does not hear reads again later.

Changes of plans and limits have a topic of their own (platform.md 9), whose hearers look at what was held.
"""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from pulse.bus.port import Bus

TOPIC = "changes"
PLANS_TOPIC = "rw:plan-changes"
EVERYBODY = "*"


class Cache(Protocol):
    """Keeps, environment by environment, what another process may change."""

    def forget(self, organization_id: str, environment_id: str) -> None: ...

    def forget_all(self) -> None: ...


class Place(msgspec.Struct, rename="camel"):
    """What is announced: the environment in which something has changed."""

    organization_id: str
    environment_id: str


class Changes:
    """Keeps the caches of all processes in step with what was changed in one of them."""

    def __init__(self, bus: Bus, caches: Sequence[Cache]) -> None:
        self._bus = bus
        self._caches = caches
        bus.subscribe(TOPIC, self._heard)

    async def changed(self, organization_id: str, environment_id: str) -> None:
        """Forgets here at once, then tells the others. To be called when the change is committed; it never raises."""
        place = Place(organization_id, environment_id)
        self._forget(place)
        await self._bus.publish(TOPIC, msgspec.json.encode(place))

    def _heard(self, payload: bytes) -> None:
        try:
            self._forget(msgspec.json.decode(payload, type=Place))
        except msgspec.DecodeError:
            # Nothing at all means that something was missed; anything else comes from a Pulse that says it otherwise.
            for cache in self._caches:
                cache.forget_all()

    def _forget(self, place: Place) -> None:
        for cache in self._caches:
            cache.forget(place.organization_id, place.environment_id)


class PlanChange(msgspec.Struct, rename="camel"):
    """What is announced under PLANS_TOPIC: whose plan has changed (`*`: everybody's may have), and why."""

    organization_id: str
    reason: str


class PlanChanges:
    """Tells every process that a limit has changed: they look at what they hold. Limits are read at every count."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def changed(self, organization_id: str, reason: str) -> None:
        """To be called when the change is committed; it never raises."""
        await self._bus.publish(PLANS_TOPIC, msgspec.json.encode(PlanChange(organization_id, reason)))
