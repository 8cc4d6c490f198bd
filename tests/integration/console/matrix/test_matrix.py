"""Who may do what, of every operation of the OpenAPI document: what is refused changes nothing, and shows nothing.

`make test` asks a thousand of these requests, the same at each run; `--matrix=full` asks them all.
"""

import pytest

from tests.integration.console.matrix.calls import calls, sample
from tests.integration.console.matrix.matrix import Matrix
from tests.integration.console.matrix.operations import unknown_ids
from tests.integration.receiver.installation import Installation

LEAST_OPERATIONS, LEAST_CALLS = 80, 6_000


@pytest.mark.timeout(600)
async def test_the_matrix(asked: Matrix, size: int | None) -> None:
    every = calls(asked.operations, asked.who.values())
    assert len(asked.operations) >= LEAST_OPERATIONS
    assert len(every) >= LEAST_CALLS
    failures = await asked.run(every if size is None else sample(every, size))
    assert failures == [], f"{len(failures)} of {asked.asked.total()}:\n" + "\n".join(failures[:40])
    assert asked.asked.total() >= (size or LEAST_CALLS)


async def test_every_field_that_looks_like_an_id_is_known(crowd: Installation) -> None:
    found = unknown_ids((await crowd.client.get("/api/openapi.json")).json())
    assert found == [], "say in matrix/tables.py whose ids these are (BY_NAME), or that they are none (NO_IDS)"
