"""The tone of texts: by the lexicon always the same, by a model only what it was asked for."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulse.core.errors import NotFound
from pulse.prompts.templates.answers import quoted
from pulse.prompts.templates.sentiment.by_model import SCHEMA, BadAnswer, tone_by_model
from pulse.prompts.templates.sentiment.lexicon import EMOTIONS, find, lexicon
from pulse.prompts.templates.sentiment.tone import Sentiment, tone_of
from tests.unit.prompts.calling import ScriptedCaller

WORDS = st.sampled_from([*sorted(lexicon())[::7], "the", "not", "very", "but", "order", "slightly", "GREAT", "!", "…"])


@pytest.mark.parametrize(
    ("text", "label", "profile"),
    [
        ("I love this product, it is wonderful!", "positive", "enthusiastic"),
        ("Your data is safe with us, and our experts will solve it.", "positive", "reassuring"),
        ("It was nice to meet you.", "positive", "friendly"),
        ("The meeting is at 10 in room 4.", "neutral", "neutral"),
        ("", "neutral", "neutral"),
        ("You idiot, get this garbage out of my sight!", "negative", "aggressive"),
        ("That is a bit annoying.", "negative", "irritated"),
        ("We are very sorry for the loss you suffered.", "negative", "sad"),
        ("I am worried that this is dangerous.", "negative", "anxious"),
        ("The build is broken and the page has a bug.", "negative", "negative"),
    ],
)
def test_texts_have_the_tone_that_people_hear(text: str, label: str, profile: str) -> None:
    found = tone_of(text)
    assert (found.label, found.profile) == (label, profile)


def compound(text: str) -> float:
    return tone_of(text).compound


def test_a_negation_turns_what_follows_and_weakens_it() -> None:
    assert compound("bad") < compound("not good") < 0 < compound("not bad") < compound("good")
    assert compound("It is not at all good") < 0
    assert compound("I don’t like it") < 0
    assert compound("not that it matters here, but good") > 0
    assert compound("I have never been so disappointed") < 0
    assert tone_of("not happy").emotions["joy"] == 0


def test_intensifiers_capitals_and_exclamation_marks_make_it_more() -> None:
    assert compound("slightly good") < compound("fairly good") < compound("good")
    assert compound("good") < compound("very good") < compound("extremely good")
    assert compound("This is good") < compound("This is GOOD")
    assert compound("THIS IS GOOD") == compound("this is good")
    assert compound("good") < compound("good!") < compound("good!!!!") == compound("good!!!!!!!!!")
    assert compound("bad!") < compound("bad")


def test_what_follows_but_counts_more() -> None:
    assert compound("The food was great, but the service was terrible") < 0
    assert compound("The service was terrible, but the food was great") > 0


def test_forms_of_a_word_are_found() -> None:
    for form, word in (("annoys", "annoy"), ("happily", "happy"), ("enjoying", "enjoy"), ("worries", "worry")):
        assert find(form) == lexicon()[word]
    assert find("enjoyment-free") is None
    assert find("order") is None


def test_the_lexicon_is_as_large_and_as_even_as_it_says() -> None:
    words = lexicon()
    assert len(words) > 500
    assert all(1 <= abs(entry.weight) <= 4 for entry in words.values())
    assert {name for entry in words.values() for name in entry.emotions} == set(EMOTIONS.values())
    assert not any(word != word.lower() or " " in word for word in words)
    for good, bad in (("joy", "anger"), ("trust", "fear")):
        assert all(entry.weight > 0 for entry in words.values() if good in entry.emotions)
        assert all(entry.weight < 0 for entry in words.values() if bad in entry.emotions)


@given(st.lists(WORDS, max_size=30).map(" ".join))
def test_the_numbers_hold_together(text: str) -> None:
    found = tone_of(text)
    assert found == tone_of(text)
    assert -1 < found.compound < 1
    assert math.isclose(found.positive + found.negative + found.neutral, 1, abs_tol=1e-3)
    assert min(found.positive, found.negative) >= 0
    assert found.neutral >= -1e-3
    assert set(found.emotions) == set(EMOTIONS.values())
    total = sum(found.emotions.values())
    assert total == 0 or math.isclose(total, 1, abs_tol=1e-3)
    assert (found.label == "neutral") is (abs(found.compound) < 0.05)


def answer(compound: object = -0.8, **emotions: object) -> str:
    amounts = {**dict.fromkeys(EMOTIONS.values(), 0), **emotions}
    return json.dumps({"compound": compound, "emotions": amounts})


async def test_a_model_is_asked_once_and_its_answer_is_read() -> None:
    caller = ScriptedCaller(lambda _ask: f"```json\n{answer(anger=0.6, fear=0.2)}\n```")
    tone, called = await tone_by_model(caller, "org_1", "mcf_1", "Get lost.", key="cell:tone")
    emotions = {"joy": 0, "anger": 0.75, "fear": 0.25, "sadness": 0, "trust": 0}
    assert tone == Sentiment("negative", -0.8, 0.0, 0.8, 0.2, emotions, "aggressive")
    assert called.cost_micros == 60
    ((organization_id, configuration_id, ask),) = caller.asked
    assert (organization_id, configuration_id, ask.key) == ("org_1", "mcf_1", "cell:tone")
    assert (ask.text, ask.schema, ask.temperature) == (quoted("Get lost."), SCHEMA, 0)


@pytest.mark.parametrize(
    "text",
    [
        "I would say: negative.",
        "[]",
        '{"compound": 0}',
        '{"compound": 0, "emotions": []}',
        answer(compound=1.5),
        answer(compound="bad"),
        answer(compound=True),
        answer(joy=-1),
    ],
)
async def test_an_answer_that_is_not_what_was_asked_for_is_refused(text: str) -> None:
    with pytest.raises(BadAnswer):
        await tone_by_model(ScriptedCaller(lambda _ask: text), "org_1", "mcf_1", "x")


async def test_errors_of_the_call_are_passed_on() -> None:
    with pytest.raises(NotFound):
        await tone_by_model(ScriptedCaller(lambda _ask: NotFound()), "org_1", "mcf_1", "x")
