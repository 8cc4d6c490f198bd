"""Everything that is done with messages, on one database, with a clock that the test moves."""

import itertools
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Row, select, update

from pulse.billing.meter import Meter
from pulse.billing.store import BillingStore
from pulse.billing.tables import billing_tables
from pulse.core.ids import Ids
from pulse.messages.allowance import Allowance
from pulse.messages.held import HeldMessages
from pulse.messages.intake import Intake
from pulse.messages.keeping.archive import Archive
from pulse.messages.keeping.retention import Retention
from pulse.messages.outcomes import Outcomes
from pulse.messages.queue import MessageQueue
from pulse.messages.reading import MessageReader
from pulse.messages.records import NewMessage, Outcome, Work
from pulse.messages.replay import Replay
from pulse.messages.result import document
from pulse.messages.tables import MessageTables, message_tables
from pulse.objects.port import Objects
from pulse.storage.claims import Claims
from pulse.storage.committer import Committer
from pulse.storage.database import Database
from tests.contract.conftest import SetClock

A, B = "org_a", "org_b"
PRODUCTION, STAGING = "env_production", "env_staging"
HOUR, DAY = 3_600_000, 86_400_000
_owners = itertools.count(1)


@dataclass
class Office:
    """One process's view of the messages; `beside` opens another's."""

    database: Database
    objects: Objects
    clock: SetClock
    layout: str = "segment"
    days: int = 30
    ended: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.ids = Ids(self.clock)
        self.tables: MessageTables = message_tables(self.database.prefix)
        self.claims = Claims(self.database, self.tables.messages, f"worker-{next(_owners)}")
        self.committer = Committer(self.database)
        self.billing = billing_tables(self.database.prefix)
        self.meter = Meter(self.database, self.billing, self.clock)
        self.plans = BillingStore(self.database, self.billing, self.clock)
        allowance = Allowance(self.meter, self.tables)
        self.intake = Intake(self.database, self.tables, self.committer, self.claims, allowance, self.ended.append)
        self.held = HeldMessages(self.database, self.tables, self.claims, self.meter, self.intake, self.clock)
        self.queue = MessageQueue(self.database, self.tables, self.claims, self.clock)
        self.outcomes = Outcomes(
            self.database, self.tables, self.committer, self.claims, self.intake, self.ended.append
        )
        self.archive = Archive(self.database, self.tables, self.objects, self.ids, self.clock, self.layout)
        self.reader = MessageReader(self.database, self.tables, self.archive.fetch)
        self.replay = Replay(self.reader, self.intake, self.ids, self.clock)
        self.retention = Retention(self.database, self.tables, self.archive, self.clock, self.days)

    def message(self, organization_id: str = A, environment_id: str = PRODUCTION, **more: Any) -> NewMessage:
        """A new message; `body` is what its payload says besides its place."""
        body = more.pop("body", {})
        place = {"organizationId": organization_id, "environmentId": environment_id}
        payload = json.dumps({**place, "type": more.get("type"), **body}).encode()
        given = {"type": None, "payload": payload, "received_at": self.clock.now_ms(), **more}
        if given.get("idempotency_key") is not None:
            given.setdefault("fingerprint", b"the same body")
        return NewMessage(
            id=self.ids.new("msg"), organization_id=organization_id, environment_id=environment_id, **given
        )

    async def accept(self, organization_id: str = A, environment_id: str = PRODUCTION, **more: Any) -> str:
        """The id of a message that was stored as new."""
        message = self.message(organization_id, environment_id, **more)
        accepted = await self.intake.accept(message)
        assert accepted.id == message.id
        return accepted.id

    async def used(self, organization_id: str) -> int:
        """How many messages of it were counted in the month that the clock shows."""
        return (await self.plans.usage(organization_id)).count

    async def claim(self, organization_id: str = A, limit: int = 100) -> list[Work]:
        """Claims until it is this organization's turn."""
        for _ in range(10):
            works = await self.queue.claim(limit)
            if not works or works[0].organization_id == organization_id:
                return works
            await self.queue.release(works)
        raise AssertionError(f"it is never {organization_id}'s turn")

    async def finish(self, work: Work, status: str = "success", **more: Any) -> bool:
        return await self.outcomes.store(self.outcome(work, status, **more))

    def outcome(self, work: Work, status: str = "success", **more: Any) -> Outcome:
        now = self.clock.now_ms()
        given = {"body": body(), "lane": work.lane, "completed_at": now, "elapsed_ms": now - work.received_at, **more}
        return Outcome(id=work.id, epoch=work.epoch, status=status, organization_id=work.organization_id, **given)

    async def ended_message(
        self,
        organization_id: str = A,
        environment_id: str = PRODUCTION,
        status: str = "success",
        outcome: dict[str, Any] | None = None,
        **more: Any,
    ) -> str:
        """A message with an outcome, at the time that the clock shows."""
        message_id = await self.accept(organization_id, environment_id, **more)
        works = {work.id: work for work in await self.claim(organization_id)}
        assert await self.finish(works.pop(message_id), status, **(outcome or {}))
        await self.queue.release(list(works.values()))
        return message_id

    async def document(self, organization_id: str, message_id: str) -> bytes:
        return document(await self.reader.message(organization_id, message_id))

    async def rows(self) -> dict[str, Row[tuple[object, ...]]]:
        """The index rows of all messages by id."""
        async with self.database.read() as connection:
            found = (await connection.execute(select(self.tables.messages).order_by("id"))).all()
        return {row.id: row for row in found}

    async def states(self, ids: Iterable[str]) -> list[str]:
        rows = await self.rows()
        return [rows[each].state for each in ids]

    async def bytes_of(self, message_id: str) -> tuple[bytes | None, bytes | None]:
        """Payload and body as they are in the database."""
        p, r = self.tables.payloads, self.tables.results
        async with self.database.read() as connection:
            payload = await connection.scalar(select(p.c.payload).where(p.c.id == message_id))
            stored = await connection.scalar(select(r.c.body).where(r.c.id == message_id))
        return payload, stored

    async def segments(self) -> Sequence[Row[Any]]:
        async with self.database.read() as connection:
            return (await connection.execute(select(self.tables.segments).order_by("object_key"))).all()

    async def put_into(self, message_id: str, **values: Any) -> None:
        """Changes a row behind everybody's back."""
        m = self.tables.messages
        async with self.database.write() as connection:
            await connection.execute(update(m).where(m.c.id == message_id).values(**values))


def body(**more: Any) -> bytes:
    """A body as the sandbox makes it."""
    empty: dict[str, Any] = {"log": [], "errors": [], "reasons": [], "kept": [], "globals": {}, "tooLarge": []}
    return json.dumps({**empty, **more}).encode()
