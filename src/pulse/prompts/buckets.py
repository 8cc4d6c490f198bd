"""Token buckets, as arithmetic.

A bucket holds as many units as its limit says and refills evenly: a limit of 60 a minute allows 60 at once and then
one a second, which is how the providers count. All that is kept of a bucket is the time at which it is full again, in
microseconds: later than now by as much time as what was taken needs to come back. Nothing has to be refilled, nothing
runs out of step, and a changed limit applies at once.
"""

from collections.abc import Mapping
from dataclasses import dataclass

MINUTE_US = 60_000_000
DAY_US = 24 * 60 * MINUTE_US


@dataclass(frozen=True)
class Limits:
    """How much one credential may be used; None is no limit. Tokens are those of prompts and answers together."""

    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    tokens_per_day: int | None = None

    @property
    def are_set(self) -> bool:
        return any(vars(self).values())

    def buckets(self) -> Mapping[str, "Bucket"]:
        """The buckets that these limits make, by name."""
        wanted = {
            "requests": (self.requests_per_minute, MINUTE_US),
            "tokens": (self.tokens_per_minute, MINUTE_US),
            "day_tokens": (self.tokens_per_day, DAY_US),
        }
        return {name: Bucket(size, window_us) for name, (size, window_us) in wanted.items() if size}


@dataclass(frozen=True)
class Bucket:
    """A bucket of `size` units that refills within `window_us`."""

    size: int
    window_us: int

    def refill_us(self, units: int) -> int:
        """How long it takes until so many units have come back."""
        return -(-units * self.window_us // self.size)

    def needed_us(self, units: int) -> int:
        """The same for what must be there at the start: who wants more than the bucket holds needs a full one."""
        return min(self.refill_us(units), self.window_us)

    def wait_us(self, full_at_us: int, now_us: int, units: int) -> int:
        """How long to wait until so many units may be taken; 0: now."""
        return max(0, max(full_at_us, now_us) + self.needed_us(units) - now_us - self.window_us)


def units_of(name: str, tokens: int) -> int:
    """What one request with so many tokens takes from the bucket of that name."""
    return 1 if name == "requests" else tokens
