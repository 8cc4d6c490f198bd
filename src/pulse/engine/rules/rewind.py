"""Which steps of a failed run are run again: pure functions."""

from collections.abc import Mapping

from pulse.engine.definition.steps import Emit
from pulse.engine.definition.workflow import Workflow
from pulse.engine.records import WorkflowStepRun, evolve
from pulse.engine.rules.progress import step_at


def rewound(
    workflow: Workflow, steps: Mapping[str, WorkflowStepRun], from_step: str | None
) -> tuple[list[WorkflowStepRun], list[WorkflowStepRun]]:
    """Rows to change, and rows to remove, so that the run goes on where it failed, or at the step `from_step`.

    Where it failed: the failed steps, with their attempts renewed, and those that were skipped because of it. From a
    step: that step and all that come after it are as if they had never been.
    """
    start = None if from_step is None else _path_of(steps, from_step)
    removed = [] if start is None else [row for path, row in steps.items() if _is_at_or_after(path, start)]
    gone = {row.path for row in removed}
    left = [row for path, row in steps.items() if path not in gone]
    changed = [_again(workflow, row) for row in left if row.status == "failed" or row.skip_reason == "failed"]
    if start is not None:
        # The parallel steps around it go on as well, whatever they had come to.
        around = [row for row in left if start.startswith(f"{row.path}.") and row.status != "failed"]
        changed += [evolve(row, status="running", completed_at=None) for row in around]
    return changed, removed


def _again(workflow: Workflow, row: WorkflowStepRun) -> WorkflowStepRun:
    step = step_at(workflow, row.path)
    # A step that waited for other runs waits for the same ones again.
    waited = isinstance(step, Emit) and step.wait and row.started_at is not None
    status = "scheduled" if waited else "pending"
    return evolve(
        row,
        status="running" if step.type == "parallel" and row.status == "failed" else status,
        attempt=0,
        scheduled_for=None,
        started_at=row.started_at if status == "scheduled" else None,
        completed_at=None,
        error_message=None,
        skip_reason=None,
    )


def _path_of(steps: Mapping[str, WorkflowStepRun], name: str) -> str | None:
    """Where the step is, if the run has come to it."""
    return next((row.path for row in steps.values() if row.step_name == name), None)


def _is_at_or_after(path: str, start: str) -> bool:
    """Whether the step is `start`, inside it, or later in the sequence of it or of a step around it."""
    here, there = [list(map(int, each.split("."))) for each in (path, start)]
    shared = 0
    while shared < min(len(here), len(there)) and here[shared] == there[shared]:
        shared += 1
    if shared == len(there):
        return True
    # Even places are indexes of steps, odd ones numbers of branches: branches are beside each other, not after.
    return shared < len(here) and shared % 2 == 0 and here[shared] > there[shared]
