"""A way to the event loop for code that has none."""

import asyncio
import threading
from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import Connection

from pulse.storage.database import Database

T = TypeVar("T")


def runs_a_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


class Aside:
    """An event loop in a thread of its own, for callers that have none.

    It has a `database` of its own, too: connections belong to the loop in which they were opened.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="pulse-emit", daemon=True)
        self._thread.start()

    def run(self, work: Callable[[Connection], T], timeout_s: float) -> T:
        """What `work` returns, after its transaction is committed."""
        return asyncio.run_coroutine_threadsafe(self._database.transact(work), self._loop).result(timeout_s)

    def close(self) -> None:
        asyncio.run_coroutine_threadsafe(self._database.close(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()
