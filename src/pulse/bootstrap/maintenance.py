"""Housekeeping: the archiver, retention, and the last use of keys, each at its own pace; a new master key."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import structlog

from pulse.bootstrap.wiring import Parts, master_keys
from pulse.core.errors import PulseError
from pulse.prompts.tables import prompt_tables
from pulse.tenancy.secrets.data_keys import MasterKeyChange
from pulse.tenancy.secrets.vault import Vault
from pulse.tenancy.tables import tenancy_tables

log = structlog.get_logger(__name__)


class Repeated:
    """A duty that does one thing again and again; what goes wrong is logged and tried at the next time."""

    def __init__(self, name: str, every_s: float, work: Callable[[], Awaitable[object]]) -> None:
        self.name = name
        self._every_s = every_s
        self._work = work
        self._task: asyncio.Task[None] | None = None
        self._wanted = asyncio.Event()

    def hurry(self) -> None:
        """There may be something to do: not at its next time, but now."""
        self._wanted.set()

    async def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name=self.name)

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _run(self) -> None:
        while True:
            self._wanted.clear()
            try:
                await self._work()
            except PulseError as error:
                log.warning("duty_failed", duty=self.name, reason=error.message)
            except Exception:
                log.exception("duty_failed", duty=self.name)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._every_s):
                    await self._wanted.wait()


def master_key_change(parts: Parts) -> MasterKeyChange:
    """Wraps every data key of the installation anew under the first of the keys in PULSE_SECRET_KEY.

    To change the key: put the new one before the old one, with a comma between (in embedded mode the old one stands in
    `secret.key` in the data folder), start all processes anew, run this, and take the old one away once nothing is
    unreadable.
    """
    tenancy, prompts = tenancy_tables(parts.database.prefix), prompt_tables(parts.database.prefix)
    tables = (tenancy.data_keys, tenancy.people_keys, prompts.system_keys)
    return MasterKeyChange(parts.database, tables, Vault(master_keys(parts.settings)))
