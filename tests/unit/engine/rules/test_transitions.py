"""Which status may follow which: exactly what the seed draws, and nothing else."""

from itertools import product
from typing import get_args

import pytest

from pulse.core.errors import Conflict
from pulse.engine.errors import IllegalTransition
from pulse.engine.records import FINISHED_STEP, RunStatus, StepStatus
from pulse.engine.rules.transitions import RUN, STEP, check_run, check_step

# The seed's "State Transitions", as it stands there.
SEED = """
pending -> running, canceled
running -> waiting, completed, failed, canceled
waiting -> running, canceled
failed -> running (retry)
"""
RUNS: tuple[RunStatus, ...] = get_args(RunStatus)
STEPS: tuple[StepStatus, ...] = get_args(StepStatus)


def arrows(drawn: str) -> set[tuple[str, str]]:
    lines = [line.replace("(retry)", "").split("->") for line in drawn.strip().splitlines()]
    return {(before.strip(), after.strip()) for before, afters in lines for after in afters.split(",")}


def test_the_table_of_runs_is_the_seeds() -> None:
    assert {(before, after) for before, afters in RUN.items() for after in afters} == arrows(SEED)


@pytest.mark.parametrize(("before", "after"), list(product(RUNS, RUNS)))
def test_a_run_goes_along_the_arrows_and_nowhere_else(before: RunStatus, after: RunStatus) -> None:
    if (before, after) in arrows(SEED):
        check_run(before, after)
    else:
        with pytest.raises(IllegalTransition) as caught:
            check_run(before, after)
        assert caught.value.details == {"before": before, "after": after}
        assert caught.value.message == f"A run that is {before} cannot become {after}."


def test_a_run_that_ended_stays_as_it_is_save_for_a_retry() -> None:
    assert RUN["completed"] == RUN["canceled"] == frozenset()
    assert RUN["failed"] == {"running"}


@pytest.mark.parametrize(("before", "after"), list(product(STEPS, STEPS)))
def test_a_step_goes_along_the_table_and_nowhere_else(before: StepStatus, after: StepStatus) -> None:
    if after in STEP[before]:
        check_step(before, after)
    else:
        with pytest.raises(IllegalTransition, match=f"A step that is {before} cannot become {after}"):
            check_step(before, after)


def test_a_step_that_ended_is_begun_again_by_a_retry_of_its_run_only() -> None:
    for status in FINISHED_STEP:
        assert STEP[status] == {"pending"}


def test_no_status_is_forgotten() -> None:
    assert set(RUN) == set(RUNS)
    assert set(STEP) == set(STEPS)


def test_an_illegal_transition_is_a_conflict_with_a_code_of_its_own() -> None:
    assert issubclass(IllegalTransition, Conflict)
    assert IllegalTransition.code == "illegal_transition"
