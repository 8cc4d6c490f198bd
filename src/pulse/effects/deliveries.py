"""The order in which a message's scripts get the answers to what they asked for.

Each answer has a number, given when it is there. At a later evaluation the recorded ones are handed out by their
numbers, and live ones come after all of them. Scripts that ask for several things at once then ask for the same things
in the same order again, whichever server was the quickest the first time.
"""

import asyncio
from collections import deque
from collections.abc import Mapping


class Deliveries:
    """Turns by number. `seqs` are the effects whose answers are recorded, by number."""

    def __init__(self, seqs: Mapping[int, int] | None = None) -> None:
        self._seqs = dict(seqs or {})
        self._last = max(self._seqs, default=0)
        self._left: deque[int] = deque()
        # Made when somebody waits: most messages never do.
        self._moved: asyncio.Event | None = None
        self.begin()

    def begin(self) -> None:
        """An evaluation begins: everything that has a number is handed out again."""
        self._left = deque(sorted(self._seqs))
        self._move()

    def number(self, seq: int) -> int:
        """The number of an answer that has just come."""
        self._last += 1
        self._seqs[self._last] = seq
        self._left.append(self._last)
        return self._last

    def drop(self, number: int) -> None:
        """The answer of that number is not wanted any more."""
        self._seqs.pop(number, None)
        if number in self._left:
            self._left.remove(number)
            self._move()

    async def turn(self, number: int) -> None:
        """Returns when all answers before this one have been handed out; then this one has been, too."""
        while self._left and self._left[0] != number:
            self._moved = self._moved or asyncio.Event()
            await self._moved.wait()
        if self._left:
            self._left.popleft()
        self._move()

    @property
    def next(self) -> tuple[int, int] | None:
        """The number that is handed out next, and its effect; None while it is not known."""
        return (self._left[0], self._seqs[self._left[0]]) if self._left else None

    def _move(self) -> None:
        if self._moved is not None:
            self._moved.set()
            self._moved = None
