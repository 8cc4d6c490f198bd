"""What a node costs in workflows of several shapes, beside three nodes as in the main job; and 10,000 workflows by one.

The evaluator and its sandbox alone: nothing is stored. The cost of a node is the sandbox process's CPU time, divided by
the nodes that were visited.
"""

import asyncio
import time
from collections.abc import Iterable
from typing import Any, cast

from benchmarks.report import Series, options, publish
from benchmarks.sandbox import cpu_seconds, pin
from benchmarks.shapes import Shape, many, shapes
from benchmarks.workload import MESSAGE
from pulse.core.clock import SystemClock
from pulse.effects.functions import ScriptEffects
from pulse.evaluator.evaluate import Evaluator
from pulse.messages.records import Work
from pulse.sandbox.deno.command import chosen_walls, command
from pulse.sandbox.deno.limits import Limits
from pulse.sandbox.deno.pool import DenoSandbox
from pulse.sandbox.port import Tenant
from pulse.tenancy.variables import NONE, Variables, VariableStore
from pulse.workflows.catalog import Catalog
from pulse.workflows.matching import Listing, Plans
from pulse.workflows.plan import WorkflowPlan

CONCURRENT = 32
NODE_BAR, MANY_BAR = 1.3, 0.8
TYPE = "github.pull_request"


class Fixed:
    """A catalog and variables that are what they are."""

    def __init__(self, plans: Iterable[WorkflowPlan]) -> None:
        self._plans = Plans(Listing(plan.workflow_id, plan.name, is_active=True, plan=plan) for plan in plans)

    async def plans(self, _organization: str, _environment: str) -> Plans:
        return self._plans

    async def values(self, _organization: str, _environment: str) -> Variables:
        return NONE


async def measure(plans: Iterable[WorkflowPlan], message: bytes, rounds: int, seconds: float) -> tuple[Series, Series]:
    """Messages a second of wall time, and a second of the sandbox process's CPU time."""
    limits = Limits(busy_processes=1, spare_processes=0, messages_per_process=1_000_000_000)
    sandbox, fixed = DenoSandbox(limits, command(limits, chosen_walls("auto"), [])), Fixed(plans)
    effects = ScriptEffects([], SystemClock())
    evaluator = Evaluator(cast(Catalog, fixed), cast(VariableStore, fixed), sandbox, effects, SystemClock())
    await sandbox.start()
    try:
        await _round(evaluator, message, 1.0)
        (pid,) = sandbox.pids(Tenant("org", "env"))
        pin(pid)
        await _round(evaluator, message, 1.0)
        wall, cpu = [], []
        for _ in range(rounds):
            before = cpu_seconds(pid)
            count, took = await _round(evaluator, message, seconds)
            wall.append(count / took)
            cpu.append(count / (cpu_seconds(pid) - before))
        return Series(wall), Series(cpu)
    finally:
        await sandbox.stop()


async def _round(evaluator: Evaluator, message: bytes, seconds: float) -> tuple[int, float]:
    count, began = 0, time.perf_counter()

    async def worker() -> None:
        nonlocal count
        while time.perf_counter() - began < seconds:
            count += 1
            work = Work(f"msg_{count}", "org", "env", 1, 0, time.time_ns() // 1_000_000, None, message, TYPE)
            outcome = await evaluator.evaluate(work)
            assert outcome.status == "success", outcome

    await asyncio.gather(*(worker() for _ in range(CONCURRENT)))
    return count, time.perf_counter() - began


def by_shape(rounds: int, seconds: float) -> tuple[list[tuple[str, str]], dict[str, Any]]:
    rows, figures, first = [], {}, 0.0
    for shape in shapes():
        wall, cpu = asyncio.run(measure([shape.plan], shape.message, rounds, seconds))
        node_us = 1_000_000 / cpu.median / shape.nodes
        first = first or node_us
        figures[shape.name] = _figure(shape, wall, cpu, node_us, node_us / first)
        told = f"{node_us:,.1f} us a node, {node_us / first:.2f}x that of three (bar {NODE_BAR}x)"
        rows.append((shape.name, f"{wall.median:,.0f} messages/s, {told}"))
    return rows, figures


def _figure(shape: Shape, wall: Series, cpu: Series, node_us: float, ratio: float) -> dict[str, Any]:
    measured = {"perSecond": wall.rounded(), "perCpuSecond": cpu.rounded()}
    return {
        **measured,
        "nodes": shape.nodes,
        "bytes": len(shape.message),
        "usANode": round(node_us, 2),
        "ratio": round(ratio, 2),
    }


def by_number(rounds: int, seconds: float) -> tuple[list[tuple[str, str]], dict[str, Any]]:
    """The same message, where its environment has 1, 10 (of 10,000 in 1,000 organizations) and 10,000 workflows."""
    rows, figures, first = [], {}, 0.0
    for count in (1, 10, 100, 10_000):
        wall, _ = asyncio.run(measure(many(count), MESSAGE, rounds, seconds))
        first = first or wall.median
        figures[str(count)] = {"perSecond": wall.rounded(), "ratio": round(wall.median / first, 2)}
        told = f"{wall.median:,.0f} messages/s, {wall.median / first:.2f}x of one (bar {MANY_BAR}x)"
        rows.append((f"{count:,} workflows", told))
    return rows, figures


def main() -> None:
    parser = options(__doc__ or "")
    parser.add_argument("--seconds", type=float, default=3.0)
    wanted = parser.parse_args()
    rows, figures = by_shape(wanted.rounds, wanted.seconds)
    more, counts = by_number(wanted.rounds, wanted.seconds)
    publish("evaluator", [*rows, *more], {"shapes": figures, "workflows": counts}, as_json=wanted.json)


if __name__ == "__main__":
    main()
