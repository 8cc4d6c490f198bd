"""The plays: workflows, what an application does with them, and how their runs must end whatever happens meanwhile.

An application that crashed does everything again that it is not sure to have done: `script` is played from its
beginning by whoever comes next, so each of its parts must be harmless the second time.
"""

from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, replace
from typing import Any

from pulse import (
    Action,
    Condition,
    Delay,
    Emit,
    Engine,
    Parallel,
    RateLimit,
    RetryPolicy,
    RunFilter,
    Signal,
    TriggerEnvelope,
    Wait,
    Workflow,
    WorkflowRun,
)
from pulse.testing import run_until_idle
from tests.contract.engine.crashes.stage import Stage, cancel, retry

Script = Callable[[Stage, Engine], Coroutine[Any, Any, None]]
THREE = RetryPolicy(max_attempts=3, backoff_ms=1_000, jitter=False)
HOUR_MS = 3_600_000


def act(name: str, *, retry_policy: RetryPolicy | None = None, handler: str = "act", **config: Any) -> Action:
    return Action(name, handler=handler, retry_policy=retry_policy, config=config)


def workflow(stage: Stage, *steps: Any, name: str = "main", on: str = "start", **more: Any) -> Workflow:
    return Workflow(stage.tenant, name, on, steps, **more)


@dataclass(frozen=True)
class Play:
    """`runs`: how many runs of a workflow end with which status. `unseen`: steps that are never called."""

    workflows: Callable[[Stage], list[Workflow]]
    runs: Mapping[tuple[str, str], int]
    script: Script
    takes: bool = False
    # Whether it may be played by two at once: not where the application itself would do something twice.
    may_freeze: bool = True
    unseen: frozenset[str] = frozenset()


async def emit(stage: Stage, engine: Engine, kind: str = "start", number: int = 0) -> TriggerEnvelope:
    key = f"{kind}-{number}"
    return await engine.emit(Signal(stage.tenant, "test", kind, payload={"n": number}, idempotency_key=key))


async def start(stage: Stage, engine: Engine) -> None:
    await emit(stage, engine)
    await run_until_idle(engine)


async def start_and_go(stage: Stage, engine: Engine) -> None:
    await start(stage, engine)
    await emit(stage, engine, "go")
    await run_until_idle(engine)


async def run_of(stage: Stage, engine: Engine) -> WorkflowRun:
    (run,) = await engine.list_runs(RunFilter(tenant_id=stage.tenant, workflow="main"))
    return run


async def start_and_cancel(stage: Stage, engine: Engine) -> None:
    await start(stage, engine)
    await cancel(engine, (await run_of(stage, engine)).id)


async def start_and_retry(stage: Stage, engine: Engine) -> None:
    await start(stage, engine)
    await retry(engine, (await run_of(stage, engine)).id)
    await run_until_idle(engine)


async def start_and_replay(stage: Stage, engine: Engine) -> None:
    trigger = await emit(stage, engine)
    await run_until_idle(engine)
    if len(await engine.get_runs_by_trigger(trigger.id)) == 1:
        await engine.replay(trigger.id)
    await run_until_idle(engine)


async def start_three(stage: Stage, engine: Engine) -> None:
    signals = [Signal(stage.tenant, "test", "start", payload={"n": n}, idempotency_key=f"s{n}") for n in range(3)]
    await engine.emit_many(signals)
    await run_until_idle(engine)


async def three_hours_pass(stage: Stage, engine: Engine) -> None:
    stage.clock.advance_to(stage.began + 3 * HOUR_MS)
    await run_until_idle(engine)


def hourly(stage: Stage) -> list[Workflow]:
    # Just after a full hour, so that no further fire is due before all is quiet.
    stage.began = (stage.clock.now_ms() // HOUR_MS + 1) * HOUR_MS + 60_000
    stage.clock.advance_to(stage.began)
    steps = (act("a"), Delay("d", minutes=5), act("b"))
    return [workflow(stage, *steps, on="hour", cron_expression="0 * * * *", missed_runs="all")]


def failing(stage: Stage) -> list[Workflow]:
    return [
        workflow(stage, act("a"), act("b", retry_policy=THREE, fails=3), act("c"), on_failure="mourn"),
        workflow(stage, act("m"), name="mourn", on="never.emitted"),
    ]


def nested(stage: Stage) -> list[Workflow]:
    inner = Parallel("inner", branches=((act("p"),), (Delay("short", seconds=5), act("q"))))
    branches = (
        (act("b"), Delay("long", days=1), inner),
        (Wait("went", signal_type="go"), act("r")),
        (Condition("no", handler="judge", config={"answer": False}), act("never")),
    )
    return [workflow(stage, act("a"), Parallel("outer", branches=branches), act("z"))]


def family(stage: Stage) -> list[Workflow]:
    return [
        workflow(stage, act("a"), Emit("born", wait=True), act("b", emits="aside"), Emit("over"), act("c")),
        workflow(stage, act("x"), Delay("d", hours=1), act("y"), name="elder", on="born"),
        workflow(stage, act("x"), name="younger", on="born"),
        workflow(stage, act("x"), name="aside", on="aside"),
        workflow(stage, act("x"), name="over", on="over"),
    ]


def waiting_family(stage: Stage) -> list[Workflow]:
    return [
        workflow(stage, act("a"), Emit("born", wait=True), act("never")),
        workflow(stage, Wait("w", signal_type="never.emitted"), act("never"), name="child", on="born"),
    ]


TWO_STEPS = Play(lambda stage: [workflow(stage, act("a"), act("b"))], {("main", "completed"): 1}, start)
_SEQUENCE = Play(
    lambda s: [workflow(s, act("a"), act("b", retry_policy=THREE, fails=2), act("c"))],
    {("main", "completed"): 1},
    start,
)
_SKIP = Condition("is", on_false="skip", handler="judge", config={"answer": False})
PLAYS: dict[str, Play] = {
    "sequence-with-retry": _SEQUENCE,
    "driven-from-birth": replace(_SEQUENCE, takes=True),
    "delay-and-condition": Play(
        lambda s: [workflow(s, act("a"), Delay("month", days=30), _SKIP, act("never"), act("c"))],
        {("main", "completed"): 1},
        start,
        unseen=frozenset({"never"}),
    ),
    "nested-branches": Play(nested, {("main", "completed"): 1}, start_and_go, unseen=frozenset({"never"})),
    "children": Play(
        family,
        {(name, "completed"): 1 for name in ("main", "elder", "younger", "aside", "over")},
        start,
    ),
    "failure": Play(failing, {("main", "failed"): 1, ("mourn", "completed"): 1}, start, unseen=frozenset({"c"})),
    "cancel": Play(
        waiting_family,
        {("main", "canceled"): 1, ("child", "canceled"): 1},
        start_and_cancel,
        unseen=frozenset({"never"}),
    ),
    "cancel-within": Play(
        lambda s: [workflow(s, act("a"), act("b", cancels=True), act("never"))],
        {("main", "canceled"): 1},
        start,
        unseen=frozenset({"never"}),
    ),
    "retry": Play(
        lambda s: [workflow(s, act("a"), act("b", fatal=1), act("c"))], {("main", "completed"): 1}, start_and_retry
    ),
    "replay": Play(
        lambda s: [workflow(s, act("a"), act("b", handler="act_once"))],
        {("main", "completed"): 2},
        start_and_replay,
        may_freeze=False,
    ),
    "one-at-a-time": Play(
        lambda s: [workflow(s, act("a"), act("b"), concurrency=1)], {("main", "completed"): 3}, start_three
    ),
    "rate-limit": Play(
        lambda s: [workflow(s, act("a"), rate_limit=RateLimit(1, 60))], {("main", "completed"): 3}, start_three
    ),
    "schedule": Play(hourly, {("main", "completed"): 3}, three_hours_pass),
}  # fmt: skip
