"""Rate limits, which spread the beginnings, and debouncing, which makes one run of many signals."""

import asyncio
import hashlib
from datetime import datetime, timedelta

import pytest

from pulse import Action, Engine, RateLimit, WorkflowContext
from pulse.testing import FakeClock, run_until_idle
from tests.contract.conftest import SetClock
from tests.contract.engine.workshop import A, B, again, recorder, runs_of, signal, workflow

pytestmark = pytest.mark.usefixtures("bystander")

LONG = "long" + "".join(hashlib.sha256(str(n).encode()).hexdigest() for n in range(100))


async def began(engine: Engine, clock: FakeClock, count: int, limit: RateLimit) -> list[float]:
    """When each of so many runs began, in seconds since the first."""
    times: list[datetime] = []

    @engine.action("work")
    async def work(_ctx: WorkflowContext) -> None:
        times.append(clock.now)

    await engine.create_workflow(workflow(Action("work"), rate_limit=limit))
    await engine.emit_many([signal() for _ in range(count)])
    await run_until_idle(engine)
    return [(time - times[0]).total_seconds() for time in times]


async def test_at_most_so_many_runs_begin_within_the_time(engine: Engine, clock: FakeClock) -> None:
    times = await began(engine, clock, 12, RateLimit(limit=3, per_seconds=60))
    assert len(times) == 12
    for first in times:
        assert len([time for time in times if first <= time < first + 60]) <= 3
    assert times[-1] <= 12 / 3 * 60


async def test_what_comes_below_the_rate_begins_at_once(engine: Engine, clock: FakeClock) -> None:
    done = recorder(engine, "work")
    await engine.create_workflow(workflow(Action("work"), rate_limit=RateLimit(limit=1, per_seconds=60)))
    for number in range(3):
        clock.advance(minutes=2)
        before = clock.now
        await engine.emit(signal())
        await run_until_idle(engine)
        assert (clock.now, len(done.calls)) == (before, number + 1)


async def test_two_processes_share_the_rate(engine: Engine, beside: Engine, clock: FakeClock) -> None:
    times: list[datetime] = []
    for each in (engine, beside):
        each.register_action("work", lambda _ctx: times.append(clock.now))
    await engine.create_workflow(workflow(Action("work"), rate_limit=RateLimit(limit=1, per_seconds=10)))
    await asyncio.gather(*(each.emit(signal()) for each in [engine, beside] * 3))
    await run_until_idle(engine)
    assert [(time - times[0]).total_seconds() for time in times] == [0, 10, 20, 30, 40, 50]


async def test_a_rate_is_the_workflows_own(engine: Engine, clock: FakeClock) -> None:
    done = recorder(engine, "work")
    for tenant in (A, B):
        limited = workflow(Action("work"), tenant=tenant, rate_limit=RateLimit(limit=1, per_seconds=3600))
        await engine.create_workflow(limited)
        await engine.emit(signal(tenant=tenant))
    before = clock.now
    await run_until_idle(engine)
    assert (sorted(done.tenants), clock.now) == ([A, B], before)


# ---- debounce ---------------------------------------------------------------------------------------------------


async def send(engine: Engine, number: int, account: str = "one", tenant: str = A) -> None:
    await engine.emit(signal(tenant=tenant, payload={"n": number, "account": account}))
    await run_until_idle(engine)


async def test_many_signals_make_one_run_with_the_last_payload(still: Engine, still_clock: SetClock) -> None:
    done = recorder(still, "work")
    await still.create_workflow(workflow(Action("work"), debounce_key="payload.account", debounce_ms=60_000))
    for number in range(5):
        await send(still, number)
        still_clock.ms += 59_999
        await run_until_idle(still)
    assert done.calls == []
    still_clock.ms += 1
    await run_until_idle(still)
    assert done.payloads == [{"n": 4, "account": "one"}]
    (run,) = await runs_of(still)
    assert (run.status, (await again(still, run)).trigger_id) == ("completed", done.calls[0].trigger.id)


async def test_it_is_put_off_no_longer_than_the_deadline(still: Engine, still_clock: SetClock) -> None:
    done = recorder(still, "work")
    await still.create_workflow(
        workflow(Action("work"), debounce_key="payload.account", debounce_ms=60_000, debounce_max_ms=150_000)
    )
    for number in range(6):
        await send(still, number)
        still_clock.ms += 30_000
        await run_until_idle(still)
    assert done.payloads == [{"n": 4, "account": "one"}]
    still_clock.ms += 60_000
    await run_until_idle(still)
    assert [payload["n"] for payload in done.payloads] == [4, 5]


async def test_without_a_deadline_it_is_ten_times_the_pause(engine: Engine, clock: FakeClock) -> None:
    done = recorder(engine, "work")
    await engine.create_workflow(workflow(Action("work"), debounce_key="payload.account", debounce_ms=1_000))
    start = clock.now
    for number in range(100):
        await engine.emit(signal(payload={"n": number, "account": "one"}))
        clock.advance(ms=500)
        if clock.now - start >= timedelta(seconds=10):
            break
    await run_until_idle(engine)
    assert (len(done.calls), done.payloads[0]["n"]) == (1, 19)


async def test_values_and_tenants_are_held_back_apart(engine: Engine) -> None:
    done = recorder(engine, "work")
    for tenant in (A, B):
        await engine.create_workflow(
            workflow(Action("work"), tenant=tenant, debounce_key="payload.account", debounce_ms=1_000)
        )
    for tenant, account in ((A, "one"), (A, LONG), (B, "one"), (A, "one")):
        await engine.emit(signal(tenant=tenant, payload={"account": account}))
    await run_until_idle(engine)
    assert sorted((ctx.tenant_id, ctx.trigger.payload["account"][:3]) for ctx in done.calls) == [
        (A, "lon"),
        (A, "one"),
        (B, "one"),
    ]


async def test_a_signal_after_the_run_has_begun_makes_another(engine: Engine) -> None:
    done = recorder(engine, "work")
    await engine.create_workflow(workflow(Action("work"), debounce_key="payload.account", debounce_ms=1_000))
    for number in range(3):
        await send(engine, number)
    assert [payload["n"] for payload in done.payloads] == [0, 1, 2]


async def test_two_processes_hold_back_the_same_run(engine: Engine, beside: Engine) -> None:
    done = recorder(engine, "work")
    await engine.create_workflow(workflow(Action("work"), debounce_key="payload.account", debounce_ms=1_000))
    sent = [signal(payload={"account": "one", "n": n}) for n in range(8)]
    await asyncio.gather(*(each.emit(sent[n]) for n, each in enumerate([engine, beside] * 4)))
    await run_until_idle(engine)
    assert len(done.calls) == 1


async def test_a_run_that_is_held_back_can_be_canceled(engine: Engine) -> None:
    done = recorder(engine, "work")
    await engine.create_workflow(workflow(Action("work"), debounce_key="payload.account", debounce_ms=1_000))
    await engine.emit(signal(payload={"n": 1}))
    (run,) = await runs_of(engine)
    await engine.cancel_run(run.id)
    await engine.emit(signal(payload={"n": 2}))
    await run_until_idle(engine)
    assert done.payloads == [{"n": 2}]
