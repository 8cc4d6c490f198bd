"""Messages whose id says that they are the same: stored once and begun once, whoever sends them how often."""

import asyncio

import pytest
from msgspec.structs import replace

from pulse.messages.records import Work
from tests.contract.messages.office import A, Office

pytestmark = pytest.mark.usefixtures("bystander")


class Desk:
    """A worker that has room, and remembers what it took."""

    def __init__(self) -> None:
        self.taken: list[str] = []

    def room(self) -> int:
        return 10

    def take(self, work: Work) -> None:
        self.taken.append(work.id)

    def hint(self) -> None:
        return None


async def test_a_repeat_finds_the_first(office: Office) -> None:
    message = office.message(body={"n": 1})
    first = await office.intake.accept_once(message)
    again = await office.intake.accept_once(replace(message, payload=b'{"n":2}'))
    assert (first.id, first.deduplicated) == (message.id, False)
    assert (again.id, again.deduplicated, again.work, again.conflict) == (message.id, True, None, False)
    assert (await office.bytes_of(message.id))[0] == message.payload
    (work,) = await office.claim()
    assert work.id == message.id


async def test_a_repeat_changes_nothing_of_what_has_ended(office: Office) -> None:
    message = office.message()
    await office.intake.accept_once(message)
    (work,) = await office.claim()
    assert await office.finish(work)
    before = (await office.rows())[message.id], await office.bytes_of(message.id)
    assert (await office.intake.accept_once(message)).deduplicated
    assert ((await office.rows())[message.id], await office.bytes_of(message.id)) == before
    assert await office.claim() == []


async def test_one_that_is_begun_at_once_is_not_begun_again(office: Office) -> None:
    office.intake.worker = desk = Desk()
    message = office.message()
    first = await office.intake.accept_once(message)
    assert first.work is not None
    assert (await office.intake.accept_once(message)).work is None
    assert desk.taken == [message.id]


async def test_those_who_send_it_at_the_same_time_begin_it_once(office: Office) -> None:
    office.intake.worker = desk = Desk()
    message = office.message()
    answers = await asyncio.gather(*(office.intake.accept_once(message) for _ in range(4)))
    assert desk.taken == [message.id]
    assert [answer.deduplicated for answer in answers] == [False, True, True, True]


async def test_two_processes_that_send_it_at_once_store_it_once(office: Office, beside: Office) -> None:
    for _ in range(20):
        message = office.message()
        asked = [each.intake.accept_once(message) for each in (office, beside, office, beside)]
        answers = await asyncio.gather(*asked)
        assert {answer.id for answer in answers} == {message.id}
        assert not all(answer.deduplicated for answer in answers)
    rows = [row for row in (await office.rows()).values() if row.organization_id == A]
    assert len(rows) == 20


async def test_among_others_only_the_repeat_is_one(office: Office) -> None:
    known, fresh = office.message(), [office.message() for _ in range(3)]
    await office.intake.accept_once(known)
    answers = await asyncio.gather(*(office.intake.accept_once(message) for message in [known, *fresh]))
    assert [answer.deduplicated for answer in answers] == [True, False, False, False]
    assert await office.states([message.id for message in [known, *fresh]]) == ["ready"] * 4
