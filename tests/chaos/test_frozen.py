"""A platform that is frozen past its leases, while another does its work, changes nothing when it wakes."""

from contextlib import closing
from pathlib import Path

import pytest

from tests.chaos.rig.checker import shortened, violations
from tests.chaos.rig.cluster import Cluster
from tests.chaos.rig.ledger import Ledger, read_promises
from tests.chaos.rig.process import MakePulse
from tests.chaos.rig.senders import send
from tests.chaos.rig.storm import drain
from tests.chaos.rig.until import until
from tests.chaos.rig.workload import MILLISECOND, Draft, install

HELD = "SELECT count(*) FROM pulse_messages WHERE state = 'running' AND owner LIKE $1"
ENDED = "SELECT count(*) FROM pulse_message_results"
STORED = (
    "SELECT id, state, epoch, completed_at, body FROM pulse_messages JOIN pulse_message_results USING (id) ORDER BY id"
)
# Transactions that have written something, and wait for a table.
WAITING = """\
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND wait_event_type = 'Lock' AND backend_xid IS NOT NULL
"""
# Transactions that have written something, and whose client says nothing more.
STANDING = """\
SELECT state FROM pg_stat_activity
WHERE datname = current_database() AND wait_event = 'ClientRead' AND backend_xid IS NOT NULL
"""
COUNT = 400


@pytest.mark.timeout(240)
def test_a_platform_that_stands_still(make_pulse: MakePulse, postgres_url: str, tmp_path: Path, ledger: Ledger) -> None:
    """In the middle of a transaction, even: the rows that it has locked are taken from it like the others."""
    cluster = Cluster(make_pulse, postgres_url, tmp_path)
    frozen, other = cluster.first, cluster.second
    frozen.start_and_wait()
    sent = 0
    with closing(frozen.door()) as door:
        install(door)
        while not sent or not is_caught_writing(cluster):
            # Enough for it to be at work for as long as it takes to catch it.
            if sent - cluster.query(ENDED)[0][0] < COUNT // 2:
                slow = [Draft(f"n{number}", "slow", spins=10 * MILLISECOND) for number in range(sent, sent + COUNT)]
                send(door, ledger, slow)
                sent += COUNT
            # Some have ended: so others are in the sandbox, which computes on while its platform is frozen.
            until(lambda: cluster.query(ENDED)[0][0] > 1, 30, "it has finished the first", every=0.001)
    held = cluster.query(HELD, f"{frozen.process.pid}-%")[0][0]
    assert held > 0, "it was too quick: nothing is left to be finished by another"

    other.start_and_wait()
    drain(other, 90)
    stored = cluster.query(STORED)
    assert len(stored) == sent
    frozen.thaw()
    until(lambda: "event=lease_lost" in frozen.log_tail(100_000), 30, "it is refused what it writes late")
    frozen.wait_until_ready()
    assert cluster.query(STORED) == stored

    assert [pulse.terminate() for pulse in (frozen, other)] == [0, 0]
    found = violations(read_promises(ledger.path), cluster.state())
    assert not found, shortened(found)


def is_caught_writing(cluster: Cluster) -> bool:
    """Freezes the first platform where it has fenced messages and not yet written what became of them.

    Where it was about to prepare a statement, which it does once a connection, it goes on: PostgreSQL takes that for
    work, and its limit for idle transactions does not hold there.
    """
    with cluster.held("pulse_message_results"):
        until(lambda: cluster.query(WAITING)[0][0], 30, "it has fenced messages, and waits to write more")
        cluster.first.freeze()
    states = until(lambda: cluster.query(STANDING), 30, "it stands still")
    if all(state == "idle in transaction" for (state,) in states):
        return True
    cluster.first.thaw()
    return False
