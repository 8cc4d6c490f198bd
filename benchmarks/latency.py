"""Latency from request to stored result at a steady 200 messages a second: an open loop, so that a slow answer counts.

A message's latency ends when its outcome is committed (`?wait=`), and begins when it was due to be sent.
"""

import asyncio
import time
from typing import Any

import httpx2

from benchmarks.platform import Running, platform
from benchmarks.report import Series, options, publish
from benchmarks.workload import MESSAGE

BAR, GOAL = (15.0, 60.0), (8.0, 30.0)


async def steady(running: Running, rate: int, seconds: float) -> list[float]:
    """The latencies in ms of a run at `rate` messages a second."""
    headers = {"Authorization": f"Bearer {running.key}", "Content-Type": "application/json"}
    found: list[float] = []
    limits = httpx2.Limits(max_connections=200, max_keepalive_connections=200)
    async with httpx2.AsyncClient(base_url=running.url, headers=headers, limits=limits, trust_env=False) as client:

        async def one(due: float) -> None:
            response = await client.post("/v1/messages?wait=30", content=MESSAGE)
            assert response.status_code == 200, response.text
            found.append((time.perf_counter() - due) * 1000)

        began = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            for number in range(int(rate * seconds)):
                due = began + number / rate
                await asyncio.sleep(max(0.0, due - time.perf_counter()))
                group.create_task(one(due))
    return sorted(found)


def percentile(values: list[float], share: float) -> float:
    return values[min(len(values) - 1, int(len(values) * share))]


def main() -> None:
    parser = options(__doc__ or "")
    parser.add_argument("--rate", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=10.0)
    wanted = parser.parse_args()
    p50, p99 = [], []
    with platform() as running:
        asyncio.run(steady(running, wanted.rate, 3.0))
        for _ in range(wanted.rounds):
            values = asyncio.run(steady(running, wanted.rate, wanted.seconds))
            p50.append(percentile(values, 0.5))
            p99.append(percentile(values, 0.99))
    middle, tail = Series(p50), Series(p99)
    rows = [
        (f"p50 at {wanted.rate}/s", f"{middle.median:.1f} ms (bar {BAR[0]:.0f}, goal {GOAL[0]:.0f})"),
        (f"p99 at {wanted.rate}/s", f"{tail.median:.1f} ms (bar {BAR[1]:.0f}, goal {GOAL[1]:.0f})"),
    ]
    figures: dict[str, Any] = {"rate": wanted.rate, "p50Ms": middle.rounded(), "p99Ms": tail.rounded()}
    publish("latency", rows, figures, as_json=wanted.json)


if __name__ == "__main__":
    main()
