"""What `egress` says becomes a failure of the model; what goes out is bounded."""

from collections.abc import AsyncIterator

import pytest

from pulse.egress.port import (
    AddressRefused,
    AnswerTooLarge,
    EgressError,
    InvalidAddress,
    TimedOut,
    TooManyRedirects,
    Unreachable,
)
from pulse.models.port import ModelFailed
from tests.contract.models.peers.serving import Answer
from tests.contract.models.providers import Provider, provided
from tests.integration.models.prompts import peer, streamed

THROUGH_EGRESS = ("openai", "responses", "anthropic", "google", "google_account")


@pytest.fixture(params=THROUGH_EGRESS)
async def provider(request: pytest.FixtureRequest) -> AsyncIterator[Provider]:
    async with provided(request.param) as one:
        yield one


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (AddressRefused("10.0.0.1 may not be reached."), "address_refused"),
        (InvalidAddress(), "invalid_request"),
        (TimedOut(), "timeout"),
        (Unreachable(), "unreachable"),
        (AnswerTooLarge(), "bad_answer"),
        (TooManyRedirects(), "bad_answer"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
async def test_an_error_of_egress_is_a_failure(
    provider: Provider, error: EgressError, reason: str, stream: bool
) -> None:
    provider.way_out.refused = error
    with pytest.raises(ModelFailed) as caught:
        if stream:
            await streamed(provider)
        else:
            await provider.models.complete(provider.access, provider.prompt())
    assert caught.value.reason == reason
    assert "10.0.0.1" not in caught.value.message


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
async def test_a_redirect_is_not_followed(provider: Provider, stream: bool) -> None:
    peer(provider).does.raw = Answer(b"", 307, {"location": "http://169.254.169.254/latest"})
    with pytest.raises(ModelFailed) as caught:
        if stream:
            await streamed(provider)
        else:
            await provider.models.complete(provider.access, provider.prompt())
    assert caught.value.reason == "bad_answer"
    assert not any(request.follow_redirects for request in provider.way_out.sent)


async def test_an_answer_that_does_not_end_is_cut(provider: Provider) -> None:
    peer(provider).does.raw = Answer(b" " * (17 * 1024 * 1024), headers={"content-type": "application/json"})
    with pytest.raises(ModelFailed) as caught:
        await provider.models.complete(provider.access, provider.prompt())
    assert caught.value.reason == "bad_answer"


async def test_an_error_page_without_end_is_read_in_part(provider: Provider) -> None:
    peer(provider).does.raw = Answer(b"x" * (1 << 20), 500, {"content-type": "text/html"})
    with pytest.raises(ModelFailed) as caught:
        await streamed(provider)
    assert caught.value.reason == "provider_error"


async def test_the_time_a_prompt_has_goes_with_the_request(provider: Provider) -> None:
    await provider.models.complete(provider.access, provider.prompt(timeout_ms=12_345))
    assert {request.timeout_ms for request in provider.way_out.sent} == {12_345}


async def test_a_server_that_is_gone_is_unreachable(provider: Provider) -> None:
    await provider.models.check(provider.access)
    provider.way_out.refused = Unreachable()
    with pytest.raises(ModelFailed) as caught:
        await provider.models.check(provider.access)
    assert (caught.value.reason, caught.value.retryable) == ("unreachable", True)
