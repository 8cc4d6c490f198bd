"""Variables: sealed, versioned, of one environment each; a second tenant has its own under the same name."""

import asyncio
from collections.abc import Sequence

import pytest
from sqlalchemy import select, update

from pulse.core.errors import Conflict, InvalidFields, Misconfigured, NotFound, StaleRevision
from pulse.core.ids import Ids, is_id
from pulse.tenancy.records import Variable
from pulse.tenancy.secrets.vault import Vault, new_master_key
from pulse.tenancy.variables import VariableStore
from tests.contract.tenancy.conftest import Tenancy

CANARY = "canary-of-a-secret"


async def stored(tenancy: Tenancy) -> Sequence[tuple[str, int]]:
    """The id and version of every value that is kept."""
    c = tenancy.tables.variable_values.c
    async with tenancy.database.read() as connection:
        rows = await connection.execute(select(c.variable_id, c.version).order_by(c.variable_id, c.version))
        return [(row[0], row[1]) for row in rows]


async def test_a_variable_is_there_for_its_environment(tenancy: Tenancy, theirs: Variable) -> None:
    made = await tenancy.add("KEY", "ours: ä€😀")
    now = tenancy.clock.now_ms()
    assert made == Variable(made.id, tenancy.ours.id, tenancy.here.id, "KEY", 1, now, now)
    assert is_id(made.id, "var")
    assert await tenancy.variables().get(tenancy.ours.id, made.id) == made
    assert await tenancy.values() == {"KEY": "ours: ä€😀"}
    assert await tenancy.their_values() == {"KEY": "theirs"}
    staging = await tenancy.store.create_environment(tenancy.ours.id, "staging")
    assert (await tenancy.variables().values(tenancy.ours.id, staging.id)).values == ()
    await tenancy.variables().create(tenancy.ours.id, staging.id, "KEY", "of staging")
    assert await tenancy.values() == {"KEY": "ours: ä€😀"}


async def test_a_name_is_taken_once(tenancy: Tenancy, theirs: Variable) -> None:
    await tenancy.add("KEY", "first")
    with pytest.raises(Conflict) as refused:
        await tenancy.add("KEY", CANARY)
    assert CANARY not in str(refused.value)
    await tenancy.add("Key", "another name")
    assert await tenancy.values() == {"KEY": "first", "Key": "another name"}
    assert await tenancy.their_values() == {"KEY": "theirs"}


async def test_of_two_who_want_one_name_one_gets_it(tenancy: Tenancy, theirs: Variable) -> None:
    wanted = [tenancy.add("KEY", f"{number}") for number in range(4)]
    answers = await asyncio.gather(*wanted, return_exceptions=True)
    assert sorted(type(answer).__name__ for answer in answers) == ["Conflict", "Conflict", "Conflict", "Variable"]
    assert len(await stored(tenancy)) == 2


async def test_first_secrets_that_are_made_at_once_share_one_data_key(tenancy: Tenancy, theirs: Variable) -> None:
    await asyncio.gather(
        *(tenancy.add(f"KEY_{number}", f"{number}") for number in range(4)),
        *(tenancy.sources().create(tenancy.here, "hub", "github") for _ in range(2)),
    )
    assert await tenancy.values() == {f"KEY_{number}": f"{number}" for number in range(4)}
    async with tenancy.database.read() as connection:
        assert len((await connection.execute(tenancy.tables.data_keys.select())).all()) == 2


@pytest.mark.parametrize("name", ["", "1st", "a-b", "x" * 65, "message", "__x", "print", "await"])
async def test_names_that_cannot_be(tenancy: Tenancy, theirs: Variable, name: str) -> None:
    with pytest.raises(InvalidFields) as refused:
        await tenancy.add(name, CANARY)
    assert [fault.path for fault in refused.value.faults] == ["name"]
    assert CANARY not in str(refused.value)
    assert await tenancy.values() == {}


@pytest.mark.parametrize("value", ["", CANARY + "\0", CANARY + "\ud800", CANARY * 10_000], ids=range(4))
async def test_values_that_cannot_be(tenancy: Tenancy, theirs: Variable, value: str) -> None:
    made = await tenancy.add("KEY", "x" * 65_536)
    for attempt in (tenancy.add("OTHER", value), tenancy.variables().set(tenancy.ours.id, made.id, value)):
        with pytest.raises(InvalidFields) as refused:
            await attempt
        assert [fault.path for fault in refused.value.faults] == ["value"]
        assert CANARY not in str(refused.value)
    assert await tenancy.values() == {"KEY": "x" * 65_536}


async def test_all_faults_are_told_at_once(tenancy: Tenancy, theirs: Variable) -> None:
    with pytest.raises(InvalidFields) as refused:
        await tenancy.add("message", "")
    assert [fault.code for fault in refused.value.faults] == ["reserved_name", "invalid_value"]


async def test_each_new_value_is_a_version(tenancy: Tenancy, theirs: Variable) -> None:
    made = await tenancy.add("KEY", "first")
    tenancy.clock.ms += 5
    second = await tenancy.variables().set(tenancy.ours.id, made.id, "second")
    assert (second.version, second.created_at, second.updated_at) == (2, made.created_at, made.created_at + 5)
    tenancy.clock.ms += 5
    assert await tenancy.variables().set(tenancy.ours.id, made.id, "second") == second
    third = await tenancy.variables().set(tenancy.ours.id, made.id, "first")
    assert third.version == 3
    assert await tenancy.variables().get(tenancy.ours.id, made.id) == third
    assert await tenancy.values() == {"KEY": "first"}
    assert await stored(tenancy) == sorted([(theirs.id, 1), *((made.id, version) for version in (1, 2, 3))])


async def test_a_stale_write_changes_nothing(tenancy: Tenancy, theirs: Variable) -> None:
    made = await tenancy.add("KEY", "first")
    await tenancy.variables().set(tenancy.ours.id, made.id, "second", expected=1)
    for value, expected in (("third", 1), ("third", 3), ("second", 1), ("third", -1)):
        with pytest.raises(StaleRevision):
            await tenancy.variables().set(tenancy.ours.id, made.id, value, expected)
    assert await tenancy.values() == {"KEY": "second"}


async def test_values_set_at_once_come_one_after_another(tenancy: Tenancy, theirs: Variable) -> None:
    made = await tenancy.add("KEY", "first")
    writers = [tenancy.variables().set(tenancy.ours.id, made.id, f"{number}") for number in range(5)]
    assert sorted(changed.version for changed in await asyncio.gather(*writers)) == [2, 3, 4, 5, 6]
    assert len(await stored(tenancy)) == 7


async def test_deleting_takes_every_value(tenancy: Tenancy, theirs: Variable) -> None:
    made = await tenancy.add("KEY", "first")
    await tenancy.variables().set(tenancy.ours.id, made.id, "second")
    await tenancy.variables().delete(tenancy.ours.id, made.id)
    assert await stored(tenancy) == [(theirs.id, 1)]
    assert await tenancy.values() == {}
    for attempt in (
        tenancy.variables().get(tenancy.ours.id, made.id),
        tenancy.variables().delete(tenancy.ours.id, made.id),
        tenancy.variables().set(tenancy.ours.id, made.id, "third"),
    ):
        with pytest.raises(NotFound):
            await attempt
    again = await tenancy.add("KEY", "again")
    assert (again.version, again.id != made.id) == (1, True)


async def test_setting_and_deleting_at_once(tenancy: Tenancy, theirs: Variable) -> None:
    made = await tenancy.add("KEY", "first")
    answers = await asyncio.gather(
        *(tenancy.variables().set(tenancy.ours.id, made.id, f"{number}") for number in range(3)),
        tenancy.variables().delete(tenancy.ours.id, made.id),
        *(tenancy.variables().set(tenancy.ours.id, made.id, f"{number}") for number in range(3, 6)),
        return_exceptions=True,
    )
    assert {type(answer) for answer in answers} <= {Variable, NotFound, type(None)}
    assert await stored(tenancy) == [(theirs.id, 1)]


async def test_nobody_sees_or_changes_what_is_anothers(tenancy: Tenancy, theirs: Variable) -> None:
    store = tenancy.variables()
    for organization_id, variable_id in ((tenancy.ours.id, theirs.id), (tenancy.theirs.id, "var_none")):
        for attempt in (
            store.get(organization_id, variable_id),
            store.set(organization_id, variable_id, "stolen"),
            store.delete(organization_id, variable_id),
        ):
            with pytest.raises(NotFound):
                await attempt
    for environment_id in (tenancy.there.id, "env_none"):
        with pytest.raises(NotFound):
            await store.create(tenancy.ours.id, environment_id, "MINE", "x")
        assert await store.list(tenancy.ours.id, environment_id) == ([], 0)
        assert (await store.values(tenancy.ours.id, environment_id)).values == ()
    assert await store.list(tenancy.theirs.id, tenancy.there.id) == ([theirs], 1)
    assert await tenancy.their_values() == {"KEY": "theirs"}


async def test_lists_have_pages(tenancy: Tenancy, theirs: Variable) -> None:
    store, place = tenancy.variables(), (tenancy.ours.id, tenancy.here.id)
    made = [await store.create(*place, name, "x") for name in ("C", "a", "B")]
    assert await store.list(*place) == (made, 3)
    assert await store.list(*place, offset=1, limit=1) == (made[1:2], 3)
    assert await store.list(*place, offset=3, limit=10) == ([], 3)


async def test_no_value_is_stored_in_the_open(tenancy: Tenancy, theirs: Variable) -> None:
    made = await tenancy.add("KEY", CANARY)
    await tenancy.variables().set(tenancy.ours.id, made.id, CANARY[::-1])
    tables = (tenancy.tables.variables, tenancy.tables.variable_values, tenancy.tables.data_keys)
    async with tenancy.database.read() as connection:
        rows = [row for table in tables for row in (await connection.execute(table.select())).all()]
    assert len(rows) == 2 + 3 + 2
    written = str(rows).encode() + b"".join(bytes(cell) for row in rows for cell in row if isinstance(cell, bytes))
    for secret in (CANARY, CANARY[::-1]):
        assert secret.encode() not in written


async def test_a_value_that_was_moved_cannot_be_read(tenancy: Tenancy, theirs: Variable) -> None:
    """To another version, another variable, another organization."""
    made, other = await tenancy.add("KEY", "first"), await tenancy.add("OTHER", "other")
    await tenancy.variables().set(tenancy.ours.id, made.id, "second")
    table = tenancy.tables.variable_values
    c = table.c

    async def sealed(variable_id: str, version: int) -> bytes:
        async with tenancy.database.read() as connection:
            query = select(c.sealed).where(c.variable_id == variable_id, c.version == version)
            return bytes((await connection.execute(query)).scalar_one())

    async def put(value: bytes) -> None:
        async with tenancy.database.write() as connection:
            current = (c.variable_id == made.id) & (c.version == 2)
            await connection.execute(update(table).where(current).values(sealed=value))

    right = await sealed(made.id, 2)
    for wrong in (await sealed(made.id, 1), await sealed(other.id, 1), await sealed(theirs.id, 1)):
        await put(wrong)
        with pytest.raises(Misconfigured):
            await tenancy.values()
    await put(right)
    assert await tenancy.values() == {"KEY": "second", "OTHER": "other"}
    assert await tenancy.their_values() == {"KEY": "theirs"}


async def test_another_master_key_reads_nothing_and_an_old_one_still_does(tenancy: Tenancy, theirs: Variable) -> None:
    made = await tenancy.add("KEY", "first")
    new = new_master_key()

    def under(*keys: str) -> VariableStore:
        return VariableStore(tenancy.database, tenancy.tables, Vault(keys), Ids(tenancy.clock), tenancy.clock)

    with pytest.raises(Misconfigured):
        await under(new).values(tenancy.ours.id, tenancy.here.id)
    with pytest.raises(Misconfigured):
        await under(new).set(tenancy.ours.id, made.id, "second")
    read = await under(new, tenancy.master_key).values(tenancy.ours.id, tenancy.here.id)
    assert read.values == (("KEY", "first"),)
