"""The state machine, as data: which status may follow which. The diagram in the documentation is made from this."""

from pulse.engine.errors import IllegalTransition
from pulse.engine.records import RunStatus, StepStatus

# Source: the seed's "State Transitions". `failed → running` is a retry.
RUN: dict[RunStatus, frozenset[RunStatus]] = {
    "pending": frozenset({"running", "canceled"}),
    "running": frozenset({"waiting", "completed", "failed", "canceled"}),
    "waiting": frozenset({"running", "canceled"}),
    "failed": frozenset({"running"}),
    "completed": frozenset(),
    "canceled": frozenset(),
}
# The seed lists the statuses of a step and draws no arrows; these are the ones that its rules need. `running →
# scheduled` is a wait before the next attempt; what leads back to `pending` is a retry of the run.
STEP: dict[StepStatus, frozenset[StepStatus]] = {
    "pending": frozenset({"scheduled", "running", "completed", "skipped"}),
    "scheduled": frozenset({"running", "completed", "failed", "skipped"}),
    "running": frozenset({"scheduled", "completed", "failed", "skipped"}),
    "failed": frozenset({"pending"}),
    "skipped": frozenset({"pending"}),
    "completed": frozenset({"pending"}),
}


def check_run(before: RunStatus, after: RunStatus) -> None:
    """Raises IllegalTransition where a run may not go from the one status to the other."""
    if after not in RUN[before]:
        raise IllegalTransition(f"A run that is {before} cannot become {after}.", before=before, after=after)


def check_step(before: StepStatus, after: StepStatus) -> None:
    """Raises IllegalTransition where a step may not go from the one status to the other."""
    if after not in STEP[before]:
        raise IllegalTransition(f"A step that is {before} cannot become {after}.", before=before, after=after)
