"""The pause before the next attempt: doubled each time, within its limit, jittered by the caller's draw."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulse.core import retry
from pulse.core.errors import LeaseLost, Unavailable
from pulse.core.retry import backoff_ms


@pytest.mark.parametrize(("attempt", "pause"), [(1, 100), (2, 200), (3, 400), (4, 800), (5, 1000), (6, 1000)])
def test_the_pause_doubles_with_each_attempt_up_to_the_longest(attempt: int, pause: int) -> None:
    assert backoff_ms(attempt, 100, 1000, 1.0) == pause


def test_the_draw_is_the_share_of_it_that_is_waited() -> None:
    assert [backoff_ms(1, 1000, 5000, draw) for draw in (0.0, 0.25, 1.0)] == [0, 250, 1000]


def test_a_base_above_the_longest_is_cut() -> None:
    assert backoff_ms(1, 5000, 1000, 1.0) == 1000


@given(st.integers(1, 10_000), st.integers(0, 10**6), st.integers(0, 10**9), st.floats(0, 1))
def test_the_pause_is_never_longer_than_the_longest_and_never_shorter_than_nothing(
    attempt: int, base: int, longest: int, draw: float
) -> None:
    assert 0 <= backoff_ms(attempt, base, longest, draw) <= longest


@given(st.integers(1, 200), st.integers(1, 10**6))
def test_a_later_attempt_never_waits_less(attempt: int, base: int) -> None:
    assert backoff_ms(attempt, base, 10**9, 1.0) <= backoff_ms(attempt + 1, base, 10**9, 1.0)


async def test_what_is_away_is_tried_until_it_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "RETRY_S", 0)
    away, heard = [Unavailable("first"), Unavailable("second")], []

    async def attempt() -> str:
        if away:
            raise away.pop(0)
        return "stored"

    assert await retry.once_available(attempt, lambda error: heard.append(error.message)) == "stored"
    assert heard == ["first", "second"]


async def test_what_is_lost_is_not_tried_again() -> None:
    async def attempt() -> None:
        raise LeaseLost

    with pytest.raises(LeaseLost):
        await retry.once_available(attempt, lambda error: pytest.fail(error.message))
