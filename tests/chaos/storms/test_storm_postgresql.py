"""Kill -9 on PostgreSQL: of two platforms one dies, and the other loses its connections, again and again."""

import random
import time
from contextlib import closing
from pathlib import Path

import pytest

from tests.chaos.rig.checker import shortened, violations
from tests.chaos.rig.cluster import Cluster
from tests.chaos.rig.ledger import Ledger, read_promises
from tests.chaos.rig.process import MakePulse
from tests.chaos.rig.scores import Scores
from tests.chaos.rig.senders import Crowd
from tests.chaos.rig.storm import drain, misread

KILLS = {"share": 3, "quick": 6, "full": 40}
READ_AGAIN = 20


@pytest.mark.timeout(1_800)
def test_one_of_two_dies(
    make_pulse: MakePulse, postgres_url: str, tmp_path: Path, ledger: Ledger, seed: int, chaos: str, scores: Scores
) -> None:
    began, chance = time.monotonic(), random.Random(seed)
    cluster = Cluster(make_pulse, postgres_url, tmp_path)
    address = cluster.start()
    cut_off = 0
    with Crowd(address, ledger, seed):
        for _ in range(KILLS[chaos]):
            victim = chance.choice((cluster.first, cluster.second))
            ledger.wait_for_more(chance.randrange(30, 250))
            cluster.cut_connections()
            ledger.wait_for_more(chance.randrange(30, 250))
            victim.kill_and_see_children_die()
            cut_off += cluster.query("SELECT count(*) FROM pulse_messages WHERE state = 'running'")[0][0]
            cluster.cut_connections()
            victim.start_and_wait()
    drain(cluster.first)
    promises = read_promises(ledger.path)
    with closing(cluster.second.door()) as door:
        found = misread(door, chance.sample(promises, READ_AGAIN))
    assert [pulse.terminate() for pulse in (cluster.first, cluster.second)] == [0, 0]
    state = cluster.state()
    found += violations(promises, state, kills=KILLS[chaos])
    scores.add("storm on PostgreSQL", began, promises, state, found, kills=KILLS[chaos], cut_off=cut_off)
    assert not found, shortened(found)
