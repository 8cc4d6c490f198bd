"""Disks of a test's own: a small one to fill up, and one that loses what was not yet told to stay."""

import contextlib
import os
import shutil
import subprocess
from itertools import count
from pathlib import Path

import pytest

MIB = 1 << 20
PAGE = 1 << 12


class SmallDisk:
    """A file system in memory at `folder`. Skips the test where none may be mounted."""

    def __init__(self, folder: Path, size_mib: int) -> None:
        self.folder = folder
        self._filler = folder / "filler"
        folder.mkdir()
        _mount_or_skip("-t", "tmpfs", "-o", f"size={size_mib}m", "tmpfs", str(folder))

    def fill(self) -> None:
        """Takes all the room that is left."""
        for size in (MIB, PAGE):
            with contextlib.suppress(OSError), self._filler.open("ab", buffering=0) as file:
                while file.write(bytes(size)):
                    pass

    def free(self) -> None:
        self._filler.unlink()

    def freeze(self) -> None:
        """Nothing can be written any more. Nobody may have a file open for writing."""
        subprocess.run(["mount", "-o", "remount,ro", str(self.folder)], check=True, capture_output=True)

    def close(self) -> None:
        _unmount(self.folder)


class PowerDisk:
    """An ext4 file system at `folder`, on an image file. Skips the test where none may be mounted.

    `cut` is a power cut: what was written, but not yet forced to the disk, was in memory only, and is gone.
    """

    def __init__(self, images: Path, folder: Path, size_mib: int = 256) -> None:
        if shutil.which("mkfs.ext4") is None:
            pytest.skip("there is no mkfs.ext4")
        self.folder = folder
        self._images = images
        self._numbers = count()
        self._image = self._next_image()
        with self._image.open("wb") as file:
            file.truncate(size_mib * MIB)
        make = ["mkfs.ext4", "-q", "-E", "lazy_itable_init=0,lazy_journal_init=0", str(self._image)]
        subprocess.run(make, check=True, capture_output=True)
        folder.mkdir()
        self._mount()

    def cut(self) -> None:
        """What the image holds at this moment is all that is left."""
        left = self._next_image()
        subprocess.run(["cp", "--sparse=always", str(self._image), str(left)], check=True)
        _unmount(self.folder)
        self._image.unlink()
        self._image = left
        self._mount()

    def close(self) -> None:
        _unmount(self.folder)
        self._image.unlink()

    def _next_image(self) -> Path:
        return self._images / f"disk{next(self._numbers)}.img"

    def _mount(self) -> None:
        # By itself the file system would force its journal to the disk every five seconds.
        _mount_or_skip("-o", "loop,commit=600", str(self._image), str(self.folder))


def make_read_only(file: Path) -> None:
    """Nobody can write to this one file any more, not even root; `SmallDisk.close` ends it."""
    subprocess.run(["mount", "--bind", str(file), str(file)], check=True, capture_output=True)
    subprocess.run(["mount", "-o", "remount,bind,ro", str(file)], check=True, capture_output=True)


def make_writable(file: Path) -> None:
    """Takes `make_read_only` back."""
    _unmount(file)


def _mount_or_skip(*arguments: str) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root may mount file systems")
    done = subprocess.run(["mount", *arguments], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"no file system may be mounted here: {done.stderr.strip()}")


def _unmount(path: Path) -> None:
    subprocess.run(["umount", "--lazy", str(path)], check=True, capture_output=True)
