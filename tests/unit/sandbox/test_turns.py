"""Who may run now: never more than there are turns, in the order of asking, and nobody for ever."""

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from pulse.sandbox.deno.house import House
from pulse.sandbox.deno.turns import QUANTUM, Turns
from tests.unit.sandbox.doubles import FakeProcess, house


def no_frame(_n: int) -> bytes:
    return b""


class Street:
    """Some houses with frames to send, and turns for fewer of them."""

    def __init__(self, slots: int, houses: int) -> None:
        self.turns = Turns(slots)
        self.slots = slots
        self.houses: list[tuple[House, FakeProcess]] = [house() for _ in range(houses)]

    def tell(self, at: int, count: int = 1) -> None:
        one, _ = self.houses[at]
        for _ in range(count):
            one.outbox.append((f"{at}", no_frame))
            self.turns.request(one)

    def answer(self, at: int) -> None:
        one, process = self.houses[at]
        if process.unanswered:
            process.unanswered.popleft()
            self.turns.rest(one)

    def die(self, at: int) -> None:
        one, process = self.houses[at]
        process.alive = False
        one.outbox.clear()
        self.turns.forget(one)
        self.houses[at] = house()

    def sent(self) -> list[int]:
        return [len(process.sent) for _, process in self.houses]

    def check(self) -> None:
        running = [one for one, process in self.houses if process.unanswered]
        assert all(one.has_turn for one in running)
        assert len(running) <= self.slots
        holding = sum(one.has_turn for one, _ in self.houses)
        assert self.turns._free == self.slots - holding >= 0
        if self.turns._free > 0:
            assert not any(one.outbox for one, _ in self.houses), "somebody waits although there is a turn"


def test_as_many_run_as_there_are_turns() -> None:
    street = Street(slots=2, houses=4)
    for at in range(4):
        street.tell(at)
    assert street.sent() == [1, 1, 0, 0]
    street.answer(1)
    assert street.sent() == [1, 1, 1, 0]
    street.answer(0)
    assert street.sent() == [1, 1, 1, 1]


def test_who_has_a_turn_sends_on_while_nobody_waits() -> None:
    street = Street(slots=1, houses=1)
    street.tell(0, 10 * QUANTUM)
    assert street.sent() == [10 * QUANTUM]


def test_a_quantum_at_a_time_while_others_wait() -> None:
    street = Street(slots=1, houses=2)
    street.tell(0)
    street.tell(1)
    street.tell(0, 3 * QUANTUM)
    assert street.sent() == [QUANTUM, 0]
    for _ in range(QUANTUM):
        assert street.sent() == [QUANTUM, 0]
        street.answer(0)
    assert street.sent() == [QUANTUM, 1]
    street.answer(1)
    assert street.sent() == [3 * QUANTUM + 1, 1], "alone again"


def test_a_turn_comes_back_when_its_house_dies() -> None:
    street = Street(slots=1, houses=2)
    street.tell(0, 3)
    street.tell(1)
    dead, process = street.houses[0]
    street.die(0)
    assert street.sent() == [0, 1]
    dead.outbox.append(("late", no_frame))
    street.turns.request(dead)
    street.answer(1)
    street.tell(0)
    assert street.sent() == [1, 1]
    assert len(process.sent) == 3, "nothing is sent to the dead"


def test_one_that_dies_while_it_waits_is_passed_over() -> None:
    street = Street(slots=1, houses=3)
    for at in range(3):
        street.tell(at)
    street.die(1)
    street.answer(0)
    assert street.sent() == [1, 0, 1]


ACTS: dict[str, Callable[[Street, int], None]] = {
    "tell": lambda street, at: street.tell(at),
    "tell much": lambda street, at: street.tell(at, 100),
    "answer": lambda street, at: street.answer(at),
    "die": lambda street, at: street.die(at),
}


@given(st.integers(1, 3), st.lists(st.tuples(st.sampled_from(sorted(ACTS)), st.integers(0, 4)), max_size=60))
def test_whatever_happens_turns_are_neither_lost_nor_invented(slots: int, acts: list[tuple[str, int]]) -> None:
    street = Street(slots, houses=5)
    for act, at in acts:
        ACTS[act](street, at)
        street.check()
    # In the end everybody has been heard.
    for _ in range(10_000):
        if not any(process.unanswered or one.outbox for one, process in street.houses):
            break
        for at in range(5):
            street.answer(at)
    street.check()
    assert street.turns._free == slots
