"""Vector memory, on every index: exact on SQLite and PostgreSQL, pgvector, Pinecone.

Each test has spaces of others beside it, with a document under an id that it uses itself, and leaves them as they are.
"""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from pulse.core.errors import InvalidFields, Misconfigured
from pulse.memory.vectors.memory import Upserted
from pulse.memory.vectors.port import Document, Space
from tests.contract.memory.library import GUIDES, OURS, SECRET, THEIRS, Hashing, Library


@pytest.fixture
async def library(empty_library: Library) -> AsyncIterator[Library]:
    for space in THEIRS:
        await empty_library.memory().upsert(space, [SECRET])
    empty_library.model.asked.clear()
    yield empty_library
    await empty_library.check_theirs()


@pytest.fixture
async def filled(library: Library) -> Library:
    await library.memory().upsert(OURS, GUIDES)
    library.model.asked.clear()
    return library


async def test_what_means_the_same_is_found_first(filled: Library) -> None:
    found = await filled.memory().search(OURS, "cron expression of a schedule", 2)
    assert (found.mode, found.unsearched, len(found.matches)) == ("vector", 0, 2)
    first = found.matches[0]
    assert (first.id, first.title, first.content) == ("guide-schedules", "Schedules", GUIDES[0].content)
    assert first.metadata == GUIDES[0].metadata
    assert 0.3 < first.similarity <= 1.0
    assert first.similarity > found.matches[1].similarity


async def test_similarity_is_the_cosine(filled: Library) -> None:
    asked = f"{GUIDES[1].title}\n\n{GUIDES[1].content}"
    matches = await filled.found(asked, limit=4)
    assert matches[0].id == "guide-retries"
    assert matches[0].similarity == pytest.approx(1.0, abs=1e-5)
    one, other = (filled.model.vector(text) for text in (asked, f"{GUIDES[3].title}\n\n{GUIDES[3].content}"))
    dot = sum(a * b for a, b in zip(one, other, strict=True))
    expected = dot / (sum(a * a for a in one) * sum(b * b for b in other)) ** 0.5
    assert {each.id: each.similarity for each in matches}["guide-plain"] == pytest.approx(expected, abs=1e-5)


async def test_nothing_is_found_in_an_empty_space(library: Library) -> None:
    found = await library.memory().search(OURS, "schedule")
    assert (found.mode, list(found.matches)) == ("vector", [])


async def test_what_is_put_again_replaces_what_was_there(filled: Library) -> None:
    changed = replace(GUIDES[0], content="Now it tells of rockets only.", metadata={"section": "space"})
    assert await filled.memory().upsert(OURS, [changed]) == Upserted(1)
    assert await filled.ids() == sorted(each.id for each in GUIDES)
    first = (await filled.found("rockets"))[0]
    assert (first.id, first.content, first.metadata) == (changed.id, changed.content, {"section": "space"})


async def test_what_is_there_already_costs_nothing(filled: Library) -> None:
    assert await filled.memory().upsert(OURS, GUIDES) == Upserted(0, tuple(each.id for each in GUIDES))
    assert filled.model.asked == []
    for changed in (replace(GUIDES[0], title="Other"), replace(GUIDES[0], metadata={"year": 2027})):
        assert await filled.memory().upsert(OURS, [changed, GUIDES[1]]) == Upserted(1, (GUIDES[1].id,))


async def test_a_repeat_of_a_key_changes_nothing(library: Library) -> None:
    memory, document = library.memory(), GUIDES[0]
    await memory.upsert(OURS, [document], key="msg_1:wf_1:1")
    again = await memory.upsert(OURS, [replace(document, content="another text")], key="msg_1:wf_1:1")
    assert again == Upserted(0, (document.id,))
    assert [each.content for each in await library.found("schedule")] == [document.content]
    await memory.upsert(OURS, [replace(document, content="another text")], key="msg_1:wf_1:2")
    assert [each.content for each in await library.found("schedule")] == ["another text"]


async def test_a_long_document_is_found_by_its_parts(library: Library) -> None:
    paragraphs = [f"Chapter {n} tells of subject{n} at some length. " + "It goes on and on. " * 60 for n in range(30)]
    long = Document("long", "\n\n".join(paragraphs), "Long")
    written = await library.memory().upsert(OURS, [long])
    assert written.chunks >= 30
    best = (await library.found("subject17 chapter 17", limit=1))[0]
    assert best.id == "long"
    assert "subject17" in best.content
    assert 0 < best.position < written.chunks
    # A shorter text leaves no chunk of the longer one behind.
    assert await library.memory().upsert(OURS, [replace(long, content="Short now.")]) == Upserted(1)
    assert [each.content for each in await library.found("chapter", limit=100)] == ["Short now."]


async def test_deleted_documents_are_gone(filled: Library) -> None:
    await filled.memory().delete(OURS, ["guide-schedules", "guide-plain", "never-there"])
    assert await filled.ids() == ["guide-prompts", "guide-retries"]
    await filled.memory().delete(OURS, ["guide-schedules"])


async def test_a_space_can_be_cleared_twice(filled: Library) -> None:
    for _ in range(2):
        await filled.memory().clear(OURS)
        assert await filled.ids() == []
    await filled.memory().upsert(OURS, GUIDES[:1])
    assert await filled.ids() == [GUIDES[0].id]


async def test_vectors_of_different_models_never_meet(filled: Library) -> None:
    other = Hashing(name="test/other")
    assert list((await filled.memory(other).search(OURS, "schedule")).matches) == []
    await filled.memory(other).upsert(OURS, [GUIDES[1]])
    assert [each.id for each in (await filled.memory(other).search(OURS, "schedule")).matches] == ["guide-retries"]
    assert await filled.ids() == ["guide-plain", "guide-prompts", "guide-schedules"]


CONDITIONS: list[tuple[dict[str, Any], str]] = [
    ({"section": "admin"}, "prompts schedules"),
    ({"section": {"$ne": "admin"}}, "plain retries"),
    ({"year": {"$gte": 2026}}, "prompts retries"),
    ({"year": {"$gt": 2026}}, "prompts"),
    ({"year": {"$lt": 2026, "$gt": 2024}}, "schedules"),
    ({"year": {"$lte": 2025}}, "schedules"),
    ({"year": 2025.0}, "schedules"),
    ({"draft": True}, "prompts"),
    ({"draft": False}, "retries schedules"),
    ({"draft": {"$in": [1, "true"]}}, ""),
    ({"tags": "cron"}, "schedules"),
    ({"tags": {"$in": ["time", "errors"]}}, "retries schedules"),
    ({"tags": {"$nin": ["time", "errors"]}}, "plain prompts"),
    ({"tags": {"$exists": False}}, "plain prompts"),
    ({"tags": {"$exists": True}, "section": "admin"}, "schedules"),
    ({"$or": [{"draft": True}, {"tags": "errors"}]}, "prompts retries"),
    ({"$and": [{"section": "admin"}, {"$or": [{"year": 2025}, {"year": 1}]}]}, "schedules"),
    ({"section": "nowhere"}, ""),
    ({"section": "Admin"}, ""),
]


async def test_conditions_mean_the_same_everywhere(filled: Library) -> None:
    found = []
    for condition, _ in CONDITIONS:
        matches = (await filled.memory().search(OURS, "guide", 10, condition=condition)).matches
        found.append((condition, " ".join(sorted(each.id.removeprefix("guide-") for each in matches))))
    assert found == CONDITIONS


async def test_no_more_than_asked_for_is_found(filled: Library) -> None:
    for limit in (1, 3, 4, 100):
        matches = await filled.found("guide", limit=limit)
        assert len(matches) == min(limit, 4)
        similarities = [each.similarity for each in matches]
        assert similarities == sorted(similarities, reverse=True)


async def test_odd_ids_and_texts_come_back(library: Library) -> None:
    odd = [
        Document("a b/c#1?%20&+'\"\\日本", "First 日本語 text {with} 'quotes' and :colons", "It's"),
        Document("A", "second", 'He said "x"', {"naïve field.name": ["ä", ""], "n": -0.5, "big": 2**40}),
        Document("a", "third"),
        Document("x" * 200, "fourth"),
    ]
    await library.memory().upsert(OURS, odd)
    found = {each.id: each for each in await library.found("text", limit=10)}
    assert {each.id: (each.content, each.title, each.metadata) for each in odd} == {
        each.id: (each.content, each.title, each.metadata) for each in found.values()
    }
    await library.memory().delete(OURS, [odd[0].id, "A"])
    assert await library.ids() == sorted(["a", "x" * 200])


async def test_blank_documents_are_known_and_never_found(library: Library) -> None:
    assert await library.memory().upsert(OURS, [Document("blank", " \n\n "), Document("empty", "")]) == Upserted(0)
    assert await library.ids() == []
    assert library.model.asked == ["anything"]


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"query": " "}, "query"),
        ({"query": "x" * 8193}, "query"),
        ({"limit": 0}, "limit"),
        ({"limit": 101}, "limit"),
        ({"condition": {"$where": "1"}}, "filter.$where"),
        ({"condition": {}}, "filter"),
    ],
    ids=["blank", "long", "none", "many", "operator", "empty"],
)
async def test_a_search_that_makes_no_sense_is_refused(library: Library, changes: dict[str, Any], path: str) -> None:
    with pytest.raises(InvalidFields) as refused:
        await library.memory().search(OURS, **{"query": "q", **changes})
    assert refused.value.faults[0].path == path


async def test_too_much_at_once_is_refused(library: Library) -> None:
    many = [Document(f"d{n}", "x") for n in range(101)]
    long = [Document(f"long{n}", "word " * 200_000) for n in range(3)]
    for documents in ([], many, [many[0], many[0]], long):
        with pytest.raises(InvalidFields) as refused:
            await library.memory().upsert(OURS, documents)
        assert refused.value.faults[0].path == "documents"
    for ids in ([], [each.id for each in many]):
        with pytest.raises(InvalidFields):
            await library.memory().delete(OURS, ids)
    assert library.model.asked == []


class Broken(Hashing):
    """A model whose vectors are none."""

    def __init__(self, vectors: list[list[float]]) -> None:
        super().__init__()
        self.vectors = vectors

    async def embed(self, texts: Any) -> list[list[float]]:
        return self.vectors


@pytest.mark.parametrize(
    "vectors",
    [[], [[0.0] * 64], [[float("nan")] * 64], [[float("inf")] * 64], [[1.0] * 64, [1.0] * 64], [[]]],
    ids=["none", "zero", "nan", "infinite", "two", "empty"],
)
async def test_vectors_that_are_none_are_refused(filled: Library, vectors: list[list[float]]) -> None:
    memory = filled.memory(Broken(vectors))
    with pytest.raises(Misconfigured, match="test/hashing"):
        await memory.upsert(OURS, [Document("broken", "text")])
    with pytest.raises(Misconfigured):
        await memory.search(OURS, "text")
    assert "broken" not in await filled.ids()


async def test_a_check_of_what_works_is_quiet(library: Library) -> None:
    await library.memory().check()


@pytest.mark.parametrize("namespace", ["", ".", "a/b", "a b", "ä", "x" * 65, "-a", "a\n", None, 1])
def test_a_namespace_is_a_plain_name(namespace: Any) -> None:
    with pytest.raises(InvalidFields):
        Space("org_ours", "env_prod", namespace)
