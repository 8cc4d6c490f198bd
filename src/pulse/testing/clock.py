"""Time that moves only when a test says so."""

from datetime import UTC, datetime, timedelta


class FakeClock:
    """A clock for `Engine(clock=…)`. It stands still, save in `advance` and in `run_until_idle`.

    Begins at `start` (default: 2026-01-01 00:00 UTC). Leases follow it too.
    """

    def __init__(self, start: datetime = datetime(2026, 1, 1, tzinfo=UTC)) -> None:
        self._ms = round(start.timestamp() * 1000)

    def now_ms(self) -> int:
        """Milliseconds since 1970."""
        return self._ms

    @property
    def now(self) -> datetime:
        return datetime.fromtimestamp(self._ms / 1000, UTC)

    def advance(
        self, *, ms: float = 0, seconds: float = 0, minutes: float = 0, hours: float = 0, days: float = 0
    ) -> None:
        """Moves the time on by the sum of what is given. Raises ValueError where that is less than nothing."""
        step = timedelta(milliseconds=ms, seconds=seconds, minutes=minutes, hours=hours, days=days)
        if step < timedelta(0):
            raise ValueError("Time does not go back: advance by a positive time.")
        self._ms += round(step.total_seconds() * 1000)

    def advance_to(self, ms: int) -> None:
        """Moves the time on to that one (milliseconds since 1970), if it is later."""
        self._ms = max(self._ms, ms)
