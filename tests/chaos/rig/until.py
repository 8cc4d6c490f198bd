"""Waiting for what others do: a condition is looked at again and again, for a bounded time."""

import threading
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
LOOK_AGAIN_S = 0.02


def until(condition: Callable[[], T], seconds: float, what: str, *, every: float = LOOK_AGAIN_S) -> T:
    """The first answer of `condition` that is true. Fails with `what` was waited for when the time is over."""
    deadline = time.monotonic() + seconds
    pause = threading.Event()
    while not (answer := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"Not within {seconds:.0f} s: {what}.")
        pause.wait(every)
    return answer
