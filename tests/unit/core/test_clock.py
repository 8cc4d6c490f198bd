"""Times as text: what `iso` writes, `parse_iso` reads, and JavaScript would have written the same."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulse.core.clock import SystemClock, iso, parse_iso

FIRST = -62_135_596_800_000
LAST = 253_402_300_799_999


@given(st.integers(FIRST, LAST))
def test_a_time_survives_being_written_and_read(ms: int) -> None:
    assert parse_iso(iso(ms)) == ms


@given(st.integers(FIRST, LAST), st.integers(FIRST, LAST))
def test_texts_sort_as_their_times_do(first: int, second: int) -> None:
    assert (first < second) == (iso(first) < iso(second))


# What `new Date(ms).toISOString()` answers in V8.
@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (0, "1970-01-01T00:00:00.000Z"),
        (1, "1970-01-01T00:00:00.001Z"),
        (-1, "1969-12-31T23:59:59.999Z"),
        (1_700_000_000_123, "2023-11-14T22:13:20.123Z"),
        (951_782_400_000, "2000-02-29T00:00:00.000Z"),
        (FIRST, "0001-01-01T00:00:00.000Z"),
        (LAST, "9999-12-31T23:59:59.999Z"),
    ],
)
def test_iso_writes_as_javascript_does(ms: int, text: str) -> None:
    assert iso(ms) == text


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("1970-01-01T00:00:01Z", 1_000),
        ("1970-01-01T00:00:01", 1_000),
        ("1970-01-01T02:00:00+02:00", 0),
        ("1969-12-31T19:00:00-05:00", 0),
        ("1970-01-01 00:00:00.5Z", 500),
        ("1970-01-02", 86_400_000),
        ("1970-01-01T00:00:01.001Z", 1_001),  # 1.001 * 1000 is less than 1001
    ],
)
def test_parse_iso_minds_the_zone(text: str, ms: int) -> None:
    assert parse_iso(text) == ms


@pytest.mark.parametrize("text", ["", "yesterday", "2024-02-30T00:00:00Z", "2024-01-01T25:00:00Z", "\ud800", "1\0"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse_iso(text)


@given(st.integers(-1439, 1439))
def test_one_moment_has_one_value_in_every_zone(minutes: int) -> None:
    zone = timezone(timedelta(minutes=minutes))
    assert parse_iso(datetime(2024, 5, 6, 7, 8, 9, 123_000, UTC).astimezone(zone).isoformat()) == 1_714_979_289_123


def test_the_system_clock_tells_milliseconds() -> None:
    before = datetime.now(UTC).timestamp() * 1000
    assert int(before) <= SystemClock().now_ms() <= datetime.now(UTC).timestamp() * 1000
