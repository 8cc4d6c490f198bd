"""The catalog: plans are compiled once, a change here is in force at once, one made elsewhere after a while."""

import asyncio
import json
from dataclasses import dataclass, field
from types import SimpleNamespace

import pytest

from pulse.workflows import catalog
from pulse.workflows.catalog import Catalog, Plans
from pulse.workflows.records import Entity, Workflow
from pulse.workflows.store import Page, WorkflowStore
from tests.unit.workflows.drawn import ENVIRONMENT, ORGANIZATION, entity, inline, workflow

START = entity("start", "event")
DRAWN = {"root": inline("start")}


@dataclass
class Kept(WorkflowStore):
    """What the catalog reads, in memory; `gate` holds a read up."""

    workflows_kept: list[Workflow] = field(default_factory=list)
    reads: list[tuple[str, str | None]] = field(default_factory=list)
    gate: asyncio.Event | None = None

    async def workflows(
        self,
        organization_id: str,
        environment_id: str | None = None,
        page: Page | None = None,
        *,
        is_active: bool | None = None,
    ) -> tuple[list[Workflow], int]:
        self.reads.append((organization_id, environment_id))
        found = list(self.workflows_kept) if (organization_id, environment_id) == (ORGANIZATION, ENVIRONMENT) else []
        if self.gate is not None:
            await self.gate.wait()
        return found, len(found)

    async def entities(
        self, organization_id: str, environment_id: str | None = None, page: Page | None = None
    ) -> tuple[list[Entity], int]:
        return [START], 1


@dataclass
class Monotonic:
    """Stands for the module `time`."""

    now: float = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Monotonic:
    monotonic = Monotonic()
    monkeypatch.setattr(catalog, "time", SimpleNamespace(monotonic=monotonic.monotonic))
    return monotonic


def names(plans: Plans) -> list[str]:
    return [json.loads(plan.text)["name"] for plan in plans.plans]


async def test_plans_come_in_the_order_of_the_store_and_are_kept() -> None:
    store = Kept([workflow(DRAWN, name="second"), workflow(DRAWN, name="first")])
    made = Catalog(store)
    plans = await made.plans(ORGANIZATION, ENVIRONMENT)
    assert names(plans) == ["second", "first"]
    assert await made.plans(ORGANIZATION, ENVIRONMENT) is plans
    assert store.reads == [(ORGANIZATION, ENVIRONMENT)]


async def test_what_cannot_run_is_left_out() -> None:
    """Switched off, begun by no event, empty, broken: the others run all the same."""
    broken = {"root": inline("gone")}
    store = Kept(
        [
            workflow(DRAWN, name="off", is_active=False),
            workflow(broken, name="broken"),
            workflow({}, name="empty"),
            workflow(DRAWN, name="good"),
            workflow(broken, name="broken and off", is_active=False),
        ]
    )
    plans = await Catalog(store).plans(ORGANIZATION, ENVIRONMENT)
    assert names(plans) == ["good"]
    assert plans.inactive == 2


async def test_each_environment_has_its_own() -> None:
    made = Catalog(Kept([workflow(DRAWN)]))
    assert len((await made.plans(ORGANIZATION, ENVIRONMENT)).plans) == 1
    assert (await made.plans("org_2", ENVIRONMENT)).plans == ()
    assert (await made.plans(ORGANIZATION, "env_2")).plans == ()


async def test_a_change_here_is_in_force_at_once() -> None:
    store = Kept([workflow(DRAWN, name="old")])
    made = Catalog(store)
    await made.plans(ORGANIZATION, ENVIRONMENT)
    store.workflows_kept = [workflow(DRAWN, name="new")]
    assert names(await made.plans(ORGANIZATION, ENVIRONMENT)) == ["old"]
    made.forget("org_2", ENVIRONMENT)
    assert names(await made.plans(ORGANIZATION, ENVIRONMENT)) == ["old"]
    made.forget(ORGANIZATION, ENVIRONMENT)
    assert names(await made.plans(ORGANIZATION, ENVIRONMENT)) == ["new"]


async def test_a_change_elsewhere_is_in_force_after_a_while(clock: Monotonic) -> None:
    store = Kept([workflow(DRAWN, name="old")])
    made = Catalog(store, refresh_seconds=300)
    await made.plans(ORGANIZATION, ENVIRONMENT)
    store.workflows_kept = [workflow(DRAWN, name="new")]
    clock.now += 299
    assert names(await made.plans(ORGANIZATION, ENVIRONMENT)) == ["old"]
    clock.now += 2
    assert names(await made.plans(ORGANIZATION, ENVIRONMENT)) == ["new"]


async def test_what_was_read_before_a_change_is_not_kept() -> None:
    store = Kept([workflow(DRAWN, name="old")], gate=asyncio.Event())
    made = Catalog(store)
    reading = asyncio.create_task(made.plans(ORGANIZATION, ENVIRONMENT))
    while not store.reads:
        await asyncio.wait([reading], timeout=0)
    store.workflows_kept = [workflow(DRAWN, name="new")]
    made.forget(ORGANIZATION, ENVIRONMENT)
    assert store.gate is not None
    store.gate.set()
    assert names(await reading) == ["old"]
    assert names(await made.plans(ORGANIZATION, ENVIRONMENT)) == ["new"]
