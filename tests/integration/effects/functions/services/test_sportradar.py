"""`sportradarNfl`, against a server that wants the key of the environment."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.integration.effects.functions.bench import CANARY, Bench, hides
from tests.integration.effects.functions.conftest import WaysOut
from tests.integration.effects.functions.peers import Sportradar, running

SCHEDULE = "games/current_week/schedule.json"


@pytest.fixture
async def sportradar() -> AsyncIterator[Sportradar]:
    async with running(Sportradar(key=CANARY)) as peer:
        yield peer


@pytest.fixture
def variables(sportradar: Sportradar) -> dict[str, str]:
    return {"SPORTRADAR_API_KEY": CANARY, "SPORTRADAR_BASE_URL": f"{sportradar.url}/nfl/official/trial/v7/en/"}


@pytest.fixture
def sports(bench: Bench, sportradar: Sportradar, ways_out: WaysOut) -> Bench:
    return bench.reaching(egress=ways_out(sportradar.place))


@pytest.mark.parametrize("path", [SCHEDULE, f"/{SCHEDULE}/", f"{SCHEDULE}?locale=de"])
async def test_the_schedule_is_read(
    sports: Bench, sportradar: Sportradar, variables: dict[str, str], path: str
) -> None:
    ran = await sports.tried(f"await sportradarNfl('{path}')", variables=variables)
    assert (ran.result["year"], ran.result["week"]["games"]) == (2026, [{"id": "g1"}])
    assert ran.result["query"] == path.partition("?")[2]
    entry = dict(ran.entry)
    assert entry.pop("durationMs") >= 0
    assert entry == {"type": "api", "service": "sportradar", "path": SCHEDULE, "status": 200, "success": True}
    assert [entry.state for entry in ran.entries.values()] == ["done"]
    hides(ran)


async def test_what_was_read_is_not_read_again(
    sports: Bench, sportradar: Sportradar, variables: dict[str, str]
) -> None:
    call = f"await sportradarNfl('{SCHEDULE}')"
    first = await sports.tried(call, variables=variables)
    again = await sports.tried(call, variables=variables, like=first, past=first.recorded())
    assert (again.result, len(sportradar.heard)) == (first.result, 1)


@pytest.mark.parametrize(
    ("status", "code", "retryable"),
    [
        (401, "unauthorized", False),
        (403, "unauthorized", False),
        (404, "not_found", False),
        (400, "rejected", False),
        (429, "rate_limited", True),
        (500, "server_error", True),
    ],
)
async def test_failures(
    sports: Bench, sportradar: Sportradar, variables: dict[str, str], status: int, code: str, retryable: bool
) -> None:
    sportradar.instead = (status, {"message": f"Error for {CANARY}"})
    ran = await sports.tried(f"await sportradarNfl('{SCHEDULE}')", variables=variables)
    assert (ran.failure.code, ran.failure.retryable) == (code, retryable)
    assert (ran.entry["success"], ran.entry["code"]) == (False, code)
    hides(ran)


async def test_the_server_refuses_another_key(sports: Bench, sportradar: Sportradar, variables: dict[str, str]) -> None:
    sportradar.key = "another"
    ran = await sports.tried(f"await sportradarNfl('{SCHEDULE}')", variables=variables)
    assert (ran.failure.code, sportradar.heard[0].header("x-api-key")) == ("unauthorized", CANARY)
    hides(ran)


async def test_without_a_key_nothing_is_asked(sports: Bench, sportradar: Sportradar) -> None:
    base = {"SPORTRADAR_BASE_URL": sportradar.url}
    ran = await sports.tried(f"await sportradarNfl('{SCHEDULE}')", variables=base)
    assert (ran.failure.code, sportradar.heard) == ("not_configured", [])
    assert "SPORTRADAR_API_KEY" in ran.failure.message


@pytest.mark.parametrize("path", ["'../../admin'", "'a/../b'", "'https://x.example/'", "''", "'/'", "5", "null"])
async def test_faults_of_arguments(sports: Bench, sportradar: Sportradar, variables: dict[str, str], path: Any) -> None:
    ran = await sports.tried(f"await sportradarNfl({path})", variables=variables)
    assert ran.failure.code == "invalid_arguments"
    assert ran.failure.message.startswith("path: ")
    assert sportradar.heard == []


async def test_without_the_exception_it_is_out_of_bounds(
    bench: Bench, sportradar: Sportradar, variables: dict[str, str], ways_out: WaysOut
) -> None:
    ran = await bench.reaching(egress=ways_out()).tried(f"await sportradarNfl('{SCHEDULE}')", variables=variables)
    assert (ran.failure.code, sportradar.server.connections) == ("address_refused", 0)
    hides(ran)
