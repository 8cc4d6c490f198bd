"""A sandbox for all tests of a module, a way out for each, and a peer that answers as it is told."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack

import pytest

from pulse.egress.client import HttpEgress
from pulse.sandbox.deno.pool import DenoSandbox
from tests import sandbox_support as support
from tests.integration.effects.functions.bench import Bench, way_out

WaysOut = Callable[..., HttpEgress]


@pytest.fixture(scope="module")
async def sandbox(anyio_backend: str) -> AsyncIterator[DenoSandbox]:
    async with support.running() as running:
        yield running


@pytest.fixture
def bench(sandbox: DenoSandbox) -> Bench:
    """Scripts that reach nothing yet."""
    return Bench(sandbox)


@pytest.fixture
async def ways_out() -> AsyncIterator[WaysOut]:
    """Makes ways out that are closed when the test ends."""
    async with AsyncExitStack() as stack:

        def make(*allowed: str) -> HttpEgress:
            made = way_out(*allowed)
            stack.push_async_callback(made.close)
            return made

        yield make
