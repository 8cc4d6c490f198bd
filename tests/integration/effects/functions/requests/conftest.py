"""A server of the test's own, and scripts that may reach it."""

from collections.abc import AsyncIterator

import pytest

from tests.integration.effects.functions.bench import Bench
from tests.integration.effects.functions.conftest import WaysOut
from tests.integration.effects.functions.requests.turning import Turning
from tests.integration.egress.servers import HOME, Server, serving


@pytest.fixture
def turn() -> Turning:
    return Turning()


@pytest.fixture
async def server(turn: Turning) -> AsyncIterator[Server]:
    async with serving(turn, HOME) as running:
        yield running


@pytest.fixture
def web(bench: Bench, server: Server, ways_out: WaysOut) -> Bench:
    """Scripts that may reach the server."""
    return bench.reaching(egress=ways_out(server.authority))
