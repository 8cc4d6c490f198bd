"""Kill -9 on SQLite, again and again: nothing that was acknowledged is lost, done twice, or done out of order."""

import random
import time
from contextlib import closing

import pytest

from tests.chaos.rig.checker import shortened, violations
from tests.chaos.rig.ledger import Ledger, read_promises
from tests.chaos.rig.process import MakePulse
from tests.chaos.rig.scores import Scores
from tests.chaos.rig.senders import Address, Crowd
from tests.chaos.rig.state import read_sqlite
from tests.chaos.rig.storm import Storm, drain, misread
from tests.chaos.rig.workload import install

KILLS = {"share": 10, "quick": 50, "full": 50}
READ_AGAIN = 40


@pytest.mark.timeout(900)
def test_a_storm(make_pulse: MakePulse, ledger: Ledger, seed: int, chaos: str, scores: Scores) -> None:
    began, chance = time.monotonic(), random.Random(seed)
    pulse = make_pulse()
    storm = Storm(pulse, ledger, chance)
    storm.at_birth()
    with closing(pulse.start_and_wait().door()) as door:
        address = Address([pulse.port], pulse.credentials["apiKey"], install(door))
    storm.kill()
    with Crowd(address, ledger, seed):
        # These always, so that a short storm has every moment.
        for moment in (storm.under_load, storm.in_recovery, storm.under_load, storm.in_archiver):
            moment()
        while storm.kills < KILLS[chaos]:
            storm.strike()
        pulse.start_and_wait()
        ledger.wait_for_more(50)
    drain(pulse)
    promises = read_promises(ledger.path)
    with closing(pulse.door()) as door:
        found = misread(door, chance.sample(promises, READ_AGAIN))
    assert pulse.terminate() == 0
    state = read_sqlite(pulse.data)
    found += violations(promises, state, kills=storm.kills)
    scores.add("storm on SQLite", began, promises, state, found, kills=storm.kills, cut_off=storm.cut_off)
    assert not found, shortened(found)
