"""The checker: holds the invariants of spec/reliability.md against the outside ledger and the final rows."""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any

from sqlalchemy import Row

from pulse.engine.records import FINISHED_STEP
from tests.chaos.engines.ledger import Call

Rows = Mapping[str, Sequence[Row[Any]]]
DEATHS = "WorkerCrash"
LONE_DEATHS = 3


def violations(promises: Sequence[str], calls: Sequence[Call], rows: Rows, *, kills: int = 0) -> list[str]:
    """Everything that must not be, a sentence each. `kills` is how often a worker was killed."""
    found = [*_ended_once(promises, rows), *_nothing_left(rows), *_same_keys(calls), *out_of_sequence(calls)]
    found += _results_are_of_calls(calls, rows)
    given_up = sum(DEATHS in (run.error_message or "") for run in rows["runs"])
    # A run that waits for one that was given up fails with it.
    if given_up > 2 * (kills // LONE_DEATHS):
        found.append(f"I1: {given_up} runs were given up for deaths, after {kills} kills")
    return found


def _ended_once(promises: Sequence[str], rows: Rows) -> Iterator[str]:
    runs: dict[str, list[Row[Any]]] = defaultdict(list)
    for run in rows["runs"]:
        runs[run.trigger_id].append(run)
    for trigger in promises:
        if len(runs[trigger]) != 1:
            yield f"I1: the signal {trigger} has {len(runs[trigger])} runs"
    for run in rows["runs"]:
        if run.status != "completed" and DEATHS not in (run.error_message or ""):
            yield f"I1: {run.id} is {run.status} ({run.error_message})"
        if sum(moment is not None for moment in (run.completed_at, run.failed_at, run.canceled_at)) != 1:
            yield f"I1: {run.id} did not end once"
        if run.parent_run_id is None and run.trigger_id not in promises:
            yield f"I1: nobody emitted {run.trigger_id}, the signal of {run.id}"


def _nothing_left(rows: Rows) -> Iterator[str]:
    for run in rows["runs"]:
        if run.state != "done":
            yield f"I7: {run.id} is still {run.state}"
    for step in rows["steps"]:
        if step.status not in FINISHED_STEP:
            yield f"I7: step {step.path} of {step.run_id} is still {step.status}"
    for wait in rows["waits"]:
        yield f"I7: {wait.run_id} waits at {wait.path}"


def _same_keys(calls: Sequence[Call]) -> Iterator[str]:
    keys: dict[tuple[str, str], set[str]] = defaultdict(set)
    for call in calls:
        keys[call.run, call.path].add(call.key)
    for step, used in keys.items():
        if len(used) > 1:
            yield f"I3: the calls of {step} carried {sorted(used)}"


def out_of_sequence(calls: Sequence[Call]) -> Iterator[str]:
    """I2: who calls a step has recorded those before it, so that they are over for ever."""
    of_run: dict[str, list[Call]] = defaultdict(list)
    for call in calls:
        of_run[call.run].append(call)
    for run, mine in of_run.items():
        for earlier, later in combinations(mine, 2):
            if _is_before(later.path, earlier.path):
                yield f"I2: in {run}, {later.path} was called after {earlier.path} ({later.id} after {earlier.id})"


def _is_before(path: str, other: str) -> bool:
    """Whether the step comes before the other in a sequence that both are in."""
    here, there = ([int(part) for part in each.split(".")] for each in (path, other))
    for depth, (mine, its) in enumerate(zip(here, there, strict=False)):
        if mine != its:
            return depth % 2 == 0 and mine < its
    return False


def _results_are_of_calls(calls: Sequence[Call], rows: Rows) -> Iterator[str]:
    made: dict[str, set[str]] = defaultdict(set)
    for call in calls:
        made[call.key].add(call.id)
    for step in rows["steps"]:
        if step.step_type == "action" and step.status == "completed":
            result = json.loads(step.result)["call"]
            if result not in made[step.id]:
                yield f"I4: step {step.path} of {step.run_id} holds the result of {result}, not of {made[step.id]}"


def doubled(calls: Sequence[Call]) -> list[str]:
    """Steps of which one attempt was called more than once: fine where somebody died, and only there."""
    seen: dict[tuple[str, int], list[str]] = defaultdict(list)
    for call in calls:
        seen[call.key, call.attempt].append(call.id)
    return [f"{key} attempt {attempt}: {ids}" for (key, attempt), ids in seen.items() if len(ids) > 1]
