"""A folder belongs to one process: an advisory lock that dies with its holder."""

import fcntl
import os
from pathlib import Path

from pulse.core.errors import AlreadyRunning, StorageReadOnly


class FolderLock:
    """Holds `<folder>/lock` until `release()` or the end of the process. Raises AlreadyRunning where another has it."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "lock"
        self._descriptor = _opened(self._path)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.read(self._descriptor, 32).decode(errors="replace").strip() or "unknown"
            os.close(self._descriptor)
            raise AlreadyRunning(
                f"Process {holder} is using the data folder {folder}. Stop it first, or choose another with --data."
            ) from None
        os.ftruncate(self._descriptor, 0)
        os.write(self._descriptor, str(os.getpid()).encode())

    def release(self) -> None:
        os.close(self._descriptor)


def is_locked(folder: Path) -> bool:
    """Whether some process holds the folder now."""
    try:
        FolderLock(folder).release()
    except AlreadyRunning:
        return True
    return False


def _opened(path: Path) -> int:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StorageReadOnly(f"The data folder {path.parent} cannot be written to: {error.strerror}.") from None
