"""A sandbox process that is killed from outside takes no message with it."""

from contextlib import closing

import pytest

from tests.chaos.rig.checker import outcomes, shortened, violations
from tests.chaos.rig.ledger import Ledger, read_promises
from tests.chaos.rig.process import MakePulse, kill_the_busy_one
from tests.chaos.rig.senders import send
from tests.chaos.rig.state import read_sqlite
from tests.chaos.rig.storm import drain
from tests.chaos.rig.workload import MILLISECOND, Draft, install

ROUNDS = {"share": 2, "quick": 2, "full": 20}
COUNT = 8


@pytest.mark.timeout(300)
def test_its_messages_end_elsewhere(make_pulse: MakePulse, ledger: Ledger, chaos: str) -> None:
    pulse = make_pulse().start_and_wait()
    with closing(pulse.door()) as door:
        install(door)
        for turn in range(ROUNDS[chaos]):
            kinds = ["slow"] * COUNT + ["order"] * COUNT
            send(door, ledger, [Draft(f"{turn}-{n}", kind, spins=150 * MILLISECOND) for n, kind in enumerate(kinds)])
            kill_the_busy_one(pulse)
            drain(pulse, 60)
    assert pulse.terminate() == 0
    state = read_sqlite(pulse.data)
    assert outcomes(state) == {"success": 2 * COUNT * ROUNDS[chaos]}
    found = violations(read_promises(ledger.path), state)
    assert not found, shortened(found)
