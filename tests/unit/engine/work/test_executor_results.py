"""What a handler may answer, and what is made of it."""

import types
from datetime import UTC, datetime
from typing import Any

import pytest

from pulse.engine.errors import ActionFailed, Fatal
from pulse.engine.records import ActionResult
from pulse.engine.rules.outcomes import Outcome
from pulse.engine.store.forms.values import MAX_BYTES
from tests.unit.engine.work.calling import Calling


@pytest.mark.parametrize(
    ("answer", "result", "text"),
    [
        (None, None, None),
        ({}, {}, "{}"),
        ({"id": 1}, {"id": 1}, '{"id":1}'),
        ({"a": (1, 2)}, {"a": [1, 2]}, '{"a":[1,2]}'),
        ({"a": types.MappingProxyType({"b": 1})}, {"a": {"b": 1}}, '{"a":{"b":1}}'),
        (types.MappingProxyType({"b": 1}), {"b": 1}, '{"b":1}'),
        ({"a": {1: 2}}, {"a": {"1": 2}}, '{"a":{"1":2}}'),
        (ActionResult(), None, None),
        (ActionResult(data={"id": 1}), {"id": 1}, '{"id":1}'),
        ({"a": "Ä€𝄞"}, {"a": "Ä€𝄞"}, '{"a":"\\u00c4\\u20ac\\ud834\\udd1e"}'),
    ],
)
async def test_an_action_answers_a_dict_a_result_or_nothing(
    call: Calling, answer: Any, result: dict[str, Any] | None, text: str | None
) -> None:
    assert await call.execute(lambda context: answer) == Outcome(result, text)


async def test_what_later_steps_see_is_what_was_stored_and_not_the_handlers_own(call: Calling) -> None:
    mine = {"list": [1]}
    outcome = await call.execute(lambda context: mine)
    mine["list"].append(2)
    assert outcome.result == {"list": [1]}


async def test_a_result_without_success_fails_the_attempt_and_may_be_tried_again(call: Calling) -> None:
    outcome = await call.execute(lambda context: ActionResult(success=False, data={"a": 1}, error="the mail is down"))
    assert (type(outcome.error), str(outcome.error), outcome.result) == (ActionFailed, "the mail is down", None)
    outcome = await call.execute(lambda context: ActionResult(success=False))
    assert "without an error" in str(outcome.error)


@pytest.mark.parametrize("answer", [5, "done", True, [1], [("a", 1)], {1, 2}, object, b"{}"])
async def test_an_action_that_answers_anything_else_is_fatal(call: Calling, answer: Any) -> None:
    outcome = await call.execute(lambda context: answer)
    assert isinstance(outcome.error, Fatal)
    assert f"not a {type(answer).__name__}" in str(outcome.error)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"a": float("nan")}, "cannot be stored as JSON"),
        ({"a": float("inf")}, "cannot be stored as JSON"),
        ({"a": datetime(2026, 1, 1, tzinfo=UTC)}, "a datetime is no JSON value"),
        ({"a": {1, 2}}, "a set is no JSON value"),
        ({(1, 2): "a"}, "cannot be stored as JSON"),
        ({"a": "\0"}, "NUL character"),
        ({"a": [{"\0": 1}]}, "NUL character"),
        ({"a": "\udc00"}, "surrogate"),
        ({"a": "x" * MAX_BYTES}, "at most 2,097,152 are stored"),
    ],
)
async def test_a_result_that_cannot_be_stored_is_fatal_and_says_why(call: Calling, answer: Any, said: str) -> None:
    for given in (answer, ActionResult(data=answer) if all(isinstance(key, str) for key in answer) else answer):
        outcome = await call.execute(lambda context, given=given: given)
        assert isinstance(outcome.error, Fatal)
        assert said in str(outcome.error)
        assert "the result of 'a'" in str(outcome.error)


async def test_a_result_that_holds_itself_is_fatal(call: Calling) -> None:
    answer: dict[str, Any] = {}
    answer["again"] = answer
    assert isinstance((await call.execute(lambda context: answer)).error, Fatal)


async def test_a_result_of_exactly_two_megabytes_is_stored(call: Calling) -> None:
    outcome = await call.execute(lambda context: {"a": "x" * (MAX_BYTES - len('{"a":""}'))})
    assert outcome.error is None
    outcome = await call.execute(lambda context: {"a": "x" * (MAX_BYTES - len('{"a":""}') + 1)})
    assert isinstance(outcome.error, Fatal)


@pytest.mark.parametrize("answer", [True, False])
async def test_a_condition_answers_true_or_false(call: Calling, answer: bool) -> None:
    text = '{"result":true}' if answer else '{"result":false}'
    assert await call.ask(lambda context: answer) == Outcome({"result": answer}, text)


@pytest.mark.parametrize("answer", [None, 0, 1, "true", "", {}, {"result": True}, ActionResult()])
async def test_a_condition_that_answers_anything_else_is_fatal(call: Calling, answer: Any) -> None:
    outcome = await call.ask(lambda context: answer)
    assert isinstance(outcome.error, Fatal)
    assert str(outcome.error) == f"A condition answers True or False; this one answered a {type(answer).__name__}."
