"""A full disk: Pulse says so, accepts nothing that it cannot keep, and goes on by itself once there is room again."""

import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.chaos.rig.checker import shortened, violations
from tests.chaos.rig.disks import SmallDisk
from tests.chaos.rig.door import Answer
from tests.chaos.rig.ledger import Ledger, read_promises
from tests.chaos.rig.process import MakePulse, Pulse, command, kill_the_busy_one
from tests.chaos.rig.scores import Scores
from tests.chaos.rig.senders import Address, Crowd, send
from tests.chaos.rig.state import read_sqlite
from tests.chaos.rig.storm import drain
from tests.chaos.rig.until import until
from tests.chaos.rig.workload import MILLISECOND, Draft, install

ROUNDS = {"share": 2, "quick": 2, "full": 20}
IN_A_ROW = 20
BODY = b'{"type": "chaos.order", "payload": {"nonce": "asked while the disk was full"}}'


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    made = SmallDisk(tmp_path / "small", size_mib=128)
    yield made
    made.close()


@pytest.mark.timeout(300)
def test_the_disk_fills_up(
    disk: SmallDisk, make_pulse: MakePulse, ledger: Ledger, seed: int, chaos: str, scores: Scores
) -> None:
    began = time.monotonic()
    # The log is on the disk as well: lines that cannot be written must not end anything either.
    pulse = make_pulse(disk.folder / "data", log=disk.folder / "pulse.log").start_and_wait()
    with closing(pulse.door()) as door:
        address = Address([pulse.port], pulse.credentials["apiKey"], install(door))
    with Crowd(address, ledger, seed) as crowd:
        for _ in range(ROUNDS[chaos]):
            ledger.wait_for_more(100)
            disk.fill()
            crowd.wait_for_more(507, 50)
            check_refusal(pulse)
            check_doctor(pulse.data)
            disk.free()
        ledger.wait_for_more(100)
    drain(pulse)
    assert set(crowd.statuses) <= {202, 507}
    assert pulse.terminate() == 0
    promises, state = read_promises(ledger.path), read_sqlite(pulse.data)
    found = violations(promises, state)
    scores.add("full disk", began, promises, state, found, refused=crowd.statuses[507])
    assert not found, shortened(found)


@pytest.mark.timeout(120)
def test_a_log_that_cannot_be_written_ends_nothing(make_pulse: MakePulse, ledger: Ledger) -> None:
    """Its lines are lost, those about the death of a sandbox among them."""
    pulse = make_pulse(log=Path("/dev/full")).start_and_wait()
    with closing(pulse.door()) as door:
        install(door)
        send(door, ledger, [Draft(f"n{number}", "slow", spins=150 * MILLISECOND) for number in range(4)])
    kill_the_busy_one(pulse)
    drain(pulse, 30)
    pulse.kill()
    found = violations(read_promises(ledger.path), read_sqlite(pulse.data))
    assert not found, shortened(found)


def check_refusal(pulse: Pulse) -> None:
    """What still fits into the write-ahead log is taken until the receiver looks at the disk; from then on, nothing."""
    with closing(pulse.door()) as door:

        def refused() -> list[Answer]:
            answers = [door.send("POST", "/v1/messages", BODY) for _ in range(IN_A_ROW)]
            return [answer for answer in answers if answer is not None and answer.status == 507]

        (*_, answer) = until(lambda: found if len(found := refused()) == IN_A_ROW else [], 10, "everything is refused")
    assert answer.media == "application/problem+json"
    problem = answer.json()
    assert problem["code"] == "storage_full"
    assert problem["detail"].endswith("."), problem


def check_doctor(data: Path) -> None:
    told = command("doctor", "--data", str(data))
    assert told.returncode == 1, told.stderr
    assert "are free in" in told.stdout
    assert "Traceback" not in told.stderr
