"""Which refusals were written lately: the same again would fill the audit, and tell nothing.

Each organization has a share of its own of what is remembered, so that nobody who tries everything keeps another's
refusals from being written. While all together are many, the shares are smaller: those who have filled theirs wait, and
whoever was refused little is written as ever.
"""

import time
from collections import Counter
from collections.abc import Callable, Hashable

# How long the same refusal of the same principal is not written again.
AGAIN_S = 60.0
# How many of one organization are remembered for that; and how many, once all together are MANY.
MOST_OF_ONE, FEWER_OF_ONE, MANY = 1_000, 100, 10_000


class Refusals:
    """Remembers them. `now` in seconds; never goes back."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        # In the order in which they end.
        self._until: dict[tuple[str, Hashable], float] = {}
        self._counts: Counter[str] = Counter()

    def is_news(self, organization_id: str, what: Hashable) -> bool:
        """Whether this is to be written; if so, it is remembered from now on."""
        now, known = self._now(), (organization_id, what)
        self._forget(now)
        share = MOST_OF_ONE if len(self._until) < MANY else FEWER_OF_ONE
        if known in self._until or self._counts[organization_id] >= share:
            return False
        self._until[known] = now + AGAIN_S
        self._counts[organization_id] += 1
        return True

    def _forget(self, now: float) -> None:
        while self._until:
            known, until = next(iter(self._until.items()))
            if until > now:
                return
            del self._until[known]
            self._counts[known[0]] -= 1
            if not self._counts[known[0]]:
                del self._counts[known[0]]
