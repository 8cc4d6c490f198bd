"""A child in the hands of whoever broke out of its realm: what it says is refused, its messages begin again elsewhere.

The child here is a Python program that speaks the protocol, wrongly in one of many ways.
"""

import asyncio
import itertools
import json
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import anyio
import pytest

from pulse.core.errors import SandboxStopped
from tests.sandbox_support import Echo, body, ending, evaluate, running, tenant, with_limits

CHILD = r"""
import json, os, sys
def say(header, payload=None):
    line = json.dumps(header) + ("" if payload is None else "\t" + payload) + "\n"
    sys.stdout.buffer.write(line.encode("utf-8", "surrogatepass")); sys.stdout.flush()
def raw(data):
    try: sys.stdout.buffer.write(data); sys.stdout.flush()
    except BrokenPipeError: pass
BODY = '{"log":[],"errors":[],"reasons":[],"kept":[],"globals":{},"tooLarge":[]}'
def done(h, **more): say({"t": "done", "n": h["n"], "id": h["id"], "status": "success", **more}, BODY)
def wait(h, asks): say({"t": "wait", "n": h["n"], "id": h["id"], "plans": [0] * asks.count('"seq"')}, asks)
def verdict(h, text): say({"t": "done", "n": h["n"], "id": h["id"], "status": "success"}, text)
def hang():
    while sys.stdin.buffer.readline(): pass
WAYS = {
    "good": lambda h: done(h),
    "garbage": lambda h: raw(b"garbage\n"),
    "nothing": lambda h: raw(b"\n"),
    "not text": lambda h: raw(b"\xff\xfe{}\n"),
    "wrong number": lambda h: done({**h, "n": h["n"] + 1}),
    "old number": lambda h: done({**h, "n": 0}),
    "wrong message": lambda h: done({**h, "id": "another"}),
    "no header": lambda h: raw(b'\t{}\n'),
    "a list": lambda h: raw(b'[1]\n'),
    "wrong types": lambda h: raw(b'{"t": 1, "n": "1"}\n'),
    "unknown answer": lambda h: say({"t": "obey", "n": h["n"], "id": h["id"]}),
    "ready again": lambda h: say({"t": "ready"}),
    "unknown status": lambda h: done(h, status="excellent"),
    "status of another kind": lambda h: done(h, status=["success"]),
    "half a character": lambda h: raw(b'{"t":"done","n":1,"error":"\\ud800"}\n'),
    "deep header": lambda h: raw(b'{"t":"done","x":' + b"[" * 100000 + b"]" * 100000 + b"}\n"),
    "no verdict": lambda h: verdict(h, ""),
    "verdict that is no JSON": lambda h: verdict(h, "{"),
    "verdict that is a list": lambda h: verdict(h, "[]"),
    "deep verdict": lambda h: verdict(h, '{"log":' + "[" * 100000 + "]" * 100000 + "}"),
    "giant verdict": lambda h: verdict(h, '{"log":"' + "x" * 6_000_000 + '"}'),
    "a line without an end": lambda h: raw(b"x" * 9_000_000),
    "asks that are no JSON": lambda h: wait(h, "garbage"),
    "asks without meaning": lambda h: wait(h, '[{"seq": "x"}]'),
    "deep asks": lambda h: wait(h, "[" * 100000 + "]" * 100000),
    "too many asks": lambda h: wait(h, json.dumps([{"seq": i, "fn": "call", "args": []} for i in range(1001)])),
    "giant asks": lambda h: wait(h, json.dumps([{"seq": 1, "fn": "call", "args": ["x" * 5_000_000]}])),
    "two answers": lambda h: (wait(h, "[]"), done(h)),
    "dies": lambda h: os._exit(1),
    "dies in the middle": lambda h: (raw(b'{"t":"done"'), os._exit(0)),
    "closes its output": lambda h: (os.close(1), os._exit(0)),
    "says nothing": lambda h: None,
    "waits": lambda h: wait(h, "[]") if not drops else verdict(h, json.dumps({"globals": {"drops": drops}})),
}
drops = []
mode = sys.argv[1]
if mode == "never ready": hang()
if mode == "dies at once": os._exit(3)
while mode.startswith("/") and not os.path.exists(mode): pass
if mode == "garbage first": raw(b"hello\n"); hang()
if mode == "speaks unasked": raw(b'{"t":"ready"}\n{"t":"done","n":1,"id":"x","status":"success"}\n'); hang()
say({"t": "ready"})
for line in sys.stdin.buffer:
    header = json.loads(line.split(b"\t")[0])
    if header["t"] == "run":
        WAYS["good" if mode.startswith("/") else mode](header)
    elif header["t"] == "drop":
        drops.append(header["id"]); say({"t": "dropped", "n": header["n"], "id": header["id"]})
    else:
        done(header)
"""
WAYS = [
    *("garbage", "nothing", "not text", "wrong number", "old number", "wrong message", "no header", "a list"),
    *("wrong types", "unknown answer", "ready again", "unknown status", "status of another kind", "half a character"),
    *("deep header", "no verdict", "verdict that is no JSON", "verdict that is a list", "deep verdict"),
    *("giant verdict", "a line without an end", "asks that are no JSON", "asks without meaning", "deep asks"),
    *("too many asks", "giant asks", "two answers", "dies", "dies in the middle", "closes its output"),
]
LIMITS = with_limits(spare_processes=0, frame_size=1 << 23, result_size=1 << 17, log_size=1 << 17, asks_size=1 << 20)


def children(*modes: str) -> tuple[Callable[[], list[str]], list[str]]:
    """What starts children that behave so, one after the other (the last for ever), and the list of those started."""
    started: list[str] = []
    order = itertools.chain(modes, itertools.repeat(modes[-1]))

    def start() -> list[str]:
        started.append(next(order))
        return [sys.executable, "-I", "-S", "-c", CHILD, started[-1]]

    return start, started


@pytest.mark.parametrize("way", WAYS)
async def test_a_child_that_lies_is_killed_and_its_message_begins_again(way: str) -> None:
    start, started = children(way, "good")
    async with running(LIMITS, start) as sandbox:
        verdict = await evaluate(sandbox, "x", tenant())
        assert (verdict.status, started) == ("success", [way, "good"])


@pytest.mark.parametrize("way", ["garbage", "dies", "giant verdict", "two answers"])
async def test_three_lone_deaths_end_the_message(way: str) -> None:
    start, started = children(way)
    async with running(LIMITS, start) as sandbox:
        verdict = await evaluate(sandbox, "x", tenant())
        assert (ending(verdict), len(started)) == ("SandboxCrash", 4)
        assert body(verdict)["errors"][0]["code"] == "sandbox_crash"


async def test_a_child_that_says_nothing_is_stopped_in_time() -> None:
    start, started = children("says nothing")
    async with running(replace(LIMITS, script_timeout_ms=500), start) as sandbox:
        verdict = await evaluate(sandbox, "x", tenant())
        assert (verdict.code, len(started)) == ("script_timeout", 1)


@pytest.mark.parametrize("way", ["dies at once", "never ready", "garbage first"])
async def test_a_child_that_does_not_start_is_told(way: str) -> None:
    limits = replace(LIMITS, boot_ms=300)
    start, _ = children("good", way)
    async with running(limits, start) as sandbox:
        assert (await evaluate(sandbox, "x", tenant())).status == "success"
        with pytest.raises(SandboxStopped, match="cannot be started"):
            await evaluate(sandbox, "x", tenant())
        assert sandbox.trouble is not None


async def test_a_child_is_told_what_to_drop() -> None:
    start, started = children("waits")
    async with running(replace(LIMITS, message_timeout_ms=300), start) as sandbox:
        of = tenant()
        assert (await evaluate(sandbox, "x", of, job_id="old")).code == "message_timeout"
        assert body(await evaluate(sandbox, "x", of))["globals"] == {"drops": ["old"]}
        assert len(started) == 1


async def test_trouble_is_over_when_a_process_starts_again() -> None:
    start, _ = children("good", "dies at once", "good")
    async with running(LIMITS, start) as sandbox:
        await evaluate(sandbox, "x", tenant())
        with pytest.raises(SandboxStopped):
            await evaluate(sandbox, "x", tenant())
        assert (await evaluate(sandbox, "x", tenant())).status == "success"
        assert sandbox.trouble is None


async def test_trouble_ends_by_itself() -> None:
    """Whoever is told that the platform is not ready sends it nothing that would make it try again."""
    start, _ = children("good", "dies at once", "good")
    async with running(LIMITS, start) as sandbox:
        await evaluate(sandbox, "x", tenant())
        with pytest.raises(SandboxStopped, match=r"cannot be started: it ended before it was ready\. `pulse doctor`"):
            await evaluate(sandbox, "x", tenant())
        while sandbox.trouble is not None:
            await anyio.wait_all_tasks_blocked()


async def test_a_child_is_not_late_because_its_platform_was_frozen(tmp_path: Path) -> None:
    told = tmp_path / "told"
    start, started = children("good", str(told))
    async with running(replace(LIMITS, boot_ms=1_000), start) as sandbox:
        await evaluate(sandbox, "x", tenant())
        evaluation = asyncio.create_task(evaluate(sandbox, "x", tenant()))
        while len(started) < 2:
            await anyio.wait_all_tasks_blocked()
        # Until the loop has stood still for longer than a child may take.
        stands_still_until = time.monotonic() + 1.5
        while time.monotonic() < stands_still_until:
            pass
        told.touch()
        assert (await evaluation).status == "success"


async def test_effects_that_a_child_invents_reach_no_more_than_the_tenants_own() -> None:
    """The parent passes on what is asked with the job it knows, whatever names the child gives."""
    start, _ = children("asks", "good")
    asks = json.dumps([{"seq": 1, "fn": "call", "args": [1], "id": "another", "tenant": "another"}])
    code = CHILD.replace('"dies": ', f'"asks": lambda h: wait(h, {asks!r}),\n    "dies": ', 1)
    effects, of = Echo(), tenant()
    async with running(LIMITS, lambda: [*start()[:4], code, "asks"]) as sandbox:
        await evaluate(sandbox, "x", of, effects, job_id="mine")
    assert [(call.job.id, call.job.tenant, call.seq) for call in effects.calls] == [("mine", of, 1)]
