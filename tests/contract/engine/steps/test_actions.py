"""Steps one after another: what their handlers get, what becomes of what they answer."""

import asyncio
from typing import Any

import pytest

from pulse import Action, ActionResult, Engine, Fatal, RunCompleteEvent, Signal, WorkflowContext
from pulse.engine.store.forms.values import NotStorable
from pulse.testing import FakeClock, run_until_idle
from tests.contract.engine.workshop import (
    A,
    B,
    OpenEngine,
    again,
    recorder,
    run_of,
    signal,
    statuses,
    steps_of,
    workflow,
)

pytestmark = pytest.mark.usefixtures("bystander")


async def test_steps_run_one_after_another(engine: Engine) -> None:
    order: list[str] = []
    for name in ("first", "second", "third"):
        engine.register_action(name, lambda ctx: order.append(ctx.step.name))
    await engine.create_workflow(workflow(Action("third"), Action("first"), Action("second")))
    run = await run_of(engine, signal())
    assert order == ["third", "first", "second"]
    assert run.status == "completed"
    assert [step.step_index for step in await engine.get_run_steps(run.id)] == [0, 1, 2]


async def test_the_context_of_a_handler(engine: Engine) -> None:
    done = recorder(engine, "ship")
    await engine.create_workflow(workflow(Action("ship", config={"by": "boat"}), config={"severity": "high"}))
    run = await run_of(engine, signal(payload={"n": 1}, resource_id="order_1"))
    (ctx,) = done.calls
    assert ctx.tenant_id == A
    assert ctx.trigger == await engine.get_trigger(run.trigger_id)
    assert (ctx.run.id, ctx.run.status, ctx.run.definition_id) == (run.id, "running", run.definition_id)
    assert (ctx.step.name, ctx.step.status, ctx.step.attempt, ctx.step.config) == ("ship", "running", 1, {"by": "boat"})
    assert ctx.config == {"severity": "high"}
    assert ctx.is_replay is False


async def test_results_accumulate_in_the_context_by_name(engine: Engine) -> None:
    recorder(engine, "check", {"healthy": True})
    recorder(engine, "quiet")
    last = recorder(engine, "notify", {"sent": [1, {"two": None}]})
    await engine.create_workflow(workflow(Action("check"), Action("quiet"), Action("notify")))
    run = await run_of(engine, signal())
    assert last.calls[0].run.context == {"check": {"healthy": True}}
    assert run.context == {"check": {"healthy": True}, "notify": {"sent": [1, {"two": None}]}}
    steps = await steps_of(engine, run)
    assert (steps["check"].result, steps["quiet"].result) == ({"healthy": True}, None)


async def test_one_handler_serves_several_steps_under_their_own_names(engine: Engine) -> None:
    @engine.action("send")
    async def send(ctx: WorkflowContext) -> dict[str, Any]:
        return {"to": ctx.step.config["to"]}

    steps = [Action(f"to_{to}", handler="send", config={"to": to}) for to in ("ada", "bob")]
    await engine.create_workflow(workflow(*steps))
    run = await run_of(engine, signal())
    assert run.context == {"to_ada": {"to": "ada"}, "to_bob": {"to": "bob"}}


@pytest.mark.parametrize("answer", [None, ActionResult(), ActionResult(success=True, data=None)])
async def test_no_result_is_a_success(engine: Engine, answer: Any) -> None:
    engine.register_action("ship", lambda _ctx: answer)
    await engine.create_workflow(workflow(Action("ship")))
    run = await run_of(engine, signal())
    assert (run.status, run.context) == ("completed", {})


async def test_an_action_result_carries_data_or_an_error(engine: Engine) -> None:
    engine.register_action("good", lambda _ctx: ActionResult(data={"n": 1}))
    engine.register_action("bad", lambda _ctx: ActionResult(success=False, error="no stock"))
    await engine.create_workflow(workflow(Action("good"), Action("bad"), Action("after", handler="good")))
    run = await run_of(engine, signal())
    assert (run.status, run.context) == ("failed", {"good": {"n": 1}})
    assert "no stock" in (run.error_message or "")
    assert await statuses(engine, run) == {"good": "completed", "bad": "failed"}


async def test_a_failed_step_fails_the_run_with_its_error(engine: Engine, clock: FakeClock) -> None:
    recorder(engine, "ship", fails=[ValueError("no such address")])
    after = recorder(engine, "after")
    await engine.create_workflow(workflow(Action("ship"), Action("after")))
    run = await run_of(engine, signal())
    assert run.status == "failed"
    assert run.error_message == "Step 'ship' failed: ValueError: no such address"
    assert (run.failed_at, run.completed_at) == (clock.now, None)
    step = (await steps_of(engine, run))["ship"]
    assert (step.status, step.error_message, step.attempt) == ("failed", "ValueError: no such address", 1)
    assert after.calls == []


@pytest.mark.parametrize("answer", ["text", 7, [1], True])
async def test_what_is_no_result_fails_the_step(engine: Engine, answer: Any) -> None:
    engine.register_action("ship", lambda _ctx: answer)
    await engine.create_workflow(workflow(Action("ship")))
    run = await run_of(engine, signal())
    assert run.status == "failed"
    assert f"not a {type(answer).__name__}" in (run.error_message or "")


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"text": "x" * (2 * 1024 * 1024)}, "at most 2,097,152"),
        ({"text": "a\0b"}, "NUL"),
        ({"deep": [{"a\0b": 1}]}, "NUL"),
        ({"n": float("inf")}, "JSON"),
        ({"thing": object()}, "JSON"),
    ],
)
async def test_a_result_that_cannot_be_stored_fails_the_step_and_says_why(
    engine: Engine, answer: dict[str, Any], said: str
) -> None:
    engine.register_action("ship", lambda _ctx: answer)
    await engine.create_workflow(workflow(Action("ship")))
    run = await run_of(engine, signal())
    assert run.status == "failed"
    assert said in (run.error_message or "")
    assert run.context == {}


async def test_a_result_of_almost_2_mb_is_kept(engine: Engine) -> None:
    answer = {"text": "x" * (2 * 1024 * 1024 - len('{"text":""}'))}
    recorder(engine, "ship", answer)
    await engine.create_workflow(workflow(Action("ship")))
    assert (await run_of(engine, signal())).context == {"ship": answer}


async def test_text_that_cannot_be_stored_is_written_legibly_in_errors_and_logs(engine: Engine) -> None:
    @engine.action("ship")
    async def ship(ctx: WorkflowContext) -> None:
        ctx.log("a\0b \ud800")
        raise ValueError("c\0d \ud800")

    await engine.create_workflow(workflow(Action("ship")))
    run = await run_of(engine, signal())
    assert run.error_message == "Step 'ship' failed: ValueError: c\\0d \\ud800"
    assert [log.message for log in await engine.get_run_logs(run.id)] == ["a\\0b \\ud800"]


async def test_a_plain_function_runs_in_a_thread_and_others_go_on_meanwhile(engine: Engine) -> None:
    loop, both = asyncio.get_running_loop(), asyncio.Event()

    def plain(_ctx: WorkflowContext) -> dict[str, Any]:
        asyncio.run_coroutine_threadsafe(both.wait(), loop).result(10)
        return {"n": 1}

    async def other(_ctx: WorkflowContext) -> None:
        both.set()

    engine.register_action("plain", plain)
    engine.register_action("other", other)
    await engine.create_workflow(workflow(Action("plain"), name="Plain"))
    await engine.create_workflow(workflow(Action("other"), name="Other"))
    trigger = await engine.emit(signal())
    await run_until_idle(engine)
    assert [run.status for run in await engine.get_runs_by_trigger(trigger.id)] == ["completed"] * 2


async def test_the_run_and_its_steps_say_when_they_began_and_ended(engine: Engine, clock: FakeClock) -> None:
    @engine.action("ship")
    async def ship(_ctx: WorkflowContext) -> None:
        clock.advance(minutes=5)

    await engine.create_workflow(workflow(Action("ship")))
    began = clock.now
    run = await run_of(engine, signal())
    assert (run.created_at, run.started_at, run.completed_at) == (began, began, clock.now)
    step = (await steps_of(engine, run))["ship"]
    assert (step.created_at, step.started_at, step.completed_at) == (began, began, clock.now)
    assert (step.run_id, step.tenant_id, step.step_type) == (run.id, A, "action")


async def test_a_run_and_its_steps_are_the_tenants_own(engine: Engine) -> None:
    recorder(engine, "ship", {"n": 1})
    await engine.create_workflow(workflow(Action("ship")))
    run = await run_of(engine, signal())
    assert await engine.get_run(run.id, tenant_id=B) is None
    assert await engine.get_run_steps(run.id, tenant_id=B) == []
    assert await engine.get_run(run.id, tenant_id=A) == run
    assert len(await engine.get_run_steps(run.id, tenant_id=A)) == 1


async def test_runs_of_two_tenants_see_nothing_of_each_other(engine: Engine) -> None:
    engine.register_action("first", lambda ctx: {"mine": ctx.trigger.payload["secret"]})
    last = recorder(engine, "last")
    for tenant in (A, B):
        await engine.create_workflow(workflow(Action("first"), Action("last"), tenant=tenant))
        await engine.emit(signal(tenant=tenant, payload={"secret": tenant}))
    await run_until_idle(engine)
    assert {ctx.tenant_id: ctx.run.context for ctx in last.calls} == {
        A: {"first": {"mine": A}},
        B: {"first": {"mine": B}},
    }


async def test_an_engine_that_is_started_drives_what_is_emitted(open_engine: OpenEngine) -> None:
    ended: asyncio.Queue[RunCompleteEvent] = asyncio.Queue()
    engine = open_engine(on_run_complete=ended.put_nowait)
    await engine.migrate()
    recorder(engine, "ship", {"n": 1})
    await engine.create_workflow(workflow(Action("ship")))
    async with engine:
        triggers = [await engine.emit(signal()) for _ in range(20)]
        async with asyncio.timeout(20):
            events = [await ended.get() for _ in triggers]
    assert {event.run.trigger_id for event in events} == {trigger.id for trigger in triggers}
    assert {event.status for event in events} == {"completed"}


async def test_fatal_and_what_no_one_expects_fail_a_step_alike(engine: Engine) -> None:
    class Odd(BaseException):
        """Not an Exception."""

    for name, error in {"fatal": Fatal("no use"), "odd": Odd("odd"), "stop": StopAsyncIteration("over")}.items():
        recorder(engine, name, fails=[error])
        await engine.create_workflow(workflow(Action(name), name=name, on=name))
        assert (await run_of(engine, signal(name))).status == "failed"


async def test_a_signal_is_what_the_handler_gets_again_after_a_restart(engine: Engine, open_engine: OpenEngine) -> None:
    await engine.create_workflow(workflow(Action("ship")))
    trigger = await engine.emit(Signal(A, "test", "order.placed", payload={"list": [1, 2.5, "ü", None, True]}))
    other = open_engine()
    done = recorder(other, "ship")
    await run_until_idle(other)
    assert done.payloads == [{"list": [1, 2.5, "ü", None, True]}]
    (run,) = await other.get_runs_by_trigger(trigger.id)
    assert (await again(engine, run)).status == "completed"


async def test_too_much_data_in_a_log_fails_the_attempt(engine: Engine) -> None:
    @engine.action("ship")
    async def ship(ctx: WorkflowContext) -> None:
        with pytest.raises(NotStorable):
            ctx.log("large", {"text": "x" * (2 * 1024 * 1024)})
        ctx.log("large", {"text": "\0"})

    await engine.create_workflow(workflow(Action("ship")))
    run = await run_of(engine, signal())
    assert (run.status, await engine.get_run_logs(run.id)) == ("failed", [])
