"""Who may run JavaScript now: at most so many processes at once, in the order in which they asked.

A process that only waits for effects has no turn. One that runs gives its turn up when it has answered everything it
was sent; while others wait it is sent no more than a quantum, so that no tenant keeps a turn for ever.
"""

from collections import deque

from pulse.sandbox.deno.house import House

QUANTUM = 64


class Turns:
    """Hands `slots` turns out to houses that have frames to send."""

    def __init__(self, slots: int) -> None:
        self._free = slots
        self._queue: deque[House] = deque()
        self._holders: set[House] = set()

    def request(self, house: House) -> None:
        """Sends what the house has to send, now or when its turn comes."""
        if house.has_turn:
            self._send(house)
        elif house.outbox and house.process.alive and house not in self._queue:
            self._queue.append(house)
            self._grant()

    def rest(self, house: House) -> None:
        """Called when a house has answered a frame, or is gone: may end its turn."""
        if not house.has_turn:
            return
        self._send(house)
        if not house.process.unanswered or not house.process.alive:
            self._take_back(house)
            if house.outbox and house.process.alive:
                self._queue.append(house)
            self._grant()

    def forget(self, house: House) -> None:
        if house in self._queue:
            self._queue.remove(house)
        self.rest(house)

    def _grant(self) -> None:
        while self._free > 0 and self._queue:
            house = self._queue.popleft()
            self._free -= 1
            house.has_turn = True
            house.sent_in_turn = 0
            self._holders.add(house)
            self._send(house)
            if not house.process.unanswered:
                self._take_back(house)
        if not self._queue:
            # Nobody waits any more: what was held back after a quantum may go.
            for holder in self._holders:
                self._send(holder)

    def _take_back(self, house: House) -> None:
        house.has_turn = False
        self._holders.discard(house)
        self._free += 1

    def _send(self, house: House) -> None:
        while house.outbox and (not self._queue or house.sent_in_turn < QUANTUM):
            message_id, frame = house.outbox.popleft()
            house.sent_in_turn += 1
            house.process.send(message_id, frame)
