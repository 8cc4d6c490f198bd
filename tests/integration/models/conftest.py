"""Providers of the contract, each beside its peer, for what is particular to one wire format."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from tests.contract.models.providers import Provider, provided


def provider(name: str) -> Callable[..., Any]:
    """The fixture that opens the provider of this name."""

    @pytest.fixture
    async def one() -> AsyncIterator[Provider]:
        async with provided(name) as found:
            yield found

    return one


chat = provider("openai")
responses = provider("responses")
anthropic = provider("anthropic")
google = provider("google")
account = provider("google_account")
bedrock = provider("bedrock")
