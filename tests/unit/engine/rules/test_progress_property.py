"""Whatever the workflow, whatever its steps come to, whenever its holders die: one end, and each step once."""

from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pulse.engine.definition.steps import Action, Condition, Parallel, Step
from pulse.engine.records import FINISHED_STEP
from pulse.engine.rules import progress
from pulse.engine.rules.progress import Advance
from pulse.engine.rules.rewind import rewound
from tests.unit.engine.rules.plays import FLOWS, FLOWS_THAT_COMPLETE, Player, expected

Flow = tuple[Step, ...]
CRASHES = st.sets(st.integers(1, 60), max_size=12)
PATIENT = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@PATIENT
@given(FLOWS_THAT_COMPLETE, CRASHES)
def test_where_nothing_fails_every_step_comes_to_what_the_specification_says(flow: Flow, crashes: set[int]) -> None:
    played = Player(flow, crashes)
    played.good = True
    assert played.play().ended == "completed"
    assert played.statuses() == expected(flow)


@PATIENT
@given(FLOWS)
def test_without_crashes_every_attempt_is_executed_once(flow: Flow) -> None:
    played = Player(flow)
    played.play()
    attempts = {row.step_name: row.attempt for row in played.steps.values() if row.step_type in ("action", "condition")}
    assert Counter(played.executed) == Counter({name: count for name, count in attempts.items() if count})


@PATIENT
@given(FLOWS, CRASHES)
def test_the_records_do_not_depend_on_when_holders_die(flow: Flow, crashes: set[int]) -> None:
    whole, crashed = Player(flow), Player(flow, crashes)
    ends = whole.play(), crashed.play()
    assert crashed.steps == whole.steps
    assert (ends[0].ended, ends[0].error) == (ends[1].ended, ends[1].error)
    # Each death may repeat what was being executed, and nothing else: `record` refuses a second end of a step.
    assert set(crashed.executed) == set(whole.executed)


@PATIENT
@given(FLOWS, CRASHES)
def test_a_run_ends_once_with_nothing_left_open(flow: Flow, crashes: set[int]) -> None:
    played = Player(flow, crashes)
    end = played.play()
    rows = played.steps.values()
    assert all(row.status in FINISHED_STEP for row in rows)
    assert (end.ended == "failed") == any(row.status == "failed" for row in rows)
    assert played.ask() == Advance(ended=end.ended, error=end.error, current_step_index=end.current_step_index)


@PATIENT
@given(FLOWS, CRASHES)
def test_a_retry_executes_what_failed_and_nothing_that_was_completed(flow: Flow, crashes: set[int]) -> None:
    played = Player(flow, crashes)
    if played.play().ended == "completed":
        return
    kept = {row.step_name for row in played.steps.values() if row.status == "completed"}
    rewind(played, None)
    assert played.play().ended == "completed"
    assert not kept.intersection(played.executed)
    assert played.statuses() == expected(flow)


@PATIENT
@given(FLOWS, CRASHES, st.data())
def test_a_retry_from_a_step_repeats_it_and_what_comes_after_it(
    flow: Flow, crashes: set[int], data: st.DataObject
) -> None:
    played = Player(flow, crashes)
    played.play()
    start = data.draw(st.sampled_from(sorted(row.step_name for row in played.steps.values())))
    before = {row.step_name: row for row in played.steps.values()}
    removed = rewind(played, start)
    assert start in removed
    assert played.play().ended == "completed"
    assert played.statuses() == expected(flow)
    kept = {name for name, row in before.items() if row.status == "completed" and name not in removed}
    assert not kept.intersection(played.executed)


def rewind(played: Player, from_step: str | None) -> set[str]:
    """The run goes on, and nothing fails any more; the names of the steps that were forgotten."""
    changed, removed = rewound(played.workflow, played.steps, from_step)
    for row in removed:
        del played.steps[row.path]
        played.news.pop(row.path, None)
    for row in changed:
        played.steps[row.path] = row
        played.news.pop(row.path, None)
    played.executed.clear()
    played.good = True
    return {row.step_name for row in removed}


def is_wrong(played: Player) -> bool:
    """Whether one of the properties above does not hold of the play."""
    try:
        played.play()
        flow = played.workflow.steps
        assert all(row.status in FINISHED_STEP for row in played.steps.values())
        good = Player(flow)
        good.good = True
        good.play()
        assert good.statuses() == expected(flow)
    except (AssertionError, TypeError):
        return True
    return False


def fails_at_once(walk: Any, row: Any, inside: str) -> Any:
    return walk._fail(row, "no")


CALM = {"fails": 0, "holds": False, "comes": False, "rank": 5}
QUICK_TO_FAIL = {**CALM, "fails": 1, "rank": 0}
ENDS = (Condition("c", config=CALM), Action("a", config=CALM))
SKIPS = (Condition("c", on_false="skip", config=CALM), Action("a", config=CALM))
WINDS_UP = (Parallel("p", ((Action("a", config=CALM),), (Action("b", config=QUICK_TO_FAIL),))),)


@pytest.mark.parametrize(
    ("owner", "name", "broken", "flow"),
    [
        (progress, "_ends_early", lambda _step, _row: False, ENDS),
        (progress, "_skipped_after", lambda _step, _row: 0, SKIPS),
        (progress._Walk, "_wind_up", fails_at_once, WINDS_UP),
    ],
    ids=["ends early", "skips", "winds up"],
)
def test_a_broken_rule_is_seen(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, broken: Any, flow: Flow) -> None:
    assert not is_wrong(Player(flow))
    monkeypatch.setattr(owner, name, broken)
    assert is_wrong(Player(flow))
