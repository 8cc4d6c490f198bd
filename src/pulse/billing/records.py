"""The records of billing, frozen. A *transaction* is a message that was accepted for evaluation.

A *period* is a calendar month of UTC, as `2026-11`.
"""

import calendar
import time
from dataclasses import dataclass
from typing import Literal, NamedTuple

OveragePolicy = Literal["hard_limit", "warn", "hold"]
POLICIES: dict[OveragePolicy, str] = {
    "hard_limit": "what is over the limit is ignored",
    "warn": "what is over the limit is evaluated all the same, and said in the log",
    "hold": "what is over the limit waits until the limit rises or the month ends",
}
DEFAULT_LIMIT = 1_000
DEFAULT_POLICY: OveragePolicy = "hard_limit"
DAY_MS = 86_400_000


@dataclass(frozen=True)
class Plan:
    """What an organization can subscribe to. `price` is in cents of a US dollar a month.

    `transaction_limit`: messages a month, None for any number. `max_members` likewise. `stripe_price` is the id of
    Stripe's price, without which nobody can buy the plan there.
    """

    key: str
    name: str
    price: int
    transaction_limit: int | None
    overage_policy: OveragePolicy = DEFAULT_POLICY
    max_members: int | None = None
    stripe_price: str | None = None
    revision: int = 0


@dataclass(frozen=True)
class Subscription:
    """What an organization may use. Where `is_override`, limit and policy are its own, and not its plan's.

    `also_paid`: the ids of other subscriptions at Stripe that it pays for beside `stripe_subscription`, with spaces
    between them.
    """

    organization_id: str
    plan_key: str | None
    transaction_limit: int | None
    overage_policy: OveragePolicy
    is_override: bool
    status: str
    stripe_customer: str | None
    stripe_subscription: str | None
    revision: int
    updated_at: int
    also_paid: str = ""


class Standing(NamedTuple):
    """How many messages an organization has had accepted in this period, and how many it may; None for any number."""

    used: int
    limit: int | None
    policy: OveragePolicy

    @property
    def is_limited(self) -> bool:
        """Whether a message may come that is not evaluated."""
        return self.limit is not None and self.policy != "warn"

    @property
    def room(self) -> int:
        """How many more may be accepted, where there is a limit."""
        return max(0, (self.limit or 0) - self.used)


@dataclass(frozen=True)
class Usage:
    """How an organization stands in the month that is; `reached_at` (ms since 1970) is a forecast."""

    period: str
    count: int
    limit: int | None
    policy: OveragePolicy
    reached_at: int | None

    @property
    def percent(self) -> float | None:
        """How much of the limit is used; None where there is none."""
        if self.limit is None:
            return None
        return round(100 * self.count / self.limit, 1) if self.limit else 100.0

    @property
    def is_over(self) -> bool:
        """Whether no further message is within the limit."""
        return self.limit is not None and self.count >= self.limit


def period_of(ms: int) -> str:
    """The period that a time, in milliseconds since 1970, lies in."""
    return time.strftime("%Y-%m", time.gmtime(ms // 1000))


def period_start(period: str) -> int:
    """When a period begins, in milliseconds since 1970."""
    return calendar.timegm((int(period[:4]), int(period[5:]), 1, 0, 0, 0)) * 1000


def next_period(period: str) -> str:
    year, month = int(period[:4]), int(period[5:])
    return f"{year + month // 12}-{month % 12 + 1:02}"


def previous_period(period: str) -> str:
    year, month = int(period[:4]), int(period[5:])
    return f"{year - (month == 1)}-{(month - 2) % 12 + 1:02}"


def reached_at(count: int, limit: int | None, now_ms: int) -> int | None:
    """When the limit is reached if the month goes on as it went so far; None where it is not, or there is none.

    The pace is that of the month's time that is over, a day at least: the first hour of a month says little.
    """
    if limit is None or count >= limit or count == 0:
        return now_ms if limit is not None and count >= limit else None
    start = period_start(period_of(now_ms))
    pace = count / max(now_ms - start, DAY_MS)
    at = now_ms + round((limit - count) / pace)
    return at if at < period_start(next_period(period_of(now_ms))) else None
