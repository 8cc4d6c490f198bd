"""Data that cannot be used: one sentence and exit code 1 at the start, an answer with a sentence while running."""

import resource
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.chaos.rig.checker import shortened, violations
from tests.chaos.rig.disks import SmallDisk, make_read_only, make_writable
from tests.chaos.rig.ledger import Ledger, read_promises
from tests.chaos.rig.process import MakePulse, command, free_port
from tests.chaos.rig.senders import Address, Crowd
from tests.chaos.rig.state import read_sqlite
from tests.chaos.rig.storm import drain
from tests.chaos.rig.workload import install

pytestmark = pytest.mark.timeout(180)
BODY = b'{"type": "chaos.order", "payload": {"nonce": "asked while nothing could be written"}}'


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    made = SmallDisk(tmp_path / "small", size_mib=96)
    yield made
    made.close()


def refused(*arguments: str) -> str:
    """The one sentence with which a command refuses to work."""
    done = command(*arguments)
    assert done.returncode == 1, (done.stdout, done.stderr)
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("pulse: ")
    assert lines[0].endswith(".")
    return lines[0]


def up(data: Path) -> tuple[str, ...]:
    return ("up", "--port", str(free_port()), "--data", str(data))


def test_a_folder_and_a_port_in_use(make_pulse: MakePulse, tmp_path: Path) -> None:
    pulse = make_pulse().start_and_wait()
    assert f"Process {pulse.process.pid} is using the data folder {pulse.data}" in refused(*up(pulse.data))
    elsewhere = ("up", "--port", str(pulse.port), "--data", str(tmp_path / "other"))
    assert f"127.0.0.1:{pulse.port} cannot be used" in refused(*elsewhere)
    with closing(pulse.door()) as door:
        assert door.get("/api/messages")["data"] == []


def test_a_database_that_is_none(tmp_path: Path) -> None:
    data, garbage = tmp_path / "data", b"this is no database, whatever its name says\n" * 200
    data.mkdir()
    (data / "pulse.db").write_bytes(garbage)
    assert "damaged" in refused(*up(data))
    assert "damaged" in refused("messages", "list", "--data", str(data))
    assert (data / "pulse.db").read_bytes() == garbage


def test_a_file_in_place_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    assert f"The data folder {tmp_path / 'data'} cannot be written to" in refused(*up(tmp_path / "data"))


def test_a_disk_that_is_read_only(disk: SmallDisk, make_pulse: MakePulse) -> None:
    pulse = make_pulse(disk.folder / "data").start_and_wait()
    assert pulse.terminate() == 0
    disk.freeze()
    assert "cannot be written to: Read-only file system" in refused(*up(pulse.data))
    assert "cannot be written to: Read-only file system" in refused("messages", "list", "--data", str(pulse.data))
    doctor = command("doctor", "--data", str(pulse.data))
    assert "Traceback" not in doctor.stderr
    assert "cannot be written" in doctor.stdout


def test_a_database_that_is_read_only(disk: SmallDisk, make_pulse: MakePulse) -> None:
    pulse = make_pulse(disk.folder / "data").start_and_wait()
    assert pulse.terminate() == 0
    make_read_only(pulse.data / "pulse.db")
    try:
        assert "cannot be written to" in refused(*up(pulse.data))
    finally:
        make_writable(pulse.data / "pulse.db")
    pulse.start_and_wait()


def test_writes_that_fail_while_it_runs(make_pulse: MakePulse, ledger: Ledger, seed: int) -> None:
    """The process may not write to files any more, and then it may again."""
    pulse = make_pulse().start_and_wait()
    with closing(pulse.door()) as door:
        address = Address([pulse.port], pulse.credentials["apiKey"], install(door))
    with Crowd(address, ledger, seed) as crowd:
        ledger.wait_for_more(100)
        before = resource.prlimit(pulse.process.pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
        crowd.wait_for_more(503, 50)
        with closing(pulse.door()) as door:
            answer = door.send("POST", "/v1/messages", BODY)
        assert answer is not None
        assert (answer.status, answer.media) == (503, "application/problem+json")
        assert answer.json()["detail"].endswith(".")
        resource.prlimit(pulse.process.pid, resource.RLIMIT_FSIZE, before)
        ledger.wait_for_more(100)
    drain(pulse)
    assert set(crowd.statuses) <= {202, 503}
    assert pulse.terminate() == 0
    found = violations(read_promises(ledger.path), read_sqlite(pulse.data))
    assert not found, shortened(found)
