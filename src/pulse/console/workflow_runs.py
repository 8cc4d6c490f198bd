"""`/api/workflows/{id}/trigger` and `/test`: a workflow is run on purpose, for good or for a look."""

import time
from typing import Annotated, Any, cast

import msgspec
from fastapi import APIRouter, Depends, Request, Response

from pulse.console.access import MayTestWorkflows, MayTriggerWorkflows, require_here
from pulse.console.bodies import TestBody, TriggerBody
from pulse.console.routes import GuardedRoute
from pulse.console.times import time_of
from pulse.core.errors import Fault, InvalidFields, TooLarge, Unavailable
from pulse.core.json import parse
from pulse.effects.world.sub_workflows import TYPE
from pulse.evaluator.trial import TrialRun, Trials
from pulse.messages.intake import Intake
from pulse.messages.records import NewMessage
from pulse.sandbox.port import Tenant
from pulse.tenancy.access import Principal, authorize
from pulse.tenancy.audit.act import note
from pulse.workflows.catalog import Catalog
from pulse.workflows.matching import directory_of
from pulse.workflows.plan import WorkflowPlan, check_workflow, compile_plan, placed_entity_ids
from pulse.workflows.records import Workflow
from pulse.workflows.store import WorkflowStore

MAX_TYPE = 200
router = APIRouter(prefix="/workflows", tags=["workflows"], route_class=GuardedRoute)


async def _to_trigger(workflow_id: str, principal: MayTriggerWorkflows, request: Request) -> Workflow:
    return await _here(workflow_id, principal, request)


async def _to_test(workflow_id: str, principal: MayTestWorkflows, request: Request) -> Workflow:
    return await _here(workflow_id, principal, request)


@router.post("/{workflow_id}/trigger", status_code=202)
async def trigger(
    found: Annotated[Workflow, Depends(_to_trigger)], body: TriggerBody, request: Request
) -> dict[str, str]:
    _require_entity(body.entity_id, found.data)
    message_id = request.app.state.ids.new("msg")
    entered = {"entityId": body.entity_id} if body.entity_id is not None else {}
    message = {
        "organizationId": found.organization_id,
        "environmentId": found.environment_id,
        "type": TYPE,
        "triggerType": "api",
        "workflowId": found.id,
        **entered,
        "payload": body.payload,
    }
    intake: Intake = request.app.state.intake
    note("workflow", found.id, found.name, message=message_id)
    await intake.accept(
        NewMessage(
            id=message_id,
            organization_id=found.organization_id,
            environment_id=found.environment_id,
            type=TYPE,
            payload=stored_form(message, request.app.state.max_message_bytes),
            received_at=time.time_ns() // 1_000_000,
        )
    )
    return {"messageId": message_id}


@router.post("/{workflow_id}/test")
async def test(
    found: Annotated[Workflow, Depends(_to_test)], body: TestBody, principal: MayTestWorkflows, request: Request
) -> Response:
    trials: Trials | None = request.app.state.trials
    if trials is None:
        raise Unavailable("A test run needs the sandbox, which runs with `pulse up`: start it and try again.")
    if body.allow:
        authorize(principal, "workflows:trigger")
    plan = await _plan(found, body.workflow_data, request)
    _require_entity(body.entity_id, body.workflow_data or found.data)
    place, catalog = (found.organization_id, found.environment_id), cast(Catalog, request.app.state.catalog)
    wanted = TrialRun(
        plan=plan,
        message={"organizationId": place[0], "environmentId": place[1], **body.message},
        at=time.time_ns() // 1_000_000 if body.at is None else time_of("at", body.at) or 0,
        entry=body.entity_id,
        pins={node: pin.model_dump(exclude_none=True) for node, pin in body.pins.items()},
        mocks=body.effects,
        allow=frozenset(body.allow),
        variables=await request.app.state.variables.values(*place),
        directory=directory_of((await catalog.plans(*place)).listings) if plan.names_workflows else "{}",
    )
    return Response(msgspec.json.encode(await trials.run(Tenant(*place), wanted)), media_type="application/json")


def stored_form(message: dict[str, Any], limit: int) -> bytes:
    """The message as it is stored. Raises TooLarge, or InvalidInput for what the receiver would refuse."""
    kind = message.get("type")
    if kind is not None and (not isinstance(kind, str) or len(kind) > MAX_TYPE):
        raise InvalidFields(
            [Fault("message.type", "invalid_type", "type is text of at most 200 characters, or absent.")]
        )
    payload = msgspec.json.encode(message)
    if len(payload) > limit:
        raise TooLarge(f"The message would be {len(payload)} bytes large, and {limit} is the most.")
    parse(payload)
    return payload


async def _plan(found: Workflow, draft: dict[str, Any] | None, request: Request) -> WorkflowPlan:
    """The plan of what is stored, or of the draft. Raises InvalidFields."""
    store: WorkflowStore = request.app.state.workflows
    data = found.data if draft is None else draft
    known, _ = await store.entities(found.organization_id, found.environment_id)
    entities = {entity.id: entity for entity in known}
    faults = check_workflow(data, entities)
    if faults:
        raise InvalidFields(faults)
    plan = compile_plan(
        Workflow(found.id, found.organization_id, found.environment_id, found.name, data, version=found.version),
        entities,
    )
    if plan is None:
        raise InvalidFields([Fault("workflowData", "empty", "This workflow is empty: there is nothing to run.")])
    return plan


def _require_entity(entity_id: str | None, data: dict[str, Any]) -> None:
    if entity_id is not None and entity_id not in placed_entity_ids(data):
        raise InvalidFields([Fault("entityId", "unknown_entity", "No node of this workflow has that entity.")])


async def _here(workflow_id: str, principal: Principal, request: Request) -> Workflow:
    store: WorkflowStore = request.app.state.workflows
    found = await store.workflow(principal.organization_id, workflow_id)
    require_here(workflow_id, found.environment_id, principal)
    return found
