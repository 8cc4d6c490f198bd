"""The model that is none: always the same, and as bad as it is told to be."""

import json
from contextlib import aclosing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulse.models.mock import DIMENSIONS, MockModels, count, vector
from pulse.models.port import FAILURES, Access, Image, ModelFailed, Prompt

ACCESS = Access()


class Waits:
    """Notes how long it was to wait, and waits for nothing."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)


@pytest.fixture
def waits() -> Waits:
    return Waits()


@pytest.fixture
def models(waits: Waits) -> MockModels:
    return MockModels(waits)


async def test_the_same_question_has_the_same_answer(models: MockModels) -> None:
    prompt = Prompt("mock-small", "Is order A-17 late?")
    answers = {(await MockModels(Waits()).complete(ACCESS, prompt)).text for _ in range(5)}
    assert len(answers) == 1
    assert "Is order A-17 late?" in answers.pop()


async def test_another_question_or_another_system_has_another_answer(models: MockModels) -> None:
    prompts = [Prompt("mock-large", f"Question {n}") for n in range(20)]
    prompts += [Prompt("mock-large", "Question 1", system="Be brief.")]
    said = {(await models.complete(ACCESS, prompt)).text.partition("”.")[2] for prompt in prompts}
    assert len(said) > 10


async def test_the_large_model_says_more(models: MockModels) -> None:
    small = await models.complete(ACCESS, Prompt("mock-small", "Why?"))
    large = await models.complete(ACCESS, Prompt("mock-large", "Why?"))
    assert large.text.startswith(small.text)
    assert large.usage.output_tokens > 2 * small.usage.output_tokens
    assert large.usage.input_tokens == small.usage.input_tokens == 2


async def test_tokens_are_what_is_read_and_written(models: MockModels) -> None:
    prompt = Prompt("mock-small", "One two, three.", system="Four five", images=[Image(data=b"x")])
    completion = await models.complete(ACCESS, prompt)
    assert completion.usage.input_tokens == 5 + 2 + 85
    assert completion.usage.output_tokens == count(completion.text)
    assert "1 image." in completion.text


@pytest.mark.parametrize("most", [1, 2, 5, 9])
async def test_a_limit_cuts_the_answer(models: MockModels, most: int) -> None:
    completion = await models.complete(ACCESS, Prompt("mock-large", "Why?", max_tokens=most))
    assert completion.stop == "length"
    assert completion.usage.output_tokens == count(completion.text) == most


async def test_a_limit_that_is_not_reached_cuts_nothing(models: MockModels) -> None:
    completion = await models.complete(ACCESS, Prompt("mock-small", "Why?", max_tokens=1000))
    assert completion.stop == "end"


async def test_a_schema_is_obeyed(models: MockModels) -> None:
    schema = {
        "type": "object",
        "properties": {"sentiment": {"enum": ["good", "bad"]}, "score": {"type": "number", "minimum": 0, "maximum": 1}},
        "required": ["sentiment", "score"],
    }
    for n in range(20):
        answer = json.loads((await models.complete(ACCESS, Prompt("mock-small", f"Text {n}", schema=schema))).text)
        assert answer["sentiment"] in ("good", "bad")
        assert 0 <= answer["score"] <= 1


async def test_a_schema_that_cannot_be_obeyed_is_refused(models: MockModels) -> None:
    with pytest.raises(ModelFailed, match="pattern") as caught:
        await models.complete(ACCESS, Prompt("mock-small", "?", schema={"type": "string", "pattern": "^a$"}))
    assert caught.value.reason == "invalid_request"


@pytest.mark.parametrize("reason", sorted(FAILURES))
async def test_the_name_of_the_model_makes_it_fail(models: MockModels, reason: str) -> None:
    with pytest.raises(ModelFailed) as caught:
        await models.complete(ACCESS, Prompt(f"mock-fail-{reason}", "?"))
    assert caught.value.reason == reason
    assert caught.value.retry_after_s is None


async def test_a_header_makes_it_fail_too(models: MockModels) -> None:
    access = Access(headers={"X-Mock-Fail": "rate_limited;3"})
    with pytest.raises(ModelFailed) as caught:
        await models.check(access)
    assert (caught.value.reason, caught.value.retry_after_s) == ("rate_limited", 3.0)


@pytest.mark.parametrize("model", ["mock-fail-boredom", "mock-fail-"])
async def test_a_reason_that_is_none_is_told(models: MockModels, model: str) -> None:
    with pytest.raises(ModelFailed) as caught:
        await models.complete(ACCESS, Prompt(model, "?"))
    assert caught.value.reason in ("invalid_request", "model_not_found")


@pytest.mark.parametrize("model", ["gpt-4o", "mock", "mock-huge", "MOCK-SMALL", "mock-slow-x", "mock-small ", ""])
async def test_other_models_do_not_exist(models: MockModels, model: str) -> None:
    with pytest.raises(ModelFailed) as caught:
        await models.complete(ACCESS, Prompt(model, "?"))
    assert caught.value.reason == "model_not_found"


async def test_it_takes_its_time(models: MockModels, waits: Waits) -> None:
    await models.complete(ACCESS, Prompt("mock-slow-500", "?"))
    await models.complete(Access(headers={"x-mock-wait-ms": "250"}), Prompt("mock-small", "?"))
    assert waits.seconds == [0.5, 0.25]


async def test_it_takes_no_more_time_than_there_is(models: MockModels, waits: Waits) -> None:
    with pytest.raises(ModelFailed) as caught:
        await models.complete(ACCESS, Prompt("mock-slow-9000", "?", timeout_ms=1000))
    assert caught.value.reason == "timeout"
    assert waits.seconds == [1.0]


async def test_a_stream_fails_before_its_first_piece(models: MockModels) -> None:
    async with aclosing(models.stream(ACCESS, Prompt("mock-fail-overloaded", "?"))) as deltas:  # type: ignore[type-var]
        with pytest.raises(ModelFailed):
            await anext(deltas)


def near(one: str, other: str) -> float:
    return sum(a * b for a, b in zip(vector(one), vector(other), strict=True))


def test_texts_that_share_words_are_near_each_other() -> None:
    late = "The order is late and the customer is angry."
    assert near(late, "The customer is angry: the order is late!") > 0.9
    assert near(late, "Orders that are late make customers angry.") > 0.35
    assert near(late, "Paint the kitchen green") < 0.25


@given(st.text(max_size=200))
def test_a_vector_has_length_one_whatever_the_text(text: str) -> None:
    found = vector(text)
    assert len(found) == DIMENSIONS
    assert sum(value * value for value in found) == pytest.approx(1.0)
    assert vector(text) == found
