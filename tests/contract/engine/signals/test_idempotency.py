"""A key says that two signals of a tenant are the same: the second returns the envelope of the first."""

import asyncio

import pytest

from pulse import Action, Engine
from pulse.testing import FakeClock, run_until_idle
from tests.contract.engine.workshop import A, B, recorder, signal, workflow

pytestmark = pytest.mark.usefixtures("bystander")


async def test_a_repeat_returns_the_first_envelope_and_starts_nothing(engine: Engine, clock: FakeClock) -> None:
    done = recorder(engine, "ship")
    await engine.create_workflow(workflow(Action("ship")))
    first = await engine.emit(signal(payload={"n": 1}, idempotency_key="key"))
    clock.advance(hours=1)
    again = await engine.emit(signal(payload={"n": 2}, resource_id="other", idempotency_key="key"))
    await run_until_idle(engine)
    assert again == first
    assert done.payloads == [{"n": 1}]


async def test_a_repeat_after_the_run_has_ended_starts_nothing(engine: Engine, beside: Engine) -> None:
    done = recorder(engine, "ship")
    await engine.create_workflow(workflow(Action("ship")))
    first = await engine.emit(signal(idempotency_key="key"))
    await run_until_idle(engine)
    assert await beside.emit(signal(idempotency_key="key")) == first
    await run_until_idle(engine)
    assert len(done.calls) == 1


async def test_another_key_and_no_key_are_other_signals(engine: Engine) -> None:
    done = recorder(engine, "ship")
    await engine.create_workflow(workflow(Action("ship")))
    for key in ("one", "two", None, None):
        await engine.emit(signal(idempotency_key=key))
    await run_until_idle(engine)
    assert len(done.calls) == 4


async def test_a_key_is_the_tenants_own(engine: Engine) -> None:
    done = recorder(engine, "ship")
    for tenant in (A, B):
        await engine.create_workflow(workflow(Action("ship"), tenant=tenant))
    first = await engine.emit(signal(tenant=A, idempotency_key="key"))
    other = await engine.emit(signal(tenant=B, idempotency_key="key"))
    await run_until_idle(engine)
    assert (first.tenant_id, other.tenant_id) == (A, B)
    assert sorted(done.tenants) == [A, B]


async def test_the_same_key_twice_among_many_is_stored_once(engine: Engine) -> None:
    done = recorder(engine, "ship")
    await engine.create_workflow(workflow(Action("ship")))
    sent = [signal(payload={"n": n}, idempotency_key=key) for n, key in enumerate(["b", "a", "b", "a"])]
    first, second, third, fourth = await engine.emit_many(sent)
    await run_until_idle(engine)
    assert (third, fourth) == (first, second)
    assert sorted(payload["n"] for payload in done.payloads) == [0, 1]


async def test_those_who_send_it_at_once_from_two_processes_start_it_once(engine: Engine, beside: Engine) -> None:
    done = recorder(engine, "ship")
    await engine.create_workflow(workflow(Action("ship")))
    for number in range(10):
        sent = [signal(payload={"by": by}, idempotency_key=f"key {number}") for by in range(6)]
        asked = [each.emit(sent[by]) for by, each in enumerate([engine, beside] * 3)]
        assert len({trigger.id for trigger in await asyncio.gather(*asked)}) == 1
    await run_until_idle(engine)
    assert len(done.calls) == 10


async def test_two_processes_that_send_many_with_the_same_keys_do_not_wait_for_each_other(
    engine: Engine, beside: Engine
) -> None:
    done = recorder(engine, "ship")
    await engine.create_workflow(workflow(Action("ship")))
    keys = [f"key {number}" for number in range(40)]
    there = [signal(idempotency_key=key) for key in keys]
    back = [signal(idempotency_key=key) for key in reversed(keys)]
    for _ in range(3):
        one, other = await asyncio.gather(engine.emit_many(there), beside.emit_many(back))
        assert [trigger.id for trigger in one] == [trigger.id for trigger in reversed(other)]
    await run_until_idle(engine)
    assert len(done.calls) == 40
