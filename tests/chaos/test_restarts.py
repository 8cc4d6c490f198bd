"""SIGTERM under load, again and again: nothing is lost, and clients hear nothing worse than "later"."""

import time
from contextlib import closing

import pytest

from tests.chaos.rig.checker import shortened, violations
from tests.chaos.rig.ledger import Ledger, read_promises
from tests.chaos.rig.process import MakePulse
from tests.chaos.rig.scores import Scores
from tests.chaos.rig.senders import NO_ANSWER, Address, Crowd
from tests.chaos.rig.state import read_sqlite
from tests.chaos.rig.storm import drain, running
from tests.chaos.rig.workload import install

RESTARTS = 5
GRACE_S = 25.0


@pytest.mark.timeout(300)
def test_graceful_restarts(make_pulse: MakePulse, ledger: Ledger, seed: int, scores: Scores) -> None:
    began = time.monotonic()
    pulse = make_pulse().start_and_wait()
    with closing(pulse.door()) as door:
        address = Address([pulse.port], pulse.credentials["apiKey"], install(door))
    with Crowd(address, ledger, seed) as crowd:
        for _ in range(RESTARTS):
            ledger.wait_for_more(150)
            asked = time.monotonic()
            assert pulse.terminate() == 0, pulse.log_tail()
            assert time.monotonic() - asked < GRACE_S
            assert running(pulse.data) == 0, "leases were not handed back"
            pulse.start_and_wait()
        ledger.wait_for_more(50)
    drain(pulse)
    assert pulse.terminate() == 0
    assert set(crowd.statuses) <= {202, 503, NO_ANSWER}
    promises, state = read_promises(ledger.path), read_sqlite(pulse.data)
    found = violations(promises, state)
    scores.add("graceful restarts", began, promises, state, found, restarts=RESTARTS)
    assert not found, shortened(found)
