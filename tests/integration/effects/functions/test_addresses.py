"""No function that takes an address, as an argument or by a variable, opens a connection to an inner one."""

import json
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

import pytest

from pulse.egress.client import HttpEgress
from tests.integration.effects.functions.bench import Bench, way_out
from tests.integration.egress.conftest import Names
from tests.integration.egress.servers import HOME, Server, canary, redirect, serving
from tests.unit.egress.forms import NAMES, WRITTEN

ARGUMENTS = {
    "httpRequest": "httpRequest({ url })",
    "httpRequest by domain": "httpRequest({ domain: url, method: 'POST', body: 'x' })",
    "promptCallToken": "promptCallToken('token', 'Hi', url)",
    "promptCallKeys": "promptCallKeys('key', 'secret', 'Hi', url)",
    "postToMastodon": "postToMastodon(url, 'token', 'Hi')",
    "pictures": "promptCallUniversal(null, 'Hi', [url])",
}
VARIABLES = {
    "pineconeUpsert": "pineconeUpsert([{ id: 'a', values: [1] }])",
    "pineconeQuery": "pineconeQuery({ id: 'a' })",
    "pineconeDelete": "pineconeDelete(['a'])",
    "sportradarNfl": "sportradarNfl('games/current_week/schedule.json')",
    "postLatestPromptToMastodon": "postLatestPromptToMastodon()",
}
# Asks each in turn, and leaves the codes of the errors.
EACH = """___result___ = [];
for (const url of urls) {
  try { await CALL; ___result___.push('answered') }
  catch ({ code, message }) { ___result___.push(message.includes('has no address') ? 'has no address' : code) }
}"""
REFUSED = {"address_refused", "invalid_address", "has no address"}


@pytest.fixture
async def bird() -> AsyncIterator[Server]:
    """It listens on every address of this machine, and must hear nothing."""
    async with canary() as server:
        yield server
        assert server.connections == 0


@pytest.fixture
async def egress() -> AsyncIterator[HttpEgress]:
    """The way out as it ships, but for the servers on 127.9.8.7; inner names lead to inner addresses."""
    names = Names()
    for name, addresses in NAMES.items():
        names.give(name, addresses)
    made = way_out(HOME, resolver=names)
    yield made
    await made.close()


@pytest.fixture
def scripts(bench: Bench, egress: HttpEgress) -> Bench:
    return bench.reaching(egress=egress)


def urls(port: int) -> Iterator[str]:
    for host in (*WRITTEN, *NAMES):
        yield f"http://{host}:{port}/latest/meta-data/"


async def codes(scripts: Bench, call: str, given: Sequence[str]) -> list[str]:
    ran = await scripts.run(EACH.replace("CALL", call), message={"urls": given})
    found: list[str] = ran.result
    assert len(found) == len(given)
    return found


def test_there_are_as_many_forms_as_there_should_be() -> None:
    assert len(list(urls(80))) >= 150


@pytest.mark.timeout(120)
@pytest.mark.parametrize("function", ARGUMENTS)
async def test_no_form_of_an_inner_address_gets_through(scripts: Bench, bird: Server, function: str) -> None:
    given = list(urls(bird.port))
    for start in range(0, len(given), 50):
        part = given[start : start + 50]
        found = await codes(scripts, ARGUMENTS[function], part)
        assert set(found) <= REFUSED, [pair for pair in zip(part, found, strict=True) if pair[1] not in REFUSED]


@pytest.mark.timeout(180)
async def test_nor_does_one_that_a_variable_holds(scripts: Bench, bird: Server) -> None:
    script = "\n".join(
        EACH.replace("CALL", call).replace("___result___", f"{name}_codes") for name, call in VARIABLES.items()
    )
    for url in urls(bird.port):
        addresses = {"PINECONE_HOST": url, "SPORTRADAR_BASE_URL": url, "MASTODON_URL": url}
        keys = {"PINECONE_API_KEY": "k" * 10, "SPORTRADAR_API_KEY": "s" * 10, "MASTODON_ACCESS_TOKEN": "m" * 10}
        message: dict[str, Any] = {"urls": ["once"], "promptResponse_1": "Hi"}
        ran = await scripts.run(script, message=message, variables={**addresses, **keys})
        assert ran.verdict.status == "success", ran.verdict.error
        for name in VARIABLES:
            (code,) = ran.globals[f"{name}_codes"]
            assert code in REFUSED, (url, name, code)


@pytest.mark.parametrize("function", ARGUMENTS)
async def test_nor_does_a_redirect_to_one(scripts: Bench, bird: Server, function: str) -> None:
    for host in ("127.0.0.1", "[::1]", "localhost", "0x7f.1", "169.254.169.254"):
        async with serving(redirect(f"http://{host}:{bird.port}/", 307), HOME) as door:
            (code,) = await codes(scripts, ARGUMENTS[function], [door.url("/")])
            assert code in REFUSED
            assert len(door.requests) == 1


async def test_nor_does_another_scheme(scripts: Bench, bird: Server) -> None:
    given = [f"{scheme}://127.0.0.1:{bird.port}/" for scheme in ("file", "ftp", "gopher", "ws", "unix", "dict", "jar")]
    for name in ("httpRequest", "promptCallToken", "promptCallKeys", "postToMastodon"):
        assert set(await codes(scripts, ARGUMENTS[name], given)) == {"invalid_address"}
    assert set(await codes(scripts, ARGUMENTS["pictures"], given)) == {"invalid_image"}


@pytest.mark.parametrize("function", ["httpRequest", "promptCallToken", "promptCallKeys", "postToMastodon"])
async def test_the_canary_hears_whoever_may_reach_it(bench: Bench, function: str) -> None:
    """The canary is worth something: with an exception, the same call arrives."""
    async with canary() as listening:
        egress = way_out("127.0.0.1")
        url = f"http://127.0.0.1:{listening.port}"
        await codes(bench.reaching(egress=egress), ARGUMENTS[function], [url])
        await egress.close()
        assert listening.connections == 1


async def test_no_error_tells_what_is_behind_a_name(scripts: Bench, bird: Server) -> None:
    for name, addresses in NAMES.items():
        ran = await scripts.tried(f"await httpRequest({json.dumps({'url': f'http://{name}:{bird.port}/'})})")
        assert not any(address in ran.failure.message for address in addresses if address not in name)
