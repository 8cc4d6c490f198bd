"""Ids increase, carry their time, derive the same way every time, and can be bounded by time."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from random import Random
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulse.core.ids import ALPHABET, Ids, derive_id, first_id_at, is_id, time_of

LAST_MS = 2**48 - 1
moments = st.integers(0, LAST_MS)
words = st.text("abc_\0é/", max_size=8)


@dataclass
class SetClock:
    """Says what it was told to say."""

    ms: int = 1_700_000_000_000

    def now_ms(self) -> int:
        return self.ms


def ones(wanted: int) -> bytes:
    return b"\xff" * wanted


def zeros(wanted: int) -> bytes:
    return bytes(wanted)


def as_uuid(identifier: str) -> UUID:
    number = 0
    for letter in identifier.rpartition("_")[2]:
        number = number * 32 + ALPHABET.index(letter)
    return UUID(int=number)


@pytest.mark.parametrize("entropy", [ones, zeros])
def test_ids_of_one_millisecond_increase_strictly(entropy: Callable[[int], bytes]) -> None:
    ids = Ids(SetClock(), entropy)
    made = [ids.new("msg") for _ in range(5_000)]
    assert all(first < second for first, second in pairwise(made))


@given(st.lists(moments, min_size=2, max_size=40), st.randoms(use_true_random=False))
def test_ids_increase_whatever_the_clock_does(readings: list[int], random: Random) -> None:
    clock = SetClock()
    ids = Ids(clock, random.randbytes)
    made = []
    for clock.ms in readings:
        made.append(ids.new("msg"))
    assert made == sorted(set(made))
    assert [time_of(each) for each in made] == [max(readings[: n + 1]) for n in range(len(readings))]


def test_a_clock_that_goes_backwards_keeps_the_latest_time() -> None:
    clock = SetClock(2_000)
    ids = Ids(clock)
    before = ids.new("msg")
    clock.ms = 1_000
    after = ids.new("msg")
    assert after > before
    assert time_of(after) == 2_000


def test_an_id_is_a_version_7_uuid_whatever_its_entropy() -> None:
    for entropy in (ones, zeros):
        made = as_uuid(Ids(SetClock(1_234_567), entropy).new("msg"))
        assert (made.version, made.variant) == (7, "specified in RFC 4122")
        assert made.int >> 80 == 1_234_567


def test_two_makers_of_one_millisecond_do_not_meet() -> None:
    clock = SetClock()
    assert Ids(clock).new("msg") != Ids(clock).new("msg")


def test_the_system_clock_and_randomness_are_there_by_default() -> None:
    ids = Ids()
    assert is_id(ids.new("run"), "run")
    assert ids.new("run") < ids.new("run")


@given(moments, st.lists(st.one_of(words, st.integers(0, 9)), max_size=4))
def test_a_derived_id_has_its_parents_time_and_depends_on_what_it_was_derived_from(
    ms: int, parts: list[str | int]
) -> None:
    parent, other = (Ids(SetClock(ms)).new("msg") for _ in range(2))
    derived = derive_id("run", parent, *parts)
    assert derived == derive_id("run", parent, *parts)
    assert is_id(derived, "run")
    assert time_of(derived) == ms
    assert derived != derive_id("run", other, *parts)
    assert derived != derive_id("run", parent, *parts, "more")


def test_a_derived_id_never_changes() -> None:
    parent = first_id_at("msg", 1_700_000_000_000)
    assert derive_id("run", parent, "step", 3) == "run_01hf7yat00fmk82kg2ny8h206j"


def test_parts_do_not_run_into_each_other() -> None:
    parent = first_id_at("msg", 1)
    assert derive_id("run", parent, "ab", "c") != derive_id("run", parent, "a", "bc")
    assert derive_id("run", parent, "a", "b") != derive_id("run", parent, "b", "a")


@given(st.integers(0, LAST_MS - 1), st.booleans())
def test_ids_of_a_millisecond_lie_between_its_bound_and_the_next(ms: int, full: bool) -> None:
    made = Ids(SetClock(ms), ones if full else zeros).new("msg")
    for each in (made, derive_id("msg", made, "a"), derive_id("msg", made, "b")):
        assert first_id_at("msg", ms) <= each < first_id_at("msg", ms + 1)


@given(st.integers(-(2**60), 2**60), st.integers(-(2**60), 2**60))
def test_bounds_are_in_the_order_of_their_times(first: int, second: int) -> None:
    earlier, later = sorted((first, second))
    assert first_id_at("msg", earlier) <= first_id_at("msg", later)


def test_bounds_outside_of_time_hold_every_id() -> None:
    assert first_id_at("msg", -1) <= Ids(SetClock(0), zeros).new("msg")
    for beyond in (LAST_MS + 1, 2**50, 2**63):
        assert Ids(SetClock(LAST_MS), ones).new("msg") < first_id_at("msg", beyond)


@given(moments)
def test_the_time_of_a_bound_is_the_time_it_was_made_for(ms: int) -> None:
    assert time_of(first_id_at("msg", ms)) == ms


NO_IDS = [
    "",
    "msg",
    "msg_",
    "msg_0123456789",
    "msg_01hf7yat00" + "0" * 17,
    "msg_01HF7YAT000000000000000000",
    "msg_01hf7yat0i0000000000000000",
    "msg_01hf7yat0000000000000000\n0",
    "msg_01hf7yat00000000000000000!",
    "msg_80000000000000000000000000",
    "msg_zzzzzzzzzzzzzzzzzzzzzzzzzz",
    "msg_٠1hf7yat000000000000000000",
]


@pytest.mark.parametrize("text", NO_IDS)
def test_what_is_not_an_id_is_told_apart(text: str) -> None:
    assert not is_id(text, "msg")
    with pytest.raises(ValueError, match="not an id"):
        time_of(text)


def test_an_id_is_of_one_kind() -> None:
    made = Ids(SetClock()).new("msg")
    assert is_id(made, "msg")
    assert not is_id(made, "run")
    assert not is_id(made, "ms")
    assert not is_id("x_" + made, "msg")
    assert not is_id(made.removeprefix("msg_"), "msg")
