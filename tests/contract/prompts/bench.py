"""Runs at work: workers, each with the queue and the claims of a process of its own."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from pulse.core.errors import PulseError
from pulse.models.port import Completion, Usage
from pulse.prompts.caller import Ask, Called
from pulse.prompts.templates.assertions.checking import Assertions
from pulse.prompts.templates.runs.queue import CellQueue
from pulse.prompts.templates.runs.records import Cell, Run, RunDraft, Variant
from pulse.prompts.templates.runs.results import CellFiller, Pictures
from pulse.prompts.templates.runs.store import RunStore
from pulse.prompts.templates.runs.worker import PromptWorker
from pulse.storage.claims import Claims
from pulse.storage.database import Database
from tests.contract.prompts.conftest import Desk


@dataclass
class Models:
    """Answers every call with the text it was asked, and counts the calls; `before` may hold a call up or fail it."""

    before: Callable[[Ask], Awaitable[None]] | None = None
    prefix: str = "You said: "
    asked: list[tuple[str, str, Ask]] = field(default_factory=list)
    at_once: int = 0
    most_at_once: int = 0

    async def call(self, organization_id: str, configuration_id: str, ask: Ask) -> Called:
        self.asked.append((organization_id, configuration_id, ask))
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            if self.before is not None:
                await self.before(ask)
        finally:
            self.at_once -= 1
        completion = Completion(f"{self.prefix}{ask.text}", Usage(10, 5), "gpt-4o")
        return Called(completion, 1, 120, 75, "gpt-4o", "openai")

    @property
    def keys(self) -> list[str]:
        return [str(ask.key) for _, _, ask in self.asked]


@dataclass
class Bench:
    """A store of runs, and workers on it."""

    desk: Desk
    models: Models = field(default_factory=Models)
    pictures: Pictures | None = None
    started: int = 0

    @property
    def runs(self) -> RunStore:
        return RunStore(self.desk.database, self.desk.tables, self.desk.templates, self.desk.ids, self.desk.clock)

    async def run(self, **more: Any) -> Run:
        """A run of a new template over a new model, unless `draft` says otherwise."""
        template = await self.desk.template(name=f"Template {self.desk.clock.ms}", **more.pop("template", {}))
        if "variants" not in more:
            model = await self.desk.configuration(name=f"Model {self.desk.clock.ms}")
            more["variants"] = [Variant(model.id)]
        return await self.runs.start(self.desk.ours.id, template.id, RunDraft(**more))

    def queue(self, database: Database | None = None) -> CellQueue:
        """The queue as a new process sees it."""
        self.started += 1
        database = database or self.desk.database
        claims = Claims(database, self.desk.tables.cells, f"process {self.started}")
        return CellQueue(database, self.desk.tables, claims, self.desk.clock)

    def worker(self, queue: CellQueue | None = None, concurrency: int = 4) -> PromptWorker:
        filler = CellFiller(self.models, Assertions(self.models), self.pictures)
        return PromptWorker(queue or self.queue(), filler, concurrency=concurrency)

    async def worked_off(self, run: Run, worker: PromptWorker | None = None) -> Run:
        """The run once a worker has left nothing of it."""
        async with working(worker or self.worker()):
            return await self.until(run, lambda found: found.status != "running")

    async def until(self, run: Run, holds: Callable[[Run], bool]) -> Run:
        """The run as soon as it is so."""
        async with asyncio.timeout(20):
            while True:
                found = await self.runs.get(run.organization_id, run.id)
                if holds(found):
                    return found


@asynccontextmanager
async def working(worker: PromptWorker) -> AsyncIterator[PromptWorker]:
    await worker.start()
    try:
        yield worker
    finally:
        await worker.stop()


def failing(error: PulseError) -> Callable[[Ask], Awaitable[None]]:
    async def fail(_ask: Ask) -> None:
        raise error

    return fail


def result(cell: Cell) -> dict[str, Any]:
    """The result of a cell that has one."""
    assert cell.result is not None
    return dict(cell.result)
