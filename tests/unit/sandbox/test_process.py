"""One process without a process: what is heard of it, and whom its clock convicts."""

import signal
from dataclasses import dataclass
from typing import Any, cast

import pytest

from pulse.sandbox.deno.limits import Limits
from pulse.sandbox.deno.process import DenoProcess
from tests.unit.sandbox.doubles import FakeLoop, FakeTransport, Heard

LIMITS = Limits(script_timeout_ms=500, frame_size=1000)


@dataclass
class Child:
    """A process in the hands of the test."""

    process: DenoProcess
    loop: FakeLoop
    transport: FakeTransport
    heard: Heard

    def send(self, message_id: str) -> None:
        self.process.send(message_id, lambda n: b"%d\n" % n)
        self.loop.run_soon()

    def say(self, text: str) -> None:
        self.process.pipe_data_received(1, text.encode())

    def answer(self, n: int, message_id: str, payload: str = "") -> None:
        self.say(f'{{"t":"done","n":{n},"id":"{message_id}"}}\t{payload}\n')

    def is_killed(self) -> bool:
        return signal.SIGKILL in self.transport.signals


@pytest.fixture
async def child() -> Child:
    heard, loop, transport = Heard(), FakeLoop(), FakeTransport()
    process = DenoProcess(heard, LIMITS)
    process._loop = cast(Any, loop)
    process.connection_made(cast(Any, transport))
    process.pipe_data_received(1, b'{"t":"ready"}\n')
    return Child(process, loop, transport, heard)


async def test_frames_are_numbered_and_answered_in_order(child: Child) -> None:
    for name in "abc":
        child.send(name)
    assert b"".join(child.transport.written) == b"1\n2\n3\n"
    child.answer(1, "a", "x")
    child.answer(2, "b", "y")
    assert child.heard.answers == [("a", b"x"), ("b", b"y")]
    assert [sent.message_id for sent in child.process.unanswered] == ["c"]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
async def test_lines_come_in_pieces_of_any_size(child: Child, size: int) -> None:
    child.send("a")
    child.send("b")
    text = '{"t":"done","n":1,"id":"a"}\t{"x":1}\n{"t":"done","n":2,"id":"b"}\t{"y":2}\n'
    for at in range(0, len(text), size):
        child.say(text[at : at + size])
    assert child.heard.answers == [("a", b'{"x":1}'), ("b", b'{"y":2}')]
    assert not child.is_killed()


async def test_a_line_without_an_end_is_no_line(child: Child) -> None:
    child.send("a")
    for _ in range(10):
        child.say("x" * 100)
    assert not child.is_killed()
    child.say("x")
    assert child.is_killed()
    child.process.process_exited()
    assert child.heard.deaths == [("flood", ["a"])]


@pytest.mark.parametrize(("n", "message_id"), [(2, "a"), (1, "b"), (0, "a"), (-1, "a")])
async def test_an_answer_to_anything_but_the_running_frame_is_the_end(child: Child, n: int, message_id: str) -> None:
    child.send("a")
    child.answer(n, message_id)
    assert child.is_killed()
    assert child.heard.answers == []


async def test_nothing_is_heard_of_a_child_that_was_ended(child: Child) -> None:
    child.send("a")
    child.send("b")
    child.say('garbage\n{"t":"done","n":1,"id":"a"}\t{}\n')
    child.answer(1, "a")
    assert child.heard.answers == []
    child.process.process_exited()
    assert child.heard.deaths == [("broken", ["a", "b"])]


async def test_the_first_cause_stands(child: Child) -> None:
    child.process.kill("memory")
    child.process.kill("idle")
    assert not child.process.alive
    child.process.process_exited()
    child.process.kill("late")
    assert child.heard.deaths == [("memory", [])]
    assert child.transport.signals.count(signal.SIGKILL) == 1


async def test_a_frame_may_run_so_long_and_no_longer(child: Child) -> None:
    child.send("a")
    child.loop.advance(0.499)
    assert not child.is_killed()
    child.loop.advance(0.002)
    assert child.is_killed()


async def test_each_frame_has_its_own_time(child: Child) -> None:
    for name in "abc":
        child.send(name)
    for n, name in enumerate("abc", 1):
        child.loop.advance(0.4)
        assert not child.is_killed()
        child.answer(n, name)
    child.loop.advance(10)
    assert not child.is_killed()
    child.send("d")
    child.loop.advance(0.6)
    assert child.is_killed()


async def test_the_one_that_ran_is_blamed_though_its_answer_comes_after_all(child: Child) -> None:
    child.send("slow")
    child.send("innocent")
    child.loop.advance(0.6)
    child.answer(1, "slow")
    child.process.process_exited()
    assert child.heard.answers == []
    assert child.heard.deaths == [("timeout", ["slow", "innocent"])]


async def test_who_was_held_up_himself_blames_nobody(child: Child) -> None:
    child.send("a")
    child.loop.advance(0.6, late=3.0)
    assert not child.is_killed(), "what the child has said meanwhile is heard first"
    child.answer(1, "a")
    child.loop.advance(10)
    assert not child.is_killed()
    assert child.heard.answers == [("a", b"")]


async def test_being_held_up_spares_a_frame_only_once(child: Child) -> None:
    child.send("a")
    child.loop.advance(0.6, late=3.0)
    child.loop.advance(0.6, late=3.0)
    assert child.is_killed()


async def test_a_dead_child_is_sent_nothing(child: Child) -> None:
    child.process.process_exited()
    child.send("a")
    assert child.transport.written == []
    assert not child.process.alive
