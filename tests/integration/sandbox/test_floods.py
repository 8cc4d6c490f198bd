"""Workflows that say a lot: what is kept is bounded in bytes, and no message is lost because of what it says.

A verdict that is too large ends its process, and after four times its message: everything that scripts left is lost,
and so is the log.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from msgspec.structs import replace

from pulse.sandbox.deno.limits import Limits
from pulse.sandbox.deno.pool import DenoSandbox
from pulse.sandbox.port import Plan, Trial, Verdict
from tests.sandbox_support import Echo, action, body, event, job, running, tenant

LIST: dict[str, Any] = {"mode": "Iterable", "logicField": "list", "logicPath": ["list"]}
WORDY = {"name": "given", "parts": ["x", {"name": "n" * 3_500, "path": ["n" * 3_500]}]}


@pytest.fixture(scope="module")
async def sandbox() -> AsyncIterator[DenoSandbox]:
    """With the limits of an installation that sets none."""
    async with running(Limits()) as started:
        yield started


def each(count: int, script: str, **fields: Any) -> Plan:
    """A workflow that runs the script for each item of a list so long."""
    nodes = [event(f"list = Array({count}).fill(1)", **LIST), action(script, **fields)]
    tree = {"node": 0, "children": [{"node": 1, "children": []}]}
    contents = {"workflowId": "w1", "name": "Flood", "version": 1, "nodes": nodes, "refs": ["n0", "n1"], "tree": tree}
    plan_id = f"flood {hash((count, script, str(fields)))}"
    return Plan(plan_id, json.dumps({"id": plan_id, **contents}))


async def verdict_of(sandbox: DenoSandbox, plan: Plan, trial: Trial | None = None) -> Verdict:
    async with asyncio.timeout(40):
        return await sandbox.evaluate(replace(job([plan], tenant()), trial=trial), Echo())


async def test_many_errors_in_few_words(sandbox: DenoSandbox) -> None:
    verdict = await verdict_of(sandbox, each(12_000, "null.x", onError="continue"))
    told = body(verdict)
    assert (verdict.status, verdict.error_type, told["errorCount"], len(told["errors"])) == (
        "fail",
        "TypeError",
        12_000,
        1_000,
    )
    assert told["log"][-1]["action"] == "cut"


async def test_many_errors_in_many_words(sandbox: DenoSandbox) -> None:
    verdict = await verdict_of(sandbox, each(5_000, "throw new Error('x'.repeat(3_900))", onError="continue"))
    assert (verdict.status, verdict.error_type) == ("fail", "Error")


async def test_many_warnings_in_many_words(sandbox: DenoSandbox) -> None:
    verdict = await verdict_of(sandbox, each(9_900, "sum = (globalThis.sum ?? 0) + 1", arguments=[WORDY]))
    assert (verdict.status, body(verdict)["globals"]["sum"]) == ("success", 9_900)


async def test_a_long_list_is_tried_in_a_test_run(sandbox: DenoSandbox) -> None:
    verdict = await verdict_of(sandbox, each(2_000, "1"), Trial())
    assert (verdict.status, len(body(verdict)["visits"])) == ("success", 2_001)


async def test_a_long_list_that_changes_is_tried_in_a_test_run(sandbox: DenoSandbox) -> None:
    verdict = await verdict_of(sandbox, each(10_000, "list[___iterableIndex___] = 2"), Trial())
    assert verdict.status == "success"
