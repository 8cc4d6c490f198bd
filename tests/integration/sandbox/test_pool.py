"""Who is to blame when a process dies, and what becomes of the others that were in it."""

import asyncio
import os
import signal
import time
from dataclasses import replace

from pulse.sandbox.port import Answer, Asked, Job, Verdict
from tests import sandbox_support as support
from tests.sandbox_support import QUICK, Held, body, ending, evaluate, job, ok, result, running, tenant, with_limits

WAITS = "___result___ = await call('begun')"
BOMB = "await call('begun'); const a = []; while (true) a.push({ a })"
# Small, so that memory is used up soon; with all the time that this may take on a busy machine.
NARROW = with_limits(isolate_memory=24, script_timeout_ms=15_000)


async def test_a_message_that_runs_too_long_fails_and_the_others_finish() -> None:
    effects, of = Held(), tenant()
    async with running(QUICK) as sandbox:
        others = [asyncio.create_task(evaluate(sandbox, WAITS, of, effects)) for _ in range(5)]
        await effects.next(5)
        first = sandbox.pids(of)

        guilty = await evaluate(sandbox, "while (true);", of)

        for call in await effects.next(5):
            effects.answer(call, ok("later"))
        assert [result(await other) for other in others] == ["later"] * 5
        assert (guilty.status, guilty.error_type, guilty.code) == ("fail", "TimeoutError", "script_timeout")
        assert "SCRIPT_TIMEOUT" in body(guilty)["errors"][0]["suggestion"]
        assert len(first) == 1
        assert first != sandbox.pids(of)


async def test_memory_convicts_only_who_dies_alone() -> None:
    effects, echo, of = Held(), support.Echo(), tenant()
    async with running(NARROW) as sandbox:
        others = [asyncio.create_task(evaluate(sandbox, WAITS, of, effects)) for _ in range(3)]
        await effects.next(3)

        bomb = asyncio.create_task(sandbox.evaluate(job(BOMB, of, job_id="bomb"), echo))
        for call in await effects.next(3):
            effects.answer(call, ok(call.job.id))

        assert [ending(await other) for other in others] == ["success"] * 3
        verdict = await bomb
        assert (verdict.status, verdict.error_type, verdict.code) == ("fail", "SandboxCrash", "sandbox_crash")
        assert echo.runs_of("bomb") == 4, "once with the others, then three times alone"
        assert effects.asked.empty()


async def test_messages_of_a_process_killed_from_outside_finish_elsewhere() -> None:
    effects, of = Held(), tenant()
    async with running(with_limits(busy_processes=1)) as sandbox:
        tasks = [asyncio.create_task(evaluate(sandbox, WAITS, of, effects)) for _ in range(8)]
        await effects.next(8)
        [pid] = sandbox.pids(of)

        os.kill(pid, signal.SIGKILL)

        calls = await effects.next(2)
        while sandbox._starting:
            await asyncio.gather(*sandbox._starting.values())
        assert len(sandbox.pids(of)) == 2, "suspects run alone, but not all at once"
        for _ in range(8):
            effects.answer(calls.pop() if calls else (await effects.next(1))[0], ok("elsewhere"))
        assert [result(await task) for task in tasks] == ["elsewhere"] * 8
        assert pid not in sandbox.pids(of)


async def test_an_error_in_a_process_short_of_memory_is_no_verdict_yet() -> None:
    effects, echo, of = Held(), support.Echo(), tenant()
    heavy = "const held = new Uint8Array(50e6).fill(1); ___result___ = (await call('begun')) + held[0]"
    async with running() as sandbox:
        other = asyncio.create_task(evaluate(sandbox, heavy, of, effects))
        await effects.next(1)

        failing = await sandbox.evaluate(job("await call(1); throw new TypeError('mine')", of, job_id="failing"), echo)
        effects.answer((await effects.next(1))[0], ok(1))

        assert ending(failing) == "TypeError"
        assert echo.runs_of("failing") == 2, "once beside the heavy one, once alone"
        assert result(await other) == 2


async def test_an_error_with_memory_to_spare_is_believed_at_once() -> None:
    echo, of = support.Echo(), tenant()
    async with running() as sandbox:
        failing = await sandbox.evaluate(job("await call(1); throw new TypeError('mine')", of, job_id="failing"), echo)
        assert (ending(failing), echo.runs_of("failing")) == ("TypeError", 1)


async def test_a_message_may_not_wait_for_ever() -> None:
    effects, of = Held(), tenant()
    async with running(with_limits(message_timeout_ms=300)) as sandbox:
        verdict = await evaluate(sandbox, WAITS, of, effects)
        before = sandbox.pids(of)

        assert (verdict.error_type, verdict.code) == ("TimeoutError", "message_timeout")
        assert "MESSAGE_TIMEOUT" in body(verdict)["errors"][0]["suggestion"]
        assert result(await evaluate(sandbox, "___result___ = 1", of)) == 1
        assert effects.at_once == 0, "its effect is cancelled"
        assert sandbox.pids(of) == before


async def test_a_cancelled_message_is_dropped_and_the_process_goes_on() -> None:
    effects, of = Held(), tenant()
    async with running() as sandbox:
        dropped, stays = (asyncio.create_task(evaluate(sandbox, WAITS, of, effects)) for _ in range(2))
        first, second = await effects.next(2)
        before = sandbox.pids(of)

        dropped.cancel()
        await asyncio.wait([dropped])

        assert dropped.cancelled()
        effects.answer(second if first.job.id < second.job.id else first, ok("stays"))
        assert result(await stays) == "stays"
        assert effects.at_once == 0
        assert sandbox.pids(of) == before


async def test_a_cancelled_message_that_loops_harms_nobody() -> None:
    effects, of = Held(), tenant()
    async with running(QUICK) as sandbox:
        other = asyncio.create_task(evaluate(sandbox, WAITS, of, effects))
        await effects.next(1)
        loops = asyncio.create_task(evaluate(sandbox, "await call(1); while (true);", of, effects))
        effects.answer((await effects.next(1))[0], ok(1))
        loops.cancel()
        await asyncio.wait([loops])

        assert result(await evaluate(sandbox, "___result___ = 'next'", of)) == "next"
        effects.answer((await effects.next(1))[0], ok("again"))
        assert result(await other) == "again"


async def test_a_message_that_waits_for_a_place_can_be_cancelled() -> None:
    effects, of = Held(), tenant()
    async with running(with_limits(in_flight=1, busy_processes=1)) as sandbox:
        inside = asyncio.create_task(evaluate(sandbox, WAITS, of, effects))
        [call] = await effects.next(1)
        outside = [asyncio.create_task(evaluate(sandbox, "___result___ = 2", of)) for _ in range(3)]
        outside[1].cancel()
        await asyncio.wait([outside[1]])
        effects.answer(call, ok(1))
        assert [result(await inside), result(await outside[0]), result(await outside[2])] == [1, 2, 2]


async def test_the_same_message_twice_at_once_has_two_verdicts() -> None:
    effects, of = Held(), tenant()

    async def attempt() -> Verdict:
        async with asyncio.timeout(20):
            return await sandbox.evaluate(job(WAITS, of, job_id="the same"), effects)

    async with running() as sandbox:
        first = asyncio.create_task(attempt())
        [call] = await effects.next(1)
        second = asyncio.create_task(attempt())
        effects.answer(call, ok("first"))
        effects.answer((await effects.next(1))[0], ok("second"))
        assert [result(await first), result(await second)] == ["first", "second"]


async def test_a_message_that_comes_again_while_its_last_attempt_runs_on() -> None:
    effects, of = Held(), tenant()
    async with running() as sandbox:
        first = asyncio.create_task(sandbox.evaluate(job(WAITS, of, job_id="again"), effects))
        effects.answer((await effects.next(1))[0], ok("old"))
        first.cancel()
        second = asyncio.create_task(sandbox.evaluate(job(WAITS, of, job_id="again"), effects))
        effects.answer((await effects.next(1))[0], ok("new"))
        async with asyncio.timeout(20):
            assert result(await second) == "new"


async def test_a_parent_that_was_held_up_blames_nobody() -> None:
    of = tenant()
    async with running(QUICK) as sandbox:
        await evaluate(sandbox, "print('warm')", of)
        message = asyncio.create_task(evaluate(sandbox, "___result___ = 'done'", of))
        until = time.monotonic() + 1.2
        asyncio.get_running_loop().call_soon(hold_up, until)
        assert result(await message) == "done"


def hold_up(until: float) -> None:
    """Keeps the event loop from hearing anything, as a frozen machine would."""
    while time.monotonic() < until:
        pass


class Stubborn(Held):
    """An effect that cannot be cancelled."""

    async def call(self, job: Job, asked: Asked) -> Answer:
        try:
            return await super().call(job, asked)
        except asyncio.CancelledError:
            return ok("too late")


async def test_an_answer_that_comes_after_the_death_changes_nothing() -> None:
    effects, of = Stubborn(), tenant()
    async with running(replace(QUICK, busy_processes=1)) as sandbox:
        waits = asyncio.create_task(evaluate(sandbox, WAITS, of, effects))
        await effects.next(1)
        assert (await evaluate(sandbox, "while (true);", of)).code == "script_timeout"
        effects.answer((await effects.next(1))[0], ok("in time"))
        assert result(await waits) == "in time"
        # The only turn there is has not been lost.
        assert result(await evaluate(sandbox, "___result___ = 1", tenant())) == 1
