"""What the tests of handlers share."""

from collections.abc import AsyncIterator

import pytest

from tests.unit.engine.work.calling import Calling, calling


@pytest.fixture
async def call() -> AsyncIterator[Calling]:
    async with calling() as made:
        yield made
