"""Kill -9 of an engine's worker processes, again and again: no run is lost, stuck, ended twice or out of order."""

import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.chaos.engines.checker import out_of_sequence, violations
from tests.chaos.engines.site import Site
from tests.chaos.rig.checker import shortened
from tests.chaos.rig.scores import Scores
from tests.chaos.rig.until import until

# On each of the two databases.
KILLS = {"share": 10, "quick": 25, "full": 100}
KINDS = ("order", "order", "family", "lane")
MakeSite = Callable[[str], Site]


@pytest.fixture
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    if request.param == "sqlite":
        url = f"sqlite+aiosqlite:///{tmp_path}/pulse.db"
    else:
        url = str(request.getfixturevalue("postgres_url"))
    made = Site(url, tmp_path)
    yield made
    made.close()


BOTH = pytest.mark.parametrize("site", ["sqlite", "postgresql"], indirect=True)


@BOTH
@pytest.mark.timeout(1_800)
def test_a_storm_of_kills(site: Site, seed: int, chaos: str, scores: Scores) -> None:
    """Of two workers one is killed under load, in the middle of recovery, or before it is ready."""
    began, chance = time.monotonic(), random.Random(seed)
    workers = [site.worker().start(), site.worker().start()]
    workers[0].wait_until_ready()
    cut_off = 0
    for _ in range(KILLS[chaos]):
        site.emit(*chance.choices(KINDS, k=8))
        victim = chance.choice(workers)
        if chance.random() < 0.8:
            victim.wait_until_ready()
        site.wait_for_more_calls(chance.randrange(1, 30))
        victim.kill()
        cut_off += site.held()
        victim.start()
    for worker in workers:
        worker.wait_until_ready()
    site.drain()
    assert [worker.terminate() for worker in workers] == [0, 0]
    rows, calls = site.rows(), site.calls()
    found = violations(site.promises, calls, rows, kills=KILLS[chaos])
    scores.note(
        f"storm on engines, {site.engine.plant.store.database.dialect}",
        began,
        found,
        kills=KILLS[chaos],
        cut_off=cut_off,
        runs=len(rows["runs"]),
        calls=len(calls),
    )
    assert not found, shortened(found)


@BOTH
@pytest.mark.timeout(120)
def test_the_checker_sees_an_engine_that_records_too_late(site: Site) -> None:
    """It begins step b before it is durable that a has ended; killed there, it does a again."""
    careless = site.worker().start("careless").wait_until_ready()
    site.emit("slow")
    until(lambda: [call.name for call in site.calls()] == ["a", "b"], 30, "it is in its second step")
    careless.kill()
    careless.start("careless").wait_until_ready()
    site.drain()
    assert list(out_of_sequence(site.calls())) != []
