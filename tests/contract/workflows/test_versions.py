"""Versions: one for each save that changes what a workflow does, with the entities as they were; for good."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from pulse.core.errors import Conflict, InvalidFields, NotFound, StaleRevision
from pulse.workflows.records import Entity, Page, Workflow
from pulse.workflows.versions import WorkflowVersions
from tests.contract.workflows.conftest import ELSEWHERE, HERE, A, B, Drawings
from tests.unit.workflows.drawn import inline, place, referenced

pytestmark = pytest.mark.usefixtures("bystander")
CONDITION = {"field": "type", "comparison": "equals", "value": "order"}


async def numbers(versions: WorkflowVersions, workflow: Workflow) -> list[int]:
    found, total = await versions.list(workflow.organization_id, workflow.id)
    assert total == len(found)
    return [each.workflow.version for each in found]


async def saved(drawings: Drawings, workflow: Workflow, **changes: Any) -> Workflow:
    drawings.clock.ms += 10
    return await drawings.store.update_workflow(replace(workflow, **changes))


async def changed(drawings: Drawings, entity: Entity, **fields: Any) -> Entity:
    drawings.clock.ms += 10
    return await drawings.store.update_entity(replace(entity, fields={**entity.fields, **fields}))


async def test_the_first_version_is_what_was_created(drawings: Drawings, versions: WorkflowVersions) -> None:
    start = await drawings.entity(preScript="first()", condition=CONDITION)
    drawn = await drawings.workflow({"root": inline(start.id)}, description="words", priority=3, is_active=False)
    (first,), total = await versions.list(A, drawn.id)
    assert total == 1
    assert first == await versions.one(A, drawn.id, 1)
    assert (first.workflow.id, first.workflow.version, first.workflow.name) == (drawn.id, 1, "Drawn")
    assert (first.workflow.data, first.workflow.environment_id) == (drawn.data, HERE)
    assert (first.entities, first.created_at) == ({start.id: start}, drawn.created_at)


async def test_an_empty_workflow_has_a_version_too(drawings: Drawings, versions: WorkflowVersions) -> None:
    drawn = await drawings.workflow({})
    assert (await versions.one(A, drawn.id, 1)).entities == {}
    start = await drawings.entity()
    await saved(drawings, drawn, data={"root": inline(start.id)})
    assert await numbers(versions, drawn) == [2, 1]


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"description": "other words"}, id="description"),
        pytest.param({"priority": -5}, id="priority"),
        pytest.param({"is_active": False}, id="switched-off"),
        pytest.param({}, id="nothing"),
    ],
)
async def test_what_does_not_change_behaviour_makes_no_version(
    drawings: Drawings, versions: WorkflowVersions, changes: dict[str, Any]
) -> None:
    _, drawn = await drawings.drawn()
    after = await saved(drawings, drawn, **changes)
    assert (after.version, after.revision) == (1, 2)
    assert await numbers(versions, drawn) == [1]


MOVED: list[tuple[str, Callable[[str], dict[str, Any]]]] = [
    ("positions", lambda start: {"root": inline(start, presentation={"position": {"x": 9, "y": 1}})}),
    ("viewport", lambda start: {"root": inline(start), "presentation": {"viewport": {"zoom": 50}}}),
    ("unknown fields", lambda start: {"root": inline(start, colour="red"), "notes": ["mine"]}),
    ("the name of a node", lambda start: {"root": inline(start, name="Shown")}),
    ("the newer shape", lambda start: referenced(place("a"), a={"entityId": start})),
    ("connectors", lambda start: {**referenced(place("a"), a={"entityId": start}), "connectors": {"c": {}}}),
    ("a node that stands nowhere", lambda start: referenced(place("a"), a={"entityId": start}, b={"entityId": start})),
]


@pytest.mark.parametrize("redrawn", [case[1] for case in MOVED], ids=[case[0] for case in MOVED])
async def test_what_is_only_moved_makes_no_version(
    drawings: Drawings, versions: WorkflowVersions, redrawn: Callable[[str], dict[str, Any]]
) -> None:
    start, drawn = await drawings.drawn()
    after = await saved(drawings, drawn, data=redrawn(start.id))
    assert (after.version, after.data) == (1, redrawn(start.id))
    assert await numbers(versions, drawn) == [1]


async def test_each_save_that_changes_behaviour_makes_one(drawings: Drawings, versions: WorkflowVersions) -> None:
    start, drawn = await drawings.drawn()
    act, other = await drawings.entity("action"), await drawings.workflow({}, name="Other")
    steps: list[dict[str, Any]] = [
        {"data": {"root": inline(start.id, inline(act.id))}},
        {"data": {"root": inline(start.id, inline(act.id), inline(act.id))}},
        {"data": {"root": inline(start.id, inline(act.id), {"entityType": "workflow", "workflowId": other.id})}},
        {"data": {"root": inline(start.id, tfCondition="Iterable", logicField="list")}},
        {"data": {"root": inline(start.id, tfCondition="Iterable", logicField="other")}},
        {"data": {"root": inline(act.id)}},
        {"data": {}},
        {"name": "Renamed"},
    ]
    for number, changes in enumerate(steps, start=2):
        drawn = await saved(drawings, drawn, **changes)
        assert drawn.version == number
        kept = await versions.one(A, drawn.id, number)
        assert (kept.workflow.data, kept.workflow.name) == (drawn.data, drawn.name)
        assert kept.created_at == drawings.clock.ms
    assert await numbers(versions, drawn) == [9, 8, 7, 6, 5, 4, 3, 2, 1]
    assert (await versions.one(A, drawn.id, 1)).workflow.data == {"root": inline(start.id)}


async def test_what_is_refused_makes_no_version(drawings: Drawings, versions: WorkflowVersions) -> None:
    _, drawn = await drawings.drawn()
    with pytest.raises(InvalidFields):
        await saved(drawings, drawn, data={"root": inline("ent_unknown")})
    with pytest.raises(StaleRevision):
        await drawings.store.update_workflow(replace(drawn, data={}), expected=7)
    with pytest.raises(NotFound):
        await saved(drawings, drawn, environment_id=ELSEWHERE, data={})
    assert await numbers(versions, drawn) == [1]


async def test_versions_are_counted_one_by_one_when_many_save_at_once(
    drawings: Drawings, versions: WorkflowVersions
) -> None:
    start, drawn = await drawings.drawn()
    saves = [saved(drawings, drawn, data={"root": inline(start.id, logicField=f"{n}")}, name=f"{n}") for n in range(8)]
    await asyncio.gather(*saves)
    assert await numbers(versions, drawn) == [9, 8, 7, 6, 5, 4, 3, 2, 1]


# ---- entities ----------------------------------------------------------------------------------------------------


async def test_a_change_of_an_entity_is_a_version_of_each_that_uses_it(
    drawings: Drawings, versions: WorkflowVersions
) -> None:
    start, act = await drawings.entity(), await drawings.entity("action", postScript="one()")
    users = [await drawings.workflow({"root": inline(start.id, inline(act.id))}) for _ in range(2)]
    other = await drawings.workflow({"root": inline(start.id)})
    _, elsewhere = await drawings.drawn(A, ELSEWHERE)
    after = await changed(drawings, act, postScript="two()")
    for user in users:
        now = await drawings.store.workflow(A, user.id)
        assert (now.version, now.revision, now.updated_at) == (2, user.revision, drawings.clock.ms)
        assert await numbers(versions, user) == [2, 1]
        assert (await versions.one(A, user.id, 2)).entities == {start.id: start, act.id: after}
        assert (await versions.one(A, user.id, 1)).entities == {start.id: start, act.id: act}
    assert await numbers(versions, other) == await numbers(versions, elsewhere) == [1]


@pytest.mark.parametrize(
    "fields",
    [
        {"preScript": "x()"},
        {"postScript": "x()"},
        {"script": "x()"},
        {"condition": CONDITION},
        {"arguments": [{"name": "a", "argumentValue": 1}]},
        {"tfCondition": "Iterable", "logicField": "list"},
        {"onError": "continue"},
    ],
    ids=lambda fields: next(iter(fields)),
)
async def test_what_of_an_entity_changes_behaviour(
    drawings: Drawings, versions: WorkflowVersions, fields: dict[str, Any]
) -> None:
    start, drawn = await drawings.drawn()
    await changed(drawings, start, **fields)
    assert await numbers(versions, drawn) == [2, 1]


async def test_the_name_of_an_entity_is_told_in_logs_and_so_a_version(
    drawings: Drawings, versions: WorkflowVersions
) -> None:
    start, drawn = await drawings.drawn()
    await drawings.store.update_entity(replace(start, name="Told"))
    assert await numbers(versions, drawn) == [2, 1]


@pytest.mark.parametrize("change", ["description", "unused", "blank script", "nothing"])
async def test_what_of_an_entity_changes_nothing(drawings: Drawings, versions: WorkflowVersions, change: str) -> None:
    start, drawn = await drawings.drawn()
    more: dict[str, Any] = {"unused": {"prompt": "p", "resultStatus": ""}, "blank script": {"preScript": " \n"}}
    description = "words" if change == "description" else None
    after = replace(start, description=description, fields={**start.fields, **more.get(change, {})})
    await drawings.store.update_entity(after)
    assert await numbers(versions, drawn) == [1]
    assert (await drawings.store.workflow(A, drawn.id)).version == 1


async def test_an_entity_that_stands_nowhere_in_the_tree_changes_nothing(
    drawings: Drawings, versions: WorkflowVersions
) -> None:
    start, act = await drawings.entity(), await drawings.entity("action")
    drawn = await drawings.workflow(referenced(place("a"), a={"entityId": start.id}, b={"entityId": act.id}))
    await changed(drawings, act, postScript="x()")
    assert await numbers(versions, drawn) == [1]


async def test_entities_and_workflows_that_are_saved_at_once_lose_no_version(
    drawings: Drawings, versions: WorkflowVersions
) -> None:
    start, act = await drawings.entity(), await drawings.entity("action")
    drawn = await drawings.workflow({"root": inline(start.id, inline(act.id))})
    await asyncio.gather(
        changed(drawings, start, preScript="a()"),
        changed(drawings, act, postScript="b()"),
        saved(drawings, drawn, data={"root": inline(start.id, inline(act.id), inline(act.id))}),
    )
    assert await numbers(versions, drawn) == [4, 3, 2, 1]
    now = await drawings.store.workflow(A, drawn.id)
    last = await versions.one(A, drawn.id, 4)
    assert (now.version, now.data) == (4, last.workflow.data)
    assert [last.entities[each.id].fields for each in (start, act)] == [{"preScript": "a()"}, {"postScript": "b()"}]


# ---- reading them ------------------------------------------------------------------------------------------------


async def test_versions_come_in_pages_newest_first(drawings: Drawings, versions: WorkflowVersions) -> None:
    _, drawn = await drawings.drawn()
    for number in range(4):
        drawn = await saved(drawings, drawn, name=f"{number}")
    pages = [await versions.list(A, drawn.id, Page(page, 2)) for page in (1, 2, 3, 4)]
    assert [[each.workflow.version for each in found] for found, _ in pages] == [[5, 4], [3, 2], [1], []]
    assert {total for _, total in pages} == {5}


async def test_versions_survive_their_workflow(drawings: Drawings, versions: WorkflowVersions) -> None:
    start, drawn = await drawings.drawn()
    await saved(drawings, drawn, name="Later")
    await drawings.store.delete_workflow(A, drawn.id)
    await drawings.store.delete_entity(A, start.id)
    assert await numbers(versions, drawn) == [2, 1]
    assert (await versions.one(A, drawn.id, 1)).entities == {start.id: start}


async def test_another_organization_sees_none(
    drawings: Drawings, versions: WorkflowVersions, bystander: tuple[Entity, Workflow]
) -> None:
    _, drawn = await drawings.drawn()
    for organization_id, wanted in ((B, drawn), (A, bystander[1]), ("", drawn)):
        assert await versions.list(organization_id, wanted.id) == ([], 0)
        with pytest.raises(NotFound):
            await versions.one(organization_id, wanted.id, 1)
    for number in (0, 2, -1):
        with pytest.raises(NotFound):
            await versions.one(A, drawn.id, number)


# ---- workflows that start each other -------------------------------------------------------------------------------


def starts(start: Entity, *ids: str) -> dict[str, Any]:
    return {"root": inline(start.id, *({"entityType": "workflow", "workflowId": each} for each in ids))}


async def test_a_workflow_that_another_starts_cannot_be_deleted(drawings: Drawings) -> None:
    start, target = await drawings.drawn()
    users = [await drawings.workflow(starts(start, target.id), name=f"User {n}") for n in range(2)]
    with pytest.raises(Conflict, match="'User 0', 'User 1'"):
        await drawings.store.delete_workflow(A, target.id)
    assert await drawings.store.workflow(A, target.id) == target
    await drawings.store.delete_workflow(A, users[0].id)
    with pytest.raises(Conflict):
        await drawings.store.delete_workflow(A, target.id)
    await saved(drawings, users[1], data={"root": inline(start.id)})
    await drawings.store.delete_workflow(A, target.id)


async def test_a_workflow_may_start_itself_and_be_deleted(drawings: Drawings) -> None:
    start, drawn = await drawings.drawn()
    drawn = await saved(drawings, drawn, data=starts(start, drawn.id))
    await drawings.store.delete_workflow(A, drawn.id)


async def test_an_id_that_is_only_mentioned_is_no_user(drawings: Drawings) -> None:
    start, target = await drawings.drawn()
    await drawings.workflow({"root": inline(start.id, name=target.id), "notes": target.id})
    await drawings.store.delete_workflow(A, target.id)


async def test_only_workflows_of_the_same_place_may_be_started(
    drawings: Drawings, bystander: tuple[Entity, Workflow]
) -> None:
    start, _ = await drawings.drawn()
    _, elsewhere = await drawings.drawn(A, ELSEWHERE)
    for unknown in (elsewhere.id, bystander[1].id, "wf_unknown", start.id):
        with pytest.raises(InvalidFields) as refused:
            await drawings.workflow(starts(start, unknown))
        assert [(f.path, f.code) for f in refused.value.faults] == [
            ("workflowData.root.children.0.workflowId", "unknown_workflow")
        ]
