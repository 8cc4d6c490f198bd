"""Messages to other workflows (platform.md 2.10): from a script at once, from a workflow node with the outcome.

A child's id depends on its parent's and on the call's number, so that a repeated evaluation sends nothing twice. What
scripts have left in the globals goes along; the names of the envelope are Pulse's.
"""

from typing import Any

import msgspec

from pulse.core.clock import Clock, iso
from pulse.core.ids import derive_id
from pulse.effects.calls import Call, EffectFailed
from pulse.messages.intake import Intake
from pulse.messages.links import Links
from pulse.messages.records import NewMessage
from pulse.workflows.catalog import Catalog
from pulse.workflows.matching import Listing

TYPE = "workflow_trigger"
# Which entity a workflow is entered at is said to that workflow, and to none that it starts.
NOT_INHERITED = ("entityId",)


class SubWorkflows:
    """`triggerWorkflow`, and what a workflow node asks for."""

    def __init__(self, catalog: Catalog, links: Links, intake: Intake, clock: Clock, max_message_bytes: int) -> None:
        self._catalog = catalog
        self._links = links
        self._intake = intake
        self._clock = clock
        self._max_bytes = max_message_bytes

    async def trigger(self, call: Call) -> dict[str, Any]:
        """Sends the message now; `{success, workflowId, sequenceNumber}`, the last being the new message's id."""
        target, child = await self._child(call)
        await self._intake.accept_once(child)
        return {"success": True, "workflowId": target.id, "sequenceNumber": child.id}

    async def node(self, call: Call) -> dict[str, Any]:
        """Sends the message when the present one ends, in the same transaction."""
        target, child = await self._child(call)
        call.family.children[child.id] = child
        return {"workflowId": target.id, "workflowName": target.name, "sequenceNumber": child.id}

    async def _child(self, call: Call) -> tuple[Listing, NewMessage]:
        target = await self._target(call)
        child_id = derive_id("msg", call.work.id, "child", call.seq)
        payload = self._payload(call, target.id)
        await self._links.reserve(call.work.organization_id, call.work.id, child_id)
        child = NewMessage(
            id=child_id,
            organization_id=call.work.organization_id,
            environment_id=call.work.environment_id,
            type=TYPE,
            payload=payload,
            received_at=self._clock.now_ms(),
        )
        return target, child

    async def _target(self, call: Call) -> Listing:
        workflow_id = call.argument(0)
        if not isinstance(workflow_id, str) or not workflow_id:
            words = "Say which workflow to start: triggerWorkflow(workflowId). getWorkflowByName(name).id gives the id."
            raise EffectFailed("invalid_arguments", words)
        plans = await self._catalog.plans(call.work.organization_id, call.work.environment_id)
        if workflow_id not in plans.by_id:
            raise EffectFailed("unknown_workflow", f"There is no workflow {workflow_id!r} in this environment.")
        return plans.by_id[workflow_id]

    def _payload(self, call: Call, workflow_id: str) -> bytes:
        envelope = {
            "organizationId": call.work.organization_id,
            "environmentId": call.work.environment_id,
            "type": TYPE,
            "triggerType": "sub_workflow",
            "workflowId": workflow_id,
            "parentTimestamp": iso(self._clock.now_ms()),
        }
        state = call.argument(1) or {}
        left_out = {*envelope, *NOT_INHERITED}
        payload = msgspec.json.encode({**envelope, **{k: v for k, v in state.items() if k not in left_out}})
        if len(payload) > self._max_bytes:
            words = f"The message would be {len(payload)} bytes large, and {self._max_bytes} is the most."
            raise EffectFailed("too_large", f"{words} Delete global names that the other workflow does not need.")
        return payload
