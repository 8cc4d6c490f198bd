"""Which schedules are refused, and what is fired when: the missed-run policies, whatever the clock does."""

from bisect import bisect_right
from itertools import accumulate, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pulse.core.clock import iso, parse_iso
from pulse.core.errors import InvalidFields
from pulse.core.schedule import GRACE_MS, MAX_CRON, MAX_MS, Due, Missed, Schedule, due, faults, next_fire

MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR
UNHURRIED = settings(deadline=None)  # going through days of fires takes a busy machine a while
NOON = parse_iso("2026-05-04T12:00:00Z")


def codes(schedule: Schedule) -> list[tuple[str, str]]:
    return [(fault.path, fault.code) for fault in faults(schedule)]


# ----------------------------------------------------------------------------------------------------- faults


@pytest.mark.parametrize(
    "cron",
    [
        "* * * * *",
        " 0\t2  * * * ",
        "0,30 8-18/2 * jan-mar,Dec mon-FRI",
        "0 0 29 2 *",
        "0 0 30 2 MON",  # neither day begins with a star: either of them will do
        "0 0 L * *",
        "0 0 LW * *",
        "0 0 * * 5L",
        "0 0 * * 7",
        "0 0 * 2 MON#5",  # every 28 years
        f"{','.join(map(str, range(60)))} * * * *",
    ],
)
def test_a_cron_expression_that_can_be_used(cron: str) -> None:
    assert faults(Schedule(cron=cron)) == []
    assert next_fire(Schedule(cron=cron), NOON) is not None


@pytest.mark.parametrize(
    ("cron", "found"),
    [
        ("60 * * * *", ["bad_minute"]),
        ("1,,2 * * * *", ["bad_minute"]),
        ("*/0 * * * *", ["bad_minute"]),
        ("5-1 * * * *", ["bad_minute"]),
        ("\ud800 * * * *", ["bad_minute"]),
        ("0 24 * * *", ["bad_hour"]),
        ("0 -1 * * *", ["bad_hour"]),
        ("0 0 0 * *", ["bad_day_of_month"]),
        ("0 0 ? * *", ["bad_day_of_month"]),
        ("0 0 * 13 *", ["bad_month"]),
        ("0 0 * MAI *", ["bad_month"]),
        ("0 0 * * 8", ["bad_day_of_week"]),
        ("0 0 * * FRI-MON", ["bad_day_of_week"]),
        ("x 24 0 13 9", ["bad_minute", "bad_hour", "bad_day_of_month", "bad_month", "bad_day_of_week"]),
        ("", ["not_five_fields"]),
        ("@daily", ["not_five_fields"]),
        ("0 0 2 * * *", ["not_five_fields"]),
        ("0 0 30 2 *", ["never"]),
        ("0 0 31 2,4,6,9,11 *", ["never"]),
        ("0 0 */31 * 1#3", ["never"]),  # the first of a month is not its third Monday
        ("9" * (MAX_CRON + 1), ["too_long"]),
    ],
)
def test_a_cron_expression_that_is_refused(cron: str, found: list[str]) -> None:
    assert codes(Schedule(cron=cron)) == [("cron", code) for code in found]


def test_a_fault_says_which_field_and_what_to_do() -> None:
    (fault,) = faults(Schedule(cron="0 25 * * *"))
    assert "'25' is no hour: use 0 to 23" in fault.message


@pytest.mark.parametrize(
    "zone",
    ["", "Europe", "Europe/Berlni", "europe/berlin", "CEST", "+02:00", "../etc/passwd", "localtime", "\0", "\ud800"],
)
def test_a_zone_that_is_none(zone: str) -> None:
    assert codes(Schedule(cron="0 0 * * *", zone=zone)) == [("zone", "unknown_zone")]


def test_one_time_is_asked_for_and_no_more() -> None:
    assert codes(Schedule()) == [("cron", "missing")]
    assert codes(Schedule(cron="* * * * *", at_ms=NOON)) == [("at_ms", "too_many")]
    assert codes(Schedule(at_ms=-1)) == codes(Schedule(at_ms=MAX_MS + 1)) == [("at_ms", "out_of_range")]
    assert codes(Schedule(at_ms=0)) == codes(Schedule(at_ms=MAX_MS)) == []


def test_every_fault_is_told_with_its_path() -> None:
    schedule = Schedule(cron="0 0 30 2 *", zone="Mars", missed="often", overlap="sometimes")  # type: ignore[arg-type]
    found = [(fault.path, fault.code) for fault in faults(schedule, "schedules.3")]
    assert found == [
        ("schedules.3.cron", "never"),
        ("schedules.3.missed", "unknown_policy"),
        ("schedules.3.overlap", "unknown_policy"),
        ("schedules.3.zone", "unknown_zone"),
    ]


@pytest.mark.parametrize(
    "schedule", [Schedule(), Schedule(cron="* * * * * *"), Schedule(cron="* * * * *", zone="Mars")]
)
def test_a_schedule_with_faults_fires_nothing(schedule: Schedule) -> None:
    for _ in range(2):
        with pytest.raises(InvalidFields) as caught:
            next_fire(schedule, NOON)
        assert caught.value.faults == faults(schedule)
    with pytest.raises(InvalidFields):
        due(schedule, NOON, NOON)


@UNHURRIED
@given(st.text(alphabet="0123456789*/,-#LW MONJAÄ²\0", max_size=40) | st.text(max_size=20))
def test_any_text_has_faults_or_fires(cron: str) -> None:
    schedule = Schedule(cron=cron)
    assert faults(schedule) or next_fire(schedule, NOON) is not None


# -------------------------------------------------------------------------------------------------- next_fire


def test_a_fire_is_strictly_after() -> None:
    schedule = Schedule(cron="*/5 * * * *")
    assert next_fire(schedule, NOON - 1) == NOON
    assert next_fire(schedule, NOON) == next_fire(schedule, NOON + 1) == NOON + 5 * MINUTE


def test_a_one_time_schedule_fires_once() -> None:
    schedule = Schedule(at_ms=NOON + 7)
    assert next_fire(schedule, NOON + 6) == NOON + 7
    assert next_fire(schedule, NOON + 7) is None


@pytest.mark.parametrize(
    ("cron", "fires"),
    [
        ("0 0 29 2 *", ["2028-02-29", "2032-02-29"]),
        ("0 0 1,15 * 3", ["2026-05-06", "2026-05-13", "2026-05-15"]),  # either day
        ("0 0 1-7 * */7", ["2026-06-07", "2026-07-05"]),  # both days, since one begins with a star
        ("0 0 L * *", ["2026-05-31", "2026-06-30"]),
        ("0 0 * * FRI#2", ["2026-05-08", "2026-06-12"]),
    ],
)
def test_days(cron: str, fires: list[str]) -> None:
    after, found = NOON, []
    for _ in fires:
        after = next_fire(Schedule(cron=cron), after) or 0
        found.append(iso(after))
    assert found == [f"{day}T00:00:00.000Z" for day in fires]


def test_the_ends_of_time() -> None:
    schedule = Schedule(cron="0 0 1 1 *", zone="Asia/Kolkata")
    assert next_fire(schedule, -(10**30)) == parse_iso("1970-12-31T18:30:00Z")
    assert next_fire(Schedule(cron="0 0 1 1 *"), -(10**30)) == 0
    for after in (MAX_MS - DAY, MAX_MS, 10**30):
        assert next_fire(schedule, after) is None
        assert next_fire(Schedule(cron="*/9 * 1 1 *", zone="America/New_York"), after) is None


# -------------------------------------------------------------------------------------------------------- due


def every_ten(missed: Missed) -> Schedule:
    return Schedule(cron="*/10 * * * *", missed=missed)


@pytest.mark.parametrize("missed", ["none", "last", "all"])
def test_a_fire_on_time_fires_whatever_the_policy(missed: Missed) -> None:
    for late in (0, 1, GRACE_MS):
        assert due(every_ten(missed), NOON, NOON + late) == Due((NOON,), NOON + 10 * MINUTE)


@pytest.mark.parametrize(("missed", "fires"), [("none", [3]), ("last", [2, 3]), ("all", [0, 1, 2, 3])])
def test_missed_fires_by_policy(missed: Missed, fires: list[int]) -> None:
    now = NOON + 30 * MINUTE + 5_000
    expected = tuple(NOON + number * 10 * MINUTE for number in fires)
    assert due(every_ten(missed), NOON, now) == Due(expected, NOON + 40 * MINUTE)


@pytest.mark.parametrize(("missed", "fired"), [("none", False), ("last", True), ("all", True)])
def test_a_one_time_schedule_that_was_missed(missed: Missed, fired: bool) -> None:
    expected = Due((NOON,) if fired else (), None)
    assert due(Schedule(at_ms=NOON, missed=missed), NOON, NOON + GRACE_MS + 1) == expected
    assert due(Schedule(at_ms=NOON, missed=missed), None, NOON) == Due((), None)


def test_the_grace_is_a_parameter() -> None:
    assert due(every_ten("none"), NOON, NOON + 1, grace_ms=0) == Due((), NOON + 10 * MINUTE)
    late = NOON + 15 * MINUTE
    assert due(every_ten("none"), NOON, late, grace_ms=HOUR).fires == (NOON, NOON + 10 * MINUTE)


@pytest.mark.parametrize(
    ("missed", "late", "fires"),
    [("none", 0, [1, 2]), ("last", 0, [0, 1, 2]), ("none", 1, [2]), ("last", 1, [1, 2])],
)
def test_a_fire_as_old_as_the_grace_is_not_missed(missed: Missed, late: int, fires: list[int]) -> None:
    answer = due(every_ten(missed), NOON, NOON + 20 * MINUTE + late, grace_ms=10 * MINUTE)
    assert answer.fires == tuple(NOON + number * 10 * MINUTE for number in fires)


def test_all_is_bounded_and_the_rest_comes_next() -> None:
    now = NOON + 59 * MINUTE
    first = due(every_ten("all"), NOON, now, limit=4)
    assert first == Due(tuple(NOON + number * 10 * MINUTE for number in range(4)), NOON + 40 * MINUTE)
    assert due(every_ten("all"), first.next_ms, now, limit=4) == Due(
        (NOON + 40 * MINUTE, NOON + 50 * MINUTE), NOON + HOUR
    )


def test_a_clock_that_is_set_back_fires_nothing() -> None:
    stored = due(every_ten("all"), NOON, NOON).next_ms
    assert due(every_ten("all"), stored, NOON - DAY) == Due((), stored)
    assert due(every_ten("all"), stored, NOON) == Due((), stored)


def test_the_latest_of_very_many_is_found_at_once() -> None:
    """Ten years of minutes: going through them would take minutes."""
    schedule = Schedule(cron="* 9-17 * * MON-FRI", zone="America/New_York", missed="last")
    friday = parse_iso("2026-05-01T17:59:00-04:00")
    assert due(schedule, NOON - 3_650 * DAY, NOON).fires == (friday,)


# -------------------------------------------------------------------------------------------------- properties

SCHEDULES = st.builds(
    lambda cron, zone, missed: Schedule(cron=cron, zone=zone, missed=missed),
    st.sampled_from(["*/5 * * * *", "7 * * * *", "30 2 * * *", "0,15 1-3 * * *", "*/20 1-2 * * *", "0 */6 * * *"]),
    st.sampled_from(["UTC", "Europe/Berlin", "Australia/Lord_Howe", "Asia/Kolkata"]),
    st.sampled_from(["none", "last", "all"]),
)
# Before a change of the clocks in Berlin, and in Lord Howe.
STARTS = st.sampled_from([parse_iso("2026-03-28T12:00:00Z"), parse_iso("2026-04-04T00:00:00Z")])
STEPS = st.lists(st.integers(-6 * HOUR, 12 * HOUR) | st.integers(-2 * MINUTE, 10 * MINUTE), max_size=12)


def all_fires(schedule: Schedule, start: int, end: int) -> list[int]:
    fires = []
    fire = next_fire(schedule, start)
    while fire is not None and fire <= end:
        fires.append(fire)
        fire = next_fire(schedule, fire)
    return fires


@UNHURRIED
@given(SCHEDULES, STARTS, st.lists(st.integers(0, 2 * DAY), max_size=20))
def test_the_next_fire_is_the_same_from_wherever_one_looks(schedule: Schedule, start: int, looks: list[int]) -> None:
    fires = all_fires(schedule, start, start + 3 * DAY)
    assert all(one < other for one, other in pairwise(fires))
    assert fires[0] > start
    for look in looks:
        assert next_fire(schedule, start + look) == fires[bisect_right(fires, start + look)]


@UNHURRIED
@given(SCHEDULES, STARTS, STEPS, st.integers(1, 30))
def test_all_loses_and_repeats_nothing(schedule: Schedule, start: int, steps: list[int], limit: int) -> None:
    every = Schedule(cron=schedule.cron, zone=schedule.zone, missed="all")
    nows = list(accumulate(steps, initial=start))
    stored, fired, latest = next_fire(every, start), list[int](), max(nows)
    while nows or (stored is not None and stored <= latest):
        answer = due(every, stored, nows.pop(0) if nows else latest, limit=limit)
        assert len(answer.fires) <= limit
        fired += answer.fires
        stored = answer.next_ms
    assert fired == all_fires(every, start, latest)


@UNHURRIED
@given(SCHEDULES, STARTS, STEPS, st.integers(0, HOUR))
def test_what_fires_is_what_the_policy_says(schedule: Schedule, start: int, steps: list[int], grace: int) -> None:
    now, stored = start, next_fire(schedule, start)
    for step in steps:
        now += step
        assert stored is not None
        waiting = all_fires(schedule, stored - 1, now)
        missed = [fire for fire in waiting if fire < now - grace]
        kept = {"none": [], "last": missed[-1:], "all": missed}[schedule.missed] + waiting[len(missed) :]
        answer = due(schedule, stored, now, grace_ms=grace)
        assert answer.fires == tuple(kept)
        assert answer.next_ms == (next_fire(schedule, now) if waiting else stored)
        stored = answer.next_ms
