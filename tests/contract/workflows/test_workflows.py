"""Workflows: refused with every fault, tried in their order, and versioned when what they do changes."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from pulse.core.errors import InvalidFields, NotFound, StaleRevision
from pulse.workflows.records import Entity, Page, Workflow
from tests.contract.workflows.conftest import ELSEWHERE, HERE, A, B, Drawings, renamed
from tests.unit.workflows.drawn import inline, place, referenced

pytestmark = pytest.mark.usefixtures("bystander")


async def test_a_workflow_is_kept_as_it_was_drawn(drawings: Drawings) -> None:
    start = await drawings.entity()
    data = referenced(place("ä"), ä={"entityId": start.id, "presentation": {"x": 1.5}, "odd": None})
    created = await drawings.workflow(data, description="words", priority=-3, is_active=False, version=9)
    assert created.id.startswith("wf_")
    assert (created.version, created.revision, created.created_at) == (1, 1, drawings.clock.ms)
    assert (created.priority, created.is_active, created.description) == (-3, False, "words")
    assert await drawings.store.workflow(A, created.id) == created
    assert (await drawings.store.workflow(A, created.id)).data == data


async def test_a_workflow_may_be_empty(drawings: Drawings) -> None:
    created = await drawings.workflow({})
    assert (await drawings.store.workflow(A, created.id)).data == {}


async def test_a_workflow_with_faults_is_refused_with_all_of_them(
    drawings: Drawings, bystander: tuple[Entity, Workflow]
) -> None:
    start, elsewhere = await drawings.entity(), await drawings.entity("event", A, ELSEWHERE)
    children = [inline("ent_unknown"), inline(bystander[0].id), inline(elsewhere.id), inline(start.id)]
    with pytest.raises(InvalidFields) as refused:
        await drawings.workflow({"root": inline(start.id, *children)})
    assert [(fault.path, fault.code) for fault in refused.value.faults] == [
        (f"workflowData.root.children.{n}.entityId", "unknown_entity") for n in range(3)
    ]
    assert await drawings.store.workflows(A) == ([], 0)


async def test_a_change_with_faults_is_refused(drawings: Drawings) -> None:
    start, drawn = await drawings.drawn()
    with pytest.raises(InvalidFields):
        await drawings.store.update_workflow(replace(drawn, data={"root": inline(start.id, inline("ent_unknown"))}))
    assert await drawings.store.workflow(A, drawn.id) == drawn


async def test_what_is_anothers_is_not_there(drawings: Drawings, bystander: tuple[Entity, Workflow]) -> None:
    (_, ours), theirs = await drawings.drawn(), bystander[1]
    for organization_id, wanted in ((B, ours), (A, theirs), ("", ours)):
        for attempt in (
            drawings.store.workflow(organization_id, wanted.id),
            drawings.store.delete_workflow(organization_id, wanted.id),
            drawings.store.update_workflow(replace(wanted, organization_id=organization_id, name="Stolen")),
        ):
            with pytest.raises(NotFound):
                await attempt
    assert await drawings.store.workflow(A, ours.id) == ours


async def test_workflows_come_in_the_order_they_are_tried(drawings: Drawings) -> None:
    wanted = [("later", 200), ("first", 100), ("second", 100), ("now", -1)]
    for name, priority in wanted:
        await drawings.workflow({}, name=name, priority=priority)
    await drawings.workflow({}, A, ELSEWHERE, name="elsewhere")
    await drawings.workflow({}, name="off", priority=100, is_active=False)
    found, total = await drawings.store.workflows(A, HERE)
    assert ([workflow.name for workflow in found], total) == (["now", "first", "second", "off", "later"], 5)
    active, count = await drawings.store.workflows(A, HERE, is_active=True)
    assert ([workflow.name for workflow in active], count) == (["now", "first", "second", "later"], 4)
    inactive, _ = await drawings.store.workflows(A, HERE, is_active=False)
    assert [workflow.name for workflow in inactive] == ["off"]
    page, total = await drawings.store.workflows(A, None, Page(2, 4))
    assert ([workflow.name for workflow in page], total) == (["off", "later"], 6)


async def test_a_deleted_workflow_is_gone(drawings: Drawings) -> None:
    _, drawn = await drawings.drawn()
    _, kept = await drawings.drawn()
    await drawings.store.delete_workflow(A, drawn.id)
    assert await drawings.store.workflows(A) == ([kept], 1)
    with pytest.raises(NotFound):
        await drawings.store.delete_workflow(A, drawn.id)


# ---- revisions and versions ----------------------------------------------------------------------------------


async def test_a_change_counts_the_revision(drawings: Drawings) -> None:
    _, drawn = await drawings.drawn()
    drawings.clock.ms += 5
    wanted = replace(drawn, name="Changed", priority=1, is_active=False, revision=9, version=9, created_at=3)
    changed = await drawings.store.update_workflow(wanted, expected=1)
    assert (changed.revision, changed.version, changed.updated_at) == (2, 2, drawings.clock.ms)
    assert (changed.name, changed.priority, changed.is_active) == ("Changed", 1, False)
    assert changed.created_at == drawn.created_at
    assert await drawings.store.workflow(A, drawn.id) == changed


async def test_a_stale_change_is_refused(drawings: Drawings) -> None:
    _, drawn = await drawings.drawn()
    changed = await drawings.store.update_workflow(renamed(drawn, "First"), expected=1)
    with pytest.raises(StaleRevision) as refused:
        await drawings.store.update_workflow(renamed(drawn, "Second"), expected=1)
    assert refused.value.details == {"revision": 2}
    assert await drawings.store.workflow(A, drawn.id) == changed


async def test_of_two_who_change_the_same_revision_one_is_refused(drawings: Drawings) -> None:
    _, drawn = await drawings.drawn()
    changes = [drawings.store.update_workflow(renamed(drawn, f"{n}"), expected=1) for n in range(4)]
    answers = await asyncio.gather(*changes, return_exceptions=True)
    assert sorted(type(answer).__name__ for answer in answers) == [*["StaleRevision"] * 3, "Workflow"]
    assert (await drawings.store.workflow(A, drawn.id)).revision == 2


async def test_a_workflow_stays_in_its_environment(drawings: Drawings) -> None:
    _, drawn = await drawings.drawn()
    with pytest.raises(NotFound):
        await drawings.store.update_workflow(replace(drawn, environment_id=ELSEWHERE, data={}))
    assert await drawings.store.workflow(A, drawn.id) == drawn


async def test_a_version_does_not_count_words(drawings: Drawings) -> None:
    _, drawn = await drawings.drawn()
    wanted = replace(drawn, description="words", priority=1, is_active=False)
    assert (await drawings.store.update_workflow(wanted)).version == 1


async def test_another_name_is_another_version(drawings: Drawings) -> None:
    _, drawn = await drawings.drawn()
    changed = await drawings.store.update_workflow(renamed(drawn, "Renamed"))
    assert (changed.version, changed.revision) == (2, 2)
    again = await drawings.store.update_workflow(renamed(drawn, "Renamed"))
    assert (again.version, again.revision) == (2, 3)


@pytest.mark.parametrize(
    ("redrawn", "version"),
    [
        pytest.param(lambda start: {"root": inline(start), "presentation": {"zoom": 50}}, 1, id="moved"),
        pytest.param(lambda start: referenced(place("a"), a={"entityId": start}), 1, id="in-the-newer-shape"),
        pytest.param(lambda start: {"root": inline(start, tfCondition="Single Path")}, 1, id="said-what-it-was"),
        pytest.param(lambda start: {"root": inline(start, inline(start))}, 2, id="another-node"),
        pytest.param(lambda _start: {}, 2, id="emptied"),
    ],
)
async def test_a_version_counts_what_changes_behaviour(
    drawings: Drawings, redrawn: Callable[[str], dict[str, Any]], version: int
) -> None:
    start, drawn = await drawings.drawn()
    data = redrawn(start.id)
    changed = await drawings.store.update_workflow(replace(drawn, data=data))
    assert (changed.version, changed.revision) == (version, 2)
    assert (await drawings.store.workflow(A, drawn.id)).data == data


async def test_another_entity_in_the_same_place_is_another_version(drawings: Drawings) -> None:
    _, drawn = await drawings.drawn()
    other = await drawings.entity()
    changed = await drawings.store.update_workflow(replace(drawn, data={"root": inline(other.id)}))
    assert changed.version == 2
