"""Sources of webhooks: their secrets are sealed at rest, and bound to their own row."""

import pytest
from sqlalchemy import select, update

from pulse.core.errors import Conflict, InvalidFields, Misconfigured, NotFound
from pulse.tenancy.secrets.vault import new_master_key
from pulse.tenancy.tables import tenancy_tables
from tests.unit.tenancy.conftest import Stores

SECRET = "a-secret-that-can-be-searched-for"
SOURCES = tenancy_tables("t_").sources


async def on_disk(stores: Stores) -> bytes:
    """Every byte that the database has written."""
    async with stores.database.raw_writer() as connection:
        await connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    return b"".join(file.read_bytes() for file in stores.file.parent.iterdir())


async def test_a_secret_is_sealed_at_rest(stores: Stores) -> None:
    environment = await stores.environment()
    source = await stores.sources.create(environment, "hooks", "hmac", SECRET)
    made = await stores.sources.create(environment, "hooks", "standard")
    await stores.sources.rotate(environment.organization_id, source.id, SECRET[::-1])
    written = await on_disk(stores)
    assert source.id.encode() in written
    for secret in (SECRET, SECRET[::-1], made.secrets[0], made.secrets[0].removeprefix("whsec_")):
        assert secret.encode() not in written


async def test_who_verifies_gets_the_secrets_newest_first(stores: Stores) -> None:
    environment = await stores.environment()
    source = await stores.sources.create(environment, "hooks", "hmac", SECRET)
    for number in range(3):
        await stores.sources.rotate(environment.organization_id, source.id, f"number {number} of the secrets")
    found = await stores.sources.find(source.id)
    assert found is not None
    assert found.secrets == ("number 2 of the secrets", "number 1 of the secrets")


async def test_lists_show_no_secrets(stores: Stores) -> None:
    environment = await stores.environment()
    source = await stores.sources.create(environment, "hooks", "hmac", SECRET)
    (shown,) = await stores.sources.list(environment.organization_id)
    assert (shown.id, shown.secrets) == (source.id, ())
    assert SECRET not in repr(source)


async def test_ids_cannot_be_guessed(stores: Stores) -> None:
    environment = await stores.environment()
    ids = [(await stores.sources.create(environment, "hooks", "none")).id for _ in range(20)]
    assert len({source_id[:12] for source_id in ids}) == 20


async def test_a_row_that_was_swapped_does_not_open(stores: Stores) -> None:
    environment, other = await stores.environment(), await stores.environment("Other")
    mine = await stores.sources.create(environment, "a", "hmac", SECRET)
    second = await stores.sources.create(environment, "b", "hmac")
    theirs = await stores.sources.create(other, "c", "hmac")
    for target in (second, theirs):
        async with stores.database.write() as connection:
            sealed = await connection.scalar(select(SOURCES.c.secrets).where(SOURCES.c.id == mine.id))
            await connection.execute(update(SOURCES).where(SOURCES.c.id == target.id).values(secrets=sealed))
        with pytest.raises(Misconfigured):
            await stores.sources.find(target.id)
    assert await stores.sources.find(mine.id) is not None


async def test_a_row_that_was_moved_to_another_organization_does_not_open(stores: Stores) -> None:
    environment, other = await stores.environment(), await stores.environment("Other")
    mine = await stores.sources.create(environment, "a", "hmac", SECRET)
    await stores.sources.create(other, "theirs", "hmac")
    async with stores.database.write() as connection:
        moved = {"organization_id": other.organization_id, "environment_id": other.id}
        await connection.execute(update(SOURCES).where(SOURCES.c.id == mine.id).values(moved))
    with pytest.raises(Misconfigured):
        await stores.sources.find(mine.id)


async def test_master_keys_are_rotated(stores: Stores) -> None:
    environment = await stores.environment()
    source = await stores.sources.create(environment, "a", "hmac", SECRET)
    new = new_master_key()
    found = await stores.sources_under(new, stores.master_key).find(source.id)
    assert found is not None
    assert found.secrets == (SECRET,)
    with pytest.raises(Misconfigured, match="PULSE_SECRET_KEY"):
        await stores.sources_under(new).find(source.id)


async def test_a_source_is_read_once_in_a_while_and_a_change_is_seen_at_once(stores: Stores) -> None:
    environment = await stores.environment()
    source = await stores.sources.create(environment, "a", "hmac", SECRET)
    first = await stores.sources.find(source.id)
    assert await stores.sources.find(source.id) is first
    await stores.sources.rotate(environment.organization_id, source.id)
    second = await stores.sources.find(source.id)
    assert second is not None
    assert second.secrets[1:] == (SECRET,)


async def test_what_cannot_be(stores: Stores) -> None:
    environment, other = await stores.environment(), await stores.environment("Other")
    with pytest.raises(InvalidFields, match="github, stripe, slack, standard, hmac, none"):
        await stores.sources.create(environment, "a", "carrier pigeon")
    with pytest.raises(InvalidFields, match="no signature"):
        await stores.sources.create(environment, "a", "none", SECRET)
    source = await stores.sources.create(environment, "a", "none")
    with pytest.raises(Conflict):
        await stores.sources.rotate(environment.organization_id, source.id)
    for organization_id, source_id in ((other.organization_id, source.id), (environment.organization_id, "src_none")):
        with pytest.raises(NotFound):
            await stores.sources.rotate(organization_id, source_id)
    assert await stores.sources.find("src_none") is None
    assert await stores.sources.list(other.organization_id) == []
