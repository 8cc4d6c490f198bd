"""`vectorUpsert` and `vectorSearch`, in a database: by words, and by the mock provider's embedding model."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from pulse.core.errors import Misconfigured, NotFound, PulseError, StorageDown
from pulse.memory.tables import BRANCH, memory_tables
from pulse.memory.vectors.exact import ExactVectors
from pulse.memory.vectors.memory import VectorMemory
from pulse.memory.vectors.port import Embedder, IndexFailed
from pulse.memory.vectors.store import DatabaseIndex
from pulse.models.mock import MockModels
from pulse.models.port import Access
from pulse.sandbox.port import Tenant
from pulse.storage.database import Database
from pulse.storage.migrations import migrate
from tests.contract.anywhere import Anywhere
from tests.contract.conftest import SetClock
from tests.integration.effects.functions.bench import CANARY, OURS, Bench, hides

THEIRS = (Tenant("org_theirs", OURS.environment_id), Tenant(OURS.organization_id, "env_test"))

GUIDES = """[
    { id: 'g1', title: 'Schedules', metadata: { year: 2025 },
      content: 'A schedule fires an event by a cron expression.' },
    { id: 'g2', title: 'Retries', metadata: { year: 2026 },
      content: 'A failed message can be replayed after an error.' },
    { id: 'g3', content: 'Prompts are sent to language models.' }]"""


@dataclass
class Mock:
    """The mock provider's embedding model; `model` says how it behaves."""

    name: str = "mock/embedding"
    model: str = "mock-embedding"
    asked: list[str] = field(default_factory=list)

    async def embed(self, texts: Sequence[str]) -> Sequence[Sequence[float]]:
        self.asked += texts
        return (await MockModels().embed(Access(), self.model, texts)).vectors


@pytest.fixture
async def index(tmp_path: Path) -> AsyncIterator[DatabaseIndex]:
    database = Database(f"sqlite+aiosqlite:///{tmp_path}/pulse.db", prefix="pulse_")
    await migrate(database, [BRANCH])
    tables = memory_tables("pulse_")
    yield DatabaseIndex(database, tables, ExactVectors(tables, database.dialect), Anywhere(), SetClock())
    await database.close()


def remembering(bench: Bench, index: DatabaseIndex, embedder: Embedder | None = None) -> Bench:
    return bench.reaching(vectors=VectorMemory(index, embedder=embedder, texts=index))


async def test_without_a_model_words_are_looked_for(bench: Bench, index: DatabaseIndex) -> None:
    vectors = remembering(bench, index)
    ran = await vectors.tried(f"await vectorUpsert({GUIDES})")
    assert ran.result == {"chunks": 3, "unchanged": []}
    assert ran.entry == {"type": "api", "service": "vectors", "documents": 3, "chunks": 3, "success": True}
    ran = await vectors.tried("await vectorSearch('replayed after an error')")
    (best, *_) = ran.result
    assert best == {
        "title": "Retries",
        "content": "A failed message can be replayed after an error.",
        "similarity": best["similarity"],
        "id": "g2",
        "metadata": {"year": 2026},
    }
    assert (ran.entry["mode"], ran.entry["found"], ran.entry["limit"]) == ("full_text", len(ran.result), 5)


async def test_with_one_meanings_are(bench: Bench, index: DatabaseIndex) -> None:
    vectors = remembering(bench, index, Mock())
    await vectors.tried(f"await vectorUpsert({GUIDES})")
    ran = await vectors.tried("await vectorSearch('scheduled by cron', 2)")
    assert ran.result[0]["id"] == "g1"
    assert len(ran.result) == 2
    assert 0 < ran.result[1]["similarity"] < ran.result[0]["similarity"] <= 1
    assert ran.entry["mode"] == "vector"


async def test_a_filter_and_a_namespace(bench: Bench, index: DatabaseIndex) -> None:
    vectors = remembering(bench, index, Mock())
    await vectors.tried(f"await vectorUpsert({GUIDES}, 'guides')")
    ran = await vectors.tried("await vectorSearch('schedule', 5, { namespace: 'guides', filter: { year: 2026 } })")
    assert [match["id"] for match in ran.result] == ["g2"]
    assert (await vectors.tried("await vectorSearch('schedule')")).result == []


async def test_one_document_and_one_that_is_there_already(bench: Bench, index: DatabaseIndex) -> None:
    vectors = remembering(bench, index)
    ran = await vectors.run(
        """const put = () => vectorUpsert({ id: 'a', content: 'One document.' });
        ___result___ = [await put(), await put()]"""
    )
    assert ran.result == [{"chunks": 1, "unchanged": []}, {"chunks": 0, "unchanged": ["a"]}]


async def test_a_repeat_asks_the_model_no_more(bench: Bench, index: DatabaseIndex) -> None:
    model = Mock()
    vectors = remembering(bench, index, model)
    first = await vectors.tried(f"await vectorUpsert({GUIDES})")
    again = await vectors.tried(f"await vectorUpsert({GUIDES})", like=first, past=first.cut_off())
    assert (again.result["chunks"], len(model.asked)) == (0, 3)


@pytest.mark.parametrize("theirs", THEIRS)
async def test_others_documents_are_not_found(bench: Bench, index: DatabaseIndex, theirs: Tenant) -> None:
    vectors = remembering(bench, index)
    await Bench(bench.sandbox, vectors.world, theirs).tried(f"await vectorUpsert({GUIDES})")
    assert (await vectors.tried("await vectorSearch('schedule')")).result == []


@pytest.mark.parametrize(
    ("call", "words"),
    [
        ("vectorUpsert([])", "documents: Index 1 to 100 documents at once."),
        ("vectorUpsert([{ id: 'a' }])", "documents[0]: Object missing required field `content`."),
        ("vectorUpsert([{ id: 'a', content: 5 }])", "documents[0].content: Expected `str`, got `int`."),
        ("vectorUpsert([{ id: 'a', content: 'x' }, { id: 'a', content: 'y' }])", "Each document has an id of its own."),
        ("vectorUpsert('text')", "documents: Expected `object | array`, got `str`."),
        ("vectorSearch('')", "query: A query is a text that is not blank."),
        ("vectorSearch(5)", "query: Expected `str`, got `int`."),
        ("vectorSearch('x', 0)", "limit: Ask for 1 to 100 matches."),
        ("vectorSearch('x', '5')", "limit: Expected `int`, got `str`."),
        ("vectorSearch('x', 5, { topK: 3 })", "options: Object contains unknown field `topK`."),
        ("vectorSearch('x', 5, { filter: { a: { $like: 'b' } } })", "$like"),
        ("vectorSearch()", "Call it as await vectorSearch(query, limit = 5, {namespace?, filter?})."),
    ],
)
async def test_faults_of_a_search(bench: Bench, index: DatabaseIndex, call: str, words: str) -> None:
    failure = (await remembering(bench, index).tried(f"await {call}")).failure
    assert failure.code == "invalid_arguments"
    assert words in failure.message


@pytest.mark.parametrize(("reason", "retryable"), [("rate_limited", True), ("unauthorized", False)])
async def test_a_model_that_fails(bench: Bench, index: DatabaseIndex, reason: str, *, retryable: bool) -> None:
    vectors = remembering(bench, index, Mock(model=f"mock-fail-{reason}"))
    for call in (f"vectorUpsert({GUIDES})", "vectorSearch('x')"):
        ran = await vectors.tried(f"await {call}")
        assert (ran.failure.code, ran.failure.retryable) == ("model_failed", retryable)
        assert (ran.entry["success"], ran.entry["code"]) == (False, "model_failed")


@pytest.mark.parametrize(
    ("error", "code", "retryable"),
    [
        (IndexFailed("rate_limited", "Slow down."), "index_failed", True),
        (IndexFailed("unauthorized", "No."), "index_failed", False),
        (StorageDown(), "unavailable", True),
        (Misconfigured("The model is none."), "unavailable", False),
        (NotFound("The configuration is gone."), "unavailable", False),
    ],
    ids=lambda value: getattr(value, "code", value),
)
async def test_an_index_that_fails(bench: Bench, error: PulseError, code: str, *, retryable: bool) -> None:
    class Failing:
        async def fail(self, *_given: Any) -> Any:
            raise error

        known = search_text = fail

    failing: Any = Failing()
    vectors = bench.reaching(vectors=VectorMemory(failing, texts=failing))
    for call in (f"vectorUpsert({GUIDES})", "vectorSearch('x')"):
        ran = await vectors.tried(f"await {call}")
        assert (ran.failure.code, ran.failure.message, ran.failure.retryable) == (code, error.message, retryable)
        assert (ran.entry["success"], ran.entry["code"]) == (False, code)


async def test_a_secret_in_a_document_is_shown_to_nobody(bench: Bench, index: DatabaseIndex) -> None:
    ran = await remembering(bench, index).run(
        """await vectorUpsert({ id: 'a', content: 'The key is ' + KEY });
        ___result___ = (await vectorSearch('key'))[0].content""",
        variables={"KEY": CANARY},
    )
    assert ran.result == "The key is ***"
    hides(ran)
