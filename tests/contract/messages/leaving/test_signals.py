"""Messages that an application has asked for leave for its engine: with the message or not at all, each once."""

import asyncio
from dataclasses import dataclass, field

import msgspec
import pytest
from msgspec.structs import replace
from sqlalchemy import Connection, select

from pulse.bootstrap.joining.signals import TOPIC, MessageSignals, arrival
from pulse.core.ids import derive_id
from pulse.messages.records import Pin
from pulse.messages.replay import Edits
from pulse.storage.outbox import Outbox
from tests.contract.messages.office import PRODUCTION, STAGING, A, B, Office

pytestmark = pytest.mark.usefixtures("bystander")


@dataclass
class Departures:
    """The outbox of an office whose application has registered `order`."""

    office: Office
    announced: list[None] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.outbox = Outbox(self.office.database, self.office.tables.outbox)
        self.office.intake.signals = MessageSignals(self.outbox, {"order"}, lambda: self.announced.append(None))

    async def keys(self) -> list[str]:
        """The messages that are leaving, in the order in which they will."""
        table = self.office.tables.outbox
        async with self.office.database.read() as connection:
            return list(await connection.scalars(select(table.c.key).order_by(table.c.position)))


@pytest.fixture
def departures(office: Office) -> Departures:
    return Departures(office)


async def test_a_message_of_a_registered_type_leaves_as_it_is(office: Office, departures: Departures) -> None:
    left: dict[str, bytes] = {}

    async def keep(key: str, payload: bytes) -> None:
        left[key] = payload

    message = office.message(B, STAGING, type="order", body={"payload": {"n": 1}})
    await office.intake.accept(message)
    assert await departures.outbox.deliver({TOPIC: keep}) == 1
    seen = arrival(left[message.id])
    assert (seen.organization_id, seen.environment_id, seen.type) == (B, STAGING, "order")
    assert msgspec.json.decode(seen.message) == msgspec.json.decode(message.payload)
    assert await departures.keys() == []


async def test_other_messages_do_not_leave(office: Office, departures: Departures) -> None:
    await office.accept(type="invoice")
    await office.accept()
    assert await departures.keys() == []
    assert departures.announced == []


async def test_without_an_application_nothing_leaves(office: Office) -> None:
    departures = Departures(office)
    office.intake.signals = None
    await office.accept(type="order")
    assert await departures.keys() == []


async def test_a_repeat_does_not_leave_again(office: Office, departures: Departures) -> None:
    first = office.message(type="order", idempotency_key="k")
    again = office.message(type="order", idempotency_key="k")
    other = office.message(type="order", idempotency_key="k", fingerprint=b"another body")
    await asyncio.gather(*(office.intake.accept(each) for each in (first, again)))
    assert (await office.intake.accept(other)).conflict
    assert await departures.keys() == [first.id]


async def test_one_whose_id_says_that_it_is_the_same_leaves_once(office: Office, departures: Departures) -> None:
    message = office.message(type="order")
    await asyncio.gather(*(office.intake.accept_once(message) for _ in range(3)))
    await office.intake.accept_once(replace(message, payload=b'{"n":2}'))
    assert await departures.keys() == [message.id]


async def test_two_processes_that_store_it_at_once_let_it_leave_once(office: Office, beside: Office) -> None:
    departures, _ = Departures(office), Departures(beside)
    for _ in range(10):
        message = office.message(type="order", idempotency_key=office.ids.new("key"))
        asked = [each.intake.accept(replace(message, id=office.ids.new("msg"))) for each in (office, beside)]
        answers = await asyncio.gather(*asked)
        assert len({answer.id for answer in answers}) == 1
    assert len(await departures.keys()) == 10


async def test_many_that_come_together_leave_in_their_order(office: Office, departures: Departures) -> None:
    messages = [office.message(type="order" if number % 2 else "invoice") for number in range(20)]
    await asyncio.gather(*(office.intake.accept(each) for each in messages))
    assert await departures.keys() == [each.id for each in messages if each.type == "order"]
    assert departures.announced


async def test_a_message_that_is_not_stored_does_not_leave(
    office: Office, departures: Departures, monkeypatch: pytest.MonkeyPatch
) -> None:
    put = departures.outbox.put_now

    def breaks(connection: Connection, entries: list[object]) -> None:
        put(connection, entries)  # type: ignore[arg-type]
        raise ZeroDivisionError

    monkeypatch.setattr(departures.outbox, "put_now", breaks)
    message = office.message(type="order")
    with pytest.raises(ZeroDivisionError):
        await office.intake.accept(message)
    assert await departures.keys() == []
    assert message.id not in await office.rows()


async def test_one_that_cannot_leave_costs_no_other(office: Office, departures: Departures) -> None:
    """An entry is there already under the id of the second of three."""
    messages = [office.message(type="order") for _ in range(3)]
    async with office.database.write() as connection:
        entry = {"topic": TOPIC, "key": messages[1].id, "payload": b"", "due_at": 0}
        await connection.execute(office.tables.outbox.insert(), [entry])
    answers = await asyncio.gather(*(office.intake.accept(each) for each in messages), return_exceptions=True)
    assert [isinstance(answer, BaseException) for answer in answers] == [False, True, False]
    assert set(await departures.keys()) == {each.id for each in messages}
    assert messages[1].id not in await office.rows()


async def test_it_is_announced_after_the_commit_and_only_then(office: Office) -> None:
    there: list[bool] = []
    departures = Departures(office)
    message = office.message(type="order")

    def announced() -> None:
        there.append(bool(office.committer._pumps))

    office.intake.signals = MessageSignals(departures.outbox, {"order"}, announced)
    await office.intake.accept(office.message(type="invoice"))
    assert there == []
    await office.intake.accept(message)
    await office.intake.accept(office.message(type="invoice"))
    assert there == [True]
    assert await departures.keys() == [message.id]


async def test_what_a_workflow_sends_leaves_with_its_outcome(office: Office, departures: Departures) -> None:
    await office.accept(type="invoice")
    (work,) = await office.claim()
    child = office.message(type="order")
    child = replace(child, id=derive_id("msg", work.id, "child", 1))
    outcome = office.outcome(work, children=(child,))
    assert not await office.outcomes.store(replace(outcome, epoch=work.epoch + 1))
    assert await departures.keys() == []
    assert await office.outcomes.store(outcome)
    assert await departures.keys() == [child.id]


async def test_a_replay_leaves_as_the_new_message_that_it_is(office: Office, departures: Departures) -> None:
    first = await office.ended_message(
        A, PRODUCTION, type="order", outcome={"workflow_id": "wf_1", "workflow_name": "w", "workflow_version": 2}
    )
    again = await office.replay.replay(A, first)
    assert await departures.keys() == [first, again]
    # On an old version it is for that workflow alone.
    pinned = await office.replay.replay(A, first, Edits(old_version=True))
    assert (await office.rows())[pinned].pin == Pin("wf_1", 2).text
    assert await departures.keys() == [first, again]
