"""What prompts keep of an environment or an organization: counted, and deleted with it (see conftest's bystander)."""

import pytest
from sqlalchemy import Table, func, select

from pulse.prompts.buckets import Limits
from pulse.prompts.templates.contents import PromptContents
from pulse.tenancy.records import Environment
from tests.contract.prompts.bench import Bench
from tests.contract.prompts.conftest import Desk


@pytest.fixture
def bench(desk: Desk) -> Bench:
    return Bench(desk)


async def rows(desk: Desk, *tables: Table) -> list[int]:
    """How many rows these tables have, whosever they are."""
    async with desk.database.read() as connection:
        return [await connection.scalar(select(func.count()).select_from(table)) or 0 for table in tables]


async def removed(desk: Desk, environment: Environment | None) -> dict[str, int]:
    """What there was to delete, and is deleted now."""
    contents, place = PromptContents(desk.tables), (desk.ours.id, environment.id if environment else None)
    async with desk.database.write() as connection:
        counted = await contents.count(connection, *place)
        await contents.remove(connection, *place)
        assert set((await contents.count(connection, *place)).values()) == {0}
    return dict(counted)


async def test_an_environments_templates_and_runs(bench: Bench, desk: Desk) -> None:
    run, tables = await bench.run(), desk.tables
    await desk.sets.create(desk.ours.id, run.template_id, "Usual", {"topic": "bills"})
    nobody = Environment("env_other", desk.ours.id, "staging", 0)
    assert await removed(desk, nobody) == {"prompt templates": 0}
    kept = (tables.templates, tables.versions, tables.variable_sets, tables.runs, tables.cells)
    assert min(await rows(desk, *kept)) > 0
    credentials = await rows(desk, tables.credentials, tables.configurations)
    assert await removed(desk, desk.here) == {"prompt templates": 1}
    # The other organization has a template with a version and a set; no run.
    assert await rows(desk, *kept) == [1, 1, 1, 0, 0]
    assert await rows(desk, tables.credentials, tables.configurations) == credentials


async def test_an_organizations_models(bench: Bench, desk: Desk) -> None:
    await bench.run()
    await desk.older()
    credential, tables = await desk.credential(name="Spare"), desk.tables
    assert await desk.limits.reserve(credential.id, Limits(requests_per_minute=1), 1) == 0
    assert await rows(desk, tables.buckets) == [1]
    counted = await removed(desk, None)
    assert counted["prompt templates"] == counted["legacy models"] == 1
    assert counted["credentials"] > counted["model configurations"] >= 1
    everything = (
        tables.credentials,
        tables.configurations,
        tables.legacy,
        tables.templates,
        tables.runs,
        tables.buckets,
    )
    assert await rows(desk, *everything) == [1, 1, 0, 1, 0, 0]
