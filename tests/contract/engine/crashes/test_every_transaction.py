"""A crash, or a standstill, before and after every transaction of every play, one by one: it ends all the same."""

from typing import Literal

import pytest

from tests.contract.engine.crashes.cases import Case
from tests.contract.engine.crashes.checker import shown
from tests.contract.engine.crashes.conftest import NewStage
from tests.contract.engine.crashes.plays import PLAYS

MOST = 60
WHEN = ("before", "after")
# An ordinary run takes every second transaction, before it and after it: what is stored before one is what is stored
# after the one before, so every durable state is there once. The longer runs take every transaction both ways.
STRIDES = {"share": 2, "quick": 1, "full": 1}
FREEZING = [name for name, play in PLAYS.items() if play.may_freeze]
When = Literal["before", "after"]


@pytest.mark.timeout(240)
@pytest.mark.parametrize("when", WHEN)
@pytest.mark.parametrize("name", PLAYS)
async def test_a_crash_at_any_transaction_costs_nothing(new_stage: NewStage, name: str, when: When, chaos: str) -> None:
    play = PLAYS[name]
    for number in range(1, MOST, STRIDES[chaos]):
        case = Case(play, new_stage(takes=play.takes))
        crashed = await case.crashes(when, number)
        assert not case.found, f"{when} transaction {number}:\n{shown(case.found)}"
        if not crashed:
            assert number > 5, "the play is too short to say anything"
            return
    pytest.fail(f"the play has more than {MOST} transactions")


@pytest.mark.timeout(240)
@pytest.mark.parametrize("when", WHEN)
@pytest.mark.parametrize("name", FREEZING)
async def test_an_engine_that_stood_still_changes_nothing(
    new_stage: NewStage, name: str, when: When, chaos: str
) -> None:
    play = PLAYS[name]
    for number in range(1, MOST, STRIDES[chaos]):
        case = Case(play, new_stage(takes=play.takes))
        frozen = await case.freezes(when, number)
        assert not case.found, f"{when} transaction {number}:\n{shown(case.found)}"
        if not frozen:
            return
    pytest.fail(f"the play has more than {MOST} transactions")


@pytest.mark.timeout(240)
@pytest.mark.parametrize("name", ["sequence-with-retry", "nested-branches", "children"])
async def test_a_crash_during_recovery_costs_nothing(new_stage: NewStage, name: str, chaos: str) -> None:
    """The engine that takes over crashes as well, and the one after it runs what is left alone, as a suspect."""
    play = PLAYS[name]
    for number in range(1, MOST, STRIDES[chaos]):
        case = Case(play, new_stage(takes=play.takes))
        crashed = await case.crashes("after", number, 1 + number * 5 % 7)
        assert not case.found, f"after transactions {number} and then {1 + number * 5 % 7}:\n{shown(case.found)}"
        if not crashed:
            return
    pytest.fail(f"the play has more than {MOST} transactions")
