"""When a schedule fires: a cron expression on a zone's wall clock, or one moment; and what becomes of missed fires.

A time is an int, milliseconds since 1970 UTC; nothing here reads a clock. Whoever fires stores one number per schedule,
the next fire: first `next_fire`, then what `due` answers. A stored next only grows, so a clock that is set back
fires nothing a second time; the unique key `(schedule, fire time)` (reliability.md, rule 6) does the same for a crash
between firing and storing, and for two processes.

**When the clocks change**, the rule is Debian cron's, as in cronsim. A job of which neither minute nor hour begins with
`*` is meant for a time of day: one that the clocks skip fires at the end of the gap (times that land there together
fire once), one that comes twice fires the first time only. Any other job follows the clock on the wall: what is skipped
does not fire, what comes twice fires twice; `*/5 * * * *` is every five minutes throughout.

The second kind is searched here, one stretch of constant UTC offset at a time, and cronsim sees plain wall times only.
By itself it walks over a change by the hour: where that is half an hour (Australia/Lord_Howe) it loses whole fires,
such as the one at 06:00 of `0 */6 * * *` (cronsim 2.8).
"""

from bisect import bisect_left
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache
from importlib import resources
from typing import Literal, get_args
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from pulse.core.errors import Fault, InvalidFields

Missed = Literal["none", "last", "all"]
Overlap = Literal["allow", "skip", "queue"]

GRACE_MS = 60_000
LIMIT = 1_000
MAX_CRON = 500
MAX_MS = 253_402_300_799_999  # the last millisecond of the year 9999

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = timedelta(seconds=1)
_DAY = timedelta(days=1)
_FIELDS = (
    ("minute", "0 to 59"),
    ("hour", "0 to 23"),
    ("day_of_month", "1 to 31, or L for the last day"),
    ("month", "1 to 12 or JAN to DEC"),
    ("day_of_week", "0 to 7 or SUN to SAT (0 and 7 are Sunday)"),
)


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """Either `cron` or `at_ms`. Holds anything; `faults` says what is wrong with it.

    `cron`: five fields, separated by spaces; names (MON, JAN), L, LW, 5L and 1#2 are understood. `zone`: an IANA name;
    it matters to `cron` only. `missed`: what `due` does with fires that are too old. `overlap`: whether a fire starts
    while an earlier one still runs; that is for whoever fires to keep, the fire times do not depend on it.
    """

    cron: str | None = None
    zone: str = "UTC"
    at_ms: int | None = None
    missed: Missed = "last"
    overlap: Overlap = "allow"


@dataclass(frozen=True)
class Due:
    """`fires`: the times to fire now, rising. `next_ms`: what to store as the next fire; None: there is none."""

    fires: tuple[int, ...]
    next_ms: int | None


def faults(schedule: Schedule, path: str = "") -> list[Fault]:
    """Every fault of `schedule`, with paths below `path`; an empty list when it can be used.

    Codes: missing, too_many, too_long, not_five_fields, bad_minute, bad_hour, bad_day_of_month, bad_month,
    bad_day_of_week, never, out_of_range, unknown_zone, unknown_policy.
    """
    found = [*_time_faults(schedule), *_policy_faults(schedule)]
    if schedule.zone not in _zones():
        message = f"{schedule.zone!r} is no time zone: use an IANA name such as Europe/Berlin, or UTC."
        found.append(Fault("zone", "unknown_zone", message))
    return [Fault(f"{path}.{fault.path}" if path else fault.path, fault.code, fault.message) for fault in found]


def next_fire(schedule: Schedule, after_ms: int) -> int | None:
    """The first fire strictly after `after_ms`; None when there is none before the year 10000 (or for 50 years).

    Nothing fires before 1970. A one-time schedule has no fire once its time has come. Raises InvalidFields when the
    schedule has faults.
    """
    _refuse_faulty(schedule)
    after_ms = max(after_ms, -1)
    if schedule.cron is None:
        return schedule.at_ms if schedule.at_ms is not None and schedule.at_ms > after_ms else None
    search = _by_time_of_day if _is_time_of_day(schedule.cron) else _by_wall_clock
    try:
        # Fires are whole seconds: what is after the second of `after_ms` is after `after_ms`.
        fire = search(schedule.cron, ZoneInfo(schedule.zone), _EPOCH + timedelta(seconds=after_ms // 1000))
    except OverflowError:
        return None
    return None if fire is None else (fire - _EPOCH) // _SECOND * 1000


def due(schedule: Schedule, next_ms: int | None, now_ms: int, *, grace_ms: int = GRACE_MS, limit: int = LIMIT) -> Due:
    """What to fire at `now_ms`, and the next fire to store, given the stored one (`next_ms`, taken as a fire as it is).

    A fire is missed when it is older than `grace_ms` (default one minute); younger ones fire whatever the policy. Of
    the missed ones, `none` fires none, `last` the latest, `all` every one. At most `limit` (default 1,000, at least 1)
    fires are given, the oldest first; the stored next then is the first one left over, for the next call, and `none`
    and `last` may find it missed by then. When `next_ms` is None or still ahead, nothing fires and it stays. Raises
    InvalidFields when the schedule has faults.
    """
    if next_ms is None or next_ms > now_ms:
        return Due((), next_ms)
    fire = _first_kept(schedule, next_ms, now_ms - grace_ms)
    fires: list[int] = []
    while fire is not None and fire <= now_ms and len(fires) < limit:
        fires.append(fire)
        fire = next_fire(schedule, fire)
    return Due(tuple(fires), fire)


def _first_kept(schedule: Schedule, next_ms: int, oldest_ms: int) -> int | None:
    """Where to begin: the fires before this one are dropped. What is older than `oldest_ms` is missed."""
    if schedule.missed == "all" or next_ms >= oldest_ms:
        return next_ms
    if schedule.missed == "none":
        return next_fire(schedule, oldest_ms - 1)
    return _latest(schedule, next_ms, oldest_ms - 1)


def _latest(schedule: Schedule, fire: int, until_ms: int) -> int:
    """The last fire at or before `until_ms`, from a `fire` that is one. Halves the time: a year takes some 35 steps."""
    while fire < until_ms:
        middle = (fire + until_ms) // 2
        later = next_fire(schedule, middle)
        if later is not None and later <= until_ms:
            fire = later
        else:
            until_ms = middle
    return fire


def _is_time_of_day(cron: str) -> bool:
    return not any(part.startswith("*") for part in cron.split()[:2])


def _by_time_of_day(cron: str, zone: ZoneInfo, moment: datetime) -> datetime | None:
    """The first fire after `moment`. In the second pass of an hour that comes twice, cronsim begins with the first."""
    fires = (fire.astimezone(UTC) for fire in CronSim(cron, moment.astimezone(zone)))
    return next((fire for fire in fires if fire > moment), None)


def _by_wall_clock(cron: str, zone: ZoneInfo, moment: datetime) -> datetime | None:
    """The first fire after `moment`. No fire is ever between the given `moment` and the one the loop has come to."""
    while True:
        first = moment + _SECOND
        offset = _offset(zone, first)
        wall = next(CronSim(cron, moment + offset), None)
        if wall is None:
            return None
        fire = wall - offset
        end = min(fire, moment + _DAY)
        if _offset(zone, end) != offset:
            moment = _change(zone, first, end) - _SECOND
        elif fire == end:
            return fire
        else:
            # Clocks change by less than a day: wall times between `moment` and `fire` match nothing until then.
            moment = max(end, fire - _DAY)


def _offset(zone: ZoneInfo, moment: datetime) -> timedelta:
    return moment.astimezone(zone).utcoffset() or timedelta()


def _change(zone: ZoneInfo, low: datetime, high: datetime) -> datetime:
    """The second after `low` in which the zone's offset changes; at `high` it has changed."""
    before = _offset(zone, low)
    seconds = range((high - low) // _SECOND)
    return low + _SECOND * bisect_left(seconds, True, key=lambda at: _offset(zone, low + at * _SECOND) != before)


@lru_cache(maxsize=4096)
def _refuse_faulty(schedule: Schedule) -> None:
    """Checked once for each schedule in use, since a fire is asked for far more often than a schedule changes."""
    if found := faults(schedule):
        raise InvalidFields(found)


@cache
def _zones() -> frozenset[str]:
    """The zones of the tzdata package, the same on every machine: not `localtime`, nor a name in other case."""
    return frozenset(resources.files("tzdata").joinpath("zones").read_text(encoding="ascii").split())


def _time_faults(schedule: Schedule) -> list[Fault]:
    if schedule.cron is None and schedule.at_ms is None:
        return [Fault("cron", "missing", "A schedule needs a time: give cron or at_ms.")]
    if schedule.cron is not None and schedule.at_ms is not None:
        return [Fault("at_ms", "too_many", "A schedule fires by cron or at one time: give cron or at_ms, not both.")]
    if schedule.cron is not None:
        return _cron_faults(schedule.cron)
    if schedule.at_ms is not None and not 0 <= schedule.at_ms <= MAX_MS:
        return [Fault("at_ms", "out_of_range", "at_ms is in milliseconds since 1970 UTC, before the year 10000.")]
    return []


def _cron_faults(cron: str) -> list[Fault]:
    if len(cron) > MAX_CRON:
        return [Fault("cron", "too_long", f"A cron expression may have at most {MAX_CRON} characters.")]
    parts = cron.split()
    if len(parts) != len(_FIELDS):
        message = f"A cron expression has five fields, such as 30 2 * * MON; this one has {len(parts)}."
        return [Fault("cron", "not_five_fields", message)]
    bad = [_field_fault(at, part) for at, part in enumerate(parts) if not _is_field(at, part)]
    return bad or _never_faults(cron)


def _is_field(at: int, part: str) -> bool:
    others = ["*"] * len(_FIELDS)
    try:
        CronSim(" ".join([*others[:at], part, *others[at + 1 :]]), _EPOCH)
    except CronSimError:
        return False
    return True


def _field_fault(at: int, part: str) -> Fault:
    name, values = _FIELDS[at]
    usage = f"use {values}; *, lists (1,3), rising ranges (1-5) and steps (*/2) will do too"
    return Fault("cron", f"bad_{name}", f"{part!r} is no {name.replace('_', ' ')}: {usage}.")


def _never_faults(cron: str) -> list[Fault]:
    """The 50 years that cronsim looks through hold every kind of year (28 of them do, from 1970 to 2099)."""
    try:
        matches = next(CronSim(cron, _EPOCH), None) is not None
    except CronSimError:  # every field is good by itself, but these days are in none of these months
        matches = False
    if matches:
        return []
    return [Fault("cron", "never", "No date ever matches this, as with 30 February: change the days or the months.")]


def _policy_faults(schedule: Schedule) -> list[Fault]:
    chosen = (("missed", schedule.missed, get_args(Missed)), ("overlap", schedule.overlap, get_args(Overlap)))
    return [
        Fault(name, "unknown_policy", f"{value!r} is none of: {', '.join(allowed)}.")
        for name, value, allowed in chosen
        if value not in allowed
    ]
