"""`/api/variables/{name}/uses`: where the workflows of an environment name a variable.

Found is a name that stands by itself: in a script anywhere (its comments, too), in a text between `{{` and `}}`, in a
condition or a logic field as the beginning of a path. A script that makes the name up as it runs is not found.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, Request

from pulse.console.access import MayReadVariables
from pulse.console.pages import whole
from pulse.console.routes import GuardedRoute
from pulse.core.conditions import dotted
from pulse.core.templates import cut
from pulse.tenancy.variables import VariableStore
from pulse.workflows.plan import entity_ids
from pulse.workflows.records import Entity, Workflow
from pulse.workflows.store import WorkflowStore
from pulse.workflows.tree import read_tree

router = APIRouter(prefix="/variables", tags=["variables"], route_class=GuardedRoute)
SCRIPTS = ("preScript", "postScript", "script")


@router.get("/{name}/uses")
async def uses(name: str, principal: MayReadVariables, request: Request) -> Any:
    """Entities that name the variable, each with the places in it and the workflows that it is part of."""
    place = (principal.organization_id, principal.environment_id)
    variables: VariableStore = request.app.state.variables
    await variables.named(*place, name)
    store: WorkflowStore = request.app.state.workflows
    (entities, _), (workflows, _) = await store.entities(*place), await store.workflows(*place)
    # Whoever may read may ask this often: it keeps nobody else waiting, and only one search runs at a time.
    return whole(await to_thread.run_sync(_rows, entities, workflows, name, limiter=_one_at_a_time(request)))


def _rows(entities: Sequence[Entity], workflows: Sequence[Workflow], name: str) -> list[dict[str, Any]]:
    used = {workflow.id: entity_ids(workflow.data) for workflow in workflows}
    found = [(entity, list(places_in(entity, name))) for entity in entities]
    rows = [_of_entity(each, at, [w for w in workflows if each.id in used[w.id]]) for each, at in found if at]
    drawn = [(workflow, list(places_drawn(workflow, name))) for workflow in workflows]
    return [*rows, *(_of_workflow(workflow, at) for workflow, at in drawn if at)]


def _one_at_a_time(request: Request) -> CapacityLimiter:
    state = request.app.state
    if not hasattr(state, "searches"):
        state.searches = CapacityLimiter(1)
    limiter: CapacityLimiter = state.searches
    return limiter


def places_in(entity: Entity, name: str) -> Iterator[str]:
    """The fields of an entity that name the variable, as dotted paths."""
    fields = entity.fields
    for field in SCRIPTS:
        if _is_in_script(fields.get(field), name):
            yield field
    if _is_in_text(fields.get("prompt"), name):
        yield "prompt"
    for at, argument in enumerate(fields.get("arguments") or []):
        if _is_in_text(argument.get("argumentValue"), name):
            yield f"arguments.{at}"
    if _begins(fields.get("logicField"), name):
        yield "logicField"
    if _is_in_condition(fields.get("condition"), name):
        yield "condition"


def places_drawn(workflow: Workflow, name: str) -> Iterator[str]:
    """The nodes of a drawing that name the variable by themselves, over what their entity says."""
    for ref, node in read_tree(workflow.data).nodes.items():
        if _begins(node.get("logicField"), name):
            yield f"{ref}.logicField"


def _is_in_script(script: Any, name: str) -> bool:
    return isinstance(script, str) and re.search(rf"(?<![\w$]){re.escape(name)}(?![\w$])", script) is not None


def _is_in_text(text: Any, name: str) -> bool:
    if not isinstance(text, str):
        return False
    return any(isinstance(each, dict) and each["path"][0] == name for each in cut(text))


def _begins(path: Any, name: str) -> bool:
    return isinstance(path, str) and dotted(path)[0] == name


def _is_in_condition(tree: Any, name: str) -> bool:
    if not isinstance(tree, Mapping):
        return False
    below = tree.get("conditions")
    children = below if isinstance(below, list) else []
    return _begins(tree.get("field"), name) or any(_is_in_condition(child, name) for child in children)


def _of_entity(entity: Entity, places: list[str], workflows: list[Workflow]) -> dict[str, Any]:
    return {
        "kind": "entity",
        "id": entity.id,
        "name": entity.name,
        "entityType": entity.entity_type,
        "places": places,
        "workflows": [{"id": workflow.id, "name": workflow.name} for workflow in workflows],
    }


def _of_workflow(workflow: Workflow, places: list[str]) -> dict[str, Any]:
    own = [{"id": workflow.id, "name": workflow.name}]
    return {"kind": "workflow", "id": workflow.id, "name": workflow.name, "places": places, "workflows": own}
