"""A sandbox process that is killed while effects run: they run on, and nothing is called twice."""

import os
import signal
from collections import Counter
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

import pytest

from tests.chaos.effects import orders
from tests.chaos.effects.checker import Evidence, violations
from tests.chaos.effects.peer import Peer, read_requests
from tests.chaos.rig.checker import shortened
from tests.chaos.rig.door import Door
from tests.chaos.rig.process import MakePulse, Pulse, children_of, is_alive
from tests.chaos.rig.state import read_sqlite
from tests.chaos.rig.until import until

ROUNDS = {"share": 2, "quick": 4, "full": 20}
COUNT = 4
# What an order asks for before it is told anything.
FIRST = 3


@pytest.mark.timeout(300)
def test_nothing_is_called_twice(make_pulse: MakePulse, tmp_path: Path, seed: int, chaos: str) -> None:
    with Peer(tmp_path / "requests.jsonl", seed) as peer:
        pulse = make_pulse(environment={"EGRESS_ALLOW": peer.address}).start_and_wait()
        with closing(pulse.door()) as door:
            orders.install(door, peer.address)
            accepted = {each: nonce for turn in range(ROUNDS[chaos]) for each, nonce in strike(pulse, door, peer, turn)}
        assert pulse.terminate() == 0
    requests = read_requests(peer.ledger)
    assert set(Counter(request.key for request in requests).values()) == {1}
    assert len(requests) == len(accepted) * orders.REQUESTS
    messages, letters = read_sqlite(pulse.data).messages, orders.letters(pulse.data)
    # The platform lived on: nothing was claimed anew.
    assert {messages[message].epoch for message in accepted} == {1}
    found = violations(
        Evidence(accepted, requests, [], messages, letters, orders.journal_rows(orders.of_folder(pulse.data)))
    )
    assert not found, shortened(found)


def strike(pulse: Pulse, door: Door, peer: Peer, turn: int) -> Iterable[tuple[str, str]]:
    """Sends orders, kills what runs their scripts while the peer keeps them waiting, and sees them end; their ids."""
    with peer.silent():
        accepted = orders.send(door, [f"{turn}-{number}" for number in range(COUNT)])
        peer.wait_for(turn * COUNT * orders.REQUESTS + COUNT * FIRST)
        kill_sandboxes(pulse)
    orders.drain(door, 60)
    return accepted.items()


def kill_sandboxes(pulse: Pulse) -> None:
    """Kill -9 for every sandbox process there is: those of the orders are among them."""
    children = children_of(pulse.process.pid)
    assert children
    for child in children:
        os.kill(child, signal.SIGKILL)
    until(lambda: not any(map(is_alive, children)), 10, "they are dead")
