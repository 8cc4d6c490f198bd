"""BullMQ on Redis with the seed's documented statements a step on PostgreSQL: runs of three action steps.

Each step is a job: claim, complete, advance the run, insert the next step and enqueue its job; 50 jobs at once.
Prints one JSON object.

python -m benchmarks.peers.bullmq.run [--shape live|burndown] [--cache FOLDER]
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from redis import Redis

from benchmarks.peers import ground

HERE = Path(__file__).resolve().parent
REDIS = "redis://127.0.0.1:6379"
PINS: dict[str, str] = json.loads((HERE / "package.json").read_text())["dependencies"]
PEER = ground.Peer("BullMQ and the seed's statements", PINS["bullmq"], steps=3)

STORED = """
WITH complete AS (
    SELECT run_id FROM pulse_workflow_step_runs WHERE status = 'completed' AND result IS NOT NULL
    GROUP BY run_id HAVING count(*) = {steps}
)
SELECT count(*), count(complete.run_id) FILTER (
    WHERE status = 'completed' AND current_step_index = {steps} AND context ?& ARRAY['first', 'second', 'third']
)
FROM pulse_workflow_runs AS run LEFT JOIN complete ON complete.run_id = run.id
"""


def install(where: Path) -> None:
    """Install the pinned versions below `where`, unless they are there."""
    if {name: installed_version(where, name) for name in PINS} != PINS:
        shutil.copy(HERE / "package.json", where)
        command = ["npm", "install", "--ignore-scripts", "--no-package-lock", "--no-audit", "--no-fund"]
        subprocess.run(command, cwd=where, check=True, stdout=sys.stderr)


def installed_version(where: Path, name: str) -> str | None:
    manifest = where / "node_modules" / name / "package.json"
    return json.loads(manifest.read_text())["version"] if manifest.exists() else None


@contextmanager
def prefix() -> Iterator[str]:
    """A prefix of Redis keys of our own; whatever begins with it is gone at the end."""
    name = f"pulse-peer-bullmq-{os.getpid()}"
    try:
        yield name
    finally:
        with Redis.from_url(REDIS) as redis:
            for key in redis.scan_iter(f"{name}:*", count=1000):
                redis.unlink(key)


def measure(
    database: ground.Database, shape: ground.Shape, seconds: float, runs: int, cache: str | None
) -> dict[str, Any]:
    if database != "postgresql":
        raise ValueError("The seed knows PostgreSQL only.")
    with ground.folder(cache, "bullmq") as where, ground.postgres("bullmq") as url, prefix() as keys:
        install(where)
        worker = ["node", str(HERE / "worker.mjs"), str(where)]
        outcome = ground.work(worker, url=url, redis=REDIS, prefix=keys, shape=shape, seconds=seconds, runs=runs)
        started, completed = ground.query(url, STORED.format(steps=PEER.steps))[0]
        ground.complete(outcome, started, completed)
    return PEER.figures(database, shape, outcome)


if __name__ == "__main__":
    ground.command_line(__doc__ or "", measure, ("postgresql",))
