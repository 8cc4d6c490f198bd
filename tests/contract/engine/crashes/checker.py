"""The checker: holds the invariants of spec/reliability.md against the ledger and the final rows, nothing else."""

import json
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Sequence

from pulse.engine.records import FINISHED_RUN, FINISHED_STEP
from tests.contract.engine.crashes.ledger import Call, Ledger
from tests.contract.engine.crashes.plays import Play
from tests.contract.engine.crashes.stage import Rows

LONGEST_RETRY = 3


def violations(play: Play, ledger: Ledger, rows: Rows, recorded: dict[str, int] | None = None) -> list[str]:
    """Everything that must not be, a sentence each.

    `recorded`: the ids of steps that were found recorded as ended, and how many calls there had been by then; None
    where an engine stood still, which may call a handler late (and is refused what comes of it).
    """
    found = [*ended_once(play, ledger, rows), *same_keys(ledger, rows), *fired_once(rows), *nothing_left(rows)]
    found += results_are_of_calls(ledger, rows)
    found += [f"a step that is never reached was called: {name}" for name in called(ledger, rows) & play.unseen]
    if recorded is not None:
        found += [*never_again(ledger, recorded), *in_sequence(ledger)]
    return found


def ended_once(play: Play, ledger: Ledger, rows: Rows) -> Iterator[str]:
    """I1."""
    names = {row.id: row.name for row in rows["definitions"]}
    ends = Counter((names[row.definition_id], row.status) for row in rows["runs"])
    if ends != Counter(play.runs):
        yield f"I1: the runs ended as {dict(ends)}, not as {dict(play.runs)}"
    for row in rows["runs"]:
        moments = [row.completed_at, row.failed_at, row.canceled_at]
        if sum(moment is not None for moment in moments) != 1:
            yield f"I1: {row.id} is {row.status} and ended at {moments}"
    said: dict[tuple[str, int], list[str]] = defaultdict(list)
    for end in ledger.ends:
        said[end.run, end.run_attempt].append(end.status)
    final = {(row.id, row.attempt): row.status for row in rows["runs"]}
    for key, statuses in said.items():
        if len(statuses) > 1 or statuses[0] != final.get(key, "failed"):
            yield f"I1: the end of {key} was told as {statuses}; it is {final.get(key)}"


def never_again(ledger: Ledger, recorded: dict[str, int]) -> Iterator[str]:
    """I2, seen from the database."""
    for call in ledger.calls:
        if call.number > recorded.get(call.key, len(ledger.calls)):
            yield f"I2: step {call.path} of {call.run} was recorded as ended, and called again (call {call.number})"


def in_sequence(ledger: Ledger) -> Iterator[str]:
    """I2, seen from outside: whoever calls a step has recorded those before it, so that they are over for ever."""
    for place, later in enumerate(ledger.calls):
        for earlier in ledger.calls[:place]:
            if earlier.run == later.run and _is_before(later.path, earlier.path):
                yield f"I2: in {later.run}, {later.path} was called after {earlier.path} (call {later.number})"


def _is_before(path: str, other: str) -> bool:
    """Whether the step comes before the other in a sequence that both are in."""
    here, there = ([int(part) for part in each.split(".")] for each in (path, other))
    for depth, (mine, its) in enumerate(zip(here, there, strict=False)):
        if mine != its:
            return depth % 2 == 0 and mine < its
    return False


def same_keys(ledger: Ledger, rows: Rows) -> Iterator[str]:
    """I3: of one step one key, of one key one step; attempts are counted on, and never beyond the policy."""
    keys: dict[tuple[str, str], set[str]] = defaultdict(set)
    for call in ledger.calls:
        keys[call.run, call.path].add(call.key)
    for step, used in keys.items():
        if len(used) > 1:
            yield f"I3: the calls of {step} carried {sorted(used)}"
    if len(set().union(*keys.values())) != len(keys):
        yield "I3: two steps carried the same key"
    emitted = Counter((row.type, row.idempotency_key) for row in rows["triggers"] if row.idempotency_key)
    for key, count in emitted.items():
        if count > 1:
            yield f"I3: {count} signals are stored under {key}"
    for call in ledger.calls:
        if not 1 <= call.attempt <= LONGEST_RETRY:
            yield f"I3: attempt {call.attempt} of step {call.path} of {call.run}"


def results_are_of_calls(ledger: Ledger, rows: Rows) -> Iterator[str]:
    """A recorded result came from a call of that very step, and is what later steps saw."""
    calls: dict[str, list[Call]] = defaultdict(list)
    for call in ledger.calls:
        calls[call.key].append(call)
    contexts = {row.id: json.loads(row.context) for row in rows["runs"]}
    for row in rows["steps"]:
        if row.step_type != "action" or row.status != "completed":
            continue
        result = json.loads(row.result)
        if result.get("n") not in [call.number for call in calls[row.id]]:
            yield f"I2: step {row.path} of {row.run_id} holds {result}, and was called as {calls[row.id]}"
        if contexts[row.run_id].get(row.step_name) != result:
            yield f"I2: step {row.path} of {row.run_id} holds {result}, its run {contexts[row.run_id]}"


def fired_once(rows: Rows) -> Iterator[str]:
    """I6."""
    times = [json.loads(row.payload).get("scheduledFor") for row in rows["triggers"] if row.source == "schedule"]
    for time, count in Counter(times).items():
        if count > 1:
            yield f"I6: {time} was fired {count} times"


def nothing_left(rows: Rows) -> Iterator[str]:
    """I7: when all is quiet, nothing waits for something that never comes."""
    for run in rows["runs"]:
        if run.status not in FINISHED_RUN or run.state != "done":
            yield f"I7: {run.id} is still {run.status} ({run.state})"
    for step in rows["steps"]:
        if step.status not in FINISHED_STEP:
            yield f"I7: step {step.path} of {step.run_id} is still {step.status}"
    for wait in rows["waits"]:
        yield f"I7: {wait.run_id} waits at {wait.path}"


def called(ledger: Ledger, rows: Rows) -> set[str]:
    """The names of the steps that were called."""
    names = {row.id: row.step_name for row in rows["steps"]}
    return {names[call.key] for call in ledger.calls if call.key in names}


def changes(before: Rows, after: Rows) -> list[str]:
    """I4: what an engine wrote that had lost its leases long before, a sentence each; workflows are not under one."""
    found = []
    for table in before.keys() - {"definitions"}:
        old, new = ({row.id: dict(row._mapping) for row in each} for each in (before[table], after[table]))
        changed = [key for key in old.keys() | new.keys() if old.get(key) != new.get(key)]
        found += [f"I4: {key} of {table} was {old.get(key)} and is {new.get(key)}" for key in sorted(changed)]
    return found


def recorded_steps(rows: Rows, ledger: Ledger, known: dict[str, int]) -> dict[str, int]:
    """The steps that are recorded as ended for good, with the number of calls that there had been."""
    ended: Collection[str] = [row.id for row in rows["steps"] if row.status in ("completed", "skipped")]
    return {**dict.fromkeys(ended, len(ledger.calls)), **known}


def shown(found: Sequence[str]) -> str:
    return "\n".join(found[:10])
