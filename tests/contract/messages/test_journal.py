"""The journal: fenced, kept while it is needed, of one organization."""

import asyncio
from typing import Any

import msgspec
import pytest
from sqlalchemy import func, select

from pulse.core.errors import LeaseLost
from pulse.messages.journal import Entry, Journal, Journaled, Note
from pulse.messages.records import Work
from tests.contract.conftest import OpenDatabase
from tests.contract.messages.office import DAY, A, B, Office

INTENT = Entry(1, "httpRequest", b"digest", b'[{"url":"https://example.org"}]', "msg_1:wf_1:1")
DONE = msgspec.structs.replace(INTENT, state="done", delivery=1, answer=b'{"status":200}', at=7, log=b'{"type":"api"}')


def journal_of(office: Office) -> Journal:
    return Journal(office.database, office.tables, office.committer, office.claims)


def note(work: Work, entry: Entry = INTENT, header: bytes | None = b"header", **more: Any) -> Note:
    return Note(work.id, work.organization_id, more.get("epoch", work.epoch), entry, header)


async def claimed(office: Office, organization_id: str = A) -> Work:
    await office.accept(organization_id)
    (work,) = await office.claim(organization_id)
    return work


async def rows(office: Office) -> tuple[int, int]:
    """How many headers and how many entries there are."""
    async with office.database.read() as connection:
        counts = [
            await connection.scalar(select(func.count()).select_from(table))
            for table in (office.tables.journals, office.tables.effects)
        ]
    return counts[0] or 0, counts[1] or 0


async def test_an_intent_and_then_its_answer(office: Office) -> None:
    journal, work = journal_of(office), await claimed(office)
    assert await journal.of(A, work.id) is None
    await journal.record(note(work))
    assert await journal.of(A, work.id) == Journaled(b"header", (INTENT,))
    await journal.record(note(work, DONE, header=None))
    assert await journal.of(A, work.id) == Journaled(b"header", (DONE,))


async def test_the_first_header_stays(office: Office) -> None:
    journal, work = journal_of(office), await claimed(office)
    await journal.record(note(work))
    await journal.record(note(work, DONE, header=b"another"))
    found = await journal.of(A, work.id)
    assert found is not None
    assert found.header == b"header"


async def test_many_messages_at_once_and_an_intent_with_its_answer(office: Office) -> None:
    journal, works = journal_of(office), [await claimed(office) for _ in range(5)]
    notes = [note(work, entry) for work in works for entry in (INTENT, DONE, msgspec.structs.replace(INTENT, seq=2))]
    await asyncio.gather(*(journal.record(each) for each in notes))
    for work in works:
        found = await journal.of(A, work.id)
        assert found is not None
        assert [entry.state for entry in found.entries] == ["done", "intent"]


async def test_whoever_lost_the_message_writes_nothing(office: Office) -> None:
    journal, work, other = journal_of(office), await claimed(office), await claimed(office)
    with pytest.raises(LeaseLost):
        await journal.record(note(work, epoch=work.epoch - 1))
    await office.queue.release([work])
    with pytest.raises(LeaseLost):
        await journal.record(note(work))
    await journal.record(note(other))
    assert await rows(office) == (1, 1)


async def test_nobody_takes_the_message_over_while_an_entry_is_written(
    office: Office, open_database: OpenDatabase
) -> None:
    """On PostgreSQL: a sweep meets the row that is held by the transaction, and passes it over."""
    work = await claimed(office)
    async with office.database.write() as connection:
        held = await connection.run_sync(office.claims.hold, [(work.id, work.epoch)])
        if office.database.dialect == "postgresql":
            beside = Office(open_database(clock=office.clock), office.objects, office.clock)
            office.clock.ms += 60_000
            assert await beside.queue.sweep() == 0
    assert held == {work.id}


async def test_another_organization_has_no_journal_of_it(office: Office) -> None:
    journal, work = journal_of(office), await claimed(office)
    await journal.record(note(work))
    assert await journal.of(B, work.id) is None


@pytest.mark.parametrize(("status", "left"), [("success", 0), ("ignore", 0), ("fail", 1)])
async def test_the_journal_goes_with_the_outcome_unless_that_is_a_failure(
    office: Office, status: str, left: int
) -> None:
    journal, work, other = journal_of(office), await claimed(office), await claimed(office, B)
    for each in (work, other):
        await journal.record(note(each, DONE))
    assert await office.finish(work, status, is_journaled=True)
    assert await rows(office) == (1 + left, 1 + left)
    assert (await journal.of(A, work.id) is not None) is bool(left)
    assert await journal.of(B, other.id) is not None


async def test_it_goes_with_its_message(office: Office) -> None:
    journal, work, other = journal_of(office), await claimed(office), await claimed(office, B)
    for each in (work, other):
        await journal.record(note(each, DONE))
    await office.finish(work, "fail", is_journaled=True)
    await office.retention.delete(A, work.id)
    assert await rows(office) == (1, 1)
    await office.finish(other, "fail", is_journaled=True)
    office.clock.ms += 31 * DAY
    await office.retention.enforce()
    assert await rows(office) == (0, 0)
