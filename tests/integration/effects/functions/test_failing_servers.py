"""Whatever a server does wrong: every function that speaks HTTP says it with the same codes, and in the log."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace

import pytest

from pulse.effects.world.web import MAX_ANSWER
from pulse.egress.port import Egress, Reply, Request, Streaming
from tests.integration.effects.functions.bench import CANARY, Bench, Ran, hides
from tests.integration.effects.functions.conftest import WaysOut
from tests.integration.effects.functions.peers import told
from tests.integration.egress.servers import HOME, Answering, Heard, raw, redirect, serving, silence

CALLS = {
    "httpRequest": "httpRequest({ url: MASTODON_URL, method: 'POST', apiKey: MASTODON_ACCESS_TOKEN })",
    "promptCallToken": "promptCallToken(MASTODON_ACCESS_TOKEN, 'Hi', MASTODON_URL)",
    "promptCallKeys": "promptCallKeys('key', MASTODON_ACCESS_TOKEN, 'Hi', MASTODON_URL)",
    "postToMastodon": "postToMastodon(MASTODON_URL, MASTODON_ACCESS_TOKEN, 'Hi')",
    "postLatestPromptToMastodon": "postLatestPromptToMastodon()",
    "pineconeUpsert": "pineconeUpsert([{ id: 'a', values: [1] }])",
    "pineconeQuery": "pineconeQuery({ id: 'a' })",
    "pineconeDelete": "pineconeDelete(['a'])",
    "sportradarNfl": "sportradarNfl('games/current_week/schedule.json')",
    "pictures": "promptCallUniversal(null, 'Hi', [MASTODON_URL])",
}
each_function = pytest.mark.parametrize("function", CALLS)


@dataclass
class Impatient:
    """The way out, which waits for no server longer than so many milliseconds."""

    egress: Egress
    timeout_ms: int

    async def send(self, request: Request) -> Reply:
        return await self.egress.send(replace(request, timeout_ms=self.timeout_ms))

    def stream(self, request: Request) -> AbstractAsyncContextManager[Streaming]:
        return self.egress.stream(request)

    async def close(self) -> None:
        await self.egress.close()


async def hang_up(heard: Heard, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await raw(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{")(heard, reader, writer)
    writer.close()


GARBLED = ("Content-Encoding: gzip",)
ANSWERS: dict[str, tuple[Answering, bool]] = {
    "timeout": (silence, True),
    "unreachable": (hang_up, True),
    "too_many_redirects": (redirect("/again", 307), False),
    "answer_too_large": (told(200, b"x" * (5 * MAX_ANSWER + 1)), False),
    "egress_failed": (told(200, b"no gzip", *GARBLED), False),
}


@asynccontextmanager
async def asked(
    bench: Bench, ways_out: WaysOut, function: str, answering: Answering, url: str = ""
) -> AsyncIterator[Ran]:
    """What becomes of a call of that function to a server that answers so, or to that address."""
    async with serving(answering, HOME) as server:
        patience_ms = 100 if answering is silence else 20_000
        scripts = bench.reaching(egress=Impatient(ways_out(HOME), patience_ms))
        address = url or server.url("/")
        variables = dict.fromkeys(("MASTODON_URL", "PINECONE_HOST", "SPORTRADAR_BASE_URL"), address)
        variables |= dict.fromkeys(("MASTODON_ACCESS_TOKEN", "PINECONE_API_KEY", "SPORTRADAR_API_KEY"), CANARY)
        yield await scripts.tried(
            f"await {CALLS[function]}", variables=variables, message={"promptResponse_1": "An answer"}
        )


@each_function
@pytest.mark.parametrize("code", ANSWERS)
async def test_the_server_fails(bench: Bench, ways_out: WaysOut, function: str, code: str) -> None:
    answering, retryable = ANSWERS[code]
    async with asked(bench, ways_out, function, answering) as ran:
        assert (ran.failure.code, ran.failure.retryable) == (code, retryable)
        assert (ran.entry["service"], ran.entry["success"], ran.entry["code"]) == ("http", False, code)
        hides(ran)


@each_function
async def test_nobody_listens(bench: Bench, ways_out: WaysOut, function: str) -> None:
    async with serving(silence, HOME) as gone:
        pass
    async with asked(bench, ways_out, function, silence, gone.url("/")) as ran:
        assert (ran.failure.code, ran.failure.retryable) == ("unreachable", True)
        hides(ran)


@each_function
@pytest.mark.parametrize("address", ["http://user:{}@example.com/", "http://[::1", "https://ex ample.com/{}"])
async def test_the_address_is_none(bench: Bench, ways_out: WaysOut, function: str, address: str) -> None:
    url = address.format(CANARY)
    async with asked(bench, ways_out, function, silence, url) as ran:
        assert (ran.failure.code, ran.failure.retryable) == ("invalid_address", False)
        assert "url" not in ran.entry
        hides(ran)
