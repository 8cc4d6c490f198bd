"""A folder belongs to one process, and to nobody once that process is gone."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pulse.core.errors import AlreadyRunning, StorageReadOnly
from pulse.storage.lockfile import FolderLock, is_locked

HOLDER = """
import sys
from pathlib import Path
from pulse.storage.lockfile import FolderLock
lock = FolderLock(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that has the folder."""
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(tmp_path)], stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_a_second_process_is_refused_and_told_who_has_it(holder: subprocess.Popen[str], tmp_path: Path) -> None:
    for _ in range(2):
        with pytest.raises(AlreadyRunning, match=rf"Process {holder.pid} is using the data folder {tmp_path}\b"):
            FolderLock(tmp_path)
    assert is_locked(tmp_path)


def test_the_lock_dies_with_its_holder(holder: subprocess.Popen[str], tmp_path: Path) -> None:
    holder.send_signal(signal.SIGKILL)
    holder.wait(10)
    assert not is_locked(tmp_path)
    FolderLock(tmp_path).release()


def test_a_released_folder_can_be_had_again(tmp_path: Path) -> None:
    for _ in range(3):
        lock = FolderLock(tmp_path)
        assert is_locked(tmp_path)
        with pytest.raises(AlreadyRunning, match=f"Process {os.getpid()} "):
            FolderLock(tmp_path)
        lock.release()
        assert not is_locked(tmp_path)


def test_the_folder_is_made_and_the_file_is_nobody_elses_to_read(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    lock = FolderLock(folder)
    assert (folder / "lock").read_text() == str(os.getpid())
    assert (folder / "lock").stat().st_mode & 0o777 == 0o600
    lock.release()


def test_a_shorter_process_number_leaves_nothing_of_a_longer_one(tmp_path: Path) -> None:
    (tmp_path / "lock").write_text("9" * 30)
    lock = FolderLock(tmp_path)
    assert (tmp_path / "lock").read_text() == str(os.getpid())
    lock.release()


def test_a_lock_is_not_inherited_by_what_we_start(tmp_path: Path) -> None:
    lock = FolderLock(tmp_path)
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=pipe, stderr=subprocess.DEVNULL) as child:
        lock.release()
        assert not is_locked(tmp_path)
        child.kill()


def test_a_place_where_no_folder_can_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageReadOnly, match="cannot be written to"):
        FolderLock(tmp_path / "file" / "folder")


def test_refusals_leak_no_descriptors(tmp_path: Path) -> None:
    lock = FolderLock(tmp_path)
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(20):
        assert is_locked(tmp_path)
    assert len(list(Path("/proc/self/fd").iterdir())) == before
    lock.release()
