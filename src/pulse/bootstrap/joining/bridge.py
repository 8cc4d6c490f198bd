"""What joins the application's engine and the platform: messages that become signals, and what handlers send."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from pulse.bootstrap.demo import ENVIRONMENT, ORGANIZATION
from pulse.bootstrap.joining.application import ApplicationDuty
from pulse.bootstrap.joining.signals import TOPIC, Emitter, MessageSignals
from pulse.bootstrap.wiring import Parts
from pulse.core.duty import Duty
from pulse.core.errors import InvalidMessage, Misconfigured, NotFound
from pulse.core.ids import derive_id, is_id
from pulse.engine.engine import Engine
from pulse.messages.records import NewMessage
from pulse.receiver.bodies import envelope, too_large
from pulse.storage.outbox import Relay
from pulse.tenancy.access import Principal
from pulse.tenancy.records import Environment


def joined(parts: Parts, engine: Engine, name: str) -> Sequence[Duty]:
    """The duties that an application adds, in the order in which they start; from now on, its messages leave for it."""
    relay = Relay(parts.outbox, {TOPIC: Emitter(engine)})
    let_leave(parts, engine, relay)
    engine.send_with(Sender(parts))
    return ApplicationDuty(engine, name), relay


def let_leave(parts: Parts, engine: Engine, relay: Relay | None = None) -> None:
    """Messages of the types that the engine has registered go into the outbox when they are stored."""
    parts.intake.signals = MessageSignals(parts.outbox, engine.trigger_types, relay.hint if relay else _nobody)


def _nobody() -> None:
    """Whoever delivers looks by itself."""


class Sender:
    """What `ctx.send` does. Implements the engine's Send.

    A message goes where it says (`organizationId`, `environmentId`). If it does not: to the organization whose id the
    run's tenant is, or else to the demo's; there to the environment that the run's signal names by id or name, or else
    to the only one.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def __call__(self, message: Mapping[str, Any], *, key: str, tenant_id: str, environment: str | None) -> str:
        asked = message.get("organizationId") or tenant_id, message.get("environmentId") or environment
        place = await self._place(str(asked[0]), asked[1], is_asked="organizationId" in message)
        raw = _json({**message, "organizationId": place.organization_id, "environmentId": place.id})
        sent = envelope(raw, Principal(place.organization_id, place.id, "engine"))
        most = self._parts.settings.max_message_bytes
        if len(raw) > most:
            raise too_large(most, len(raw))
        accepted = await self._parts.intake.accept_once(
            NewMessage(
                id=derive_id("msg", key.partition(":")[0], "send", key),
                organization_id=place.organization_id,
                environment_id=place.id,
                type=sent.type,
                payload=sent.payload,
                received_at=self._parts.clock.now_ms(),
            )
        )
        return accepted.id

    async def _place(self, tenant_id: str, environment: str | None, *, is_asked: bool) -> Environment:
        organization_id, usual = tenant_id, None
        if not is_asked and not (is_id(tenant_id, "org") and await self._is_there(tenant_id)):
            organization_id, usual = await self._demo(), ENVIRONMENT
        found = await self._parts.tenancy.environments(organization_id)
        for wanted in (environment, usual):
            for each in found:
                if wanted is not None and wanted in (each.id, each.name):
                    return each
        if len(found) == 1:
            return found[0]
        names = ", ".join(each.name for each in found[:10]) or "none yet"
        words = f"Say where the message goes with `environmentId`: the organization {organization_id} has {names}."
        raise Misconfigured(words)

    async def _is_there(self, organization_id: str) -> bool:
        try:
            return (await self._parts.tenancy.organization(organization_id)).id == organization_id
        except NotFound:
            return False

    async def _demo(self) -> str:
        try:
            return (await self._parts.tenancy.organization(ORGANIZATION)).id
        except NotFound:
            words = "Say where the message goes with `organizationId`: the run's tenant is no organization here."
            raise Misconfigured(words) from None


def _json(message: Mapping[str, Any]) -> bytes:
    try:
        return json.dumps(message, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidMessage(f"What is sent must be plain JSON: {error}.") from None
