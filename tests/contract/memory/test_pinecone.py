"""Pinecone apart: what it is asked for, and how what it refuses is told."""

from collections.abc import AsyncIterator

import pytest

from pulse.egress.port import Egress
from pulse.memory.vectors.memory import VectorMemory
from pulse.memory.vectors.pinecone import PineconeIndex
from pulse.memory.vectors.port import Document, IndexFailed, Space
from tests.contract.mail.way_out import UncheckedEgress
from tests.contract.memory import fake_pinecone
from tests.contract.memory.fake_pinecone import FakePinecone
from tests.contract.memory.library import GUIDES, OURS, Hashing


@pytest.fixture
async def egress() -> AsyncIterator[Egress]:
    egress = UncheckedEgress()
    yield egress
    await egress.close()


@pytest.fixture
def memory(pinecone: FakePinecone, egress: Egress) -> VectorMemory:
    return VectorMemory(PineconeIndex(pinecone.url, fake_pinecone.KEY, egress), embedder=Hashing())


async def test_a_space_is_a_namespace_that_no_other_space_can_have(
    pinecone: FakePinecone, memory: VectorMemory
) -> None:
    for organization, environment in (("a/b", "c"), ("a", "b/c"), ("a", "b"), ("ä", "%2F")):
        await memory.upsert(Space(organization, environment, "c"), GUIDES[:1])
    assert len(pinecone.spaces) == 4
    assert "a/b/c" in pinecone.spaces


async def test_records_say_all_there_is_to_know(pinecone: FakePinecone, memory: VectorMemory) -> None:
    await memory.upsert(OURS, [GUIDES[0]], key="msg_1:wf_1:1")
    [[record]] = [list(records.values()) for records in pinecone.spaces.values()]
    told = {name: value for name, value in record["metadata"].items() if name != "_digest"}
    assert told == {
        **GUIDES[0].metadata,
        "_id": "guide-schedules",
        "_title": "Schedules",
        "_content": GUIDES[0].content,
        "_position": 0,
        "_model": "test/hashing/64",
        "_key": "msg_1:wf_1:1",
    }


async def test_stale_chunks_are_deleted_over_several_pages(pinecone: FakePinecone, memory: VectorMemory) -> None:
    long = "\n\n".join(f"Paragraph {n}. " + "and so on " * 110 for n in range(40))
    written = await memory.upsert(OURS, [Document("long", long), Document("long2", long)])
    assert written.chunks > 4 * fake_pinecone.PAGE
    await memory.upsert(OURS, [Document("long", "short")])
    [records] = pinecone.spaces.values()
    assert [each["metadata"]["_id"] for each in records.values()].count("long") == 1
    assert len(records) == 1 + written.chunks // 2


@pytest.mark.parametrize(
    ("status", "body", "reason", "retryable"),
    [
        (401, b'"Invalid API Key"', "unauthorized", False),
        (403, b'{"error": {"code": "FORBIDDEN", "message": "no"}}', "unauthorized", False),
        (404, b'{"code": 5, "message": "Index not found"}', "not_found", False),
        (400, b'{"code": 3, "message": "Vector dimension 3 does not match"}', "rejected", False),
        (429, b"Too many requests", "rate_limited", True),
        (503, b"<html>", "unreachable", True),
        (200, b"<html>", "bad_answer", False),
        (200, b"[]", "bad_answer", False),
        (200, b'{"matches": [{"id": "x", "score": 1, "metadata": {}}]}', "bad_answer", False),
    ],
)
async def test_what_pinecone_says_becomes_a_reason(
    pinecone: FakePinecone, memory: VectorMemory, status: int, body: bytes, reason: str, retryable: bool
) -> None:
    pinecone.instead = (status, body)
    with pytest.raises(IndexFailed) as failed:
        await memory.search(OURS, "query")
    assert (failed.value.reason, failed.value.retryable) == (reason, retryable)


async def test_a_wrong_key_is_told_without_repeating_it(pinecone: FakePinecone, egress: Egress) -> None:
    index = PineconeIndex(pinecone.url, "pcsk_s3cret", egress)
    with pytest.raises(IndexFailed) as failed:
        await index.check()
    assert failed.value.reason == "unauthorized"
    assert "s3cret" not in str(failed.value)


async def test_another_dimension_than_the_indexs_is_told(pinecone: FakePinecone, egress: Egress) -> None:
    wrong = VectorMemory(PineconeIndex(pinecone.url, fake_pinecone.KEY, egress), embedder=Hashing(length=32))
    with pytest.raises(IndexFailed, match="dimension 32 does not match") as failed:
        await wrong.upsert(OURS, GUIDES)
    assert failed.value.reason == "rejected"


async def test_pinecone_out_of_reach_is_told(egress: Egress) -> None:
    with fake_pinecone.running() as gone:
        url = gone.url
    with pytest.raises(IndexFailed) as failed:
        await PineconeIndex(url, fake_pinecone.KEY, egress).check()
    assert (failed.value.reason, failed.value.retryable) == ("unreachable", True)


async def test_a_host_as_pinecone_shows_it_means_https() -> None:
    asked = []

    class Listening(UncheckedEgress):
        async def send(self, request):  # type: ignore[no-untyped-def]
            asked.append(request)
            return await super().send(request)

    egress = Listening()
    with pytest.raises(IndexFailed):
        await PineconeIndex("pulse-abc.svc.invalid", "key", egress, timeout_ms=500).check()
    await egress.close()
    assert asked[0].url == "https://pulse-abc.svc.invalid/describe_index_stats"
    assert asked[0].credentials == {"api-key"}
    assert asked[0].follow_redirects is False


async def test_re_embedding_is_for_indexes_that_keep_texts(memory: VectorMemory) -> None:
    await memory.upsert(OURS, GUIDES)
    assert await memory.re_embed(OURS) == 0
