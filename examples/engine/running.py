"""How the examples are run: `python examples/engine/NAME.py [DATABASE]`.

DATABASE is an address such as `postgresql+asyncpg://me@localhost/mine`, whose tables are then called `pulse_example_…`.
Left out, it is an SQLite file in a folder that is deleted at the end.
"""

import asyncio
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

from pulse import Engine

PREFIX = "pulse_example_"


def run(example: Callable[[Engine], Awaitable[Any]], **options: Any) -> None:
    """Makes an engine with these options and its tables, hands it to the example, and stops it."""
    with database() as address:
        asyncio.run(_run(example, address, options))


@contextmanager
def database() -> Iterator[str]:
    """The address of the database that the command line names, or of one for this run alone."""
    with tempfile.TemporaryDirectory() as folder:
        yield sys.argv[1] if len(sys.argv) > 1 else f"sqlite+aiosqlite:///{folder}/pulse.db"


async def _run(example: Callable[[Engine], Awaitable[Any]], address: str, options: dict[str, Any]) -> None:
    engine = Engine(address, table_prefix=PREFIX, **options)
    await engine.migrate()
    try:
        await example(engine)
    finally:
        await engine.stop()
