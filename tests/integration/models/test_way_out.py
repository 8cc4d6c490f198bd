"""The adapters on the way out that Pulse ships, instead of the one of these tests."""

from collections.abc import AsyncIterator

import pytest

from pulse.egress.allow import parse_allowed
from pulse.egress.client import HttpEgress
from pulse.models.port import ModelFailed
from tests.contract.models.peers.serving import ANSWER
from tests.contract.models.providers import PEERS, Provider, connected, provided
from tests.integration.models.prompts import EVERYTHING, streamed


@pytest.fixture(params=[name for name in PEERS if name != "bedrock"])
async def provider(request: pytest.FixtureRequest) -> AsyncIterator[Provider]:
    """Through an egress that may reach this machine."""
    async with provided(request.param) as one:
        egress = HttpEgress(parse_allowed("127.0.0.1"))
        assert one.peer is not None
        yield connected(one.name, one.peer, egress)
        await egress.close()


async def test_answers_come_whole_and_streamed(provider: Provider) -> None:
    await provider.models.check(provider.access)
    completion = await provider.models.complete(provider.access, provider.prompt())
    assert completion.text == "".join(ANSWER)
    assert await streamed(provider) == completion
    assert (await streamed(provider, **EVERYTHING)).usage == completion.usage


async def test_vectors_come_too(provider: Provider) -> None:
    if provider.embedder is not None:
        assert len((await provider.models.embed(provider.access, provider.embedder, ["one", "two"])).vectors) == 2


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
async def test_a_silent_provider_times_out(provider: Provider, stream: bool) -> None:
    assert provider.peer is not None
    provider.peer.does.silent = not stream
    provider.peer.does.stall_after = 200 if stream else None
    with pytest.raises(ModelFailed) as caught:
        if stream:
            await streamed(provider, timeout_ms=200)
        else:
            await provider.models.complete(provider.access, provider.prompt(timeout_ms=200))
    assert caught.value.reason == "timeout"


async def test_a_stream_that_breaks_off_is_no_answer(provider: Provider) -> None:
    assert provider.peer is not None
    provider.peer.does.cut_after = 300
    with pytest.raises(ModelFailed) as caught:
        await streamed(provider)
    assert caught.value.reason == "unreachable"


@pytest.mark.parametrize("name", [name for name in PEERS if name != "bedrock"])
async def test_an_address_inside_is_refused(name: str) -> None:
    """Nothing is sent to it, keys least of all."""
    async with provided(name) as one:
        egress = HttpEgress()
        assert one.peer is not None
        closed = connected(name, one.peer, egress)
        with pytest.raises(ModelFailed) as caught:
            await closed.models.complete(closed.access, closed.prompt())
        assert caught.value.reason == "address_refused"
        assert one.peer.received == []
        await egress.close()
