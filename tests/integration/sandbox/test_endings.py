"""Nothing outlives the sandbox: not a child, not a wait; whether it is stopped or its process is killed."""

import asyncio
import contextlib
import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import uvloop

from pulse.core.errors import Misconfigured, SandboxStopped
from tests import sandbox_support as support
from tests.sandbox_support import QUICK, SMALL, Held, evaluate, is_alive, result, running, tenant, with_limits

ROOT = Path(__file__).resolve().parents[3]


async def test_stop_ends_all_children_and_fails_what_is_under_way() -> None:
    effects = Held()
    async with running(with_limits(in_flight=1, busy_processes=1)) as sandbox:
        of = [tenant(), tenant()]
        tasks = [asyncio.create_task(evaluate(sandbox, "await call(1)", each, effects)) for each in of]
        await effects.next(2)
        tasks += [
            asyncio.create_task(evaluate(sandbox, "0", of[0])),
            asyncio.create_task(evaluate(sandbox, "0", of[0])),
        ]
        await asyncio.gather(*sandbox._nursery._warming)
        pids = [*sandbox.pids(of[0]), *sandbox.pids(of[1]), *(spare.pid for spare in sandbox._nursery._spares)]
        assert all(is_alive(pid) for pid in pids)
        assert len(pids) == 3

        await sandbox.stop()

        assert not any(is_alive(pid) for pid in pids)
        ends = await asyncio.gather(*tasks, return_exceptions=True)
        assert [type(end) for end in ends] == [SandboxStopped] * 4
        with pytest.raises(SandboxStopped):
            await evaluate(sandbox, "0", of[0])


async def test_stop_ends_a_script_that_loops() -> None:
    async with running(with_limits(script_timeout_ms=60_000)) as sandbox:
        effects, of = Held(), tenant()
        task = asyncio.create_task(evaluate(sandbox, "await call(1); while (true);", of, effects))
        [call] = await effects.next(1)
        [pid] = sandbox.pids(of)
        effects.answer(call, support.ok(1))
        async with asyncio.timeout(5):
            await sandbox.stop()
        assert not is_alive(pid)
        with pytest.raises(SandboxStopped):
            await task


async def test_stop_while_processes_are_being_started() -> None:
    started: list[str] = []

    def slow() -> list[str]:
        started.append("")
        return support.argv(SMALL)() if len(started) == 1 else [sys.executable, "-c", "import sys; sys.stdin.read()"]

    async with running(SMALL, slow) as sandbox:
        await evaluate(sandbox, "0", tenant())
        tasks = [asyncio.create_task(evaluate(sandbox, "0", tenant())) for _ in range(3)]
        await asyncio.wait(tasks, timeout=0.05)
        async with asyncio.timeout(5):
            await sandbox.stop()
        ends = await asyncio.gather(*tasks, return_exceptions=True)
        assert [type(end) for end in ends] == [SandboxStopped] * 3


async def test_stopping_twice_is_no_fault() -> None:
    async with running() as sandbox:
        await evaluate(sandbox, "0", tenant())
        await sandbox.stop()


async def test_a_program_that_does_not_exist_is_told_at_the_start() -> None:
    with pytest.raises(Misconfigured, match="cannot be started"):
        async with running(SMALL, lambda: ["/nowhere/deno"]):
            raise AssertionError("it has started")


PARENT = """
import asyncio, sys
from tests import sandbox_support as support

async def main():
    async with support.running(support.with_limits(script_timeout_ms=600_000)) as sandbox:
        busy, idle = support.tenant(), support.tenant()
        await support.evaluate(sandbox, "0", busy)
        looping = asyncio.create_task(sandbox.evaluate(support.job("while (true);", busy), support.Echo()))
        # By the time this one is answered, the other one's frame has been sent.
        await support.evaluate(sandbox, "0", idle)
        await asyncio.gather(*sandbox._nursery._warming)
        pids = [*sandbox.pids(busy), *sandbox.pids(idle), *(spare.pid for spare in sandbox._nursery._spares)]
        print(*pids, flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's help is Linux's")
def test_children_die_with_a_parent_that_is_killed() -> None:
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}/src:{ROOT}"}
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, env=environment) as parent:
        assert parent.stdout is not None
        pids = [int(pid) for pid in parent.stdout.readline().split()]
        watched = [os.pidfd_open(pid) for pid in pids]
        parent.send_signal(signal.SIGKILL)
    ended = [bool(select.select([descriptor], [], [], 10)[0]) for descriptor in watched]
    for descriptor in watched:
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(descriptor, signal.SIGKILL)
        os.close(descriptor)
    assert ended == [True] * 3, "a child has outlived its parent"


def test_it_runs_on_uvloop_as_well() -> None:
    """What production uses; its transports differ in when they tell what."""

    async def scenario() -> None:
        of = tenant()
        async with running(QUICK) as sandbox:
            large = "___result___ = 'x'.repeat(1e6) + (await call('y'.repeat(5e5)))"
            assert len(result(await evaluate(sandbox, large, of))) == 1_500_000
            [pid] = sandbox.pids(of)
            looping = asyncio.create_task(evaluate(sandbox, "while (true);", of))
            assert (await looping).code == "script_timeout"
            assert result(await evaluate(sandbox, "___result___ = 1", of)) == 1
            assert not is_alive(pid)
            last = sandbox.pids(of)
        assert not any(is_alive(pid) for pid in last)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(scenario())
