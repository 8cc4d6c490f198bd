"""Webhook sources: their secrets are sealed, belong to one organization, and two live at once while one is rotated."""

import asyncio

import pytest

from pulse.core.errors import InvalidFields, Misconfigured, NotFound
from pulse.tenancy.records import SOURCE_KINDS, Source
from pulse.tenancy.secrets.vault import Vault, new_master_key
from pulse.tenancy.sources import SourceStore
from tests.contract.tenancy.conftest import Tenancy


async def found(tenancy: Tenancy, source_id: str) -> Source:
    source = await tenancy.sources().find(source_id)
    assert source is not None
    return source


@pytest.mark.parametrize("kind", SOURCE_KINDS)
async def test_a_source_is_found_with_its_secret(tenancy: Tenancy, kind: str) -> None:
    created = await tenancy.sources().create(tenancy.here, "hub", kind)
    assert await found(tenancy, created.id) == created
    assert (created.organization_id, created.environment_id) == (tenancy.ours.id, tenancy.here.id)
    assert len(created.secrets) == (0 if kind == "none" else 1)
    assert await tenancy.sources().find("src_unknown") is None


async def test_a_given_secret_is_kept(tenancy: Tenancy) -> None:
    created = await tenancy.sources().create(tenancy.here, "hub", "github", "a secret: ä")
    assert (await found(tenancy, created.id)).secrets == ("a secret: ä",)


async def test_an_unknown_kind_is_refused(tenancy: Tenancy) -> None:
    with pytest.raises(InvalidFields) as refused:
        await tenancy.sources().create(tenancy.here, "hub", "carrier-pigeon")
    assert [fault.path for fault in refused.value.faults] == ["kind"]
    assert await tenancy.sources().list(tenancy.ours.id) == []


async def test_sources_are_listed_to_their_organization_without_secrets(tenancy: Tenancy) -> None:
    ours = await tenancy.sources().create(tenancy.here, "hub", "github")
    theirs = await tenancy.sources().create(tenancy.there, "hub", "github")
    assert [source.id for source in await tenancy.sources().list(tenancy.ours.id)] == [ours.id]
    (shown,) = await tenancy.sources().list(tenancy.theirs.id)
    assert (shown.id, shown.secrets) == (theirs.id, ())


async def test_two_secrets_live_while_one_is_rotated(tenancy: Tenancy) -> None:
    source = await tenancy.sources().create(tenancy.here, "hub", "github", "first")
    assert (await tenancy.sources().rotate(tenancy.ours.id, source.id, "second")).secrets == ("second", "first")
    assert (await tenancy.sources().rotate(tenancy.ours.id, source.id, "third")).secrets == ("third", "second")
    assert (await found(tenancy, source.id)).secrets == ("third", "second")


async def test_a_deleted_source_is_gone_at_once(tenancy: Tenancy) -> None:
    store = tenancy.sources()
    source, other = [await store.create(tenancy.here, name, "github") for name in ("hub", "other")]
    assert await store.find(source.id) == source
    await store.delete(tenancy.ours.id, source.id)
    assert await store.find(source.id) is None
    assert [each.id for each in await store.list(tenancy.ours.id)] == [other.id]
    for organization_id, source_id in ((tenancy.theirs.id, other.id), (tenancy.ours.id, source.id)):
        with pytest.raises(NotFound):
            await store.delete(organization_id, source_id)
    assert await store.find(other.id) == other


async def test_nobody_rotates_what_is_anothers(tenancy: Tenancy) -> None:
    source = await tenancy.sources().create(tenancy.here, "hub", "github", "first")
    for organization_id, source_id in ((tenancy.theirs.id, source.id), (tenancy.ours.id, "src_unknown")):
        with pytest.raises(NotFound):
            await tenancy.sources().rotate(organization_id, source_id, "stolen")
    assert (await found(tenancy, source.id)).secrets == ("first",)


async def test_no_secret_is_stored_in_the_open(tenancy: Tenancy) -> None:
    await tenancy.sources().create(tenancy.here, "hub", "github", "canary-of-a-secret")
    async with tenancy.database.read() as connection:
        rows = [*(await connection.execute(tenancy.tables.sources.select())).all()]
        rows += (await connection.execute(tenancy.tables.data_keys.select())).all()
    assert len(rows) == 2
    assert b"canary" not in b"".join(bytes(value) for row in rows for value in row if isinstance(value, bytes))
    assert "canary" not in str(rows)


async def test_a_secret_that_was_moved_to_another_row_cannot_be_read(tenancy: Tenancy) -> None:
    ours = await tenancy.sources().create(tenancy.here, "hub", "github", "ours")
    theirs = await tenancy.sources().create(tenancy.there, "hub", "github", "theirs")
    c = tenancy.tables.sources.c
    async with tenancy.database.write() as connection:
        moved = tenancy.tables.sources.select().with_only_columns(c.secrets).where(c.id == theirs.id)
        stolen = await connection.scalar(moved)
        await connection.execute(tenancy.tables.sources.update().where(c.id == ours.id).values(secrets=stolen))
    with pytest.raises(Misconfigured):
        await tenancy.sources().find(ours.id)
    assert (await found(tenancy, theirs.id)).secrets == ("theirs",)


async def test_another_master_key_reads_nothing_and_an_old_one_still_does(tenancy: Tenancy) -> None:
    source = await tenancy.sources().create(tenancy.here, "hub", "github", "first")
    new = new_master_key()

    def with_keys(*keys: str) -> SourceStore:
        return SourceStore(tenancy.database, tenancy.tables, Vault(keys), tenancy.clock)

    with pytest.raises(Misconfigured):
        await with_keys(new).find(source.id)
    read = await with_keys(new, tenancy.master_key).find(source.id)
    assert read is not None
    assert read.secrets == ("first",)


async def test_sources_that_are_made_at_once_share_one_data_key(tenancy: Tenancy) -> None:
    await tenancy.sources().create(tenancy.here, "hub", "github", "0")
    made = await asyncio.gather(*(tenancy.sources().create(tenancy.here, "hub", "github", f"{n}") for n in range(1, 5)))
    assert [(await found(tenancy, source.id)).secrets for source in made] == [("1",), ("2",), ("3",), ("4",)]
    async with tenancy.database.read() as connection:
        assert len((await connection.execute(tenancy.tables.data_keys.select())).all()) == 1
