"""DBOS Transact for Python: workflows of three trivial steps. Prints one JSON object.

python -m benchmarks.peers.dbos.run [--database postgresql|sqlite] [--shape live|burndown] [--cache FOLDER]
"""

import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from benchmarks.peers import ground

HERE = Path(__file__).resolve().parent
REQUIREMENTS = HERE / "requirements.txt"
PEER = ground.Peer("DBOS Transact (Python)", ground.pinned(REQUIREMENTS, "dbos"), steps=3)

STORED = """
WITH complete AS (
    SELECT workflow_uuid FROM {schema}operation_outputs WHERE output IS NOT NULL AND error IS NULL
    GROUP BY workflow_uuid HAVING count(*) = {steps}
)
SELECT count(*), count(CASE WHEN status = 'SUCCESS' AND result.output IS NOT NULL THEN complete.workflow_uuid END)
FROM {schema}workflow_status AS run
LEFT JOIN {schema}workflow_output AS result ON result.workflow_uuid = run.workflow_uuid
LEFT JOIN complete ON complete.workflow_uuid = run.workflow_uuid
"""


@contextmanager
def storage(database: ground.Database) -> Iterator[str]:
    if database == "postgresql":
        with ground.postgres("dbos") as url:
            yield url
    else:
        with tempfile.TemporaryDirectory(prefix="pulse-dbos-") as where:
            yield f"sqlite:///{where}/dbos.db"


def stored(url: str) -> tuple[int, int]:
    """How many runs there are, and how many of them are complete."""
    schema = "" if url.startswith("sqlite") else "dbos."
    statement = STORED.format(schema=schema, steps=PEER.steps)
    if schema:
        started, completed = ground.query(url, statement)[0]
    else:
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:
            started, completed = connection.execute(statement).fetchone()
    return started, completed


def measure(
    database: ground.Database, shape: ground.Shape, seconds: float, runs: int, cache: str | None
) -> dict[str, Any]:
    with ground.folder(cache, "dbos") as where, storage(database) as url:
        worker = [ground.python(where, REQUIREMENTS), str(HERE / "worker.py")]
        outcome = ground.work(worker, url=url, shape=shape, seconds=seconds, runs=runs)
        ground.complete(outcome, *stored(url))
    return PEER.figures(database, shape, outcome)


if __name__ == "__main__":
    ground.command_line(__doc__ or "", measure, ("postgresql", "sqlite"))
