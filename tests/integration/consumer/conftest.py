"""Workshops: one where evaluations end at once, and one where they end when the test says so."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from pulse.core import retry
from pulse.storage import claim_loop
from tests.integration.consumer.workshop import Workshop, open_workshop


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pauses of the consumer, shortened."""
    monkeypatch.setattr(retry, "RETRY_S", 0.001)
    monkeypatch.setattr(claim_loop, "LONGEST_WAIT_S", 0.05)


@pytest.fixture
async def workshop(tmp_path: Path) -> AsyncIterator[Workshop]:
    async with open_workshop(tmp_path) as made:
        yield made


@pytest.fixture
async def held(tmp_path: Path) -> AsyncIterator[Workshop]:
    async with open_workshop(tmp_path, held=True) as made:
        yield made
