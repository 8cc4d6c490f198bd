"""Negative controls: engines that break one promise each, and the checker that must see it."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Connection, select, update

from pulse import WorkflowContext
from pulse.engine.store.journal import Record, Recorded
from pulse.engine.work.bureau import Bureau
from pulse.engine.work.executor import Executor
from pulse.storage.claims import RUNNING, Claims
from pulse.testing.faults import When
from tests.contract.engine.crashes.cases import Case
from tests.contract.engine.crashes.checker import violations
from tests.contract.engine.crashes.conftest import NewStage
from tests.contract.engine.crashes.ledger import End, Ledger
from tests.contract.engine.crashes.plays import PLAYS, TWO_STEPS, Play
from tests.contract.engine.crashes.stage import Rows, Stage

MOST = 40
PLAIN = PLAYS["sequence-with-retry"]


async def all_crashes(new_stage: NewStage, when: When = "after", play: Play = PLAIN) -> list[str]:
    """What is found when a sequence is crashed at each of its transactions."""
    found: list[str] = []
    for number in range(1, MOST):
        case = Case(play, new_stage())
        crashed = await case.crashes(when, number)
        found += case.found
        if not crashed:
            break
    return found


def seen(found: list[str], words: str) -> bool:
    return any(words in sentence for sentence in found)


async def test_a_fence_that_does_not_look_at_the_epoch_is_seen(
    new_stage: NewStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    end = Claims.end

    def anybodys(
        self: Claims, connection: Connection, rows: Iterable[Sequence[Any]], columns: Sequence[str]
    ) -> set[str]:
        """Writes whichever epoch is named, and whatever the row's state is."""
        table, given = self._table, list(rows)
        mine = table.c.id.in_([row[0] for row in given])
        before = {
            row.id: row for row in connection.execute(select(table.c.id, table.c.epoch, table.c.state).where(mine))
        }
        connection.execute(update(table).where(mine).values(state=RUNNING))
        done = end(self, connection, [(row[0], before[row[0]].epoch, *row[2:]) for row in given], columns)
        for row in before.values() if "state" not in columns else ():
            connection.execute(update(table).where(table.c.id == row.id).values(state=row.state))
        return done

    monkeypatch.setattr(Claims, "end", anybodys)
    found: list[str] = []
    for number in range(1, MOST):
        case = Case(PLAIN, new_stage())
        if not await case.freezes("before", number):
            break
        found += case.found
    assert seen(found, "I4: run_")
    assert seen(found, "of steps was")


async def test_recording_after_instead_of_before_is_seen(new_stage: NewStage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each record is written when the next one comes, and what follows from it is begun before."""
    record, late = Bureau.record, dict[str, Record]()

    async def belated(self: Bureau, wanted: Record) -> Recorded:
        before = late.pop(wanted.held.id, None)
        if before is not None and not (await record(self, before)).written:
            return Recorded(written=False)
        if not wanted.is_plain:
            return await record(self, wanted)
        late[wanted.held.id] = wanted
        return Recorded(written=True)

    monkeypatch.setattr(Bureau, "record", belated)
    found = await all_crashes(new_stage, "before")
    assert seen(found, "was called after")


async def test_a_recorded_step_that_is_forgotten_is_seen(new_stage: NewStage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A holder that takes over begins anew."""
    stage = new_stage()
    of_runs = type(stage.hand.plant.store.steps).of_runs

    def forgetful(self: Any, *arguments: Any) -> Any:
        found = of_runs(self, *arguments)
        return {run: {"0": replace(rows["0"], status="pending", attempt=0)} for run, rows in found.items()}

    monkeypatch.setattr(type(stage.hand.plant.store.steps), "of_runs", forgetful)
    found = await all_crashes(new_stage, play=TWO_STEPS)
    assert seen(found, "was recorded as ended, and called again")


async def test_a_key_of_each_attempt_is_seen(new_stage: NewStage, monkeypatch: pytest.MonkeyPatch) -> None:
    make = Executor._context

    def with_another_key(self: Executor, *arguments: Any) -> WorkflowContext:
        context = make(self, *arguments)
        context.step = replace(context.step, id=f"{context.step.id}-{context.step.attempt}")
        return context

    monkeypatch.setattr(Executor, "_context", with_another_key)
    assert seen(await all_crashes(new_stage), "I3: the calls of")


async def test_leases_that_nobody_sweeps_are_seen(new_stage: NewStage, monkeypatch: pytest.MonkeyPatch) -> None:
    async def nothing(_self: Claims) -> int:
        return 0

    monkeypatch.setattr(Claims, "sweep", nothing)
    assert seen(await all_crashes(new_stage), "I7: ")


async def played(stage: Stage, name: str) -> tuple[Ledger, Rows]:
    case = Case(PLAYS[name], stage)
    assert await case.crashes("before", 999) == 0
    assert not case.found
    return stage.ledger, await stage.rows()


Alter = Callable[[Ledger, dict[str, Any]], None]
ALTERED: dict[str, tuple[str, Alter, str]] = {
    "two-runs-of-one-signal": ("failure", lambda _, rows: rows["runs"].append(rows["runs"][0]), "I1: the runs ended"),
    "an-end-told-twice": ("failure", lambda ledger, _: ledger.ends.append(ledger.ends[-1]), "I1: the end of"),
    "an-end-that-was-taken-back": (
        "cancel",
        lambda ledger, _: ledger.ends.insert(0, End(ledger.ends[0].run, 1, "completed")),
        "I1: the end of",
    ),
    "a-time-fired-twice": ("schedule", lambda _, rows: rows["triggers"].append(rows["triggers"][0]), "I6: "),
    "a-signal-stored-twice": ("children", lambda _, rows: rows["triggers"].extend(rows["triggers"]), "I3: 2 signals"),
    "a-step-never-called": ("retry", lambda ledger, _: ledger.calls.clear(), "I2: step 0 of"),
}  # fmt: skip


@pytest.mark.parametrize("what", ALTERED)
async def test_what_was_altered_by_hand_is_seen(new_stage: NewStage, what: str) -> None:
    name, alter, words = ALTERED[what]
    ledger, rows = await played(new_stage(), name)
    assert violations(PLAYS[name], ledger, rows, {}) == []
    changed: dict[str, Any] = {table: list(each) for table, each in rows.items()}
    alter(ledger, changed)
    assert seen(violations(PLAYS[name], ledger, changed, {}), words)
