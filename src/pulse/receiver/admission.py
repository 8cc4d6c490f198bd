"""What is taken at the door, and what is shed there before anything is accepted (reliability.md, rule 7)."""

import shutil
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pulse.core.errors import StorageFull, StorageReadOnly, Unavailable
from pulse.receiver.problems import TooManyRequests

PER_ORGANIZATION = 4_000
LOW_WATER = 64 << 20
LOOK_AGAIN_S = 1.0


class Admission:
    """Bounds the messages of one organization that are being stored at once; refuses all when the disk runs low."""

    def __init__(
        self, folder: Path | None, per_organization: int = PER_ORGANIZATION, low_water: int = LOW_WATER
    ) -> None:
        self._folder = folder
        self._limit = per_organization
        self._low_water = low_water
        self._inside: Counter[str] = Counter()
        self._looked_at = 0.0
        self._trouble: tuple[type[Unavailable], str] | None = None

    @contextmanager
    def entering(self, organization_id: str, count: int = 1) -> Iterator[None]:
        """Raises TooManyRequests or StorageFull instead of letting `count` messages in."""
        self._check_disk()
        if self._inside[organization_id] + count > self._limit and self._inside[organization_id] > 0:
            raise TooManyRequests(limit=self._limit)
        self._inside[organization_id] += count
        try:
            yield
        finally:
            self._inside[organization_id] -= count
            if self._inside[organization_id] <= 0:
                del self._inside[organization_id]

    def _check_disk(self) -> None:
        now = time.monotonic()
        if self._folder is not None and now - self._looked_at > LOOK_AGAIN_S:
            self._looked_at = now
            self._trouble = self._look(self._folder)
        if self._trouble is not None:
            kind, words = self._trouble
            raise kind(words)

    def _look(self, folder: Path) -> tuple[type[Unavailable], str] | None:
        try:
            free = shutil.disk_usage(folder).free
        except OSError:
            return StorageReadOnly, "The data folder is gone; nothing was accepted."
        if free < self._low_water:
            return StorageFull, f"Less than {self._low_water >> 20} MiB of disk are left; nothing was accepted."
        return None
