"""A new master key: data keys are wrapped anew under it, secrets stay as they are."""

import pytest
from sqlalchemy import select, update

from pulse.core.errors import Misconfigured
from pulse.core.ids import Ids
from pulse.tenancy.secrets.data_keys import MasterKeyChange, Rewrapped
from pulse.tenancy.secrets.vault import Vault, new_master_key
from pulse.tenancy.variables import VariableStore
from tests.contract.tenancy.conftest import Tenancy

ORGANIZATIONS = 5


@pytest.fixture
async def values(tenancy: Tenancy) -> dict[tuple[str, str], str]:
    """Our values by place: five organizations have one each."""
    found = {}
    for number in range(ORGANIZATIONS):
        organization = await tenancy.store.create_organization(f"organization {number}")
        place = await tenancy.store.create_environment(organization.id, "production")
        await tenancy.variables().create(organization.id, place.id, "KEY", f"value {number}")
        found[organization.id, place.id] = f"value {number}"
    return found


def change(tenancy: Tenancy, *keys: str, batch: int = 2) -> MasterKeyChange:
    return MasterKeyChange(tenancy.database, [tenancy.tables.data_keys], Vault(keys), batch)


async def read(tenancy: Tenancy, place: tuple[str, str], *keys: str) -> str:
    """The value of a place as a process with these master keys reads it."""
    store = VariableStore(tenancy.database, tenancy.tables, Vault(keys), Ids(tenancy.clock), tenancy.clock)
    ((_, value),) = (await store.values(*place)).values
    return value


async def wrapped(tenancy: Tenancy) -> dict[str, bytes]:
    c = tenancy.tables.data_keys.c
    async with tenancy.database.read() as connection:
        rows = await connection.execute(select(c.organization_id, c.wrapped))
        return {row.organization_id: row.wrapped for row in rows}


@pytest.mark.parametrize("batch", [1, 2, 5, 100])
async def test_a_new_master_key_opens_what_the_old_one_sealed(
    tenancy: Tenancy, values: dict[tuple[str, str], str], batch: int
) -> None:
    old, new = tenancy.master_key, new_master_key()
    assert await change(tenancy, new, old, batch=batch).run() == Rewrapped(wrapped=ORGANIZATIONS)
    for place, value in values.items():
        assert await read(tenancy, place, new) == value
        with pytest.raises(Misconfigured):
            await read(tenancy, place, old)


async def test_both_keys_serve_before_and_after(tenancy: Tenancy, values: dict[tuple[str, str], str]) -> None:
    old, new = tenancy.master_key, new_master_key()
    for _ in range(2):
        assert {place: await read(tenancy, place, new, old) for place in values} == values
        await change(tenancy, new, old).run()


async def test_again_changes_nothing(tenancy: Tenancy, values: dict[tuple[str, str], str]) -> None:
    assert len(values) == ORGANIZATIONS
    new = new_master_key()
    await change(tenancy, new, tenancy.master_key).run()
    before = await wrapped(tenancy)
    assert await change(tenancy, new, tenancy.master_key).run() == Rewrapped(current=ORGANIZATIONS)
    assert await change(tenancy, new).run() == Rewrapped(current=ORGANIZATIONS)
    assert await wrapped(tenancy) == before


async def test_what_was_cut_off_goes_on(
    tenancy: Tenancy, values: dict[tuple[str, str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    vault = Vault([new := new_master_key(), tenancy.master_key])
    calls, rewrapped = [], vault.rewrapped

    def fails_at_the_fourth(data_key: bytes, organization_id: str) -> bytes | None:
        calls.append(organization_id)
        if len(calls) == 4:
            raise RuntimeError
        return rewrapped(data_key, organization_id)

    monkeypatch.setattr(vault, "rewrapped", fails_at_the_fourth)
    changing = MasterKeyChange(tenancy.database, [tenancy.tables.data_keys], vault, 2)
    with pytest.raises(RuntimeError):
        await changing.run()
    # The first batch is done; of the second, nothing.
    assert await changing.run() == Rewrapped(wrapped=3, current=2)
    assert {place: await read(tenancy, place, new) for place in values} == values


async def test_a_key_that_cannot_be_read_holds_up_no_other(
    tenancy: Tenancy, values: dict[tuple[str, str], str]
) -> None:
    (first, _), *_ = places = sorted(values)
    c, before = tenancy.tables.data_keys.c, await wrapped(tenancy)
    foreign = Vault([new_master_key()]).new_data_key(first)
    async with tenancy.database.write() as connection:
        mine = c.organization_id == first
        await connection.execute(update(tenancy.tables.data_keys).where(mine).values(wrapped=foreign))
    new = new_master_key()
    done = await change(tenancy, new, tenancy.master_key).run()
    assert done == Rewrapped(wrapped=ORGANIZATIONS - 1, unreadable=(first,))
    assert (await wrapped(tenancy))[first] == foreign != before[first]
    assert await read(tenancy, places[1], new) == values[places[1]]


async def test_a_data_key_is_one_organizations(tenancy: Tenancy, values: dict[tuple[str, str], str]) -> None:
    (one, _), (other, _), *_ = sorted(values)
    c, keys = tenancy.tables.data_keys.c, await wrapped(tenancy)
    async with tenancy.database.write() as connection:
        moved = update(tenancy.tables.data_keys).where(c.organization_id == one).values(wrapped=keys[other])
        await connection.execute(moved)
    assert (await change(tenancy, new_master_key(), tenancy.master_key).run()).unreadable == (one,)
