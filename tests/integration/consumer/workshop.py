"""A consumer on a real SQLite database, whose evaluations the test holds in its hands."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from pulse.billing.tables import BRANCH as BILLING
from pulse.consumer.consumer import Consumer
from pulse.core.clock import Clock
from pulse.effects.functions import ScriptEffects
from pulse.evaluator.evaluate import Evaluator
from pulse.messages.records import Outcome, Work
from pulse.messages.result import empty_body
from pulse.messages.tables import BRANCH
from pulse.objects.store import ObstoreObjects
from pulse.sandbox.port import Verdict
from pulse.storage.database import Database
from pulse.storage.migrations import migrate
from tests.contract.conftest import SetClock, sqlite_threads, sqlite_threads_ended
from tests.contract.messages.office import A, Office
from tests.unit.evaluator.evaluating import KeptVariables
from tests.unit.evaluator.fake_sandbox import FakeSandbox
from tests.unit.workflows.kept import Kept, catalog_of

PATIENCE_S = 40
LOOK_AGAIN_S = 0.01


class Bench(Evaluator):
    """Evaluations that end when the test says so, or at once where `held` is false."""

    def __init__(self, clock: Clock, *, held: bool = False) -> None:
        super().__init__(catalog_of(Kept()), KeptVariables(), FakeSandbox(), ScriptEffects([], clock), clock)
        self.held = held
        self.started: list[str] = []
        self.running: dict[str, asyncio.Future[Exception | None]] = {}
        self.cut_off: list[str] = []
        self.raising: dict[str, list[Exception]] = {}
        self.overlaps: set[frozenset[str]] = set()
        self._news = asyncio.Event()

    async def evaluate(self, work: Work) -> Outcome:
        self.started.append(work.id)
        self.overlaps.update(frozenset((work.id, other)) for other in self.running)
        self.running[work.id] = asyncio.get_running_loop().create_future()
        self._news.set()
        try:
            if self.held:
                await self.running[work.id]
        except asyncio.CancelledError:
            self.cut_off.append(work.id)
            raise
        finally:
            del self.running[work.id]
            self._news.set()
        if self.raising.get(work.id):
            raise self.raising[work.id].pop(0)
        return self._outcome(work, Verdict("success", empty_body()))

    def finish(self, *message_ids: str) -> None:
        for message_id in message_ids:
            self.running[message_id].set_result(None)

    def finish_all(self) -> None:
        """Ends what runs, and lets what comes later end at once."""
        self.held = False
        self.finish(*self.running)

    async def until(self, holds: Callable[[], bool]) -> None:
        """Returns when the condition, which depends on what runs here, holds."""
        async with asyncio.timeout(PATIENCE_S):
            while not holds():
                self._news.clear()
                await self._news.wait()

    async def until_running(self, *message_ids: str) -> None:
        await self.until(lambda: set(message_ids) == set(self.running))


@dataclass
class Workshop:
    """An office with a consumer in it."""

    office: Office
    clock: SetClock
    bench: Bench
    consumers: list[Consumer] = field(default_factory=list)

    @property
    def consumer(self) -> Consumer:
        return self.consumers[0]

    async def start(self, **settings: float) -> Consumer:
        """Starts a consumer as it is wired: it gets what intake passes on."""
        office = self.office
        made = Consumer(office.queue, self.bench, office.outcomes, **{"grace_s": 5.0, **settings})  # type: ignore[arg-type]
        self.consumers.append(made)
        office.intake.worker = made
        await made.start()
        return made

    async def until_states(self, ids: Iterable[str], *wanted: str) -> None:
        """Returns when these messages are in these states: one for all, or one for each."""
        ids = list(ids)
        states = list(wanted) if len(wanted) > 1 else list(wanted) * len(ids)

        async def reached() -> bool:
            return await self.office.states(ids) == states

        await eventually(reached)


async def eventually(holds: Callable[[], Awaitable[bool]]) -> None:
    """Returns when what is asked holds. It is asked again and again, but leaves the writing thread its turns."""
    nobody_sets_this = asyncio.Event()
    async with asyncio.timeout(PATIENCE_S):
        while not await holds():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_AGAIN_S):
                    await nobody_sets_this.wait()


@contextlib.asynccontextmanager
async def open_workshop(folder: Path, *, held: bool = False) -> AsyncIterator[Workshop]:
    others, clock = sqlite_threads(), SetClock()
    database = Database(f"sqlite+aiosqlite:///{folder}/pulse.db", prefix="t_", clock=clock)
    await migrate(database, [BRANCH, BILLING])
    office = Office(database, ObstoreObjects((folder / "objects").as_uri()), clock)
    made = Workshop(office, clock, Bench(clock, held=held))
    try:
        yield made
    finally:
        made.bench.finish_all()
        for consumer in made.consumers:
            await consumer.stop()
        await office.committer.drain()
        await database.close()
        await sqlite_threads_ended(others)


async def accepted(workshop: Workshop, count: int, organization_id: str = A, lane: str | None = None) -> list[str]:
    """Messages that are stored one after another."""
    return [await workshop.office.accept(organization_id, lane=lane) for _ in range(count)]
