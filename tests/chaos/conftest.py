"""What the chaos tests share: their seed, their scorecard, platforms that end with the test, a PostgreSQL database."""

import asyncio
import os
import random
import secrets
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from tests.chaos.rig.ledger import Ledger
from tests.chaos.rig.process import MakePulse, Pulse
from tests.chaos.rig.scores import Scores

SEED = "PULSE_CHAOS_SEED"
SERVER = ("127.0.0.1", 5432)
BUILD = Path(__file__).parents[2] / "build"


def pytest_configure() -> None:
    # In the environment, so that every worker has the same.
    os.environ.setdefault(SEED, str(random.randrange(1 << 32)))


def pytest_report_header() -> str:
    return f"{SEED}={os.environ[SEED]}"


@pytest.fixture
def seed() -> int:
    """Where chance begins; set PULSE_CHAOS_SEED to begin there again."""
    print(f"{SEED}={os.environ[SEED]}")  # noqa: T201 - shown with a failure
    return int(os.environ[SEED])


@pytest.fixture(scope="session")
def scores(chaos: str) -> Iterator[Scores]:
    """What the storms of this session came to; written to build/chaos.json at the end of a quick or full run."""
    kept = Scores(chaos, int(os.environ[SEED]))
    yield kept
    if chaos != "share":
        worker = os.environ.get("PYTEST_XDIST_WORKER")
        kept.write(BUILD / (f"chaos-{worker}.json" if worker else "chaos.json"))


@pytest.fixture
def make_pulse(tmp_path: Path) -> Iterator[MakePulse]:
    """Makes platforms, not started yet, each on a folder of its own unless told; they are gone after the test."""
    made: list[Pulse] = []

    def make(data: Path | None = None, log: Path | None = None, **options: Any) -> Pulse:
        number = len(made)
        made.append(Pulse(data or tmp_path / f"data{number}", log or tmp_path / f"pulse{number}.log", **options))
        return made[-1]

    yield make
    for pulse in made:
        pulse.end()


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    kept = Ledger(tmp_path / "ledger.jsonl")
    yield kept
    kept.close()


@pytest.fixture
def postgres_url() -> Iterator[str]:
    """A PostgreSQL database for this test alone."""
    try:
        socket.create_connection(SERVER, timeout=2).close()
    except OSError as error:
        pytest.skip(f"no PostgreSQL answers on {SERVER[0]}:{SERVER[1]} ({error})")
    name = f"pulse_chaos_{os.getpid()}_{secrets.token_hex(4)}"
    asyncio.run(_administer(f'CREATE DATABASE "{name}" TEMPLATE template0'))
    yield f"postgresql+asyncpg://postgres@{SERVER[0]}:{SERVER[1]}/{name}"
    asyncio.run(_administer(f'DROP DATABASE "{name}" WITH (FORCE)'))


async def _administer(statement: str) -> None:
    connection = await asyncpg.connect(host=SERVER[0], port=SERVER[1], user="postgres", database="postgres")
    await connection.execute(statement)
    await connection.close()
