"""Two processes of one installation: what one of them changes, the other reads again."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from redis.asyncio import Redis

from pulse.bootstrap.announcements import TOPIC
from pulse.bootstrap.platform import OpenData
from pulse.bootstrap.settings import load_settings
from pulse.bootstrap.wiring import Parts
from tests.contract.bus.conftest import Heard, drop_listener, prefix, redis_url, server

__all__ = ["prefix", "redis_url", "server"]

Open = Callable[[str], Awaitable[Parts]]


@pytest.fixture
async def opened(redis_url: str, prefix: str, tmp_path: Path) -> AsyncIterator[Open]:
    """Opens data as a process does that hears the others, and closes it after the test."""
    every: list[OpenData] = []

    async def open_one(name: str) -> Parts:
        url = f"{redis_url}?client_name={prefix}{name}"
        every.append(OpenData(load_settings(tmp_path / name, PULSE_BUS_URL=url)))
        await every[-1].prepare()
        await every[-1].parts.bus.start()
        return every[-1].parts

    yield open_one
    for data in every:
        await data.close()


async def test_a_change_in_one_process_is_read_again_by_the_other(opened: Open, prefix: str) -> None:
    here, there, heard = await opened("here"), await opened("there"), Heard()
    there.bus.subscribe(TOPIC, heard.about(prefix))
    changed, other = (prefix, "env"), (prefix, "another")
    kept = {place: await there.catalog.plans(*place) for place in (changed, other)}
    assert await there.catalog.plans(*changed) is kept[changed]
    await here.changes.changed(*changed)
    await heard.one()
    assert await there.catalog.plans(*changed) is not kept[changed]
    assert await there.catalog.plans(*other) is kept[other]


async def test_variables_are_read_again_too(opened: Open) -> None:
    here, there, heard = await opened("here"), await opened("there"), Heard()
    organization = await there.tenancy.create_organization("Acme")
    environment = await there.tenancy.create_environment(organization.id, "development")
    place = (organization.id, environment.id)
    there.bus.subscribe(TOPIC, heard.about(environment.id))
    made = await there.variables.create(*place, "KEY", "old")
    assert (await there.variables.values(*place)).values == (("KEY", "old"),)
    await there.variables.set(organization.id, made.id, "new")
    assert (await there.variables.values(*place)).values == (("KEY", "old"),)
    await here.changes.changed(*place)
    await heard.one()
    assert (await there.variables.values(*place)).values == (("KEY", "new"),)


async def test_after_a_gap_everything_is_read_again(opened: Open, server: Redis, prefix: str) -> None:
    there, heard = await opened("there"), Heard()
    there.bus.subscribe(TOPIC, heard.about(b""))
    place = (prefix, "env")
    kept = await there.catalog.plans(*place)
    await drop_listener(server, f"{prefix}there")
    await heard.one()
    assert await there.catalog.plans(*place) is not kept


async def test_who_only_changes_something_announces_it_too(
    opened: Open, prefix: str, redis_url: str, tmp_path: Path
) -> None:
    """As `pulse workflows apply` does, which evaluates nothing."""
    there, heard = await opened("there"), Heard()
    there.bus.subscribe(TOPIC, heard.about(prefix))
    data = OpenData(load_settings(tmp_path / "command", REDIS_URL=redis_url))
    await data.parts.changes.changed(prefix, "env")
    await data.close()
    await heard.one()
