"""Runs a second, with a live producer and from a backlog, beside DBOS, BullMQ and Absurd in the same minutes."""

import sqlite3
import statistics
import sys
from contextlib import closing
from typing import Any

from benchmarks.engine.application import storage
from benchmarks.peers import ground
from benchmarks.peers.absurd.run import measure as absurd
from benchmarks.peers.bullmq.run import measure as bullmq
from benchmarks.peers.dbos.run import measure as dbos

# (peer, database, steps a run, bar, goal); the ratio is one of runs, and for Absurd one of steps.
PEERS: dict[str, tuple[ground.Measure, ground.Database, int, int, int]] = {
    "DBOS, PostgreSQL": (dbos, "postgresql", 3, 12, 30),
    "BullMQ, PostgreSQL": (bullmq, "postgresql", 3, 3, 6),
    "Absurd, PostgreSQL": (absurd, "postgresql", 5, 4, 12),
    "DBOS, SQLite": (dbos, "sqlite", 3, 20, 50),
}
SHAPES: tuple[ground.Shape, ...] = ("live", "burndown")
STORED = """
SELECT (SELECT count(*) FROM pulse_workflow_runs), count(*) FROM (
    SELECT step.run_id FROM pulse_workflow_step_runs AS step JOIN pulse_workflow_runs AS run ON run.id = step.run_id
    WHERE step.status = 'completed' AND step.result IS NOT NULL AND run.status = 'completed'
    GROUP BY step.run_id HAVING count(*) = {steps}
) AS complete
"""


def pulse(database: ground.Database, shape: ground.Shape, steps: int, seconds: float, runs: int) -> dict[str, Any]:
    """One measurement of Pulse, in a process of its own, verified in the database as the peers are."""
    with storage(database) as url:
        worker = [sys.executable, "-m", "benchmarks.engine.application"]
        outcome = ground.work(worker, url=url, shape=shape, steps=steps, seconds=seconds, runs=runs)
        ground.complete(outcome, *stored(url, steps))
    rate = outcome["runs"] / outcome["seconds"]
    return {**outcome, "runsPerSecond": round(rate, 1), "stepsPerSecond": round(rate * steps, 1)}


def stored(url: str, steps: int) -> tuple[int, int]:
    """How many runs there are, and how many of them are complete."""
    statement = STORED.format(steps=steps)
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(url.partition(":///")[2])) as connection:
            started, complete = connection.execute(statement).fetchone()
    else:
        started, complete = ground.query(url.replace("+asyncpg", ""), statement)[0]
    return started, complete


def compared(rounds: int, seconds: float, runs: int, cache: str | None) -> dict[str, Any]:
    """Every peer in every shape, Pulse and the peer in turn; medians."""
    found: dict[str, Any] = {}
    for name, (measure, database, steps, bar, goal) in PEERS.items():
        for shape in SHAPES:
            key = f"{name}, {shape}"
            ours, theirs = [], []
            for _ in range(rounds):
                theirs.append(measure(database, shape, seconds, max(200, runs // 10), cache)["stepsPerSecond"])
                ours.append(pulse(database, shape, steps, seconds, runs)["stepsPerSecond"])
            print(f"  {key}: {ours} beside {theirs} steps/s", file=sys.stderr)
            found[key] = {
                "pulseRunsPerSecond": round(statistics.median(ours) / steps, 1),
                "peerRunsPerSecond": round(statistics.median(theirs) / steps, 1),
                "pulseStepsPerSecond": {"min": min(ours), "max": max(ours)},
                "peerStepsPerSecond": {"min": min(theirs), "max": max(theirs)},
                "ratio": round(statistics.median(ours) / statistics.median(theirs), 2),
                "bar": bar,
                "goal": goal,
            }
    return found
