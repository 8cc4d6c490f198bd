"""DBOS at work, in its own virtual environment: `worker.py '{"url": …, "shape": …, "seconds": …, "runs": …}'`.

DBOS gets the best of what was tried here (3.4.0, two shared cores, PostgreSQL 15 beside it). In runs/s, each tried a
few times for four seconds:
- live, PostgreSQL: one producer with 8 in flight on 3 executor threads 156-162; 3 in flight 153-156; 8 on 2 threads
  144-148, 16 on 4 150. Callers that each wait for their own workflow 131-161, calling it directly 126-175. The async
  flavour, whose database calls go through threads all the same, 97-153. More than 3 or 4 threads at work only wait for
  each other's lock on the interpreter. No ping before a connection is lent: up to a tenth more. Pools of 4, 5 or 20
  connections, and no LISTEN/NOTIFY: no gain.
- live, SQLite, which has one writer at a time: one in flight 83-107, two 77-118, four 104; async 82-93.
- burndown, PostgreSQL: without a limit on the queue all are claimed at once; 3 threads then reach 170, 2 threads 157,
  4 threads 165, 8 threads 147. With a limit of 8 or 20 a worker waits for the next poll: 118-129, also when polling
  every 5 ms; a limit of 50 on 4 threads 162.
- burndown, SQLite: one thread 124, two 120, four 109; 39-81 with a limit on the queue.
Two processes at once, each with a database of its own, reach 187 together. Pulse's engine is one process; so is this.
"""

import json
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy
from dbos import DBOS, DBOSClient  # type: ignore[import-not-found]  # only the peer's own environment has it

QUEUE = "peer"
WARM_UP_SECONDS = 2.0

BEST: dict[str, dict[str, Any]] = {
    "postgresql": {"inFlight": 8, "threads": 3},
    "sqlite": {"inFlight": 1, "threads": 1},
}
ALWAYS: dict[str, Any] = {"poolSize": 20, "poolPrePing": False, "workerConcurrency": None, "pollingSeconds": 0.02}

Workflow = Callable[[int], dict[str, int]]

# Appended to by every workflow as its last act, before DBOS stores the result: cheaper to watch than the database.
finished: list[int] = []


def record(number: int) -> dict[str, int]:
    return {"step": number}


step: Workflow = DBOS.step()(record)


def three_steps(number: int) -> dict[str, int]:
    step(1)
    step(2)
    result = step(3)
    finished.append(number)
    return result


workflow: Workflow = DBOS.workflow()(three_steps)


@contextmanager
def launched(url: str, settings: dict[str, Any], *, listening: bool = True) -> Iterator[None]:
    DBOS(
        config={
            "name": "peer",
            "system_database_url": url,
            "sys_db_pool_size": settings["poolSize"],
            "db_engine_kwargs": {"pool_pre_ping": settings["poolPrePing"]},
            "max_executor_threads": settings["threads"],
            "log_level": "WARNING",
        }
    )
    if not listening:
        DBOS.listen_queues([])
    DBOS.launch()
    try:
        yield
    finally:
        DBOS.destroy()


def live(url: str, seconds: float, settings: dict[str, Any]) -> dict[str, Any]:
    """One producer starts the next workflow as soon as fewer than `inFlight` are without a stored result."""
    handles: deque[Any] = deque()
    total = 0

    def produce(until: float) -> int:
        nonlocal total
        stored = 0
        while time.perf_counter() < until:
            if len(handles) >= settings["inFlight"]:
                handles.popleft().get_result()
                stored += 1
            handles.append(DBOS.start_workflow(workflow, total))
            total += 1
        return stored

    with launched(url, settings):
        produce(time.perf_counter() + WARM_UP_SECONDS)
        began = time.perf_counter()
        runs = produce(began + seconds)
        took = time.perf_counter() - began
        for handle in handles:
            handle.get_result()
    return {"runs": runs, "seconds": took, "total": total}


def burndown(url: str, runs: int, settings: dict[str, Any]) -> dict[str, Any]:
    """All are enqueued before a worker listens to the queue; the clock runs from its launch to the last result."""
    engine = sqlalchemy.create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
    table = "workflow_status" if engine.dialect.name == "sqlite" else "dbos.workflow_status"
    succeeded = sqlalchemy.text(f"SELECT count(*) FROM {table} WHERE status = 'SUCCESS'")  # noqa: S608
    with launched(url, settings, listening=False):
        DBOS.register_queue(
            QUEUE, worker_concurrency=settings["workerConcurrency"], polling_interval_sec=settings["pollingSeconds"]
        )
    client = DBOSClient(system_database_url=url)
    with engine.begin() as connection:
        for number in range(runs):
            options = {"queue_name": QUEUE, "workflow_name": workflow.__qualname__}
            client.enqueue_in_transaction(connection, options, number)
    client.destroy()
    with launched(url, settings):
        began = time.perf_counter()
        while len(finished) < runs or count(engine, succeeded) < runs:
            time.sleep(0.01)
        took = time.perf_counter() - began
    return {"runs": runs, "seconds": took, "total": runs}


def count(engine: sqlalchemy.Engine, statement: sqlalchemy.TextClause) -> int:
    with engine.connect() as connection:
        return int(connection.execute(statement).scalar_one())


def main() -> None:
    asked = json.loads(sys.argv[1])
    url: str = asked["url"]
    settings = {**ALWAYS, **BEST[url.partition(":")[0]], **asked.get("settings", {})}
    if asked["shape"] == "live":
        outcome = live(url, asked["seconds"], settings)
    else:
        outcome = burndown(url, asked["runs"], settings)
    print(json.dumps({**outcome, "settings": settings}))


if __name__ == "__main__":
    main()
