"""A run as its holder has it: loaded once, then kept up to date in memory while every change is recorded."""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime

from pulse.engine.definition.workflow import Workflow
from pulse.engine.records import FINISHED_STEP, ExecutionLog, TriggerEnvelope, WorkflowRun, WorkflowStepRun
from pulse.engine.rules.progress import Advance, News, Situation, advance

# Whether the action handler of that name may be called again in a replay.
ReplaySafe = Callable[[str], bool]


@dataclass
class Held:
    """A run under a lease. `context` holds each entry as it stands in JSON, so that it is encoded once.

    `due` is the time for which it was claimed: never later than now, whatever this machine's clock says.
    """

    id: str
    epoch: int
    lone_deaths: int
    run: WorkflowRun
    workflow: Workflow
    trigger: TriggerEnvelope
    steps: dict[str, WorkflowStepRun]
    context: dict[str, str]
    due: datetime
    lane: str | None = None
    news: dict[str, News] = field(default_factory=dict)
    logs: list[ExecutionLog] = field(default_factory=list)

    @property
    def has_open_waits(self) -> bool:
        return any(row.step_type in ("wait", "emit") and row.status == "scheduled" for row in self.steps.values())

    @property
    def has_waited(self) -> bool:
        return any(row.step_type in ("wait", "emit") for row in self.steps.values())

    def apply(self, rows: Iterable[WorkflowStepRun]) -> None:
        for row in rows:
            self.steps[row.path] = row


def entry(name: str, text: str) -> str:
    """An entry of the context as it stands in JSON; `text` is that of its value."""
    return f"{json.dumps(name)}:{text}"


def next_of(held: Held, now: datetime, replay_safe: ReplaySafe, executing: Iterable[str] = ()) -> Advance:
    """What the run does now."""
    situation = Situation(
        run=held.run,
        workflow=held.workflow,
        steps=held.steps,
        now=max(now, held.due),
        executing=frozenset(executing),
        news=held.news,
        replay_safe=replay_safe,
    )
    return advance(situation)


def begun(held: Held, now: datetime, replay_safe: ReplaySafe) -> list[WorkflowStepRun]:
    """The rows of the steps that the run begins with, where all it does is to call handlers; an empty list otherwise.

    Recorded in the transaction in which the run is claimed, they save one of their own.
    """
    following = next_of(held, now, replay_safe)
    rows = list(following.changed.values())
    if following.waits or following.emits or following.ended or not following.execute:
        return []
    if any(row.status in FINISHED_STEP for row in rows):
        # The drive takes in what a step came to: its place in the context, and the hooks.
        return []
    held.apply(rows)
    return rows
