"""Where a `pulse up` of this machine can be reached: it leaves word in its data folder."""

import json
from dataclasses import dataclass
from pathlib import Path

from pulse.storage.lockfile import is_locked

RUN_FILE = "run.json"


@dataclass(frozen=True)
class Running:
    """Where a running `pulse up` can be reached, and the token that this machine's commands use."""

    url: str
    token: str
    pid: int


def find_running(data: Path) -> Running | None:
    """The platform that runs on this data folder, or None."""
    try:
        found = json.loads((data / RUN_FILE).read_text())
        running = Running(found["url"], found["token"], found["pid"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return running if is_locked(data) else None
