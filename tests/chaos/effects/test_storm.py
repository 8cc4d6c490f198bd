"""Kill -9 while scripts ask for much at once: nothing that was recorded is asked for again, whatever else is."""

import base64
import random
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import pytest

from tests.chaos.effects import orders
from tests.chaos.effects.checker import Evidence, Look, violations
from tests.chaos.effects.peer import SLOWEST_S, Peer, read_requests
from tests.chaos.rig.checker import shortened
from tests.chaos.rig.door import Door
from tests.chaos.rig.process import PULSE, MakePulse, Pulse
from tests.chaos.rig.scores import Scores
from tests.chaos.rig.state import State, query_postgresql, read_postgresql, read_sqlite
from tests.chaos.rig.until import until

KILLS = {"share": 3, "quick": 10, "full": 40}
KILLS_OF_A_SERVER = {"share": 2, "quick": 4, "full": 20}
AT_ONCE = 4
FORGETFUL = (sys.executable, str(Path(__file__).with_name("forgetful.py")))
START_S = 2.5


@dataclass
class Storm:
    """Strikes on a platform whose orders ask a peer for much. `looks`: what was recorded after each kill."""

    pulse: Pulse
    peer: Peer
    chance: random.Random
    query: orders.Query
    state: Callable[[], State]
    accepted: dict[str, str] = field(default_factory=dict)
    looks: list[Look] = field(default_factory=list)
    # The last strike hit the platform while it started: a message that runs alone then has died once for nothing.
    was_at_birth: bool = False

    def strike(self) -> None:
        """Sends orders, and kills the platform somewhere in the middle, now and then at its next start as well."""
        self.was_at_birth = not self.was_at_birth and self.chance.random() < 0.25
        if self.was_at_birth:
            self.pulse.start()
            self._let_live(self.chance.uniform(0, START_S))
        else:
            self.pulse.start_and_wait()
            with closing(self.pulse.door()) as door:
                self.send(door)
                self._until_asked(door, self.chance.randrange(20, 60))
            # The peer is about to answer some, and the journal to record others.
            self._let_live(self.chance.uniform(0, SLOWEST_S))
        self.kill()

    def kill(self) -> None:
        self.pulse.kill_and_see_children_die()
        self.looks.append(orders.look(self.query))

    def send(self, door: Door) -> None:
        first = len(self.accepted)
        self.accepted |= orders.send(door, [f"n{number}" for number in range(first, first + AT_ONCE)])

    def _until_asked(self, door: Door, more: int) -> None:
        """Until there were so many more requests, or nothing is left to be done."""
        wanted = self.peer.count + more
        until(lambda: self.peer.count >= wanted or orders.pending(door) == 0, 60, f"{more} more requests", every=0.005)

    def _let_live(self, seconds: float) -> None:
        try:
            code = self.pulse.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return
        raise AssertionError(f"Pulse ended by itself with {code}: {self.pulse.log_tail()}")

    def evidence(self) -> Evidence:
        """What is known when it is over, and the platform has ended."""
        return Evidence(
            accepted=self.accepted,
            requests=read_requests(self.peer.ledger),
            looks=self.looks,
            messages=self.state().messages,
            letters=orders.letters(self.pulse.data),
            journal=orders.journal_rows(self.query),
            kills=len(self.looks),
        )


def on_sqlite(make_pulse: MakePulse, peer: Peer, chance: random.Random, program: Sequence[str] = PULSE) -> Storm:
    pulse = make_pulse(environment={"EGRESS_ALLOW": peer.address}, program=program)
    return Storm(pulse, peer, chance, orders.of_folder(pulse.data), lambda: read_sqlite(pulse.data))


def on_postgresql(make_pulse: MakePulse, peer: Peer, chance: random.Random, url: str) -> Storm:
    environment = {
        "EGRESS_ALLOW": peer.address,
        "PULSE_DATABASE_URL": url,
        "PULSE_SECRET_KEY": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
    }
    pulse = make_pulse(environment=environment)
    query = partial(query_postgresql, url)
    return Storm(pulse, peer, chance, query, lambda: read_postgresql(url, pulse.data / "objects"))


@pytest.mark.timeout(900)
def test_a_storm(make_pulse: MakePulse, tmp_path: Path, seed: int, chaos: str, scores: Scores) -> None:
    with Peer(tmp_path / "requests.jsonl", seed) as peer:
        storm = on_sqlite(make_pulse, peer, random.Random(seed))
        weather(storm, KILLS[chaos], "storm of effects", scores)


@pytest.mark.timeout(1_800)
def test_a_storm_on_postgresql(
    make_pulse: MakePulse, postgres_url: str, tmp_path: Path, seed: int, chaos: str, scores: Scores
) -> None:
    """Nobody knows there that the one before is dead: what it held comes back when its leases end."""
    with Peer(tmp_path / "requests.jsonl", seed) as peer:
        storm = on_postgresql(make_pulse, peer, random.Random(seed), postgres_url)
        weather(storm, KILLS_OF_A_SERVER[chaos], "storm of effects on PostgreSQL", scores)


def weather(storm: Storm, kills: int, name: str, scores: Scores) -> None:
    """The storm, and what it left."""
    began, peer = time.monotonic(), storm.peer
    with closing(storm.pulse.start_and_wait().door()) as door:
        orders.install(door, peer.address)
        storm.send(door)
        peer.wait_for(10)
    storm.kill()
    # As many as are wanted, and until one hit a journal that had an answer in it: else there is nothing to repeat.
    while len(storm.looks) < kills or not any(look.answered for look in storm.looks):
        storm.strike()
    with closing(storm.pulse.start_and_wait().door()) as door:
        orders.drain(door)
    assert storm.pulse.terminate() == 0
    evidence = storm.evidence()
    found = violations(evidence)
    repeated = len(evidence.requests) - len({request.key for request in evidence.requests})
    counts = {"orders": len(storm.accepted), "requests": len(evidence.requests), "repeated": repeated}
    answered = sum(len(look.answered) for look in storm.looks)
    scores.note(name, began, found, kills=len(storm.looks), **counts, recorded_at_kills=answered)
    assert not found, shortened(found)
    # It hit calls on their way, and journals with answers in them: otherwise it proves nothing.
    assert repeated > 0
    assert answered > 0
    check_the_checker(evidence)


def check_the_checker(evidence: Evidence) -> None:
    """The negative control, on this very storm: one more request for something that was recorded."""
    look = next(look for look in evidence.looks if look.answered)
    again = next(request for request in evidence.requests if request.key in look.answered)
    doctored = replace(evidence, requests=[*evidence.requests, replace(again, at_ns=look.at_ns + 1)])
    assert violations(doctored)[0].startswith(f"I2: {again.key} was recorded")


@pytest.mark.timeout(120)
def test_a_journal_that_forgets_is_caught(make_pulse: MakePulse, tmp_path: Path, seed: int) -> None:
    """The negative control on a platform: after a kill, scripts are told other things than those they went on with."""
    with Peer(tmp_path / "requests.jsonl", seed) as peer:
        storm = on_sqlite(make_pulse, peer, random.Random(seed), FORGETFUL)
        with closing(storm.pulse.start_and_wait().door()) as door:
            orders.install(door, peer.address)
            storm.send(door)
            # More than all orders ask for before they are told something.
            peer.wait_for(AT_ONCE * 4)
        storm.kill()
        with closing(storm.pulse.start_and_wait().door()) as door:
            orders.drain(door)
        assert storm.pulse.terminate() == 0
    found = violations(storm.evidence())
    assert any("is fail (non_deterministic)" in sentence for sentence in found), found
