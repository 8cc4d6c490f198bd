"""A run that is driven by hand: `advance` is asked, what it says is recorded and begun, as a holder of the run does."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from pulse.engine.definition.steps import Action, Condition, Step
from pulse.engine.definition.workflow import Workflow
from pulse.engine.records import FINISHED_STEP, WorkflowStepRun
from pulse.engine.rules.outcomes import Outcome, settled
from pulse.engine.rules.progress import Advance, News, Situation, advance, first_step
from tests.unit.engine import made

TRUE = Outcome({"result": True}, '{"result":true}')
FALSE = Outcome({"result": False}, '{"result":false}')
DONE = Outcome()
ERROR = Outcome(error=ValueError("no"))


class Driven:
    """`steps` is what is recorded, `calls` is what is being called, `executed` names all that was."""

    def __init__(self, *steps: Step, replay_safe: Callable[[str], bool] = lambda _name: False, **fields: Any) -> None:
        self.workflow: Workflow = made.workflow(*steps)
        self.run = made.run(**fields)
        self.now = made.NOW
        self.steps = {"0": first_step(self.run.id, self.run.tenant_id, self.workflow, self.now)}
        self.calls: dict[str, tuple[WorkflowStepRun, Action | Condition]] = {}
        self.news: dict[str, News] = {}
        self.executed: list[str] = []
        self._replay_safe = replay_safe

    def ask(self) -> Advance:
        """What the run does now; nothing is done yet."""
        executing = frozenset(self.calls)
        return advance(
            Situation(self.run, self.workflow, self.steps, self.now, executing, self.news, self._replay_safe)
        )

    def look(self) -> Advance:
        """Asks, records and begins."""
        following = self.ask()
        self.record(following.changed.values())
        for row, step in following.execute:
            assert row.path not in self.calls, f"{row.step_name} is begun twice"
            assert self.steps[row.path] == row, f"{row.step_name} is begun before it is recorded"
            self.calls[row.path] = (row, step)
            self.executed.append(row.step_name)
        return following

    def record(self, rows: Any) -> None:
        for row in rows:
            before = self.steps.get(row.path)
            assert before is None or before.status not in FINISHED_STEP, f"{row.step_name} ended already"
            self.steps[row.path] = row

    def finish(self, name: str, outcome: Outcome = DONE, draw: float = 1.0) -> WorkflowStepRun:
        """The call of that step ends; what came of it is recorded."""
        path = next(path for path, (row, _) in self.calls.items() if row.step_name == name)
        row, step = self.calls.pop(path)
        after = settled(row, step, outcome, self.now, draw)
        self.record([after])
        return after

    def crash(self) -> None:
        """The holder dies: what it had recorded is all that is left."""
        self.calls.clear()

    def passes(self, **units: float) -> None:
        self.now += timedelta(**units)

    def until(self, moment: datetime) -> None:
        self.now = max(self.now, moment)

    def goes_on(self, outcomes: Mapping[str, Outcome] | None = None, **more: Outcome) -> Advance:
        """Looks and lets calls end, the one of the lowest place first, until nothing is called any more."""
        known = {**(outcomes or {}), **more}
        while True:
            following = self.look()
            if not self.calls:
                return following
            row, step = self.calls[min(self.calls)]
            usual = TRUE if isinstance(step, Condition) else DONE
            self.finish(row.step_name, known.get(row.step_name, usual))

    def row(self, name: str) -> WorkflowStepRun:
        return next(row for row in self.steps.values() if row.step_name == name)

    def statuses(self) -> dict[str, str]:
        return {row.step_name: row.status for row in self.steps.values()}

    def reasons(self) -> dict[str, str | None]:
        return {row.step_name: row.skip_reason for row in self.steps.values() if row.status == "skipped"}
