"""Messages to other workflows (platform.md 2.10): from a script at once, from a workflow node with the outcome.

A child's id depends on its parent's and on the call's number, so that a repeated evaluation sends nothing twice. What
scripts have left in the globals goes along; the names of the envelope are Pulse's.
"""

from typing import Any

import msgspec

from pulse.core.clock import Clock, iso
from pulse.core.ids import derive_id
from pulse.effects.calls import Call, Effect, EffectFailed, Told
from pulse.messages.intake import Intake
from pulse.messages.links import Links
from pulse.messages.records import NewMessage
from pulse.workflows.catalog import Catalog
from pulse.workflows.matching import Listing

TYPE = "workflow_trigger"
# Which entity a workflow is entered at is said to that workflow, and to none that it starts.
NOT_INHERITED = ("entityId",)


class Trigger(msgspec.Struct, array_like=True, frozen=True):
    """The workflow, and what scripts have left so far (the sandbox adds it)."""

    workflow_id: str | None = None
    state: dict[str, Any] = {}


class SubWorkflows:
    """`triggerWorkflow`, and what a workflow node asks for."""

    def __init__(self, catalog: Catalog, links: Links, intake: Intake, clock: Clock, max_message_bytes: int) -> None:
        self._catalog = catalog
        self._links = links
        self._intake = intake
        self._clock = clock
        self._max_bytes = max_message_bytes

    def effects(self) -> list[Effect[Any]]:
        return [
            Effect(
                "triggerWorkflow",
                "await triggerWorkflow(workflowId)",
                "Sends a message to another workflow, with all that scripts have left in the globals; does not wait "
                "for it. The last of the answer is the new message's id.",
                Trigger,
                self.trigger,
                answers="{success, workflowId, sequenceNumber}",
                errors={
                    "invalid_arguments": "no workflow is named",
                    "unknown_workflow": "no workflow has that id in this environment",
                    "too_deep": "workflows start each other in a circle, more than 10 deep",
                    "too_many_messages": "more than 1,000 messages come from one",
                    "too_large": "the globals are more than a message may hold",
                },
            ),
            Effect(
                "workflowNode",
                "workflowNode(workflowId)",
                "What a workflow node asks for: the message is sent when the present one ends.",
                Trigger,
                self.node,
                leave=self.leave,
                is_script_function=False,
            ),
        ]

    async def trigger(self, call: Call, given: Trigger) -> Told:
        """Sends the message now; `{success, workflowId, sequenceNumber}`, the last being the new message's id."""
        target, child = await self._child(call, given)
        await self._intake.accept_once(child)
        told = {"type": "workflow", "action": "sub_workflow_triggered", "messageId": child.id}
        told |= {"workflowId": target.id, "workflowName": target.name}
        return Told({"success": True, "workflowId": target.id, "sequenceNumber": child.id}, told)

    async def node(self, call: Call, given: Trigger) -> dict[str, Any]:
        """Says which message will be sent."""
        target, child = await self._child(call, given)
        return {"workflowId": target.id, "workflowName": target.name, "sequenceNumber": child.id}

    async def leave(self, call: Call, given: Trigger) -> None:
        """Has the message sent when the present one ends, in the same transaction."""
        # That it may be sent was found out when it was asked for: the workflow may have been deleted meanwhile.
        child = self._message(call, given, given.workflow_id or "")
        call.family.children[child.id] = child

    async def _child(self, call: Call, given: Trigger) -> tuple[Listing, NewMessage]:
        target = await self._target(call, given)
        child = self._message(call, given, target.id)
        await self._links.reserve(call.work.organization_id, call.work.id, child.id)
        return target, child

    def _message(self, call: Call, given: Trigger, workflow_id: str) -> NewMessage:
        return NewMessage(
            id=derive_id("msg", call.root, "child", call.seq),
            organization_id=call.work.organization_id,
            environment_id=call.work.environment_id,
            type=TYPE,
            payload=self._payload(call, given, workflow_id),
            received_at=self._clock.now_ms(),
        )

    async def _target(self, call: Call, given: Trigger) -> Listing:
        workflow_id = given.workflow_id
        if not workflow_id:
            words = "Say which workflow to start: triggerWorkflow(workflowId). getWorkflowByName(name).id gives the id."
            raise EffectFailed("invalid_arguments", words)
        plans = await self._catalog.plans(call.work.organization_id, call.work.environment_id)
        if workflow_id not in plans.by_id:
            raise EffectFailed("unknown_workflow", f"There is no workflow {workflow_id!r} in this environment.")
        return plans.by_id[workflow_id]

    def _payload(self, call: Call, given: Trigger, workflow_id: str) -> bytes:
        envelope = {
            "organizationId": call.work.organization_id,
            "environmentId": call.work.environment_id,
            "type": TYPE,
            "triggerType": "sub_workflow",
            "workflowId": workflow_id,
            "parentTimestamp": iso(self._clock.now_ms()),
        }
        left_out = {*envelope, *NOT_INHERITED}
        payload = msgspec.json.encode({**envelope, **{k: v for k, v in given.state.items() if k not in left_out}})
        if len(payload) > self._max_bytes:
            words = f"The message would be {len(payload)} bytes large, and {self._max_bytes} is the most."
            raise EffectFailed("too_large", f"{words} Delete global names that the other workflow does not need.")
        return payload
