"""Power cuts: what was acknowledged had been forced to the disk. The same checker sees it where that was not so."""

import random
import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.chaos.rig.checker import shortened, violations
from tests.chaos.rig.disks import PowerDisk
from tests.chaos.rig.ledger import Ledger, Promise, read_promises
from tests.chaos.rig.process import CARELESS, MakePulse, Pulse
from tests.chaos.rig.scores import Scores
from tests.chaos.rig.senders import Address, Crowd
from tests.chaos.rig.state import read_sqlite
from tests.chaos.rig.storm import Storm, drain
from tests.chaos.rig.workload import install

CUTS = {"share": 4, "quick": 6, "full": 60}
GONE = "was acknowledged and is gone"


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[PowerDisk]:
    made = PowerDisk(tmp_path, tmp_path / "disk")
    yield made
    made.close()


@pytest.mark.timeout(900)
def test_what_was_acknowledged_survives(
    disk: PowerDisk, make_pulse: MakePulse, ledger: Ledger, seed: int, chaos: str, scores: Scores
) -> None:
    began = time.monotonic()
    pulse = make_pulse(disk.folder / "data")
    storm = Storm(pulse, ledger, random.Random(seed), aftermath=disk.cut)
    storm.at_birth()
    with closing(pulse.start_and_wait().door()) as door:
        address = Address([pulse.port], pulse.credentials["apiKey"], install(door))
    storm.kill()
    with Crowd(address, ledger, seed):
        for moment in (storm.under_load, storm.in_archiver):
            moment()
        while storm.kills < CUTS[chaos]:
            storm.strike()
        pulse.start_and_wait()
        ledger.wait_for_more(50)
    drain(pulse)
    assert pulse.terminate() == 0
    promises, state = read_promises(ledger.path), read_sqlite(pulse.data)
    found = violations(promises, state, kills=storm.kills)
    scores.add("power cuts", began, promises, state, found, kills=storm.kills, cut_off=storm.cut_off)
    assert not found, shortened(found)


@pytest.mark.timeout(120)
def test_the_checker_sees_what_a_disk_forgot(disk: PowerDisk, make_pulse: MakePulse, ledger: Ledger, seed: int) -> None:
    load_and_kill(make_pulse(disk.folder / "data", program=CARELESS), ledger, seed)
    disk.cut()
    assert lost(read_promises(ledger.path), disk.folder / "data") != []


@pytest.mark.timeout(120)
def test_the_checker_sees_what_was_lost(make_pulse: MakePulse, ledger: Ledger, seed: int, tmp_path: Path) -> None:
    """The same where nobody may mount anything: a row deleted by hand, the log of a database that did not wait."""
    pulse = make_pulse(program=CARELESS)
    load_and_kill(pulse, ledger, seed)
    promises = read_promises(ledger.path)
    assert lost(promises, pulse.data) == []

    copy = shutil.copytree(pulse.data, tmp_path / "copy")
    with closing(sqlite3.connect(copy / "pulse.db")) as connection, connection:
        connection.execute("DELETE FROM pulse_messages WHERE id = ?", (promises[0].id,))
    assert lost(promises, copy) == [f"I1: {promises[0].id} ({promises[0].nonce}) {GONE}"]

    for ending in ("wal", "shm"):
        (pulse.data / f"pulse.db-{ending}").unlink()
    assert len(lost(promises, pulse.data)) > 1


def lost(promises: list[Promise], data: Path) -> list[str]:
    return [sentence for sentence in violations(promises, read_sqlite(data)) if GONE in sentence]


def load_and_kill(pulse: Pulse, ledger: Ledger, seed: int) -> None:
    with closing(pulse.start_and_wait().door()) as door:
        address = Address([pulse.port], pulse.credentials["apiKey"], install(door))
    with Crowd(address, ledger, seed):
        ledger.wait_for_more(100)
        pulse.kill()
