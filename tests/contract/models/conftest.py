"""Each test of the contract runs on every adapter, each beside a strict peer on loopback."""

from collections.abc import AsyncIterator

import pytest

from tests.contract.models.providers import NAMES, Provider, provided


@pytest.fixture(params=NAMES)
async def provider(request: pytest.FixtureRequest) -> AsyncIterator[Provider]:
    async with provided(request.param) as one:
        yield one


@pytest.fixture(params=[name for name in NAMES if name != "mock"])
async def remote(request: pytest.FixtureRequest) -> AsyncIterator[Provider]:
    """A provider on the other side of a connection."""
    async with provided(request.param) as one:
        yield one
