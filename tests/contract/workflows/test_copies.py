"""Workflows that are copied into another environment: with entities of their own, switched off, all or nothing."""

from typing import Any

import pytest

from pulse.core.errors import InvalidFields, NotFound
from pulse.workflows.records import Entity, Workflow
from pulse.workflows.versions import WorkflowVersions
from tests.contract.workflows.conftest import ELSEWHERE, HERE, A, B, Drawings, renamed
from tests.unit.workflows.drawn import inline

Bystander = tuple[Entity, Workflow]


def starting(entity_id: str, *workflow_ids: str) -> dict[str, Any]:
    """A drawing whose event starts other workflows."""
    nodes = [{"entityType": "workflow", "workflowId": each, "children": []} for each in workflow_ids]
    return {"root": inline(entity_id, *nodes)}


async def test_a_copy_has_its_own_entities_and_is_switched_off(
    drawings: Drawings, versions: WorkflowVersions, bystander: Bystander
) -> None:
    start, script = await drawings.entity(), await drawings.entity("action", postScript="___result___ = 1")
    source = await drawings.workflow({"root": inline(start.id, inline(script.id)), "kept": 7}, name="Orders")
    drawings.clock.ms += 1
    copy = await drawings.store.copy_workflow(A, source.id, ELSEWHERE)
    assert (copy.name, copy.environment_id, copy.version, copy.is_active) == ("Orders", ELSEWHERE, 1, False)
    assert copy.created_at == drawings.clock.ms
    entities, _ = await drawings.store.entities(A, ELSEWHERE)
    assert {(each.name, each.entity_type, each.fields.get("postScript")) for each in entities} == {
        (each.name, each.entity_type, each.fields.get("postScript")) for each in (start, script)
    }
    ids = {each.entity_type: each.id for each in entities}
    assert copy.data == {"root": inline(ids["event"], inline(ids["action"])), "kept": 7}
    assert await drawings.store.workflow(A, copy.id) == copy
    recorded = await versions.one(A, copy.id, 1)
    assert recorded.entities.keys() == set(ids.values())
    assert await drawings.store.workflow(A, source.id) == source
    assert {each.id for each in (await drawings.store.entities(A, HERE))[0]} == {start.id, script.id}


async def test_what_it_starts_are_the_namesakes_there(drawings: Drawings, bystander: Bystander) -> None:
    start = await drawings.entity()
    child = await drawings.workflow({"root": inline(start.id)}, name="Child")
    parent = await drawings.workflow(starting(start.id, child.id), name="Parent")
    with pytest.raises(InvalidFields) as refused:
        await drawings.store.copy_workflow(A, parent.id, ELSEWHERE)
    assert [(fault.path, fault.code) for fault in refused.value.faults] == [("environmentId", "unknown_workflow")]
    assert "Copy it first" in refused.value.message
    assert await drawings.store.entities(A, ELSEWHERE) == ([], 0)
    there = await drawings.store.copy_workflow(A, child.id, ELSEWHERE)
    copy = await drawings.store.copy_workflow(A, parent.id, ELSEWHERE)
    assert copy.data["root"]["children"][0]["workflowId"] == there.id
    await drawings.store.copy_workflow(A, child.id, ELSEWHERE)
    with pytest.raises(InvalidFields, match="several workflows of that name"):
        await drawings.store.copy_workflow(A, parent.id, ELSEWHERE)


async def test_who_starts_itself_starts_its_copy(drawings: Drawings, bystander: Bystander) -> None:
    start = await drawings.entity()
    own = await drawings.workflow({"root": inline(start.id)}, name="Loop")
    own = await drawings.store.update_workflow(
        Workflow(own.id, A, HERE, "Loop", starting(start.id, own.id), is_active=True)
    )
    copy = await drawings.store.copy_workflow(A, own.id, ELSEWHERE)
    assert copy.data["root"]["children"][0]["workflowId"] == copy.id


async def test_within_an_environment_and_under_another_name(drawings: Drawings, bystander: Bystander) -> None:
    _, source = await drawings.drawn()
    copy = await drawings.store.copy_workflow(A, source.id, HERE, "Another")
    assert (copy.name, copy.environment_id) == ("Another", HERE)
    assert (await drawings.store.entities(A, HERE))[1] == 2
    await drawings.store.update_workflow(renamed(source, "Changed"))
    assert (await drawings.store.workflow(A, copy.id)).name == "Another"


async def test_an_empty_workflow(drawings: Drawings, bystander: Bystander) -> None:
    source = await drawings.workflow({}, name="Empty")
    assert (await drawings.store.copy_workflow(A, source.id, ELSEWHERE)).data == {}


async def test_nobody_copies_what_is_anothers(drawings: Drawings, bystander: Bystander) -> None:
    with pytest.raises(NotFound):
        await drawings.store.copy_workflow(A, bystander[1].id, ELSEWHERE)
    _, ours = await drawings.drawn()
    with pytest.raises(NotFound):
        await drawings.store.copy_workflow(B, ours.id, ELSEWHERE)
