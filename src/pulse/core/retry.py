"""When to try again."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from pulse.core.errors import Unavailable

Result = TypeVar("Result")
RETRY_S = 0.25


async def once_available(attempt: Callable[[], Awaitable[Result]], put_off: Callable[[Unavailable], None]) -> Result:
    """What `attempt` returns, tried again every 250 ms while it raises Unavailable; `put_off` hears of each such try.

    For records whose writer holds a lease: there is no last try, since the fence of what is written (`LeaseLost`, or an
    answer that says so) ends it when the lease has gone to another.
    """
    while True:
        try:
            return await attempt()
        except Unavailable as error:
            put_off(error)
            await asyncio.sleep(RETRY_S)


def backoff_ms(attempt: int, base_ms: int, longest_ms: int, draw: float) -> int:
    """The pause after the failed attempt number `attempt` (from 1): `base_ms`, doubled each time, at most `longest_ms`.

    `draw` (0 to 1) is the share of it that is waited; a random one is "full jitter" (AWS Architecture Blog,
    "Exponential Backoff And Jitter"), 1 is no jitter.
    """
    pause: int = min(longest_ms, base_ms << min(attempt - 1, 62))
    return round(pause * draw)
