"""How often a step is tried, how long it pauses, and how long an attempt may take."""

import asyncio
import threading
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import pytest

from pulse import Action, Condition, Engine, Fatal, RetryAfter, RetryPolicy, WorkflowContext
from pulse.testing import FakeClock, run_until_idle
from tests.contract.conftest import SetClock
from tests.contract.engine.workshop import A, B, Recorder, again, recorder, run_of, runs_of, signal, steps_of, workflow

pytestmark = pytest.mark.usefixtures("bystander")


class Timed(Recorder):
    """Remembers when it was called."""

    def __init__(self, clock: FakeClock, fails: list[BaseException]) -> None:
        super().__init__({"n": 1}, fails)
        self._clock = clock
        self.times: list[datetime] = []

    async def __call__(self, ctx: WorkflowContext) -> Mapping[str, Any] | None:
        self.times.append(self._clock.now)
        return await super().__call__(ctx)

    @property
    def pauses(self) -> list[float]:
        """Seconds between the attempts."""
        return [(b - a).total_seconds() for a, b in zip(self.times, self.times[1:], strict=False)]


def policy(attempts: int = 3, backoff_ms: int = 5_000, **options: Any) -> RetryPolicy:
    return RetryPolicy(**{"max_attempts": attempts, "backoff_ms": backoff_ms, "jitter": False} | options)


async def tried(engine: Engine, clock: FakeClock, retry: RetryPolicy | None, *fails: BaseException) -> Timed:
    """The action after the run has ended."""
    made = Timed(clock, list(fails))
    engine.register_action("ship", made)
    await engine.create_workflow(workflow(Action("ship", retry_policy=retry)))
    await run_of(engine, signal())
    return made


async def test_without_a_policy_there_is_one_attempt(engine: Engine, clock: FakeClock) -> None:
    made = await tried(engine, clock, None, ValueError("once"))
    assert len(made.calls) == 1
    assert (await runs_of(engine))[0].status == "failed"


async def test_an_attempt_that_succeeds_ends_the_trying(engine: Engine, clock: FakeClock) -> None:
    made = await tried(engine, clock, policy(5), ValueError("one"), ValueError("two"))
    (run,) = await runs_of(engine)
    assert (run.status, run.context) == ("completed", {"ship": {"n": 1}})
    assert [ctx.step.attempt for ctx in made.calls] == [1, 2, 3]
    assert len({ctx.step.id for ctx in made.calls}) == 1
    step = (await steps_of(engine, run))["ship"]
    assert (step.status, step.attempt, step.error_message) == ("completed", 3, None)


async def test_the_last_attempt_fails_the_run_with_its_own_error(engine: Engine, clock: FakeClock) -> None:
    made = await tried(engine, clock, policy(3), *[ValueError(f"number {n}") for n in range(5)])
    (run,) = await runs_of(engine)
    assert len(made.calls) == 3
    assert run.status == "failed"
    assert "number 2" in (run.error_message or "")
    said = [log.message for log in await engine.get_run_logs(run.id)]
    assert said == [f"Attempt {n + 1} failed: ValueError: number {n}" for n in range(3)]


async def test_the_pause_doubles_up_to_its_longest(engine: Engine, clock: FakeClock) -> None:
    retry = policy(6, 1_000, max_backoff_ms=5_000)
    made = await tried(engine, clock, retry, *[ValueError("no")] * 6)
    assert made.pauses == [1, 2, 4, 5, 5]


async def test_the_pause_is_drawn_below_that_with_jitter(engine: Engine, clock: FakeClock) -> None:
    made = await tried(engine, clock, policy(10, 1_000, jitter=True), *[ValueError("no")] * 10)
    longest = [min(300, 2**n) for n in range(9)]
    assert all(0 <= pause <= most for pause, most in zip(made.pauses, longest, strict=True))
    assert len(set(made.pauses)) > 1


async def test_between_attempts_the_run_waits_and_the_step_is_scheduled(still: Engine, still_clock: SetClock) -> None:
    made = recorder(still, "ship", fails=[ValueError("no")])
    await still.create_workflow(workflow(Action("ship", retry_policy=policy(2, 60_000))))
    run = await run_of(still, signal())
    due = run.created_at + timedelta(minutes=1)
    step = (await steps_of(still, run))["ship"]
    assert (run.status, run.due_at) == ("waiting", due)
    assert (step.status, step.scheduled_for, step.error_message) == ("scheduled", due, "ValueError: no")
    still_clock.ms += 59_999
    await run_until_idle(still)
    assert len(made.calls) == 1
    still_clock.ms += 1
    await run_until_idle(still)
    assert (await again(still, run)).status == "completed"


async def test_fatal_stops_the_trying(engine: Engine, clock: FakeClock) -> None:
    made = await tried(engine, clock, policy(5), ValueError("again"), Fatal("no use"))
    assert len(made.calls) == 2
    assert "no use" in ((await runs_of(engine))[0].error_message or "")


async def test_retry_after_sets_the_pause(engine: Engine, clock: FakeClock) -> None:
    made = await tried(engine, clock, policy(4), RetryAfter(90), ValueError("no"), RetryAfter(0.5))
    assert made.pauses == [90, 10, 0.5]


async def test_retry_after_does_not_add_attempts(engine: Engine, clock: FakeClock) -> None:
    made = await tried(engine, clock, policy(2), *[RetryAfter(1)] * 5)
    assert len(made.calls) == 2
    assert (await runs_of(engine))[0].status == "failed"


@pytest.mark.parametrize(
    ("options", "error", "calls"),
    [
        ({"retry_on": (ConnectionError,)}, ConnectionResetError("reset"), 3),
        ({"retry_on": (ConnectionError,)}, ValueError("no"), 1),
        ({"retry_on": ("ValueError",)}, ValueError("no"), 3),
        ({"give_up_on": (LookupError,)}, KeyError("no"), 1),
        ({"give_up_on": (LookupError,)}, ValueError("no"), 3),
        ({"retry_on": (Exception,), "give_up_on": ("ValueError",)}, ValueError("no"), 1),
    ],
)
async def test_errors_are_tried_again_as_the_policy_names_them(
    engine: Engine, clock: FakeClock, options: dict[str, Any], error: Exception, calls: int
) -> None:
    made = await tried(engine, clock, policy(3, **options), *[error] * 3)
    assert len(made.calls) == calls


async def test_an_attempt_that_takes_too_long_is_cut_off(engine: Engine) -> None:
    cut: list[bool] = []

    @engine.action("ship")
    async def ship(ctx: WorkflowContext) -> None:
        try:
            if ctx.step.attempt == 1:
                await asyncio.Event().wait()
        except asyncio.CancelledError:
            cut.append(True)
            raise

    await engine.create_workflow(workflow(Action("ship", timeout_ms=20, retry_policy=policy(2))))
    run = await run_of(engine, signal())
    assert (run.status, cut) == ("completed", [True])


async def test_a_timeout_is_the_steps_error(engine: Engine) -> None:
    async def ship(_ctx: WorkflowContext) -> None:
        await asyncio.Event().wait()

    engine.register_action("ship", ship)
    await engine.create_workflow(workflow(Action("ship", timeout_ms=20)))
    run = await run_of(engine, signal())
    assert run.status == "failed"
    assert "did not end within 20 ms" in (run.error_message or "")


async def test_a_plain_function_that_takes_too_long_fails_its_step(engine: Engine) -> None:
    enough = threading.Event()
    engine.register_action("ship", lambda _ctx: {"waited": enough.wait(20)})
    await engine.create_workflow(workflow(Action("ship", timeout_ms=20)))
    try:
        run = await run_of(engine, signal())
    finally:
        enough.set()
    assert run.status == "failed"
    assert "did not end within 20 ms" in (run.error_message or "")


async def test_a_condition_is_tried_again_too(engine: Engine) -> None:
    asked: list[int] = []

    @engine.condition("is_paid")
    async def is_paid(ctx: WorkflowContext) -> bool:
        asked.append(ctx.step.attempt)
        if len(asked) < 3:
            raise ConnectionError("away")
        return True

    done = recorder(engine, "ship")
    await engine.create_workflow(workflow(Condition("is_paid", retry_policy=policy(3)), Action("ship")))
    run = await run_of(engine, signal())
    assert (run.status, asked, len(done.calls)) == ("completed", [1, 2, 3], 1)


async def test_attempts_of_one_tenant_do_not_hold_up_another(engine: Engine, beside: Engine) -> None:
    recorder(engine, "ship", fails=[ValueError("no")] * 3)
    done = recorder(beside, "ship")
    await engine.create_workflow(workflow(Action("ship", retry_policy=policy(4))))
    mine = await run_of(engine, signal())
    await engine.create_workflow(workflow(Action("ship"), tenant=B))
    theirs = await run_of(beside, signal(tenant=B))
    assert (mine.status, theirs.status) == ("completed", "completed")
    assert done.tenants == [B]
    assert (await again(engine, mine)).tenant_id == A
