"""Processes and tenants: none is shared, none is kept for nothing, and everybody has a turn."""

import asyncio
from dataclasses import dataclass, field

from pulse.sandbox.deno.pool import DenoSandbox
from pulse.sandbox.port import Answer, Asked, Job, Tenant
from tests import sandbox_support as support
from tests.sandbox_support import SMALL, Echo, Held, evaluate, ok, result, running, tenant, with_limits


async def test_tenants_never_share_a_process() -> None:
    effects, tenants = Held(), [tenant() for _ in range(4)]
    async with running() as sandbox:
        script = "___result___ = await call(1)"
        tasks = [asyncio.create_task(evaluate(sandbox, script, of, effects)) for of in tenants for _ in range(3)]
        calls = await effects.next(12)
        pids = [pid for of in tenants for pid in sandbox.pids(of)]
        for call in calls:
            effects.answer(call, ok(call.job.tenant.organization_id))
        for at, task in enumerate(tasks):
            assert result(await task) == tenants[at // 3].organization_id
        assert len(set(pids)) == len(pids) == 4

        # One environment of an organization is another tenant, too; and a process is never handed on.
        sibling = Tenant(tenants[0].organization_id, "another")
        await evaluate(sandbox, "print(1)", sibling)
        assert not set(sandbox.pids(sibling)) & set(pids)


async def test_globals_of_a_tenant_are_unknown_to_others() -> None:
    async with running() as sandbox:
        script = "___result___ = typeof planted; planted = 1; Array.prototype.planted = 1"
        for of in [tenant() for _ in range(3)]:
            assert result(await evaluate(sandbox, script, of)) == "undefined"


async def test_idle_processes_over_the_limit_end_the_longest_unused_first() -> None:
    tenants = [tenant() for _ in range(5)]
    async with running(with_limits(idle_processes=2)) as sandbox:
        processes = []
        for of in tenants:
            await evaluate(sandbox, "print(1)", of)
            processes.append(sandbox._houses[of][0].process)
        async with asyncio.timeout(10):
            await asyncio.gather(*(process.ended for process in processes[:3]))
        assert [process.alive for process in processes] == [False, False, False, True, True]
        assert sandbox.processes == 2
        assert result(await evaluate(sandbox, "___result___ = 1", tenants[0])) == 1


async def test_a_worn_process_is_replaced() -> None:
    of, pids = tenant(), set()
    async with running(with_limits(messages_per_process=5)) as sandbox:
        for n in range(17):
            assert result(await evaluate(sandbox, f"___result___ = {n}", of)) == n
            pids.update(sandbox.pids(of))
    assert len(pids) == 4


async def test_a_full_process_gets_a_second_one_beside_it() -> None:
    effects, of = Held(), tenant()
    async with running(with_limits(in_flight=2, busy_processes=2)) as sandbox:
        tasks = [asyncio.create_task(evaluate(sandbox, "await call(1)", of, effects)) for _ in range(6)]
        calls = await effects.next(4)
        assert len(sandbox.pids(of)) == 2
        for call in calls:
            effects.answer(call, ok(1))
        for call in await effects.next(2):
            effects.answer(call, ok(1))
        assert [(await task).status for task in tasks] == ["success"] * 6


async def test_bytes_in_flight_are_limited_too() -> None:
    effects, of = Held(), tenant()
    async with running(with_limits(in_flight_bytes=100, busy_processes=1)) as sandbox:
        large = [
            asyncio.create_task(evaluate(sandbox, "await call(1)", of, effects, message=b'{"a": "' + b"x" * 80 + b'"}'))
            for _ in range(3)
        ]
        for _ in range(3):
            [call] = await effects.next(1)
            assert effects.asked.empty()
            effects.answer(call, ok(1))
        assert [(await task).status for task in large] == ["success"] * 3


@dataclass
class Turnstile(Echo):
    """Counts at each effect how many processes have a turn."""

    sandbox: DenoSandbox | None = None
    seen: list[int] = field(default_factory=list)

    async def call(self, job: Job, asked: Asked) -> Answer:
        assert self.sandbox is not None
        self.seen.append(sum(house.has_turn for house in self.sandbox._all_houses()))
        return await super().call(job, asked)


async def test_no_more_run_than_there_are_turns_and_all_finish() -> None:
    script = "for (let i = 0; i < 3; i++) { await call(i); for (let j = 0; j < 5e4; j++); } ___result___ = 'done'"
    async with running(with_limits(busy_processes=2)) as sandbox:
        effects = Turnstile(sandbox=sandbox)
        tasks = [asyncio.create_task(evaluate(sandbox, script, tenant(), effects)) for _ in range(6) for _ in range(4)]
        assert {result(await task) for task in tasks} == {"done"}
    assert len(effects.seen) == 6 * 4 * 3
    assert max(effects.seen) == 2


async def test_a_tenant_with_much_to_do_does_not_keep_the_turn() -> None:
    busy, modest = tenant(), tenant()
    order: list[str] = []

    async def message(name: str, of: Tenant) -> None:
        await evaluate(sandbox, "for (let i = 0; i < 1e6; i++);", of)
        order.append(name)

    async with running(with_limits(busy_processes=1)) as sandbox:
        for of in (modest, busy):
            await evaluate(sandbox, "print('warm')", of)
        tasks = [asyncio.create_task(message("busy", busy)) for _ in range(400)]
        tasks.append(asyncio.create_task(message("modest", modest)))
        await asyncio.gather(*tasks)
    assert order.index("modest") <= 2 * 64


async def test_a_tenant_that_loops_takes_one_turn_only() -> None:
    """While one tenant's script hangs, its neighbours' messages pass through the other turn."""
    looping, others = tenant(), [tenant() for _ in range(3)]
    async with running(with_limits(busy_processes=2, script_timeout_ms=3000)) as sandbox:
        hangs = asyncio.create_task(evaluate(sandbox, "while (true);", looping))
        for of in others * 5:
            assert result(await evaluate(sandbox, "___result___ = 1", of)) == 1
        assert not hangs.done()
        assert (await hangs).code == "script_timeout"


async def test_a_spare_process_is_kept_warm() -> None:
    started = 0

    def counting() -> list[str]:
        nonlocal started
        started += 1
        return support.argv(SMALL)()

    async with running(SMALL, counting) as sandbox:
        for n in range(1, 4):
            await asyncio.gather(*sandbox._nursery._warming)
            [spare] = sandbox._nursery._spares
            of = tenant()
            await evaluate(sandbox, "print(1)", of)
            assert sandbox.pids(of) == [spare.pid]
            await asyncio.gather(*sandbox._nursery._warming)
            assert started == n + 1


async def test_a_spare_that_died_is_not_handed_out() -> None:
    async with running() as sandbox:
        [spare] = sandbox._nursery._spares
        spare.kill("test")
        await spare.ended
        assert result(await evaluate(sandbox, "___result___ = 1", tenant())) == 1
