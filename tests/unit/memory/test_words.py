"""Words and their scores, and what documents may say."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulse.core.errors import InvalidFields
from pulse.memory.vectors.port import Document
from pulse.memory.vectors.words import folded, scores, terms_of


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Übergrößen, ÄRMEL & café!", "ubergrossen armel cafe"),
        ("snake_case camelCase a1-b2", "snake case camelcase a1 b2"),
        ("請求書PDF", "請 求 書 pdf"),
        ("ﬁne ①", "fine 1"),
        ("", ""),
        ("\0\n\t", ""),
    ],
)
def test_words_are_folded(text: str, words: str) -> None:
    assert folded(text) == words


@given(st.text(max_size=80))
def test_folded_words_are_words_and_stay_so(text: str) -> None:
    words = folded(text)
    assert folded(words) == words
    assert '"' not in words
    assert "  " not in words
    assert all(term and folded(term) == term for term in terms_of(text))


def test_a_query_is_words_and_phrases_each_once() -> None:
    assert terms_of('Red "Blue Car" red AND (green) ""') == ["red", "blue car", "and", "green"]
    assert terms_of('open "quote') == ["open", "quote"]
    assert len(terms_of(" ".join(f"w{n}" for n in range(100)))) == 32


def test_rare_terms_count_for_more_and_phrases_must_stand_together() -> None:
    texts = {1: "the red car", 2: "the the the blue", 3: "the car red"}
    found = scores(["the", "red"], texts)
    assert found[1] == found[3] > found[2] > 0
    assert scores(["red car"], texts)[1] > scores(["red car"], texts)[3] == 0
    assert scores(["a a"], {1: "a a a a"})[1] > 0


@given(st.lists(st.text("ab ", max_size=12), min_size=1, max_size=5))
def test_scores_are_between_none_and_all(texts: list[str]) -> None:
    found = scores(["a", "b", "a b"], dict(enumerate(map(folded, texts))))
    assert all(0 <= score <= 1 for score in found.values())
    assert [score > 0 for score in found.values()] == [
        bool(text.strip() and {*"ab"} & {*folded(text).split()}) for text in texts
    ]


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"id": ""}, "id"),
        ({"id": "x" * 201}, "id"),
        ({"id": "a\nb"}, "id"),
        ({"id": 7}, "id"),
        ({"title": "x" * 501}, "title"),
        ({"title": "nul\0"}, "title"),
        ({"content": "nul\0"}, "content"),
        ({"content": "half \ud800"}, "content"),
        ({"content": None}, "content"),
        ({"content": "ü" * (512 * 1024 + 1)}, "content"),
        ({"metadata": []}, "metadata"),
        ({"metadata": {f"f{n}": n for n in range(41)}}, "metadata"),
        ({"metadata": {"_id": 1}}, "metadata"),
        ({"metadata": {"$eq": 1}}, "metadata"),
        ({"metadata": {"": 1}}, "metadata"),
        ({"metadata": {"a": None}}, "metadata.a"),
        ({"metadata": {"a": {"b": 1}}}, "metadata.a"),
        ({"metadata": {"a": [1]}}, "metadata.a"),
        ({"metadata": {"a": float("nan")}}, "metadata.a"),
        ({"metadata": {"a": float("inf")}}, "metadata.a"),
        ({"metadata": {"a": "half \udc00"}}, "metadata.a"),
        ({"metadata": {"a": "x" * 5000, "b": "x" * 5000}}, "metadata"),
    ],
    ids=[str(n) for n in range(22)],
)
def test_a_document_that_cannot_be_kept_is_refused(changes: dict[str, Any], path: str) -> None:
    with pytest.raises(InvalidFields) as refused:
        Document(**{"id": "d", "content": "text", **changes})
    assert refused.value.faults[0].path == path


def test_a_document_may_say_much() -> None:
    metadata = {"Title case": "x", "3d": True, "ä.b": -1.5, "list": ["", "b"], "n": 10**20}
    assert Document("d", "text", "title", metadata).metadata == metadata
