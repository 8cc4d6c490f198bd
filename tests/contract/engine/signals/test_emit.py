"""What `emit` accepts, refuses and stores, one signal or many, with an event loop or without."""

import asyncio
from datetime import date, datetime
from typing import Any

import pytest
from pydantic import BaseModel

from pulse import Action, Engine, Signal, TriggerEnvelope, WorkflowContext
from pulse.core.errors import Conflict, InvalidFields
from pulse.engine.store.forms.values import NotStorable
from pulse.testing import FakeClock, run_until_idle
from tests.contract.engine.workshop import A, B, OpenEngine, recorder, run_of, signal, workflow

pytestmark = pytest.mark.usefixtures("bystander")


class HeartbeatMissed(BaseModel):
    last_seen_at: datetime
    services: list[str] = []


async def test_the_envelope_holds_what_was_sent_and_is_kept(engine: Engine, beside: Engine, clock: FakeClock) -> None:
    sent = signal(
        resource_type="service",
        resource_id="api",
        environment="production",
        payload={"n": 1, "deep": {"list": [1, None]}},
    )
    trigger = await engine.emit(sent)
    for name, value in vars(sent).items():
        assert getattr(trigger, name) == value
    assert trigger.id.startswith("trg_")
    assert trigger.created_at == clock.now
    assert await beside.get_trigger(trigger.id) == trigger


async def test_another_tenant_does_not_see_the_signal(engine: Engine) -> None:
    recorder(engine, "ship")
    await engine.create_workflow(workflow(Action("ship")))
    trigger = await engine.emit(signal())
    assert await engine.get_trigger(trigger.id, tenant_id=B) is None
    assert await engine.get_runs_by_trigger(trigger.id, tenant_id=B) == []
    assert await engine.get_trigger(trigger.id, tenant_id=A) == trigger
    assert len(await engine.get_runs_by_trigger(trigger.id, tenant_id=A)) == 1


async def test_what_is_not_there_is_none_or_empty(engine: Engine) -> None:
    assert await engine.get_trigger("trg_nothing") is None
    assert await engine.get_runs_by_trigger("trg_nothing") == []


async def test_an_unregistered_type_is_accepted_and_matched(engine: Engine) -> None:
    done = recorder(engine, "ship")
    await engine.create_workflow(workflow(Action("ship"), on="never.registered"))
    run = await run_of(engine, signal("never.registered", payload={"any": "thing"}))
    assert run.status == "completed"
    assert done.payloads == [{"any": "thing"}]


async def test_a_registered_type_is_checked_against_its_schema(engine: Engine) -> None:
    engine.register_trigger("heartbeat.missed", source="heartbeat", payload_schema=HeartbeatMissed)
    good = {"last_seen_at": "2026-01-01T00:00:00Z", "services": ["api"]}
    trigger = await engine.emit(signal("heartbeat.missed", payload=good))
    assert trigger.payload == good
    with pytest.raises(InvalidFields) as refused:
        await engine.emit(signal("heartbeat.missed", payload={"last_seen_at": "yesterday", "services": ["api", 1]}))
    assert [fault.path for fault in refused.value.faults] == ["payload.last_seen_at", "payload.services.1"]


async def test_what_the_schema_refuses_is_not_stored_and_starts_nothing(engine: Engine) -> None:
    done = recorder(engine, "ship")
    engine.register_trigger("heartbeat.missed", source="heartbeat", payload_schema=HeartbeatMissed)
    await engine.create_workflow(workflow(Action("ship"), on="heartbeat.missed"))
    with pytest.raises(InvalidFields):
        await engine.emit_many([signal("heartbeat.missed", payload={"last_seen_at": 0}), signal("heartbeat.missed")])
    await run_until_idle(engine)
    assert done.calls == []


async def test_a_type_is_registered_once(engine: Engine) -> None:
    engine.register_trigger("heartbeat.missed", source="heartbeat")
    with pytest.raises(Conflict):
        engine.register_trigger("heartbeat.missed", source="heartbeat")


@pytest.mark.parametrize(
    "payload",
    [
        {"n": float("nan")},
        {"text": "a\0b"},
        {"a\0b": 1},
        {"text": "\ud800"},
        {"when": date(2026, 1, 1)},
        {"s": {1}},
    ],
)
async def test_a_payload_that_is_not_plain_json_is_refused(engine: Engine, payload: dict[str, Any]) -> None:
    with pytest.raises(NotStorable):
        await engine.emit(signal(payload=payload))


async def test_a_payload_of_more_than_2_mb_is_refused(engine: Engine) -> None:
    fits = "x" * (2 * 1024 * 1024 - len('{"text":""}'))
    trigger = await engine.emit(signal(payload={"text": fits}))
    found = await engine.get_trigger(trigger.id)
    assert found is not None
    assert found.payload == {"text": fits}
    with pytest.raises(NotStorable, match="2,097,152"):
        await engine.emit(signal(payload={"text": fits + "x"}))


@pytest.mark.parametrize("text", ["a\0b", "\ud800"])
async def test_text_that_cannot_be_stored_is_refused_wherever_it_stands(engine: Engine, text: str) -> None:
    required: dict[str, Any] = {"tenant_id": A, "source": "test", "type": "order.placed"}
    for field in (*required, "resource_type", "resource_id", "environment", "idempotency_key"):
        with pytest.raises(NotStorable, match=field):
            await engine.emit(Signal(**required | {field: text}))


async def test_a_signal_of_wrong_types_is_refused_when_it_is_made() -> None:
    with pytest.raises(InvalidFields) as refused:
        signal(payload=[1], resource_id=7)
    assert {fault.path for fault in refused.value.faults} == {"payload", "resource_id"}


async def test_many_are_stored_together_in_their_order(engine: Engine) -> None:
    done = recorder(engine, "ship")
    await engine.create_workflow(workflow(Action("ship")))
    triggers = await engine.emit_many([signal(payload={"n": n}) for n in range(150)])
    assert [trigger.payload for trigger in triggers] == [{"n": n} for n in range(150)]
    assert [trigger.id for trigger in triggers] == sorted(trigger.id for trigger in triggers)
    await run_until_idle(engine)
    assert sorted(payload["n"] for payload in done.payloads) == list(range(150))


async def test_none_of_many_is_stored_where_one_is_refused(engine: Engine) -> None:
    done = recorder(engine, "ship")
    await engine.create_workflow(workflow(Action("ship")))
    with pytest.raises(NotStorable):
        await engine.emit_many([signal(), signal(payload={"text": "\0"})])
    await run_until_idle(engine)
    assert done.calls == []


async def test_many_of_several_tenants_start_each_their_own(engine: Engine) -> None:
    done = recorder(engine, "ship")
    for tenant in (A, B):
        await engine.create_workflow(workflow(Action("ship"), tenant=tenant))
    first, second, third = await engine.emit_many([signal(tenant=A), signal(tenant=B), signal(tenant="tenant_c")])
    await run_until_idle(engine)
    assert sorted(done.tenants) == [A, B]
    assert [run.tenant_id for run in await engine.get_runs_by_trigger(first.id)] == [A]
    assert [run.tenant_id for run in await engine.get_runs_by_trigger(second.id)] == [B]
    assert await engine.get_runs_by_trigger(third.id) == []


async def test_emitting_nothing_is_nothing(engine: Engine) -> None:
    assert await engine.emit_many([]) == []


# ---- without an event loop --------------------------------------------------------------------------------------


async def test_a_plain_handler_emits_from_its_thread(engine: Engine) -> None:
    seen: list[TriggerEnvelope] = []

    @engine.action("ship")
    def ship(_ctx: WorkflowContext) -> None:
        seen.append(engine.emit_sync(signal("order.shipped")))

    done = recorder(engine, "thank")
    await engine.create_workflow(workflow(Action("ship")))
    await engine.create_workflow(workflow(Action("thank"), name="Thanks", on="order.shipped"))
    await run_of(engine, signal())
    assert [await engine.get_trigger(trigger.id) for trigger in seen] == seen
    assert len(done.calls) == 1


async def test_a_thread_emits_into_an_engine_that_runs(open_engine: OpenEngine) -> None:
    ended = asyncio.Event()
    engine = open_engine(on_run_complete=lambda _event: ended.set())
    await engine.migrate()
    done = recorder(engine, "ship")
    await engine.create_workflow(workflow(Action("ship")))
    async with engine:
        await asyncio.to_thread(engine.emit_sync, signal(payload={"n": 1}))
        async with asyncio.timeout(10):
            await ended.wait()
    assert done.payloads == [{"n": 1}]


async def test_emit_sync_refuses_to_block_an_event_loop(engine: Engine) -> None:
    with pytest.raises(RuntimeError, match="await engine"):
        engine.emit_sync(signal())


async def test_code_without_a_loop_emits(engine: Engine, open_engine: OpenEngine) -> None:
    done = recorder(engine, "ship")
    await engine.create_workflow(workflow(Action("ship")))
    first, second, third = await asyncio.to_thread(_emit_three, open_engine())
    assert second == third
    await run_until_idle(engine)
    assert sorted(payload["n"] for payload in done.payloads) == [1, 2]
    assert (first.tenant_id, await engine.get_trigger(first.id)) == (A, first)


def _emit_three(engine: Engine) -> list[TriggerEnvelope]:
    first = engine.emit_sync(signal(payload={"n": 1}))
    second = engine.emit_sync(signal(payload={"n": 2}, idempotency_key="two"))
    return [first, second, engine.emit_sync(signal(payload={"n": 3}, idempotency_key="two"))]
