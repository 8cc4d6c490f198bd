"""The storm: a platform on SQLite is killed again and again at chosen moments, while clients go on sending.

Each strike finds the platform down and leaves it down; the moment is chosen by the storm's own chance.
"""

import shutil
import sqlite3
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from random import Random

from tests.chaos.rig.checker import POISON
from tests.chaos.rig.door import Door
from tests.chaos.rig.ledger import Ledger, Promise
from tests.chaos.rig.process import Pulse
from tests.chaos.rig.until import until
from tests.chaos.rig.workload import STATUS

HOUR_MS = 3_600_000
START_S = 2.5
DRAIN_S = 120.0


@dataclass
class Storm:
    """Strikes on one platform. Ask `strike` for the moments that fit clients that are sending."""

    pulse: Pulse
    ledger: Ledger
    random: Random
    # What follows each kill at once.
    aftermath: Callable[[], None] = lambda: None
    kills: int = 0
    # How many messages were being evaluated when the platform was killed.
    cut_off: int = 0

    def strike(self) -> None:
        """One kill at a moment of chance."""
        moments: Mapping[Callable[[], None], int] = {
            self.under_load: 6,
            self.at_birth: 2,
            self.in_recovery: 2,
            self.in_archiver: 1,
        }
        self.random.choices(list(moments), list(moments.values()))[0]()

    def at_birth(self) -> None:
        """While it starts: opens the database, migrates, takes over what the last one left, starts a sandbox."""
        self.pulse.start()
        self._let_live(self.random.uniform(0, START_S))
        self.kill()

    def in_recovery(self) -> None:
        """Just after it became ready, with the work of the dead ahead of it."""
        self.pulse.start_and_wait()
        self._let_live(self.random.uniform(0, 0.3))
        self.kill()

    def under_load(self) -> None:
        self.pulse.start_and_wait()
        self.ledger.wait_for_more(self.random.randrange(30, 500))
        self.kill()

    def in_archiver(self) -> None:
        """While what ended goes into segments; for that, an hour passes."""
        pass_an_hour(self.pulse.data)
        objects = self.pulse.data / "objects"
        before = _files(objects)
        self.pulse.start()
        written = self.random.randrange(1, 4)
        door = Door(self.pulse.port)
        # Where there is too little to archive, being ready ends the wait.
        until(
            lambda: _files(objects) >= before + written or door.send("GET", "/readyz") is not None,
            60,
            "segments are written",
            every=0.001,
        )
        door.close()
        self.kill()

    def _let_live(self, seconds: float) -> None:
        try:
            code = self.pulse.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return
        raise AssertionError(f"Pulse ended by itself with {code}: {self.pulse.log_tail()}")

    def kill(self) -> None:
        self.kills += 1
        self.pulse.kill_and_see_children_die()
        self.aftermath()
        self.cut_off += running(self.pulse.data)


def pass_an_hour(data: Path) -> None:
    """Whatever has ended did so an hour earlier: the archiver takes closed hours only. The platform must be down."""
    with closing(sqlite3.connect(data / "pulse.db")) as connection, connection:
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("UPDATE pulse_messages SET completed_at = completed_at - ?", (HOUR_MS,))


def running(data: Path) -> int:
    """How many messages are claimed; none where the database was not made yet.

    Looks at a copy: what a kill left half-written is the platform's to repair, and cannot be read before that.
    """
    with tempfile.TemporaryDirectory() as folder:
        for file in data.glob("pulse.db*"):
            shutil.copy(file, folder)
        with closing(sqlite3.connect(Path(folder) / "pulse.db")) as connection:
            if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'pulse_messages'").fetchone():
                return 0
            return int(connection.execute("SELECT count(*) FROM pulse_messages WHERE state = 'running'").fetchone()[0])


def drain(pulse: Pulse, seconds: float = DRAIN_S) -> None:
    """Waits until nothing is pending."""
    with closing(pulse.door()) as door:
        until(lambda: pending(door) == 0, seconds, "nothing is pending", every=0.2)


def pending(door: Door) -> int:
    return int(door.get("/api/messages", status="pending", limit=1)["pagination"]["total"])


def misread(door: Door, promises: Iterable[Promise]) -> list[str]:
    """What the API says of these messages that is not as promised; archived ones read like the others."""
    found = []
    for promise in promises:
        shown = door.get(f"/api/messages/{promise.id}")
        errors = shown["context"]["____execution_errors____"]
        if shown["status"] != STATUS[promise.kind] and not any(error.get("code") == POISON for error in errors):
            found.append(f"I1: the API shows {promise.id} ({promise.kind}) as {shown['status']}")
        if shown["message"]["payload"]["nonce"] != promise.nonce:
            found.append(f"I1: the API shows another message for {promise.id}")
    return found


def _files(folder: Path) -> int:
    return sum(1 for path in folder.rglob("*.zst"))
