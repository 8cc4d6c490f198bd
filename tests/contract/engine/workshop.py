"""What tests of the engine write down again and again: signals, workflows, handlers, and what came of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from pulse import Engine, Parallel, Signal, Workflow, WorkflowContext, WorkflowRun, WorkflowStepRun
from pulse.engine.definition.steps import Step
from pulse.testing import run_until_idle

A, B = "tenant_a", "tenant_b"
PLACED = "order.placed"
NAME = "Workflow"


class OpenEngine(Protocol):
    """Opens an engine on the test's tables, as a process of its own would; all are stopped after the test."""

    def __call__(self, **options: Any) -> Engine: ...


@dataclass
class Recorder:
    """An action that remembers its calls and answers what it was given; an exception of `fails` is raised in turn."""

    answer: Mapping[str, Any] | None = None
    fails: list[BaseException] = field(default_factory=list)
    calls: list[WorkflowContext] = field(default_factory=list)

    async def __call__(self, ctx: WorkflowContext) -> Mapping[str, Any] | None:
        self.calls.append(ctx)
        if self.fails:
            raise self.fails.pop(0)
        return self.answer

    @property
    def tenants(self) -> list[str]:
        return [ctx.tenant_id for ctx in self.calls]

    @property
    def payloads(self) -> list[Any]:
        return [dict(ctx.trigger.payload) for ctx in self.calls]


def signal(type: str = PLACED, tenant: str = A, **fields: Any) -> Signal:  # noqa: A002 - the seed's name
    return Signal(**{"tenant_id": tenant, "source": "test", "type": type} | fields)


def workflow(*steps: Step, tenant: str = A, name: str = NAME, on: str = PLACED, **options: Any) -> Workflow:
    return Workflow(tenant_id=tenant, name=name, trigger_type=on, steps=steps, **options)


def parallel(name: str, *branches: Sequence[Step]) -> Parallel:
    return Parallel(name, branches=tuple(map(tuple, branches)))


def recorder(engine: Engine, name: str, answer: Mapping[str, Any] | None = None, **options: Any) -> Recorder:
    """An action of that name, registered."""
    made = Recorder(answer, list(options.pop("fails", [])))
    engine.register_action(name, made, **options)
    return made


async def run_of(engine: Engine, sent: Signal) -> WorkflowRun:
    """The one run that the signal starts, driven as far as it goes."""
    trigger = await engine.emit(sent)
    await run_until_idle(engine)
    return await only_run(engine, trigger.id)


async def only_run(engine: Engine, trigger_id: str) -> WorkflowRun:
    (run,) = await engine.get_runs_by_trigger(trigger_id)
    return run


async def again(engine: Engine, run: WorkflowRun) -> WorkflowRun:
    """The run as it is now."""
    found = await engine.get_run(run.id)
    assert found is not None
    return found


async def steps_of(engine: Engine, run: WorkflowRun) -> dict[str, WorkflowStepRun]:
    """The run's steps by name."""
    return {step.step_name: step for step in await engine.get_run_steps(run.id)}


async def statuses(engine: Engine, run: WorkflowRun) -> dict[str, str]:
    return {name: step.status for name, step in (await steps_of(engine, run)).items()}


async def runs_of(engine: Engine, tenant: str = A, name: str = NAME) -> list[WorkflowRun]:
    """The runs of the tenant's workflow of that name, the oldest first."""
    found = [run for run in await engine.list_runs() if run.tenant_id == tenant]
    return sorted((run for run in found if run.definition_snapshot["name"] == name), key=lambda run: run.id)
