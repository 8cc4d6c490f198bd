"""The outside ledger: what Pulse has promised to clients, kept where Pulse cannot reach it."""

import json
import os
import threading
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.chaos.rig.until import until


@dataclass(frozen=True)
class Promise:
    """A message that was answered with 202: its id, and what the client knows of it.

    `nonce` is unique to the message, not to the attempt; `kind` says how it must end; `seq` counts within a lane.
    """

    id: str
    nonce: str
    kind: str
    key: str | None = None
    lane: str | None = None
    seq: int = 0


class Ledger:
    """A file of promises, a line each, in the order in which the answers came; on disk before `note` returns."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.count = 0
        self._lock = threading.Lock()
        self._descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def note(self, promises: Iterable[Promise]) -> None:
        lines = [json.dumps(asdict(promise)) + "\n" for promise in promises]
        if lines:
            with self._lock:
                os.write(self._descriptor, "".join(lines).encode())
                os.fsync(self._descriptor)
                self.count += len(lines)

    def wait_for_more(self, count: int, seconds: float = 60.0) -> None:
        """Returns as soon as so many more promises were noted."""
        wanted = self.count + count
        until(lambda: self.count >= wanted, seconds, f"{count} more messages are acknowledged", every=0.002)

    def close(self) -> None:
        os.close(self._descriptor)


def read_promises(path: Path) -> list[Promise]:
    """What a ledger's file says."""
    return [Promise(**json.loads(line)) for line in path.read_text().splitlines()]
