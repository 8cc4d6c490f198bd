"""Hints between processes, where the database can carry them: PostgreSQL's LISTEN and NOTIFY.

A hint is sent after the commit, on a connection of its own, and many in a short while are one. It may be lost: whoever
waits for it looks by itself as well. SQLite has no such thing; processes that share a file look more often instead.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import Any

from sqlalchemy.engine import URL

log = logging.getLogger(__name__)
PAUSE_S = 0.02
RECONNECT_S = 2.0
CONNECT_S = 5.0
RUNS = "runs"


class Notices:
    """Tells other processes, and hears them. A duty. `heard` gets what another process said."""

    name = "notices"

    def __init__(self, url: URL, channel: str, owner: str) -> None:
        self._url = url
        self._channel = channel
        self._owner = owner
        self._carries = url.get_backend_name() == "postgresql"
        self._to_say: set[str] = set()
        self._something = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.heard: Callable[[str], None] = lambda _said: None

    def runs_are_ready(self) -> None:
        self._say(RUNS)

    def run_was_ended(self, run_id: str) -> None:
        """By somebody other than its holder, who should stop."""
        self._say(run_id)

    def _say(self, what: str) -> None:
        if self._carries and what not in self._to_say:
            # A process that only emits has this duty too, from its first hint on.
            self._begin()
            self._to_say.add(what)
            self._something.set()

    async def start(self) -> None:
        if self._carries:
            self._begin()

    def _begin(self) -> None:
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name=self.name)

    async def stop(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _run(self) -> None:
        while True:
            try:
                await self._while_connected()
            except Exception as error:  # noqa: BLE001 - hints may be lost
                log.warning("no hints between processes for now: %s", error)
            await asyncio.sleep(RECONNECT_S)

    async def _while_connected(self) -> None:
        connection = await self._connect()
        try:
            await connection.add_listener(self._channel, self._listen)
            # What was said while nobody listened is not known.
            self.heard(RUNS)
            while not connection.is_closed():
                await self._say_what_is_there(connection)
        finally:
            connection.terminate()

    async def _connect(self) -> Any:
        import asyncpg

        connecting = asyncio.ensure_future(asyncpg.connect(**_arguments(self._url), timeout=CONNECT_S))
        try:
            return await asyncio.shield(connecting)
        except asyncio.CancelledError:
            # Cut off in the middle, the driver would leave an error in the loop that nobody takes.
            with contextlib.suppress(Exception):
                (await connecting).terminate()
            raise

    async def _say_what_is_there(self, connection: Any) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(RECONNECT_S):
                await self._something.wait()
        self._something.clear()
        said, self._to_say = sorted(self._to_say), set()
        if said:
            await connection.execute(
                "SELECT pg_notify($1, x) FROM unnest($2::text[]) x",
                self._channel,
                [f"{self._owner} {each}" for each in said],
            )
            await asyncio.sleep(PAUSE_S)

    def _listen(self, _connection: Any, _process: int, _channel: str, payload: str) -> None:
        owner, _, said = payload.partition(" ")
        if owner != self._owner:
            self.heard(said)


def _arguments(url: URL) -> dict[str, Any]:
    known = {
        "host": url.host,
        "port": url.port,
        "user": url.username,
        "password": url.password,
        "database": url.database,
        **{name: value for name, value in url.query.items() if name in ("host", "ssl", "passfile")},
    }
    return {name: value for name, value in known.items() if value is not None}
