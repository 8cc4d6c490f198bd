"""An installation on one real database, with processes that share the clock, and the peer whom scripts call."""

import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Table, func, select

from pulse.billing.tables import BRANCH as BILLING
from pulse.consumer.consumer import Consumer
from pulse.core.ids import Ids
from pulse.effects.functions import ScriptEffects
from pulse.evaluator.evaluate import Evaluator
from pulse.messages.records import OUTCOMES
from pulse.messages.tables import BRANCH as MESSAGES
from pulse.objects.store import ObstoreObjects
from pulse.sandbox.deno.limits import Limits
from pulse.sandbox.deno.pool import DenoSandbox
from pulse.storage.migrations import migrate
from pulse.tenancy.places.holding import PlaceHold
from pulse.tenancy.records import Environment
from pulse.tenancy.secrets.vault import Vault, new_master_key
from pulse.tenancy.store import TenancyStore
from pulse.tenancy.tables import BRANCH as TENANCY
from pulse.tenancy.tables import tenancy_tables
from pulse.tenancy.variables import VariableStore
from pulse.workflows.catalog import Catalog
from pulse.workflows.drawn import DrawnWorkflows
from pulse.workflows.records import Entity, Workflow
from pulse.workflows.store import WorkflowStore
from pulse.workflows.tables import BRANCH as WORKFLOWS
from pulse.workflows.tables import workflow_tables
from pulse.workflows.versions import WorkflowVersions
from tests import sandbox_support as support
from tests.chaos.effects.process import Gate, Manner, Peer, Process, WatchedJournal, WatchedOutcomes
from tests.contract.conftest import OpenDatabase, SetClock
from tests.contract.messages.office import Office
from tests.integration.consumer.workshop import eventually
from tests.unit.workflows.drawn import inline

LEASE_OVER_MS = 60_000
# No process is kept ready for a tenant who does not come.
LIMITS = replace(support.SMALL, spare_processes=0)
TYPE = "order.paid"
# An ending's state, code, result, recorded effects and epoch.
Summary = tuple[str, str | None, Any, dict[int, str], int]


@dataclass
class Premises:
    """The database with an organization in it, and the processes on it."""

    open_database: OpenDatabase
    objects: ObstoreObjects
    clock: SetClock
    here: Environment
    master_key: str
    peer: Peer = field(default_factory=Peer)
    processes: list[Process] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.office = Office(self.open_database(clock=self.clock), self.objects, self.clock)
        self.drawings = workflow_tables(self.office.database.prefix)
        places = PlaceHold(tenancy_tables(self.office.database.prefix))
        self.workflows = WorkflowStore(self.office.database, self.drawings, places, Ids(self.clock), self.clock)
        self.variables = self.variables_of(self.office)

    @property
    def organization(self) -> str:
        return self.here.organization_id

    def variables_of(self, office: Office) -> VariableStore:
        tables = tenancy_tables(office.database.prefix)
        return VariableStore(office.database, tables, Vault([self.master_key]), Ids(self.clock), self.clock)

    # ---- processes -------------------------------------------------------------------------------------------

    async def process(
        self, at: tuple[str, int] | None = None, manner: Manner | None = None, limits: Limits = LIMITS
    ) -> Process:
        """A process that has started. It comes to a stand when its first effect of that number is in that state."""
        office = Office(self.open_database(clock=self.clock), self.objects, self.clock)
        sandbox = DenoSandbox(limits, support.argv(limits))
        name = f"process {len(self.processes) + 1}"
        made = Process(name, office, self.peer, Gate(at), manner or Manner(), sandbox)
        self.processes.append(made)
        drawn, versions = (
            DrawnWorkflows(office.database, self.drawings),
            WorkflowVersions(office.database, self.drawings),
        )
        made.catalog = Catalog(drawn, versions)
        journal = WatchedJournal(office.database, office.tables, office.committer, office.claims)
        outcomes = WatchedOutcomes(
            office.database, office.tables, office.committer, office.claims, office.intake, office.ended.append
        )
        for watched in (journal, outcomes):
            watched.gate, watched.refusals = made.gate, made.refusals
        effects = ScriptEffects(made.effects(), self.clock, journal)
        evaluator = Evaluator(made.catalog, self.variables_of(office), sandbox, effects, self.clock)
        # One at a time: a process that stands still claims nothing else.
        made.consumer = Consumer(office.queue, evaluator, outcomes, concurrency=1, grace_s=0.0)
        office.intake.worker = made.consumer
        await sandbox.start()
        await made.consumer.start()
        return made

    async def leases_end(self, process: Process) -> int:
        """What others hold is given up for dead, and `process` looks for it; how many messages."""
        self.clock.ms += LEASE_OVER_MS
        swept = await process.office.queue.sweep()
        process.consumer.suspects_may_wait()
        process.consumer.hint()
        return swept

    async def successor(self, manner: Manner | None = None, *, finds: int = 1) -> Process:
        """A process that takes over what the others held."""
        made = await self.process(manner=manner)
        assert await self.leases_end(made) == finds
        return made

    async def close(self) -> None:
        for process in self.processes:
            process.gate.opened.set()
            await process.end()

    # ---- workflows and messages ------------------------------------------------------------------------------

    async def draw(self, script: str, name: str = "Orders", **more: Any) -> tuple[Workflow, Entity]:
        """A workflow for messages of TYPE that runs the script, and the script's entity."""
        owner = (self.organization, self.here.id)
        condition = {"field": "type", "comparison": "equals", "value": more.pop("type", TYPE)}
        event = await self.workflows.create_entity(Entity("", *owner, name, "event", fields={"condition": condition}))
        action = await self.action(script)
        root = inline(event.id, inline(action.id, *more.pop("children", ())))
        return await self.workflows.create_workflow(Workflow("", *owner, name, {"root": root}, **more)), action

    async def action(self, script: str) -> Entity:
        """An action to draw with."""
        draft = Entity("", self.organization, self.here.id, "Act", "action", fields={"postScript": script})
        return await self.workflows.create_entity(draft)

    async def redraw(self, action: Entity, script: str) -> None:
        await self.workflows.update_entity(replace(action, fields={"postScript": script}))

    async def send(self, process: Process, order: str = "o-17", **more: Any) -> str:
        """The id of a message that this process has accepted."""
        return await process.office.accept(
            self.organization, self.here.id, type=TYPE, body={"payload": {"order": order}}, **more
        )

    async def ends(self, message_id: str) -> "Ending":
        """How the message has ended; waits for that."""

        async def ended() -> bool:
            return (await self.office.states([message_id]))[0] in OUTCOMES

        await eventually(ended)
        row = (await self.office.rows())[message_id]
        _, body = await self.office.bytes_of(message_id)
        entries = await self.journaled(message_id)
        return Ending(row.state, row.code, row.error, json.loads(body or b"{}"), row.epoch, entries)

    async def journaled(self, message_id: str) -> dict[int, str]:
        """The state of each effect that is recorded."""
        e = self.office.tables.effects.c
        async with self.office.database.read() as connection:
            rows = await connection.execute(select(e.seq, e.state).where(e.message_id == message_id).order_by(e.seq))
            return {row.seq: row.state for row in rows}

    async def headers(self) -> int:
        j = self.office.tables.journals
        async with self.office.database.read() as connection:
            return await connection.scalar(select(func.count()).select_from(j)) or 0

    async def stored(self) -> list[list[Any]]:
        """All that is stored about messages, table by table."""
        tables = self.office.tables
        wanted: Sequence[Table] = (tables.messages, tables.results, tables.journals, tables.effects, tables.links)
        async with self.office.database.read() as connection:
            return [sorted((await connection.execute(select(table))).all()) for table in wanted]


@dataclass(frozen=True)
class Ending:
    """How a message has ended. `effects` are those whose journal is still there: their states by number."""

    state: str
    code: str | None
    error: str | None
    body: dict[str, Any]
    epoch: int
    effects: dict[int, str]

    @property
    def summary(self) -> Summary:
        return self.state, self.code, self.result, self.effects, self.epoch

    @property
    def result(self) -> Any:
        return self.body.get("result")


@pytest.fixture
async def premises(open_database: OpenDatabase, tmp_path: Path) -> AsyncIterator[Premises]:
    """An organization with an environment, in a database that is empty besides."""
    clock = SetClock()
    database = open_database(clock=clock)
    await migrate(database, [TENANCY, WORKFLOWS, MESSAGES, BILLING])
    tenancy = TenancyStore(database, tenancy_tables(database.prefix), Ids(clock), clock)
    organization = await tenancy.create_organization("Acme")
    here = await tenancy.create_environment(organization.id, "production")
    objects = ObstoreObjects((tmp_path / "objects").as_uri())
    made = Premises(open_database, objects, clock, here, new_master_key())
    yield made
    await made.close()
    # Partitions go with their parents, not one by one.
    async with made.office.database.write() as connection:
        await connection.run_sync(made.office.tables.metadata.drop_all)
