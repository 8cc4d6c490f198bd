"""The catalog: plans are compiled once, a change here is in force at once, one made elsewhere after a while."""

import asyncio
import dataclasses
import json
from dataclasses import dataclass
from types import SimpleNamespace

import pytest

from pulse.core import kept
from pulse.workflows.catalog import Catalog
from pulse.workflows.matching import Plans
from tests.unit.workflows.drawn import ENVIRONMENT, ORGANIZATION, entity, inline, workflow
from tests.unit.workflows.kept import START, Kept, KeptVersions, catalog_of, version_of

DRAWN = {"root": inline("start")}
OLD = workflow(DRAWN, name="old")
NEW = workflow(DRAWN, name="new", version=2)


@dataclass
class Monotonic:
    """Stands for the module `time`."""

    now: float = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Monotonic:
    monotonic = Monotonic()
    monkeypatch.setattr(kept, "time", SimpleNamespace(monotonic=monotonic.monotonic))
    return monotonic


def names(plans: Plans) -> list[str]:
    return [json.loads(plan.text)["name"] for plan in plans.candidates("x", b"{}")]


async def test_plans_come_in_the_order_of_the_store_and_are_kept() -> None:
    store = Kept([workflow(DRAWN, name="second"), workflow(DRAWN, id="wf_2", name="first")])
    made = catalog_of(store)
    plans = await made.plans(ORGANIZATION, ENVIRONMENT)
    assert names(plans) == ["second", "first"]
    assert await made.plans(ORGANIZATION, ENVIRONMENT) is plans
    assert store.reads == [(ORGANIZATION, ENVIRONMENT)]


async def test_what_cannot_run_is_left_out() -> None:
    """Switched off, begun by no event, empty, broken: the others run all the same."""
    broken = {"root": inline("gone")}
    store = Kept(
        [
            workflow(DRAWN, id="wf_1", name="off", is_active=False),
            workflow(broken, id="wf_2", name="broken"),
            workflow({}, id="wf_3", name="empty"),
            workflow({"root": inline("act")}, id="wf_4", name="no event"),
            workflow(DRAWN, id="wf_5", name="good"),
            workflow(broken, id="wf_6", name="broken and off", is_active=False),
        ],
        entities_kept=[START, entity("act")],
    )
    plans = await catalog_of(store).plans(ORGANIZATION, ENVIRONMENT)
    assert names(plans) == ["good"]
    assert plans.inactive == 2


async def test_what_cannot_run_is_listed_with_the_reason() -> None:
    broken = workflow({"root": inline("gone")}, id="wf_2", name="broken")
    store = Kept([workflow({}, name="empty"), broken, workflow(DRAWN, id="wf_3", name="off", is_active=False)])
    plans = await catalog_of(store).plans(ORGANIZATION, ENVIRONMENT)
    assert [(listing.id, listing.name, listing.is_active) for listing in plans.listings] == [
        ("wf_1", "empty", True),
        ("wf_2", "broken", True),
        ("wf_3", "off", False),
    ]
    assert [listing.plan is None for listing in plans.listings] == [True, True, False]
    empty, unusable, off = plans.listings
    assert (empty.problem, off.problem) == (None, None)
    assert unusable.problem
    assert plans.by_id["wf_2"] is unusable


async def test_each_environment_has_its_own() -> None:
    made = catalog_of(Kept([workflow(DRAWN)]))
    assert len((await made.plans(ORGANIZATION, ENVIRONMENT)).listings) == 1
    assert (await made.plans("org_2", ENVIRONMENT)).listings == ()
    assert (await made.plans(ORGANIZATION, "env_2")).listings == ()


async def test_a_change_here_is_in_force_at_once() -> None:
    store = Kept([OLD])
    made = catalog_of(store)
    await made.plans(ORGANIZATION, ENVIRONMENT)
    store.workflows_kept = [NEW]
    assert names(await made.plans(ORGANIZATION, ENVIRONMENT)) == ["old"]
    made.forget("org_2", ENVIRONMENT)
    assert names(await made.plans(ORGANIZATION, ENVIRONMENT)) == ["old"]
    made.forget(ORGANIZATION, ENVIRONMENT)
    assert names(await made.plans(ORGANIZATION, ENVIRONMENT)) == ["new"]


async def test_everything_can_be_forgotten() -> None:
    store = Kept([OLD], gate=asyncio.Event())
    made = catalog_of(store)
    reading = asyncio.create_task(made.plans("org_2", ENVIRONMENT))
    while not store.reads:
        await asyncio.wait([reading], timeout=0)
    made.forget_all()
    assert store.gate is not None
    store.gate.set()
    await reading
    for organization in (ORGANIZATION, "org_2"):
        await made.plans(organization, ENVIRONMENT)
    made.forget_all()
    store.workflows_kept = [NEW]
    assert names(await made.plans(ORGANIZATION, ENVIRONMENT)) == ["new"]
    await made.plans("org_2", ENVIRONMENT)
    assert [organization for organization, _ in store.reads] == ["org_2", ORGANIZATION, "org_2", ORGANIZATION, "org_2"]


async def test_a_change_elsewhere_is_in_force_after_a_while(clock: Monotonic) -> None:
    store = Kept([OLD])
    made = catalog_of(store, refresh_seconds=300)
    await made.plans(ORGANIZATION, ENVIRONMENT)
    store.workflows_kept = [NEW]
    clock.now += 299
    assert names(await made.plans(ORGANIZATION, ENVIRONMENT)) == ["old"]
    clock.now += 2
    assert names(await made.plans(ORGANIZATION, ENVIRONMENT)) == ["new"]


async def test_what_was_read_before_a_change_is_not_kept() -> None:
    store = Kept([OLD], gate=asyncio.Event())
    made = catalog_of(store)
    reading = asyncio.create_task(made.plans(ORGANIZATION, ENVIRONMENT))
    while not store.reads:
        await asyncio.wait([reading], timeout=0)
    store.workflows_kept = [dataclasses.replace(OLD, is_active=False)]
    made.forget(ORGANIZATION, ENVIRONMENT)
    assert store.gate is not None
    store.gate.set()
    assert names(await reading) == ["old"]
    assert names(await made.plans(ORGANIZATION, ENVIRONMENT)) == []


# ---- what was compiled already --------------------------------------------------------------------------------


async def test_only_what_has_another_version_is_compiled_again() -> None:
    others = [workflow(DRAWN, id=f"wf_{n}", name=f"number {n}") for n in range(2, 130)]
    store = Kept([OLD, *others])
    made = catalog_of(store)
    before = await made.plans(ORGANIZATION, ENVIRONMENT)
    assert store.drawings == ["wf_1", *(other.id for other in others)]
    store.drawings.clear()
    store.workflows_kept = [*others, NEW]
    made.forget(ORGANIZATION, ENVIRONMENT)
    after = await made.plans(ORGANIZATION, ENVIRONMENT)
    assert store.drawings == ["wf_1"]
    assert names(after) == [*(other.name for other in others), "new"]
    assert all(after.by_id[other.id].plan is before.by_id[other.id].plan for other in others)


async def test_what_is_switched_is_not_compiled_again() -> None:
    store = Kept([OLD])
    made = catalog_of(store)
    assert names(await made.plans(ORGANIZATION, ENVIRONMENT)) == ["old"]
    store.workflows_kept = [dataclasses.replace(OLD, is_active=False)]
    made.forget_all()
    plans = await made.plans(ORGANIZATION, ENVIRONMENT)
    assert (names(plans), plans.inactive, store.drawings) == ([], 1, ["wf_1"])


async def test_what_is_deleted_is_forgotten() -> None:
    store = Kept([OLD])
    made = catalog_of(store)
    await made.plans(ORGANIZATION, ENVIRONMENT)
    for workflows in ([], [OLD]):
        store.workflows_kept = workflows
        made.forget(ORGANIZATION, ENVIRONMENT)
        await made.plans(ORGANIZATION, ENVIRONMENT)
    assert store.drawings == ["wf_1", "wf_1"]


async def test_what_was_changed_since_it_was_listed_is_there_as_it_is_now() -> None:
    store = Kept([OLD], gate=asyncio.Event())
    made = catalog_of(store)
    reading = asyncio.create_task(made.plans(ORGANIZATION, ENVIRONMENT))
    while not store.reads:
        await asyncio.wait([reading], timeout=0)
    store.workflows_kept = [NEW]
    assert store.gate is not None
    store.gate.set()
    assert names(await reading) == ["new"]


# ---- versions -------------------------------------------------------------------------------------------------


async def test_an_old_version_is_compiled_once_and_survives_every_change() -> None:
    old = workflow(DRAWN, name="old", version=2)
    versions = KeptVersions([version_of(old)])
    made = Catalog(Kept([workflow(DRAWN, name="new", version=3)]), versions)
    plan = await made.version(ORGANIZATION, ENVIRONMENT, "wf_1", 2)
    assert plan is not None
    assert (plan.name, json.loads(plan.text)["version"]) == ("old", 2)
    made.forget(ORGANIZATION, ENVIRONMENT)
    made.forget_all()
    assert await made.version(ORGANIZATION, ENVIRONMENT, "wf_1", 2) is plan
    assert versions.reads == [("wf_1", 2)]


async def test_an_old_version_has_the_entities_that_it_had() -> None:
    then = entity("start", "event", postScript="then()")
    made = catalog_of(Kept(entities_kept=[]), version_of(workflow(DRAWN), then))
    plan = await made.version(ORGANIZATION, ENVIRONMENT, "wf_1", 1)
    assert plan is not None
    assert json.loads(plan.text)["nodes"][0]["post"] == "then()"


@pytest.mark.parametrize(
    "place",
    [("org_2", ENVIRONMENT, "wf_1", 1), (ORGANIZATION, "env_2", "wf_1", 1), (ORGANIZATION, ENVIRONMENT, "wf_1", 2)],
    ids=["organization", "environment", "version"],
)
async def test_a_version_that_is_not_there_has_no_plan(place: tuple[str, str, str, int]) -> None:
    made = catalog_of(Kept(), version_of(workflow(DRAWN)))
    assert await made.version(*place) is None


async def test_a_version_that_cannot_be_used_any_more_has_no_plan() -> None:
    made = catalog_of(Kept(), version_of(workflow({"root": inline("gone")})), version_of(workflow({}, version=2)))
    assert await made.version(ORGANIZATION, ENVIRONMENT, "wf_1", 1) is None
    assert await made.version(ORGANIZATION, ENVIRONMENT, "wf_1", 2) is None
