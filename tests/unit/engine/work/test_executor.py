"""A handler is called with its context, async or in a thread, within its time; whatever it raises is an outcome."""

import asyncio
import threading
from functools import partial
from typing import Any

import pytest

from pulse.core.errors import Misconfigured
from pulse.engine.context import WorkflowContext
from pulse.engine.definition.steps import Action, Condition
from pulse.engine.errors import ActionFailed, Fatal
from pulse.engine.records import Signal
from pulse.engine.work.executor import MAX_LOGS, HandlerTimeout
from tests.unit.engine import made
from tests.unit.engine.work.calling import Calling


async def test_an_async_handler_is_called_in_the_loop(call: Calling) -> None:
    async def handler(context: WorkflowContext) -> dict[str, str]:
        return {"thread": threading.current_thread().name}

    here = threading.current_thread().name
    assert (await call.execute(handler)).result == {"thread": here}
    assert (await call.execute(partial(handler))).result == {"thread": here}


async def test_a_plain_function_is_called_in_a_thread(call: Calling) -> None:
    outcome = await call.execute(lambda context: {"thread": threading.current_thread().name})
    assert outcome.result is not None
    assert outcome.result["thread"].startswith("handler")


async def test_what_a_plain_function_answers_is_awaited_where_it_can_be(call: Calling) -> None:
    async def later() -> dict[str, int]:
        return {"n": 1}

    assert (await call.execute(lambda context: later())).result == {"n": 1}


async def test_two_plain_functions_run_at_once(call: Calling) -> None:
    both = threading.Barrier(2, timeout=10)
    call.registered.register_action("a", lambda context: {"n": both.wait()})
    outcomes = await asyncio.gather(call.step(Action("a")), call.step(Action("a")))
    assert sorted(outcome.result["n"] for outcome in outcomes if outcome.result) == [0, 1]


async def test_the_context_has_what_the_seed_says(call: Calling) -> None:
    seen: list[WorkflowContext] = []
    await call.execute(seen.append, config={"channel": "ops"})
    (context,) = seen
    assert (context.tenant_id, context.config, context.is_replay) == ("acme", {"severity": "high"}, False)
    assert context.run.context == {"earlier": {"n": 1}}
    assert context.trigger == call.held.trigger
    assert (context.step.name, context.step.attempt, context.step.config) == ("a", 1, {"channel": "ops"})


async def test_an_emitted_signal_has_a_key_of_its_step_so_that_it_is_emitted_once(call: Calling) -> None:
    async def handler(context: WorkflowContext) -> None:
        await context.emit(Signal("acme", "s", "first"))
        await context.emit(Signal("acme", "s", "second"), wait=True)
        await context.emit(Signal("acme", "s", "third", idempotency_key="mine"))

    for _attempt in range(2):
        await call.execute(handler)
    step_id = made.row("0", "a", "running").id
    keys = [(signal.type, signal.idempotency_key, wait) for signal, wait in call.emitted]
    assert keys[:3] == [("first", f"{step_id}:1", False), ("second", f"{step_id}:2", True), ("third", "mine", False)]
    assert keys[3:] == keys[:3]


async def test_a_line_of_the_log_is_kept_with_its_step(call: Calling) -> None:
    async def handler(context: WorkflowContext) -> None:
        context.log("hello", {"n": 1})
        context.log("bad", level="error")

    await call.execute(handler)
    first, second = call.held.logs
    assert (first.message, first.data, first.level, first.created_at) == ("hello", {"n": 1}, "info", made.NOW)
    assert (first.run_id, first.step_run_id, first.tenant_id) == (made.RUN_ID, made.row("0", "a", "running").id, "acme")
    assert (second.message, second.data, second.level) == ("bad", None, "error")
    assert first.id < second.id


async def test_what_no_database_keeps_is_written_as_escapes_in_a_log(call: Calling) -> None:
    await call.execute(lambda context: context.log("a\0b\ud800c"))
    assert [entry.message for entry in call.held.logs] == [r"a\0b\ud800c"]


async def test_data_of_a_log_that_is_no_json_fails_the_attempt(call: Calling) -> None:
    outcome = await call.execute(lambda context: context.log("a", {"n": float("nan")}))
    assert "cannot be stored as JSON" in str(outcome.error)
    assert call.held.logs == []


async def test_a_handler_that_logs_without_end_is_cut(call: Calling) -> None:
    def handler(context: WorkflowContext) -> None:
        for number in range(MAX_LOGS + 10):
            context.log(str(number))

    assert (await call.execute(handler)).error is None
    assert len(call.held.logs) == MAX_LOGS


async def test_without_a_platform_send_says_how_to_have_one(call: Calling) -> None:
    async def handler(context: WorkflowContext) -> None:
        await context.send({"a": 1})

    outcome = await call.execute(handler)
    assert isinstance(outcome.error, Misconfigured)
    assert "pulse up --app" in outcome.error.message


@pytest.mark.parametrize("step", [Action("x"), Condition("x"), Action("y", handler="x")])
async def test_a_handler_that_nobody_registered_is_fatal(call: Calling, step: Any) -> None:
    outcome = await call.step(step)
    assert isinstance(outcome.error, Fatal)
    assert str(outcome.error) == f"No {step.type} 'x' is registered."


class Stop(BaseException):
    """Neither Exception nor a wish to end the process."""


def raising(error: BaseException) -> tuple[Any, Any]:
    """The same as a plain function and as an async one."""

    def plain(context: WorkflowContext) -> None:
        raise error

    async def slow(context: WorkflowContext) -> None:
        raise error

    return plain, slow


@pytest.mark.parametrize("kind", [0, 1])
@pytest.mark.parametrize("error", [ValueError("no"), Fatal("no"), TimeoutError("mine"), Stop("no"), AssertionError()])
async def test_whatever_a_handler_raises_is_its_outcome(call: Calling, kind: int, error: BaseException) -> None:
    for timeout_ms in (None, 60_000):
        outcome = await call.execute(raising(error)[kind], timeout_ms=timeout_ms)
        assert (type(outcome.error), str(outcome.error)) == (type(error), str(error))


@pytest.mark.parametrize("error", [StopIteration(), GeneratorExit()])
async def test_what_no_future_carries_fails_the_attempt_and_does_not_hang(call: Calling, error: BaseException) -> None:
    outcome = await call.execute(raising(error)[0])
    assert isinstance(outcome.error, RuntimeError)
    assert str(outcome.error) == f"The handler raised {type(error).__name__}."
    assert (await call.execute(raising(error)[1])).error is not None


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(3)])
async def test_a_wish_to_end_the_process_is_passed_on(call: Calling, error: BaseException) -> None:
    with pytest.raises(type(error)):
        await call.execute(raising(error)[1])


async def test_a_handler_that_takes_too_long_is_ended(call: Calling) -> None:
    ended = asyncio.Event()

    async def handler(context: WorkflowContext) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    outcome = await call.execute(handler, timeout_ms=5)
    assert isinstance(outcome.error, HandlerTimeout)
    assert str(outcome.error) == "The handler did not end within 5 ms."
    assert ended.is_set()


async def test_a_thread_that_takes_too_long_is_no_longer_waited_for(call: Calling) -> None:
    go = threading.Event()
    outcome = await call.execute(lambda context: go.wait(30), timeout_ms=5)
    go.set()
    assert isinstance(outcome.error, HandlerTimeout)


async def test_a_condition_has_its_time_too(call: Calling) -> None:
    outcome = await call.ask(lambda context: asyncio.Event().wait(), timeout_ms=5)
    assert isinstance(outcome.error, HandlerTimeout)


@pytest.mark.parametrize("kind", [0, 1])
async def test_a_handler_that_is_cancelled_from_within_has_failed(call: Calling, kind: int) -> None:
    outcome = await call.execute(raising(asyncio.CancelledError("by itself"))[kind])
    assert isinstance(outcome.error, ActionFailed)
    assert "by itself" in str(outcome.error)


@pytest.mark.parametrize("timeout_ms", [None, 60_000])
async def test_where_the_call_itself_is_cancelled_it_ends_so(call: Calling, timeout_ms: int | None) -> None:
    begun, seen = asyncio.Event(), []

    async def handler(context: WorkflowContext) -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError as error:
            seen.append(error)
            raise

    task = asyncio.create_task(call.execute(handler, timeout_ms=timeout_ms))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(seen) == 1
