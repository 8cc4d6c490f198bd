"""Which plans a message is tried against, and where they are entered."""

from dataclasses import dataclass
from typing import Any

import msgspec

from pulse.effects.world.sub_workflows import TYPE
from pulse.messages.records import Pin, Work
from pulse.workflows.catalog import Catalog
from pulse.workflows.matching import Plans, reason_of
from pulse.workflows.plan import WorkflowPlan


class _Trigger(msgspec.Struct, rename="camel"):
    workflow_id: Any = None
    entity_id: Any = None


_trigger = msgspec.json.Decoder(_Trigger)


@dataclass(frozen=True)
class Route:
    """The plans to try, in order. Without any, `code` says why the message is ignored, and `told` of which workflow.

    `found` is there where the message was matched, and not sent to one workflow: others have reasons, too.
    """

    plans: tuple[WorkflowPlan, ...] = ()
    entry: str | None = None
    code: str | None = None
    told: tuple[dict[str, Any], ...] = ()
    found: Plans | None = None


async def route(work: Work, catalog: Catalog) -> Route:
    """A replay's own version; the workflow that a trigger names; otherwise whatever fits."""
    trigger = _trigger.decode(work.payload) if work.type == TYPE else None
    entry = trigger.entity_id if trigger is not None and isinstance(trigger.entity_id, str) else None
    if work.pin is not None:
        return await _pinned(work, Pin.of(work.pin), entry, catalog)
    found = await catalog.plans(work.organization_id, work.environment_id)
    if trigger is not None and isinstance(trigger.workflow_id, str):
        return _direct(trigger.workflow_id, entry, found)
    if found.is_empty:
        return Route(code="inactive" if found.inactive else "no_workflows")
    plans = found.candidates(work.type, work.payload)
    return Route(plans, code=None if plans else "no_match", found=found)


async def _pinned(work: Work, pin: Pin, entry: str | None, catalog: Catalog) -> Route:
    plan = await catalog.version(work.organization_id, work.environment_id, pin.workflow_id, pin.version)
    if plan is None:
        told = {"workflowId": pin.workflow_id, "name": pin.text, "code": "unknown_version"}
        return Route(code="no_workflows", told=(told,))
    return Route((plan,), entry)


def _direct(workflow_id: str, entry: str | None, found: Plans) -> Route:
    listing = found.by_id.get(workflow_id)
    if listing is None:
        told = {"workflowId": workflow_id, "name": workflow_id, "code": "unknown_workflow"}
        return Route(code="no_workflows", told=(told,))
    if not listing.is_active or listing.plan is None:
        return Route(code="no_match" if listing.is_active else "inactive", told=(reason_of(listing),))
    return Route((listing.plan,), entry)
