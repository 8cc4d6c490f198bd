"""Full text, where there is no embedding model: on SQLite and PostgreSQL, which find the same and score it the same."""

from collections.abc import AsyncIterator, Sequence

import pytest

from pulse.core.errors import Misconfigured
from pulse.memory.vectors.memory import Upserted, VectorMemory
from pulse.memory.vectors.port import Document, Found
from pulse.memory.vectors.store import space_word
from tests.contract.memory.library import GUIDES, OURS, SECRET, THEIRS, DatabaseLibrary, Hashing


@pytest.fixture
async def library(database_library: DatabaseLibrary) -> AsyncIterator[DatabaseLibrary]:
    memory = database_library.without_model()
    for space in THEIRS:
        await memory.upsert(space, [SECRET])
    await memory.upsert(OURS, GUIDES)
    yield database_library
    for space in THEIRS:
        [match] = (await memory.search(space, "rocket")).matches
        assert (match.id, match.content) == (SECRET.id, SECRET.content)


async def found(library: DatabaseLibrary, query: str, limit: int = 5) -> Found:
    return await library.without_model().search(OURS, query, limit)


async def ids(library: DatabaseLibrary, query: str) -> list[str]:
    return [each.id.removeprefix("guide-") for each in (await found(library, query)).matches]


async def test_the_answer_says_how_it_was_found(library: DatabaseLibrary) -> None:
    answer = await found(library, "cron expression")
    assert (answer.mode, answer.unsearched) == ("full_text", 0)
    [match] = answer.matches
    assert (match.id, match.title, match.content) == ("guide-schedules", "Schedules", GUIDES[0].content)
    assert match.metadata == GUIDES[0].metadata
    assert 0.5 < match.similarity <= 1.0


QUERIES: list[tuple[str, list[str]]] = [
    ("how do I replay a failed message?", ["retries", "prompts", "schedules"]),
    ("SCHEDULE", ["schedules"]),
    ("schedules", ["schedules"]),
    ("ubergroßen armellangen", ["plain"]),
    ("MASSE", ["plain"]),
    ('"language model"', ["prompts"]),
    ('"model language"', []),
    ('"failed message"', ["retries"]),
    ("weekdays weekdays", ["schedules"]),
    ("0 9", ["schedules"]),
    ("rocket", []),
    ("xylophone-quartz", []),
    ("'\"; DROP TABLE x; --", []),
    ("* OR NEAR( AND NOT ) : ^ space", ["retries"]),
    ("!!! ???", []),
    ('"', []),
    ("double -braces", ["prompts"]),
]


async def test_words_find_texts(library: DatabaseLibrary) -> None:
    assert [(query, await ids(library, query)) for query, _ in QUERIES] == QUERIES


async def test_who_has_more_of_what_was_asked_comes_first(library: DatabaseLibrary) -> None:
    matches = (await found(library, "message template braces attempt", 3)).matches
    assert [each.id for each in matches] == ["guide-prompts", "guide-retries"]
    assert 1.0 > matches[0].similarity > matches[1].similarity > 0.0


async def test_no_space_can_be_asked_for_by_its_word(library: DatabaseLibrary) -> None:
    assert await ids(library, space_word(THEIRS[0])) == []
    assert await ids(library, space_word(OURS)) == []


async def test_conditions_hold_here_too(library: DatabaseLibrary) -> None:
    answer = await library.without_model().search(OURS, "message", condition={"year": {"$gt": 2026}})
    assert [each.id for each in answer.matches] == ["guide-prompts"]
    assert (await library.without_model().search(OURS, "message", condition={"year": 1})).matches == []


async def test_what_changed_is_found_by_its_new_words_only(library: DatabaseLibrary) -> None:
    memory = library.without_model()
    await memory.upsert(OURS, [Document("guide-retries", "Now of something else.", "Elsewhere")])
    assert await ids(library, "jitter") == []
    assert await ids(library, "elsewhere") == ["retries"]
    await memory.delete(OURS, ["guide-retries"])
    assert await ids(library, "elsewhere") == []
    await memory.clear(OURS)
    assert await ids(library, "schedule prompt maße") == []


async def test_languages_without_spaces_are_found(library: DatabaseLibrary) -> None:
    await library.without_model().upsert(OURS, [Document("guide-ja", "請求書の支払い期限は三十日です。")])
    assert await ids(library, "支払い") == ["ja"]
    assert await ids(library, '"支払い"') == ["ja"]
    assert await ids(library, '"払支"') == []


async def test_many_texts_are_searched_and_the_best_are_found(library: DatabaseLibrary) -> None:
    many = [Document(f"n{n}", f"invoice number{n} of the customer " + "and so on " * (n % 50)) for n in range(60)]
    await library.without_model().upsert(OURS, many)
    matches = (await found(library, "invoice number37", 3)).matches
    assert matches[0].id == "n37"
    assert matches[0].similarity > matches[1].similarity
    assert len((await found(library, "invoice", 100)).matches) == 60


async def test_texts_that_were_put_without_a_model_are_counted_and_embedded_later(library: DatabaseLibrary) -> None:
    memory = library.memory()
    before = await memory.search(OURS, "schedule")
    assert (before.mode, list(before.matches), before.unsearched) == ("vector", [], 4)
    assert await memory.re_embed(OURS, limit=3) == 3
    assert (await memory.search(OURS, "schedule")).unsearched == 1
    assert [await memory.re_embed(OURS, limit=3), await memory.re_embed(OURS)] == [1, 0]
    after = await memory.search(OURS, "cron schedule", 1)
    assert ([each.id for each in after.matches], after.unsearched) == (["guide-schedules"], 0)
    assert await memory.upsert(OURS, GUIDES) == Upserted(0, tuple(each.id for each in GUIDES))
    assert await ids(library, "jitter") == ["retries"]
    assert (await memory.search(THEIRS[0], "rocket")).unsearched == 1


async def test_a_text_that_changed_while_it_was_embedded_stays_as_it_is_now(library: DatabaseLibrary) -> None:
    class Slow(Hashing):
        async def embed(self, texts: Sequence[str]) -> Sequence[Sequence[float]]:
            if "probe" not in texts:
                await library.without_model().upsert(OURS, [Document("guide-plain", "newer text")])
            return await super().embed(texts)

    assert await library.memory(Slow()).re_embed(OURS) == 3
    assert await ids(library, "newer") == ["plain"]
    assert (await library.memory().search(OURS, "newer")).unsearched == 1


async def test_without_a_model_known_vectors_stay(library: DatabaseLibrary) -> None:
    await library.memory().upsert(OURS, GUIDES)
    assert await library.without_model().upsert(OURS, GUIDES) == Upserted(0, tuple(each.id for each in GUIDES))
    assert [each.id for each in await library.found("cron schedule", limit=1)] == ["guide-schedules"]


async def test_without_a_model_an_index_without_texts_will_not_do(database_library: DatabaseLibrary) -> None:
    with pytest.raises(Misconfigured, match="EMBEDDING_MODEL_ID"):
        VectorMemory(database_library.index)
