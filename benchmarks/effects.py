"""Messages that wait for a model beside the ideal for so many at once, and what the journal costs an effect.

The platform whole, embedded, in this process as `pulse up` runs it: intake, evaluation in the sandbox, the journal, the
outcome. The model is the mock one, told to take half a second. Beside the journal stands what the disk alone
takes for as many writes at the same pace: one that is seldom written to is slower than one that is kept busy.
"""

import asyncio
import json
import os
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import uvloop
from sqlalchemy import func, select

from benchmarks.report import Series, options, publish
from pulse.bootstrap.demo import install
from pulse.bootstrap.platform import OpenData, Platform
from pulse.bootstrap.serving import spare_the_collector
from pulse.bootstrap.settings import load_settings
from pulse.messages.journal import Journal, Note
from pulse.messages.records import NewMessage
from pulse.messages.tables import message_tables
from pulse.prompts.records import ConfigurationDraft, CredentialDraft
from pulse.tenancy.records import Environment

IN_FLIGHT, WAIT_MS = 256, 500
TIME_BAR, MEMORY_BAR_MB, JOURNAL_BAR_MS = 1.5, 400, 1.5
RATE = 200
# What the write-ahead log grows by with an intent, or an answer.
PAGES_WRITTEN = 4
EVENT = {"name": "Any", "entityType": "event", "condition": {"field": "type", "comparison": "equals", "value": "bench"}}


def document(act: dict[str, Any]) -> dict[str, Any]:
    """A workflow of an event and one node."""
    nodes = {"start": {"entityId": "start"}, "act": {"entityId": "act"}}
    tree = {"ref": "start", "children": [{"ref": "act", "children": []}]}
    return {
        "name": "Bench",
        "entities": {"start": EVENT, "act": act},
        "workflowData": {"nodes": nodes, "workflow": tree},
    }


def timed(journal: Journal) -> list[float]:
    """The seconds that each write of the journal takes from now on."""
    took: list[float] = []
    record = journal.record

    async def watched(note: Note) -> None:
        began = time.perf_counter()
        await record(note)
        took.append(time.perf_counter() - began)

    setattr(journal, "record", watched)  # noqa: B010 - this one journal, and no other
    return took


class Bench:
    """A platform on a folder of its own, with one workflow."""

    def __init__(self, data: OpenData, environment: Environment) -> None:
        self.parts = data.parts
        self._environment = environment
        self.platform = Platform(data)
        self._messages = message_tables(data.parts.database.prefix).messages
        self._sent = 0

    async def send(self, count: int, rate: float | None = None) -> float:
        """Sends so many messages, all at once or so many a second; the seconds until the last has ended."""
        began = time.perf_counter()
        await asyncio.gather(*(self._one(number / rate if rate else 0.0) for number in range(count)))
        self._sent += count
        # One look at all of them: so many that each wait for their own would be the load.
        while await self._succeeded() < self._sent:  # noqa: ASYNC110 - what is waited for is in the database
            await asyncio.sleep(0.02)
        return time.perf_counter() - began

    async def _succeeded(self) -> int:
        c = self._messages.c
        async with self.parts.database.read() as connection:
            return await connection.scalar(select(func.count()).where(c.state == "success")) or 0

    async def _one(self, delay_s: float) -> None:
        await asyncio.sleep(delay_s)
        place, now = self._environment, self.parts.clock.now_ms()
        body = {"organizationId": place.organization_id, "environmentId": place.id, "type": "bench"}
        message = NewMessage(
            self.parts.ids.new("msg"), place.organization_id, place.id, "bench", json.dumps(body).encode(), now
        )
        await self.parts.intake.accept(message)

    def memory_mb(self) -> float:
        """What this process and its sandbox processes hold; a page that several share counts once."""
        children = [
            pid for thread in Path("/proc/self/task").iterdir() for pid in (thread / "children").read_text().split()
        ]
        return sum(_proportional_kb(pid) for pid in (str(os.getpid()), *children)) / 1024


def _proportional_kb(pid: str) -> int:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1])
    return 0


@asynccontextmanager
async def bench(act: dict[str, Any]) -> AsyncIterator[Bench]:
    with tempfile.TemporaryDirectory() as folder:
        data = OpenData(load_settings(Path(folder)))
        await data.prepare()
        parts = data.parts
        organization = await parts.tenancy.create_organization("Bench")
        environment = await parts.tenancy.create_environment(organization.id, "bench")
        credential = await parts.models.credentials.create(organization.id, CredentialDraft("Mock", "mock", "none"))
        draft = ConfigurationDraft(
            "Slow", "mock/mock-small", credential.id, model_id=f"mock-slow-{WAIT_MS}", is_default=True
        )
        await parts.models.configurations.create(organization.id, draft)
        await install(parts, environment, document(act))
        made = Bench(data, environment)
        await made.platform.start()
        spare_the_collector()
        try:
            yield made
        finally:
            await made.platform.stop()
            await data.close()


async def waiting(count: int, rounds: int) -> tuple[Series, float]:
    """Seconds for so many messages that each wait for the model, and the most memory that was seen."""
    act = {"name": "Ask", "entityType": "prompt", "prompt": "Say something about {{type}}."}
    async with bench(act) as platform:
        await platform.send(IN_FLIGHT)
        took, most = [], 0.0
        for _ in range(rounds):
            running = asyncio.create_task(platform.send(count))
            while not running.done():
                await asyncio.wait([running], timeout=0.1)
                most = max(most, platform.memory_mb())
            took.append(await running)
        return Series(took), most


async def journal(seconds: float) -> Series:
    """Milliseconds that the journal takes for one effect, at so many effects a second: its intent and its answer."""
    act = {"name": "Keep", "entityType": "action", "postScript": "await stmDelete(['bench'], 'nothing.json')"}
    async with bench(act) as platform:
        await platform.send(50)
        took = timed(platform.parts.journal)
        await platform.send(round(RATE * seconds), RATE)
        return Series([1000 * 2 * each for each in took])


def disk(writes: int) -> Series:
    """Milliseconds for the two writes of an effect, if nothing were done but forcing them to the disk, at that pace."""
    took = []
    # A message with one effect is four transactions: accepted, intent, answer, outcome.
    pause = 1 / RATE / 4
    with tempfile.NamedTemporaryFile() as file:
        for _ in range(writes):
            os.write(file.fileno(), bytes(PAGES_WRITTEN * 4096))
            began = time.perf_counter()
            os.fdatasync(file.fileno())
            took.append(time.perf_counter() - began)
            time.sleep(pause)
    return Series([1000 * 2 * each for each in took])


def main() -> None:
    parser = options(__doc__ or "")
    parser.add_argument("--messages", type=int, default=1_000)
    parser.add_argument("--seconds", type=float, default=10.0)
    wanted = parser.parse_args()
    took, memory = uvloop.run(waiting(wanted.messages, wanted.rounds))
    ideal = -(-wanted.messages // IN_FLIGHT) * WAIT_MS / 1000
    cost, alone = uvloop.run(journal(wanted.seconds)), disk(500)
    figures = {
        "messages": wanted.messages,
        "inFlight": IN_FLIGHT,
        "idealSeconds": ideal,
        "seconds": took.rounded(),
        "ratio": round(took.median / ideal, 2),
        "bar": TIME_BAR,
        "memoryMb": round(memory),
        "memoryBarMb": MEMORY_BAR_MB,
        "journalMsPerEffect": cost.rounded(),
        "journalBarMs": JOURNAL_BAR_MS,
        "diskMsPerEffect": alone.rounded(),
    }
    rows = [
        (
            f"{wanted.messages:,} messages that wait {WAIT_MS} ms",
            f"{took.median:.2f} s, {took.median / ideal:.2f}x of the ideal (bar {TIME_BAR}x)",
        ),
        ("memory of all processes", f"{memory:.0f} MB (bar {MEMORY_BAR_MB} MB)"),
        (f"the journal, at {RATE} effects a second", f"{cost.median:.2f} ms an effect (bar {JOURNAL_BAR_MS} ms)"),
        ("of that, the disk's", f"{alone.median:.2f} ms"),
    ]
    publish("effects", rows, figures, as_json=wanted.json)


if __name__ == "__main__":
    main()
