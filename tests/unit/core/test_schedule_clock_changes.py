"""Schedules on the days when the clocks change, zone by zone, and against a search that looks at every minute."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pulse.core.clock import parse_iso
from pulse.core.schedule import Schedule, next_fire

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
UNHURRIED = settings(deadline=None)  # looking at every minute takes a busy machine a while


def ms(moment: datetime) -> int:
    return parse_iso(moment.isoformat())


def between(cron: str, zone: str, start: datetime, end: datetime) -> Iterator[int]:
    fire = next_fire(Schedule(cron=cron, zone=zone), ms(start) - 1)
    while fire is not None and fire < ms(end):
        yield fire
        fire = next_fire(Schedule(cron=cron, zone=zone), fire)


def on_day(cron: str, zone: str, day: str) -> list[datetime]:
    """The fires from the first midnight of `day` to that of the next day, on the wall of `zone`."""
    first = datetime.combine(date.fromisoformat(day), time(), ZoneInfo(zone))
    fires = between(cron, zone, first, first + DAY)  # a day later on the wall
    return [datetime.fromtimestamp(fire / 1000, ZoneInfo(zone)) for fire in fires]


# In each zone, a day when the clocks go forward (+) and one when they go back (-).
@pytest.mark.parametrize(
    ("zone", "day", "cron", "fires"),
    [
        # Berlin, + 1 h at 02:00, - 1 h at 03:00
        ("Europe/Berlin", "2026-03-29", "30 2 * * *", ["03:00+02:00"]),
        ("Europe/Berlin", "2026-03-29", "0 2 * * *", ["03:00+02:00"]),
        ("Europe/Berlin", "2026-03-29", "0 3 * * *", ["03:00+02:00"]),
        ("Europe/Berlin", "2026-03-29", "0,20,40 2,3 * * *", ["03:00+02:00", "03:20+02:00", "03:40+02:00"]),
        ("Europe/Berlin", "2026-03-29", "*/20 2 * * *", []),
        ("Europe/Berlin", "2026-10-25", "30 2 * * *", ["02:30+02:00"]),
        ("Europe/Berlin", "2026-10-25", "0 2,3 * * *", ["02:00+02:00", "03:00+01:00"]),
        ("Europe/Berlin", "2026-10-25", "*/30 2 * * *", ["02:00+02:00", "02:30+02:00", "02:00+01:00", "02:30+01:00"]),
        # New York, + 1 h at 02:00, - 1 h at 02:00
        ("America/New_York", "2026-03-08", "30 2 * * *", ["03:00-04:00"]),
        ("America/New_York", "2026-11-01", "30 1 * * *", ["01:30-04:00"]),
        ("America/New_York", "2026-11-01", "0 2 * * *", ["02:00-05:00"]),
        # Lord Howe, + 30 min at 02:00, - 30 min at 02:00
        ("Australia/Lord_Howe", "2025-10-05", "15 2 * * *", ["02:30+11:00"]),
        ("Australia/Lord_Howe", "2025-10-05", "30 2 * * *", ["02:30+11:00"]),
        ("Australia/Lord_Howe", "2026-04-05", "45 1 * * *", ["01:45+11:00"]),
        ("Australia/Lord_Howe", "2026-04-05", "15 1 * * *", ["01:15+11:00"]),
        (
            "Australia/Lord_Howe",
            "2026-04-05",
            "*/20 1 * * *",
            ["01:00+11:00", "01:20+11:00", "01:40+11:00", "01:40+10:30"],
        ),
        # cronsim alone loses 06:00, 03:00 and 02:00 and 02:20 here.
        (
            "Australia/Lord_Howe",
            "2025-10-05",
            "0 */6 * * *",
            ["00:00+10:30", "06:00+11:00", "12:00+11:00", "18:00+11:00"],
        ),
        ("Australia/Lord_Howe", "2025-10-05", "*/30 3 * * *", ["03:00+11:00", "03:30+11:00"]),
        ("Australia/Lord_Howe", "2026-04-05", "*/20 2 * * *", ["02:00+10:30", "02:20+10:30", "02:40+10:30"]),
        # São Paulo, + 1 h at 00:00, - 1 h at 24:00; no changes any more since 2019
        ("America/Sao_Paulo", "2018-11-04", "0 0 * * *", ["01:00-02:00"]),
        ("America/Sao_Paulo", "2018-11-04", "30 0 * * *", ["01:00-02:00"]),
        ("America/Sao_Paulo", "2018-11-04", "*/30 0 * * *", []),
        ("America/Sao_Paulo", "2018-02-17", "30 23 * * *", ["23:30-02:00"]),
        ("America/Sao_Paulo", "2018-02-18", "0 0 * * *", ["00:00-03:00"]),
        ("America/Sao_Paulo", "2026-11-01", "30 0 * * *", ["00:30-03:00"]),
        # no changes
        ("Asia/Kolkata", "2026-03-29", "30 2 * * *", ["02:30+05:30"]),
        ("UTC", "2026-03-29", "30 2 * * *", ["02:30+00:00"]),
    ],
)
def test_a_day_when_the_clocks_change(zone: str, day: str, cron: str, fires: list[str]) -> None:
    found = on_day(cron, zone, day)
    assert [moment.isoformat(timespec="minutes") for moment in found] == [f"{day}T{fire}" for fire in fires]


# Fires on that day: `0 * * * *`, `*/5 * * * *`, and `0 0-23 * * *`, which is 24 times of day.
@pytest.mark.parametrize(
    ("zone", "day", "hourly", "every_five", "listed"),
    [
        ("Europe/Berlin", "2026-03-29", 23, 276, 23),
        ("Europe/Berlin", "2026-10-25", 25, 300, 24),
        ("America/New_York", "2026-03-08", 23, 276, 23),
        ("America/New_York", "2026-11-01", 25, 300, 24),
        ("Australia/Lord_Howe", "2025-10-05", 23, 282, 24),  # 02:00 is not on the wall; listed, it fires at 02:30
        ("Australia/Lord_Howe", "2026-04-05", 24, 294, 24),  # 01:30 to 02:00 comes twice, no full hour among it
        ("America/Sao_Paulo", "2018-11-04", 23, 276, 23),
        ("America/Sao_Paulo", "2018-02-17", 25, 300, 24),
        ("America/Sao_Paulo", "2026-11-01", 24, 288, 24),
        ("Asia/Kolkata", "2026-03-29", 24, 288, 24),
        ("UTC", "2026-03-29", 24, 288, 24),
    ],
)
def test_jobs_that_fire_all_day(zone: str, day: str, hourly: int, every_five: int, listed: int) -> None:
    assert len(on_day("0 * * * *", zone, day)) == hourly
    assert len(on_day("0 0-23 * * *", zone, day)) == listed
    fires = on_day("*/5 * * * *", zone, day)
    assert len(fires) == every_five
    assert {ms(later) - ms(fire) for fire, later in pairwise(fires)} == {300_000}


def test_a_day_that_a_zone_left_out() -> None:
    """Samoa went from 29 to 31 December 2011: what was meant for the 30th fires at the first moment of the 31st."""
    samoa = "Pacific/Apia"
    start, end = datetime(2011, 12, 29, 12, tzinfo=ZoneInfo(samoa)), datetime(2012, 1, 1, tzinfo=ZoneInfo(samoa))
    noons = [datetime.fromtimestamp(fire / 1000, ZoneInfo(samoa)) for fire in between("0 12 * * *", samoa, start, end)]
    assert [noon.strftime("%d %H:%M") for noon in noons] == ["29 12:00", "31 00:00", "31 12:00"]
    assert len(list(between("0 * * * *", samoa, start, end))) == 36


def test_a_time_that_comes_twice_on_a_day_far_ahead() -> None:
    """The search leaps to that day in October; the first pass is before the change, the second after it."""
    schedule = Schedule(cron="*/30 2 25 10 *", zone="Europe/Berlin")
    assert next_fire(schedule, parse_iso("2026-01-01T00:00:00Z")) == parse_iso("2026-10-25T02:00:00+02:00")
    assert next_fire(schedule, parse_iso("2026-10-25T02:30:00+02:00")) == parse_iso("2026-10-25T02:00:00+01:00")
    assert next_fire(schedule, parse_iso("2026-10-25T02:30:00+01:00")) == parse_iso("2027-10-25T02:00:00+02:00")


# ---------------------------------------------------------------------------- against looking at every minute

MINUTES = {
    "*": range(60),
    "*/5": range(0, 60, 5),
    "*/20": range(0, 60, 20),
    "0": [0],
    "30": [30],
    "10-50/20": [10, 30, 50],
}
HOURS = {
    "*": range(24),
    "*/6": range(0, 24, 6),
    "0": [0],
    "1-2": [1, 2],
    "2": [2],
    "0-23": range(24),
    "0,3,23": [0, 3, 23],
}
CHANGES = [
    ("Europe/Berlin", "2026-03-29T01:00:00Z"),
    ("Europe/Berlin", "2026-10-25T01:00:00Z"),
    ("America/New_York", "2026-11-01T06:00:00Z"),
    ("Australia/Lord_Howe", "2025-10-04T15:30:00Z"),
    ("Australia/Lord_Howe", "2026-04-04T15:00:00Z"),
    ("America/Sao_Paulo", "2018-11-04T03:00:00Z"),
    ("America/Sao_Paulo", "2018-02-18T02:00:00Z"),
    ("Antarctica/Troll", "2026-03-29T01:00:00Z"),  # two hours
    ("Antarctica/Troll", "2026-10-25T01:00:00Z"),
    ("Pacific/Chatham", "2026-04-04T14:00:00Z"),  # at 03:45
    ("Asia/Kolkata", "2026-03-29T01:00:00Z"),
]


def landed(wall: datetime, zone: ZoneInfo) -> datetime:
    """The moment a time of day fires at: the first of two, or the end of the gap it is in."""
    while (moment := wall.replace(tzinfo=zone).astimezone(UTC)).astimezone(zone).replace(tzinfo=None) != wall:
        wall += MINUTE
    return moment


def expected(minute: str, hour: str, zone: ZoneInfo, start: datetime, end: datetime) -> list[int]:
    def matches(wall: datetime) -> bool:
        return wall.minute in MINUTES[minute] and wall.hour in HOURS[hour]

    steps = range((end - start) // MINUTE)
    if minute.startswith("*") or hour.startswith("*"):
        moments = [start + MINUTE * step for step in steps]
        return [ms(moment) for moment in moments if matches(moment.astimezone(zone))]
    # Two hours earlier too: what the clocks skip lands later than it reads.
    reads = start.astimezone(zone).replace(tzinfo=None)
    walls = [reads + MINUTE * step for step in range(-120, len(steps) + 120)]
    landings = {landed(wall, zone) for wall in walls if matches(wall)}
    return sorted(ms(moment) for moment in landings if start <= moment < end)


@UNHURRIED
@given(
    st.sampled_from(sorted(MINUTES)),
    st.sampled_from(sorted(HOURS)),
    st.sampled_from(CHANGES),
    st.integers(0, 12 * 60),
)
def test_nothing_is_lost_and_nothing_added(minute: str, hour: str, change: tuple[str, str], before: int) -> None:
    zone, at = change
    start = datetime.fromisoformat(at) - MINUTE * before
    end = start + DAY
    found = list(between(f"{minute} {hour} * * *", zone, start, end))
    assert found == expected(minute, hour, ZoneInfo(zone), start, end)
