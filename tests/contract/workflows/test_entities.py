"""Entities: kept as they were sent, counted by revision, and not deleted while a workflow uses them."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from pulse.core.errors import Conflict, NotFound, StaleRevision
from pulse.workflows.records import Entity, Page, Workflow
from tests.contract.workflows.conftest import ELSEWHERE, HERE, A, B, Drawings
from tests.unit.workflows.drawn import inline, place, referenced

pytestmark = pytest.mark.usefixtures("bystander")


async def test_an_entity_is_kept_as_it_was_sent(drawings: Drawings) -> None:
    fields: dict[str, Any] = {
        "condition": {"field": "ä", "value": [1.5, None]},
        "postScript": "a = '\\u00e4';\n",
        "arguments": [],
    }
    created = await drawings.entity("action", **fields)
    assert created.id.startswith("ent_")
    assert (created.revision, created.created_at, created.updated_at) == (1, drawings.clock.ms, drawings.clock.ms)
    assert await drawings.store.entity(A, created.id) == created
    assert (await drawings.store.entity(A, created.id)).fields == fields


async def test_the_id_of_a_draft_means_nothing(drawings: Drawings) -> None:
    known = await drawings.entity()
    again = await drawings.store.create_entity(replace(known, name="Again"))
    assert again.id != known.id
    assert await drawings.store.entity(A, known.id) == known


async def test_what_is_anothers_is_not_there(drawings: Drawings, bystander: tuple[Entity, Workflow]) -> None:
    ours, theirs = await drawings.entity(), bystander[0]
    for organization_id, wanted in ((B, ours), (A, theirs), ("", ours)):
        for attempt in (
            drawings.store.entity(organization_id, wanted.id),
            drawings.store.delete_entity(organization_id, wanted.id),
            drawings.store.usage_count(organization_id, wanted.id),
            drawings.store.update_entity(replace(wanted, organization_id=organization_id, name="Stolen")),
        ):
            with pytest.raises(NotFound):
                await attempt
    assert await drawings.store.entity(A, ours.id) == ours


async def test_entities_are_listed_in_the_order_they_were_made(drawings: Drawings) -> None:
    ids = [(await drawings.entity("action", A, ELSEWHERE if n == 2 else HERE)).id for n in range(5)]
    listed, total = await drawings.store.entities(A)
    assert ([entity.id for entity in listed], total) == (ids, 5)
    pages = [await drawings.store.entities(A, HERE, Page(number, 3)) for number in (1, 2, 3)]
    here = [each for each in ids if each != ids[2]]
    assert [[entity.id for entity in found] for found, _ in pages] == [here[:3], here[3:], []]
    assert {count for _, count in pages} == {4}
    assert await drawings.store.entities("org_unknown") == ([], 0)


# ---- changes -------------------------------------------------------------------------------------------------


async def test_a_change_counts_the_revision(drawings: Drawings) -> None:
    created = await drawings.entity("action", postScript="a = 1")
    drawings.clock.ms += 5
    wanted = replace(created, name="Changed", description="words", fields={"postScript": "a = 2"}, revision=99)
    changed = await drawings.store.update_entity(wanted, expected=1)
    assert changed == replace(wanted, revision=2, updated_at=drawings.clock.ms)
    assert await drawings.store.entity(A, created.id) == changed


async def test_a_stale_change_is_refused(drawings: Drawings) -> None:
    created = await drawings.entity()
    changed = await drawings.store.update_entity(replace(created, name="First"), expected=1)
    with pytest.raises(StaleRevision) as refused:
        await drawings.store.update_entity(replace(created, name="Second"), expected=1)
    assert refused.value.details == {"revision": 2}
    assert await drawings.store.entity(A, created.id) == changed


async def test_of_two_who_change_the_same_revision_one_is_refused(drawings: Drawings) -> None:
    created = await drawings.entity()
    changes = [drawings.store.update_entity(replace(created, name=f"{n}"), expected=1) for n in range(4)]
    answers = await asyncio.gather(*changes, return_exceptions=True)
    assert sorted(type(answer).__name__ for answer in answers) == ["Entity", *["StaleRevision"] * 3]
    assert (await drawings.store.entity(A, created.id)).revision == 2


async def test_changes_that_expect_nothing_all_count(drawings: Drawings) -> None:
    created = await drawings.entity()
    await asyncio.gather(*(drawings.store.update_entity(replace(created, name=f"{n}")) for n in range(4)))
    assert (await drawings.store.entity(A, created.id)).revision == 5


async def test_an_entity_stays_in_its_environment(drawings: Drawings) -> None:
    created = await drawings.entity()
    with pytest.raises(NotFound):
        await drawings.store.update_entity(replace(created, environment_id=ELSEWHERE, name="Moved"))
    assert await drawings.store.entity(A, created.id) == created


async def test_a_change_gives_every_workflow_that_uses_it_a_new_version(drawings: Drawings) -> None:
    start, unused = await drawings.entity(), await drawings.entity()
    twice = await drawings.workflow(
        referenced(place("a", place("b")), a={"entityId": start.id}, b={"entityId": start.id})
    )
    older = await drawings.workflow({"root": inline(start.id)})
    other = await drawings.workflow({"root": inline(unused.id)})
    named_so = await drawings.workflow({"root": inline(unused.id, name=start.id)})
    await drawings.store.update_entity(replace(start, fields={"preScript": "a = 1"}))
    versions = [(await drawings.store.workflow(A, each.id)).version for each in (twice, older, other, named_so)]
    assert versions == [2, 2, 1, 1]
    assert (await drawings.store.workflow(A, twice.id)).data == twice.data


@pytest.mark.parametrize(
    ("changes", "version"),
    [({"description": "words"}, 1), ({"fields": {"preScript": " ", "arguments": []}}, 1), ({"name": "In the log"}, 2)],
    ids=["described", "nothing-that-runs", "renamed"],
)
async def test_a_change_that_changes_nothing_that_runs_makes_no_version(
    drawings: Drawings, changes: dict[str, Any], version: int
) -> None:
    start, drawn = await drawings.drawn()
    drawings.clock.ms += 5
    await drawings.store.update_entity(replace(start, **changes))
    found = await drawings.store.workflow(A, drawn.id)
    assert found == replace(drawn, version=version, updated_at=drawings.clock.ms if version > 1 else drawn.updated_at)


async def test_changes_of_an_entity_and_its_workflow_at_once_lose_nothing(drawings: Drawings) -> None:
    start, other = await drawings.entity(), await drawings.entity()
    drawn = await drawings.workflow({"root": inline(start.id)})
    redrawn = replace(drawn, name="Redrawn", data={"root": inline(start.id, inline(other.id))})
    for round_ in range(3):
        await asyncio.gather(
            drawings.store.update_entity(replace(start, name=f"{round_}")),
            drawings.store.update_workflow(redrawn),
            drawings.store.update_entity(replace(start, fields={"preScript": f"{round_}"})),
        )
    found = await drawings.store.workflow(A, drawn.id)
    assert (found.name, found.data, found.revision) == ("Redrawn", redrawn.data, 4)
    assert found.version == 1 + 6 + 1
    assert (await drawings.store.entity(A, start.id)).revision == 7


# ---- use -----------------------------------------------------------------------------------------------------


async def test_use_is_counted_by_workflow(drawings: Drawings) -> None:
    start = await drawings.entity()
    assert await drawings.store.usage_count(A, start.id) == 0
    await drawings.workflow({"root": inline(start.id, inline(start.id))})
    await drawings.workflow({"root": inline(start.id)}, is_active=False)
    assert await drawings.store.usage_count(A, start.id) == 2


async def test_what_is_used_is_not_deleted(drawings: Drawings) -> None:
    start, drawn = await drawings.drawn()
    with pytest.raises(Conflict, match="Drawn"):
        await drawings.store.delete_entity(A, start.id)
    await drawings.store.delete_workflow(A, drawn.id)
    await drawings.store.delete_entity(A, start.id)
    with pytest.raises(NotFound):
        await drawings.store.entity(A, start.id)
    with pytest.raises(NotFound):
        await drawings.store.delete_entity(A, start.id)


async def test_an_entity_is_deleted_or_drawn_but_not_both(drawings: Drawings) -> None:
    for _ in range(5):
        start = await drawings.entity()
        answers = await asyncio.gather(
            drawings.store.delete_entity(A, start.id),
            drawings.workflow({"root": inline(start.id)}),
            return_exceptions=True,
        )
        assert [isinstance(answer, Exception) for answer in answers].count(True) == 1, answers
