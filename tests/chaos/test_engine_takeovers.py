"""Workers that stand still, come in twos, are exchanged one after another, or lose their database: who drives what."""

import random
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.chaos.engines.checker import doubled, violations
from tests.chaos.engines.server import Server, why_not
from tests.chaos.engines.site import Site
from tests.chaos.rig.checker import shortened
from tests.chaos.rig.until import until

SHORT_LEASE_MS = 1_500
MOST_TURNS = 100
RESTARTS = {"share": 3, "quick": 8, "full": 40}
DATABASE_RESTARTS = {"share": 2, "quick": 4, "full": 20}


@pytest.fixture
def postgres_site(tmp_path: Path, postgres_url: str) -> Iterator[Site]:
    with closing(Site(postgres_url, tmp_path, SHORT_LEASE_MS)) as made:
        yield made


@pytest.fixture(params=["sqlite", "postgresql"])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    sqlite = f"sqlite+aiosqlite:///{tmp_path}/pulse.db"
    url = sqlite if request.param == "sqlite" else str(request.getfixturevalue("postgres_url"))
    with closing(Site(url, tmp_path)) as made:
        yield made


@pytest.mark.timeout(180)
def test_a_worker_that_stood_still_past_its_leases_is_fenced(postgres_site: Site) -> None:
    """It stands still in the middle of handlers; another does its work; what it writes when it wakes is refused."""
    site = postgres_site
    frozen, other = site.worker().start().wait_until_ready(), site.worker()
    site.emit(*["slow"] * 10)
    until(lambda: sum(call.name == "b" for call in site.calls()) == 10, 30, "all runs are in their second step")
    frozen.freeze()
    assert site.held() > 0, "it was too quick"
    other.start().wait_until_ready()
    site.drain()
    before, calls = site.rows(), len(site.calls())
    frozen.thaw()
    until(lambda: "is no longer ours" in frozen.log_tail(100_000), 30, "it is refused what it writes late")
    assert [worker.terminate() for worker in (frozen, other)] == [0, 0]
    assert {name: list(rows) for name, rows in site.rows().items()} == {n: list(rows) for n, rows in before.items()}
    assert len(site.calls()) == calls, "it called a handler of a run that it had lost"
    found = violations(site.promises, site.calls(), site.rows())
    assert not found, shortened(found)


@pytest.mark.timeout(180)
def test_two_workers_of_one_configuration_share_the_work(site: Site) -> None:
    """Nothing distinguishes them but their start: no attempt of any step is made by both."""
    workers = [site.worker().start(), site.worker().start()]
    for worker in workers:
        worker.wait_until_ready()
    # Who looks first takes all that is there: there is more until each has had some.
    for turn in range(MOST_TURNS):
        site.emit(*["order", "family", "lane", "order"] * 3)
        site.wait_for_more_calls(6)
        if turn >= 4 and len({call.pid for call in site.calls()}) == len(workers):
            break
    site.drain()
    assert [worker.terminate() for worker in workers] == [0, 0]
    assert doubled(site.calls()) == []
    assert {call.pid for call in site.calls()} == {worker.pid for worker in workers}, "one of them did everything"
    found = violations(site.promises, site.calls(), site.rows())
    assert not found, shortened(found)


@pytest.mark.timeout(300)
def test_workers_are_exchanged_one_after_another(site: Site, chaos: str) -> None:
    """SIGTERM under load: what is being called is finished and recorded, leases are handed back, nobody has died."""
    workers = [site.worker().start(), site.worker().start()]
    for worker in workers:
        worker.wait_until_ready()
    for turn in range(RESTARTS[chaos]):
        site.emit(*["slow", "order", "family", "lane"] * 2)
        site.wait_for_more_calls(5)
        leaving = workers[turn % 2]
        assert leaving.terminate() == 0, leaving.log_tail()
        assert site.deaths() == 0
        leaving.start().wait_until_ready()
    site.drain()
    assert [worker.terminate() for worker in workers] == [0, 0]
    assert site.held() == 0
    assert doubled(site.calls()) == []
    found = violations(site.promises, site.calls(), site.rows())
    assert not found, shortened(found)


@pytest.mark.timeout(600)
@pytest.mark.skipif(why_not() is not None, reason=f"no PostgreSQL server of one's own: {why_not()}")
def test_dbos_716_a_database_restart_during_recovery_strands_no_run(tmp_path: Path, seed: int, chaos: str) -> None:
    """A worker dies, another begins to recover its runs, and the database goes away in the middle of that."""
    chance = random.Random(seed)
    with closing(Server()) as server, closing(Site(server.url, tmp_path, SHORT_LEASE_MS)) as site:
        first, second = site.worker().start().wait_until_ready(), site.worker().start().wait_until_ready()
        for _ in range(DATABASE_RESTARTS[chaos]):
            site.emit(*["slow", "order", "family"] * 4)
            site.wait_for_more_calls(chance.randrange(2, 12))
            killed = site.kill_in_the_middle(first, second)
            # Its leases are swept now, or are about to be: somewhere in there the database goes.
            until(lambda: site.deaths() > 0, 30, "the runs of the dead are being recovered", every=0.001)
            server.stop()
            survivor = second if killed is first else first
            assert survivor.process.poll() is None, survivor.log_tail()
            server.start()
            killed.start().wait_until_ready()
        site.drain()
        assert [worker.terminate() for worker in (first, second)] == [0, 0]
        found = violations(site.promises, site.calls(), site.rows(), kills=3 * DATABASE_RESTARTS[chaos])
        assert not found, shortened(found)
