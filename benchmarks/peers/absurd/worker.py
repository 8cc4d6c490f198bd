"""Absurd at work, in its own virtual environment: `worker.py '{"url": …, "shape": …, "seconds": …, "runs": …}'`.

Absurd's schema comes inside the package `absurdctl`, whose command `absurdctl init` would apply the same text by psql.
Absurd gets what was its best of what was tried here (0.5.1, two cores, PostgreSQL 15 on the same machine), in runs/s of
five steps: a client holds one connection, so concurrency is several workers in one process, each with its own client.
- live: the sync client in 4 threads 287-302 claiming one task at a time, 322 claiming 5, 314-342 claiming 20, 324-339
  claiming 50; 3 threads 207, 6 312-337, 8 269-309. The async client with 4 workers 253-297, 8 279-329, 16 252; 2
  workers with 10 tasks each on one connection 232. Polling every 5 or 20 ms when idle: alike.
- burndown: the sync client in 4 threads claiming 20 352, in 8 345-366, in 16 359; the async client with 8 workers
  260-360.
Two processes at once, each with a database of its own, reach 335 together.
"""

import json
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg  # type: ignore[import-not-found]  # only the peer's own environment has these three
from absurd_sdk import Absurd  # type: ignore[import-not-found]
from absurdctl import BUNDLED_SCHEMA_SQL  # type: ignore[import-not-found]

QUEUE, TASK, STEPS = "peer", "five-steps", 5
WARM_UP_SECONDS = 2.0
BEST: dict[str, Any] = {"workers": 4, "batchSize": 20, "pollingSeconds": 0.02, "backlog": 160}

# Appended to by every task as its last act, before Absurd stores the result: cheaper to watch than the database.
finished: list[int] = []


def five_steps(parameters: dict[str, int], context: Any) -> dict[str, int]:
    result = {"step": 0}
    for number in range(1, STEPS + 1):
        result = context.step(f"step-{number}", lambda number=number: {"step": number})
    finished.append(parameters["number"])
    return result


def client(connection: Any) -> Any:
    made = Absurd(connection, queue_name=QUEUE)
    made.register_task(TASK)(five_steps)
    return made


@contextmanager
def workers(url: str, settings: dict[str, Any]) -> Iterator[None]:
    clients = [client(url) for _ in range(settings["workers"])]
    threads = [
        threading.Thread(
            target=one.start_worker,
            kwargs={
                "worker_id": f"worker-{index}",
                "batch_size": settings["batchSize"],
                "poll_interval": settings["pollingSeconds"],
            },
        )
        for index, one in enumerate(clients)
    ]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        for one in clients:
            one.stop_worker()
        for thread in threads:
            thread.join()
        for one in clients:
            one.close()


def live(url: str, watch: Any, seconds: float, settings: dict[str, Any]) -> dict[str, Any]:
    """One producer spawns the next task as soon as fewer than `backlog` are unfinished."""
    producer = client(url)
    total = 0

    def produce(until: float) -> None:
        nonlocal total
        while time.perf_counter() < until:
            if total - len(finished) >= settings["backlog"]:
                time.sleep(0.001)
            else:
                producer.spawn(TASK, {"number": total})
                total += 1

    with workers(url, settings):
        produce(time.perf_counter() + WARM_UP_SECONDS)
        before, began = completed(watch), time.perf_counter()
        produce(began + seconds)
        runs, took = completed(watch) - before, time.perf_counter() - began
        wait(watch, total)
    producer.close()
    return {"runs": runs, "seconds": took, "total": total}


def burndown(url: str, watch: Any, runs: int, settings: dict[str, Any]) -> dict[str, Any]:
    """All are spawned before the workers start; the clock runs from their start to the last result."""
    with psycopg.connect(url) as connection:
        producer = client(connection)
        for number in range(runs):
            producer.spawn(TASK, {"number": number})
    began = time.perf_counter()
    with workers(url, settings):
        wait(watch, runs)
        took = time.perf_counter() - began
    return {"runs": runs, "seconds": took, "total": runs}


def completed(watch: Any) -> int:
    statement = "SELECT count(*) FROM absurd.t_peer WHERE state = 'completed'"
    return int(watch.execute(statement).fetchone()[0])


def wait(watch: Any, runs: int) -> None:
    while len(finished) < runs or completed(watch) < runs:
        time.sleep(0.01)


def main() -> None:
    asked = json.loads(sys.argv[1])
    url: str = asked["url"]
    settings = {**BEST, **asked.get("settings", {})}
    with psycopg.connect(url, autocommit=True) as watch:
        watch.execute(BUNDLED_SCHEMA_SQL)
        client(watch).create_queue(QUEUE)
        if asked["shape"] == "live":
            outcome = live(url, watch, asked["seconds"], settings)
        else:
            outcome = burndown(url, watch, asked["runs"], settings)
    print(json.dumps({**outcome, "settings": settings}))


if __name__ == "__main__":
    main()
