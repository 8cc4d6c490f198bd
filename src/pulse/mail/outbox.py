"""The outbox: mail as files in a folder, for who develops, tries out, or delivers it by other means.

A file is there whole or not at all, and durable before `send` returns. It is named after its time and its key, so that
a folder in order of names is in order of time, and a repeat is known. One process at a time uses a folder.
"""

import asyncio
import os
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from pulse.core.clock import Clock
from pulse.mail.compose import Envelope, compose, envelope, key_digest
from pulse.mail.port import Mail, MailFailed, Sent

SENDER = "Pulse <pulse@localhost>"
SUFFIX = ".eml"


class OutboxMailer:
    """Writes each mail to `folder`, such as `20261121T161251.042Z-<key>.eml`, `Bcc` included; implements `Mailer`."""

    def __init__(self, folder: Path, clock: Clock, *, sender: str | None = SENDER) -> None:
        self._folder = folder
        self._clock = clock
        self._sender = sender
        self._alone = asyncio.Lock()
        self._known: set[str] | None = None

    async def send(self, mail: Mail) -> Sent:
        parties = envelope(mail, self._sender)
        async with self._alone:
            await asyncio.to_thread(self._keep, mail, parties)
        return Sent(parties.message_id, parties.recipients)

    async def check(self) -> None:
        await asyncio.to_thread(self._try)

    async def close(self) -> None:
        """Nothing is open."""

    def _keep(self, mail: Mail, parties: Envelope) -> None:
        digest, now_ms = key_digest(mail.key), self._clock.now_ms()
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            if self._known is None:
                self._known = {_digest_of(path) for path in self._folder.glob(f"*{SUFFIX}")}
            if digest not in self._known:
                data = compose(mail, parties, now_ms, with_bcc=True)
                _write(self._folder / f"{_stamp(now_ms)}-{digest}{SUFFIX}", data)
                self._known.add(digest)
        except OSError as error:
            raise _translated(error) from error

    def _try(self) -> None:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self._folder):
                pass
        except OSError as error:
            raise _translated(error) from error


def _write(path: Path, data: bytes) -> None:
    """Makes the file, whole and durable; what is left of an attempt that was cut off is written over."""
    beside = path.with_suffix(".part")
    with beside.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _digest_of(path: Path) -> str:
    return path.stem.rpartition("-")[2]


def _stamp(ms: int) -> str:
    moment = datetime.fromtimestamp(ms // 1000, UTC)
    return f"{moment:%Y%m%dT%H%M%S}.{ms % 1000:03d}Z"


def _translated(error: OSError) -> MailFailed:
    return MailFailed("unreachable", f"The outbox cannot be written to: {error.strerror}. See to its folder.")
