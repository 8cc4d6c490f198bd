"""Pictures by their first bytes, answers by their shape, plans by what stands in a model's text."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulse.effects.calls import EffectFailed
from pulse.effects.world.assistant import MAX_CALLS, _plan_of
from pulse.effects.world.images import kind_of, listed
from pulse.effects.world.legacy import text_of

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["choices", "content", "output", "text"]), inner),
)


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"\x89PNG\r\n\x1a\n", "image/png"),
        (b"\x89PNG", None),
        (b"\xff\xd8\xff\xdb", "image/jpeg"),
        (b"\xff\xd8", None),
        (b"GIF87a", "image/gif"),
        (b"GIF89a.", "image/gif"),
        (b"RIFF\x00\x00\x00\x00WEBP", "image/webp"),
        (b"RIFF\x00\x00\x00\x00WAVE", None),
        (b"RIFF", None),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", None),
        (b"%PDF-1.7", None),
        (b"", None),
    ],
)
def test_a_picture_is_known_by_its_first_bytes(data: bytes, kind: str | None) -> None:
    assert kind_of(data) == kind


@pytest.mark.parametrize("given_", [None, "", "[]", []])
def test_no_pictures(given_: Any) -> None:
    assert listed(given_) == []


@pytest.mark.parametrize("given_", ["a.png", '{"a": 1}', "[1]", [1], {"a": 1}, 5, '["a"', ["x"] * 11])
def test_what_is_no_list_of_pictures(given_: Any) -> None:
    with pytest.raises(EffectFailed, match="imageUrlsJson: "):
        listed(given_)


@given(urls=st.lists(st.text(st.characters(codec="utf-8")), max_size=10))
def test_a_list_or_its_json(urls: list[str]) -> None:
    assert listed(urls) == listed(json.dumps(urls)) == urls


@given(data=values)
def test_any_answer_is_a_text_or_left_as_it_is(data: Any) -> None:
    found = text_of(data)
    assert isinstance(found, str) or found is data


@given(text=st.text(), more=values)
def test_the_first_place_that_holds_a_text_counts(text: str, more: Any) -> None:
    data = {"choices": [{"message": {"content": text}}], "content": more, "output": more, "text": more}
    assert text_of(data) == text


# ---- plans -------------------------------------------------------------------------------------------------------

names = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1)
steps = st.fixed_dictionaries({"id": names, "path": names}, optional={"method": names, "params": st.just({"a": 1})})


@given(
    plan=st.lists(steps, max_size=MAX_CALLS, unique_by=lambda step: str(step["id"])),
    wrap=st.sampled_from(["{}", "```json\n{}\n```", "```\n{}\n```\n", "Here it is: {} Good luck."]),
)
def test_a_plan_is_found_however_it_is_wrapped(plan: list[dict[str, Any]], wrap: str) -> None:
    whole = {"researchPlan": plan, "intent": "x", "reasoning": None}
    found = _plan_of(wrap.replace("{}", json.dumps(whole)))
    assert found == _plan_of(whole)
    assert [(step.id, step.path) for step in found.research_plan] == [(step["id"], step["path"]) for step in plan]


@given(said=st.text() | values)
def test_anything_else_is_no_plan(said: Any) -> None:
    """Unless it is an object, which may be a plan of no calls."""
    try:
        found = _plan_of(said)
    except EffectFailed as error:
        code = error.effect_code
    else:
        code = f"{len(found.research_plan)} calls"
    assert code in ("invalid_plan", "0 calls")
