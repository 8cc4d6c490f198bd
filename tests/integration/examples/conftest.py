"""The examples as modules, and an engine for them on SQLite and on PostgreSQL."""

import importlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Protocol

import pytest

from pulse import Engine
from pulse.testing import FakeClock
from tests.contract.conftest import (
    database_url,
    drop_tables,
    postgres_url,
    prefix,
    sqlite_threads,
    sqlite_threads_ended,
)

__all__ = ["database_url", "postgres_url", "prefix"]

EXAMPLES = Path(__file__).parents[3] / "examples" / "engine"


class OpenEngine(Protocol):
    """Makes an engine with these options and its tables; it is stopped after the test."""

    async def __call__(self, **options: Any) -> Engine: ...


@pytest.fixture
async def open_engine(database_url: str, prefix: str) -> AsyncIterator[OpenEngine]:
    opened: list[Engine] = []
    others = sqlite_threads()

    async def open_one(**options: Any) -> Engine:
        opened.append(Engine(database_url, table_prefix=prefix, **options))
        await opened[-1].migrate()
        return opened[-1]

    yield open_one
    for each in opened:
        await each.stop()
    await sqlite_threads_ended(others)
    if database_url.startswith("postgresql"):
        await drop_tables(database_url, prefix)


@pytest.fixture
async def engine(open_engine: OpenEngine) -> Engine:
    """With time that moves at once."""
    return await open_engine(clock=FakeClock())


def example(name: str) -> Any:
    """The module of that example."""
    return importlib.import_module(f"examples.engine.{name}")
