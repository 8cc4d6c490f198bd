"""Absurd (`absurd-sdk`) on PostgreSQL: tasks of five trivial steps. Prints one JSON object.

python -m benchmarks.peers.absurd.run [--shape live|burndown] [--cache FOLDER]
"""

from pathlib import Path
from typing import Any

from benchmarks.peers import ground

HERE = Path(__file__).resolve().parent
REQUIREMENTS = HERE / "requirements.txt"
PEER = ground.Peer("Absurd", ground.pinned(REQUIREMENTS, "absurd-sdk"), steps=5)

STORED = """
WITH complete AS (
    SELECT task_id FROM absurd.c_peer WHERE status = 'committed' AND state IS NOT NULL
    GROUP BY task_id HAVING count(*) = {steps}
)
SELECT count(*), count(complete.task_id) FILTER (WHERE state = 'completed' AND completed_payload IS NOT NULL)
FROM absurd.t_peer AS task LEFT JOIN complete ON complete.task_id = task.task_id
"""


def measure(
    database: ground.Database, shape: ground.Shape, seconds: float, runs: int, cache: str | None
) -> dict[str, Any]:
    if database != "postgresql":
        raise ValueError("Absurd knows PostgreSQL only.")
    with ground.folder(cache, "absurd") as where, ground.postgres("absurd") as url:
        worker = [ground.python(where, REQUIREMENTS), str(HERE / "worker.py")]
        outcome = ground.work(worker, url=url, shape=shape, seconds=seconds, runs=runs)
        started, completed = ground.query(url, STORED.format(steps=PEER.steps))[0]
        ground.complete(outcome, started, completed)
    return PEER.figures(database, shape, outcome)


if __name__ == "__main__":
    ground.command_line(__doc__ or "", measure, ("postgresql",))
