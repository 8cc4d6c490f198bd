"""The outbox apart: its files, what it knows after a restart, and what a folder that cannot be written to does."""

import asyncio
from pathlib import Path

import pytest

from pulse.mail.compose import key_digest
from pulse.mail.outbox import OutboxMailer
from pulse.mail.port import Mail, MailFailed
from tests.contract.conftest import SetClock


def mail(key: str, text: str = "t") -> Mail:
    return Mail(to=["ada@example.com"], subject="s", text=text, key=key)


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


async def test_files_are_named_by_time_and_key(tmp_path: Path) -> None:
    clock = SetClock()
    mailer = OutboxMailer(tmp_path / "outbox", clock)
    for key in ("b", "a"):
        await mailer.send(mail(key))
        clock.ms += 1
    expected = [f"20231114T221320.000Z-{key_digest('b')}.eml", f"20231114T221320.001Z-{key_digest('a')}.eml"]
    assert list(files(tmp_path / "outbox")) == expected


async def test_a_repeat_after_a_restart_writes_nothing(tmp_path: Path) -> None:
    clock = SetClock()
    first = await OutboxMailer(tmp_path, clock).send(mail("key", "first"))
    before = files(tmp_path)
    clock.ms += 60_000
    again = await OutboxMailer(tmp_path, clock).send(mail("key", "second"))
    assert again == first
    assert files(tmp_path) == before != {}


async def test_of_many_at_once_each_key_is_written_once(tmp_path: Path) -> None:
    mailer = OutboxMailer(tmp_path, SetClock())
    await asyncio.gather(*(mailer.send(mail(f"key {n % 5}")) for n in range(40)))
    assert len(files(tmp_path)) == 5


async def test_what_a_crash_left_half_written_counts_for_nothing(tmp_path: Path) -> None:
    (tmp_path / f"20231114T221320.000Z-{key_digest('key')}.part").write_bytes(b"Subject: ha")
    await OutboxMailer(tmp_path, SetClock()).send(mail("key"))
    [(name, data)] = files(tmp_path).items()
    assert name.endswith(".eml")
    assert data.endswith(b"\r\n\r\nt\r\n")


async def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    mailer = OutboxMailer(tmp_path / "file" / "outbox", SetClock())
    for attempt in (mailer.check(), mailer.send(mail("key"))):
        with pytest.raises(MailFailed, match="outbox") as failed:
            await attempt
        assert (failed.value.reason, failed.value.retryable) == ("unreachable", True)
