"""One lifecycle for everything that runs for a long time."""

from typing import Protocol


class Duty(Protocol):
    """A long-running part of a process. The runtime is a list of these, started in order and stopped in reverse.

    `start` returns when the duty does its work (or can say why it cannot: a PulseError). `stop` finishes what is under
    way, within the grace its owner gives, and returns; it may be called twice, and without `start`.
    """

    name: str

    async def start(self) -> None: ...

    async def stop(self) -> None: ...
