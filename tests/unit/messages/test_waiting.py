"""Waiting for an outcome: told at once where it comes in this process, found by looking where it does not."""

import asyncio
import contextlib
from collections.abc import Awaitable
from dataclasses import dataclass, field

import pytest
from msgspec.structs import replace

from pulse.core.errors import NotFound
from pulse.messages import waiting
from pulse.messages.records import StoredMessage
from pulse.messages.waiting import Waiting
from tests.unit.messages.test_result import row


@dataclass
class Kept:
    """Messages by id, and how often they were read."""

    statuses: dict[str, str] = field(default_factory=dict)
    reads: list[tuple[str, str]] = field(default_factory=list)
    read_now: asyncio.Event = field(default_factory=asyncio.Event)

    async def read(self, organization_id: str, message_id: str) -> StoredMessage:
        self.reads.append((organization_id, message_id))
        self.read_now.set()
        if message_id not in self.statuses:
            raise NotFound(message_id)
        return StoredMessage(replace(row(self.statuses[message_id]), id=message_id), b"{}")


@pytest.fixture(autouse=True)
def look_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "LOOK_AGAIN_S", 0.001)


async def soon(outcome: Awaitable[StoredMessage | None]) -> StoredMessage:
    async with asyncio.timeout(10):
        stored = await outcome
    assert stored is not None
    return stored


async def test_an_outcome_in_this_process_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "LOOK_AGAIN_S", 100.0)
    kept = Kept({"msg_1": "running", "msg_2": "running"})
    made = Waiting(kept.read)
    async with asyncio.TaskGroup() as tasks:
        ours = [tasks.create_task(soon(made.outcome("org_1", "msg_1", 100))) for _ in range(2)]
        other = tasks.create_task(made.outcome("org_1", "msg_2", 100))
        await asyncio.wait([other], timeout=0)
        kept.statuses["msg_1"] = "success"
        made.ended("msg_1")
        assert [(await each).row.status for each in ours] == ["success", "success"]
        assert not other.done()
        other.cancel()
    assert set(kept.reads) == {("org_1", "msg_1")}


async def test_an_outcome_that_came_before_is_there_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "LOOK_AGAIN_S", 100.0)
    kept = Kept({"msg_1": "fail"})
    made = Waiting(kept.read)
    made.ended("msg_1")
    assert (await soon(made.outcome("org_1", "msg_1", 100))).row.status == "fail"


@pytest.mark.parametrize("status", ["success", "fail", "ignore", "canceled"])
async def test_an_outcome_elsewhere_is_found_by_looking(status: str) -> None:
    kept = Kept({"msg_1": "running"})
    looking = asyncio.create_task(soon(Waiting(kept.read).outcome("org_1", "msg_1", 100)))
    async with asyncio.timeout(10):
        await kept.read_now.wait()
    assert not looking.done()
    kept.statuses["msg_1"] = status
    assert (await looking).row.status == status
    assert len(kept.reads) > 1


@pytest.mark.parametrize("status", ["ready", "blocked", "running", "held"])
async def test_no_outcome_in_time_is_none(status: str) -> None:
    assert await Waiting(Kept({"msg_1": status}).read).outcome("org_1", "msg_1", 0.02) is None


async def test_no_time_is_no_wait() -> None:
    kept = Kept({"msg_1": "success"})
    assert await Waiting(kept.read).outcome("org_1", "msg_1", 0) is None


async def test_what_is_not_there_is_told() -> None:
    with pytest.raises(NotFound):
        await Waiting(Kept().read).outcome("org_1", "msg_1", 10)


async def test_nothing_is_left_of_those_who_waited() -> None:
    made = Waiting(Kept({"msg_1": "running"}).read)
    await made.outcome("org_1", "msg_1", 0.01)
    task = asyncio.create_task(made.outcome("org_1", "msg_1", 100))
    await asyncio.wait([task], timeout=0.01)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    assert made._events == {}


async def test_only_so_many_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "REMEMBERED", 3)
    made = Waiting(Kept().read)
    for number in range(10):
        made.ended(f"msg_{number}")
    assert list(made._recent) == ["msg_7", "msg_8", "msg_9"]
