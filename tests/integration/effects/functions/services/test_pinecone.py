"""`pineconeUpsert`, `pineconeQuery` and `pineconeDelete`, against a strict index."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.integration.effects.functions.bench import CANARY, Bench, hides
from tests.integration.effects.functions.conftest import WaysOut
from tests.integration.effects.functions.peers import Pinecone, running

NEWS = [
    {"id": "n1", "values": [1, 0, 0], "metadata": {"topic": "sport", "year": 2026}},
    {"id": "n2", "values": [0, 1, 0], "metadata": {"topic": "weather"}},
    {"id": "n3", "values": [0.9, 0.1, 0], "metadata": {"topic": "sport"}},
]
UPSERT = f"await pineconeUpsert({json.dumps(NEWS)}, 'news')"


@pytest.fixture
async def pinecone() -> AsyncIterator[Pinecone]:
    async with running(Pinecone(key=CANARY)) as peer:
        yield peer


@pytest.fixture
def variables(pinecone: Pinecone) -> dict[str, str]:
    return {"PINECONE_API_KEY": CANARY, "PINECONE_HOST": pinecone.url}


@pytest.fixture
def index(bench: Bench, pinecone: Pinecone, ways_out: WaysOut) -> Bench:
    return bench.reaching(egress=ways_out(pinecone.place))


async def filled(index: Bench, variables: dict[str, str]) -> None:
    assert (await index.tried(UPSERT, variables=variables)).result == {"upsertedCount": 3}


async def test_vectors_are_put_in(index: Bench, pinecone: Pinecone, variables: dict[str, str]) -> None:
    ran = await index.tried(UPSERT, variables=variables)
    assert ran.result == {"upsertedCount": 3}
    assert pinecone.spaces == {"news": {each["id"]: each for each in NEWS}}
    entry = dict(ran.entry)
    assert entry.pop("durationMs") >= 0
    assert entry == {"type": "api", "service": "pinecone", "path": "/vectors/upsert", "status": 200, "success": True}
    hides(ran)


async def test_a_repeat_comes_to_the_same(index: Bench, pinecone: Pinecone, variables: dict[str, str]) -> None:
    first = await index.tried(UPSERT, variables=variables)
    await index.tried(UPSERT, variables=variables, like=first, past=first.cut_off())
    assert (len(pinecone.heard), len(pinecone.spaces["news"])) == (2, 3)


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ({"vector": [1, 0, 0], "namespace": "news"}, ["n1", "n3", "n2"]),
        ({"vector": [1, 0, 0], "topK": 1, "namespace": "news"}, ["n1"]),
        ({"id": "n2", "namespace": "news"}, ["n2", "n3", "n1"]),
        ({"vector": [0, 1, 0], "filter": {"topic": "sport"}, "namespace": "news"}, ["n3", "n1"]),
        ({"vector": [1, 0, 0]}, []),
        ({"sparseVector": {"indices": [1], "values": [0.5]}, "topK": 1, "namespace": "news"}, ["n1"]),
    ],
)
async def test_the_nearest_are_found(index: Bench, variables: dict[str, str], query: Any, ids: list[str]) -> None:
    await filled(index, variables)
    ran = await index.tried(f"await pineconeQuery({json.dumps(query)})", variables=variables)
    assert [match["id"] for match in ran.result["matches"]] == ids
    assert [entry.state for entry in ran.entries.values()] == ["done"]
    hides(ran)


async def test_with_their_metadata_unless_nobody_wants_it(index: Bench, variables: dict[str, str]) -> None:
    await filled(index, variables)
    query = {"vector": [0, 1, 0], "topK": 1, "namespace": "news"}
    ran = await index.tried(f"await pineconeQuery({json.dumps(query)})", variables=variables)
    assert ran.result["matches"] == [{"id": "n2", "score": 1, "metadata": {"topic": "weather"}}]
    query |= {"includeMetadata": False, "includeValues": True}
    ran = await index.tried(f"await pineconeQuery({json.dumps(query)})", variables=variables)
    assert ran.result["matches"] == [{"id": "n2", "score": 1, "values": [0, 1, 0]}]


@pytest.mark.parametrize(
    ("call", "left"),
    [
        ("['n1', 'n2'], 'news'", {"n3"}),
        ("{ ids: ['n1'], namespace: 'news' }", {"n2", "n3"}),
        ("{ filter: { topic: 'sport' }, namespace: 'news' }", {"n2"}),
        ("{ deleteAll: true, namespace: 'news' }", set()),
        # The namespace may stand beside a selection, too.
        ("{ deleteAll: true }, 'news'", set()),
        ("{ deleteAll: true }", {"n1", "n2", "n3"}),
        ("['n1']", {"n1", "n2", "n3"}),
    ],
)
async def test_vectors_are_deleted(
    index: Bench, pinecone: Pinecone, variables: dict[str, str], call: str, left: set[str]
) -> None:
    await filled(index, variables)
    ran = await index.tried(f"await pineconeDelete({call})", variables=variables)
    assert (ran.result, set(pinecone.spaces["news"])) == ({}, left)
    assert ran.entry["path"] == "/vectors/delete"


@pytest.mark.parametrize("call", [UPSERT, "await pineconeQuery({ id: 'n1' })", "await pineconeDelete(['n1'])"])
@pytest.mark.parametrize(
    ("instead", "code", "retryable"),
    [
        ((401, b"Invalid API Key"), "unauthorized", False),
        ((403, {"message": f"Forbidden for {CANARY}"}), "unauthorized", False),
        ((400, {"code": 3, "message": "Vector dimension 2 does not match", "details": []}), "rejected", False),
        ((404, {"code": 5, "message": "Namespace not found", "details": []}), "rejected", False),
        ((429, {"message": "Too many requests"}), "rate_limited", True),
        ((503, {"message": "Unavailable"}), "server_error", True),
        ((200, b"<html>a login page</html>"), "bad_answer", True),
    ],
)
async def test_failures(
    index: Bench, pinecone: Pinecone, variables: dict[str, str], call: str, instead: Any, code: str, *, retryable: bool
) -> None:
    pinecone.instead = instead
    ran = await index.tried(call, variables=variables)
    assert (ran.failure.code, ran.failure.retryable) == (code, retryable)
    assert (ran.entry["success"], ran.entry["code"], ran.entry["status"]) == (False, code, instead[0])
    hides(ran)


async def test_pinecones_own_words_are_told(index: Bench, variables: dict[str, str]) -> None:
    ran = await index.tried("await pineconeUpsert([{ id: 'a', values: [1, 2] }])", variables=variables)
    words = "Pinecone answered 400: Vector dimension 2 does not match the dimension of the index 3."
    assert (ran.failure.code, ran.failure.message) == ("rejected", words)


@pytest.mark.parametrize("missing", ["PINECONE_API_KEY", "PINECONE_HOST"])
async def test_without_its_variables_nothing_is_asked(
    index: Bench, pinecone: Pinecone, variables: dict[str, str], missing: str
) -> None:
    known = {name: value for name, value in variables.items() if name != missing}
    ran = await index.tried(UPSERT, variables=known)
    assert (ran.failure.code, pinecone.heard) == ("not_configured", [])


@pytest.mark.parametrize(
    ("call", "words"),
    [
        ("pineconeUpsert([])", "vectors: 1 to 1000 at once, not 0."),
        ("pineconeUpsert(Array(1001).fill({ id: 'a', values: [1, 0, 0] }))", "vectors: 1 to 1000 at once, not 1001."),
        ("pineconeUpsert([{ values: [1] }])", "vectors[0]: Object missing required field `id`."),
        ("pineconeUpsert([{ id: 'a', values: ['x'] }])", "vectors[0].values[0]: Expected `float`, got `str`."),
        ("pineconeQuery({})", "query: say a vector, or the id of one."),
        ("pineconeQuery({ id: 'a', vector: [1] })", "query: say a vector, or the id of one."),
        ("pineconeQuery({ id: 'a', limit: 5 })", "query: Object contains unknown field `limit`."),
        ("pineconeDelete({})", "Say which vectors: ids, a filter, or deleteAll."),
        ("pineconeDelete([])", "Say which vectors: ids, a filter, or deleteAll."),
        ("pineconeDelete({ ids: ['a'], deleteAll: true })", "Say which vectors"),
        ("pineconeDelete()", "await pineconeDelete(ids | {ids?, filter?, deleteAll?, namespace?}, namespace?)"),
    ],
)
async def test_faults_of_arguments(
    index: Bench, pinecone: Pinecone, variables: dict[str, str], call: str, words: str
) -> None:
    ran = await index.tried(f"await {call}", variables=variables)
    assert ran.failure.code == "invalid_arguments"
    assert words in ran.failure.message
    assert pinecone.heard == []


async def test_a_host_without_a_scheme_means_https(bench: Bench, variables: dict[str, str], ways_out: WaysOut) -> None:
    """Without the exception, nothing is connected to; the log says what would have been."""
    known = {**variables, "PINECONE_HOST": "127.0.0.1"}
    ran = await bench.reaching(egress=ways_out()).tried(UPSERT, variables=known)
    assert (ran.failure.code, ran.entry["service"]) == ("address_refused", "http")
    hides(ran)


async def test_without_the_exception_it_is_out_of_bounds(
    bench: Bench, pinecone: Pinecone, variables: dict[str, str], ways_out: WaysOut
) -> None:
    ran = await bench.reaching(egress=ways_out()).tried(UPSERT, variables=variables)
    assert (ran.failure.code, pinecone.server.connections) == ("address_refused", 0)
