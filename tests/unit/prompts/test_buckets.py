"""Token buckets: never more than the bucket holds and what came back meanwhile, and no wait longer than it must be."""

from hypothesis import given
from hypothesis import strategies as st

from pulse.prompts.buckets import DAY_US, MINUTE_US, Bucket, Limits, units_of

SIZES = st.integers(1, 10_000)


def test_limits_make_buckets_of_those_that_are_set() -> None:
    assert Limits().buckets() == {}
    assert not Limits().are_set
    limits = Limits(60, 90_000, 1_000_000)
    assert limits.are_set
    assert limits.buckets() == {
        "requests": Bucket(60, MINUTE_US),
        "tokens": Bucket(90_000, MINUTE_US),
        "day_tokens": Bucket(1_000_000, DAY_US),
    }
    assert set(Limits(tokens_per_day=5).buckets()) == {"day_tokens"}


def test_a_request_is_one_request_and_its_tokens() -> None:
    assert [units_of(name, 500) for name in ("requests", "tokens", "day_tokens")] == [1, 500, 500]


def test_time_is_rounded_in_favour_of_the_limit() -> None:
    assert Bucket(7, 60).refill_us(1) == 9
    assert Bucket(10**12, MINUTE_US).refill_us(1) == 1
    assert Bucket(10**12, MINUTE_US).refill_us(0) == 0


def test_who_wants_more_than_it_holds_needs_a_full_one() -> None:
    bucket = Bucket(10, 100)
    assert bucket.wait_us(full_at_us=0, now_us=50, units=1_000) == 0
    assert bucket.wait_us(full_at_us=80, now_us=50, units=1_000) == 30
    assert bucket.refill_us(1_000) == 10_000


@given(size=SIZES, wanted=st.lists(st.tuples(st.integers(0, 5_000_000), st.integers(1, 500)), max_size=60))
def test_no_more_is_taken_than_it_held_and_got_back(size: int, wanted: list[tuple[int, int]]) -> None:
    bucket = Bucket(size, MINUTE_US)
    full_at = now = 0
    taken: list[tuple[int, int]] = []
    for pause, units in wanted:
        now += pause
        wait = bucket.wait_us(full_at, now, min(units, size))
        if wait == 0:
            full_at = max(full_at, now) + bucket.refill_us(min(units, size))
            taken.append((now, min(units, size)))
    for at, (start, _) in enumerate(taken):
        for end, (last, _) in enumerate(taken[at:], at):
            amount = sum(units for _, units in taken[at : end + 1])
            assert amount <= size + (last - start) * size / MINUTE_US + 1e-6


@given(size=SIZES, full_in=st.integers(0, 2 * MINUTE_US), units=st.integers(1, 20_000))
def test_after_the_wait_there_is_no_wait_and_just_before_there_is(size: int, full_in: int, units: int) -> None:
    bucket, now = Bucket(size, MINUTE_US), 10**15
    wait = bucket.wait_us(now + full_in, now, units)
    assert bucket.wait_us(now + full_in, now + wait, units) == 0
    if wait:
        assert bucket.wait_us(now + full_in, now + wait - 1, units) == 1
