"""Parts of the lists of tenancy: in an order, with a text in them, a page; and never another organization's rows."""

import pytest

from pulse.core.errors import InvalidFields
from pulse.core.ids import Ids
from pulse.tenancy.people.teams import TeamDraft, TeamStore
from pulse.tenancy.places import parts
from pulse.tenancy.places.lists import TenancyLists
from pulse.tenancy.places.parts import Wanted
from tests.contract.tenancy.conftest import Tenancy

NAMES = ("production", "beta", "Alpha", "staging_1", "staging%2")


@pytest.fixture
async def lists(tenancy: Tenancy) -> TenancyLists:
    """Lists of two organizations that have five environments each, made one after another, under the same names."""
    for name in NAMES[1:]:
        for each in (tenancy.theirs, tenancy.ours):
            tenancy.clock.ms += 1
            await tenancy.store.create_environment(each.id, name)
    return TenancyLists(tenancy.database, tenancy.tables)


async def names(tenancy: Tenancy, lists: TenancyLists, **wanted: object) -> list[str]:
    found = await lists.environments(tenancy.ours.id, Wanted(**wanted))  # type: ignore[arg-type]
    assert {each.organization_id for each in found.rows} <= {tenancy.ours.id}
    return [each.name for each in found.rows]


async def test_orders(tenancy: Tenancy, lists: TenancyLists) -> None:
    by_name = ["Alpha", "beta", "production"]
    assert await names(tenancy, lists) == await names(tenancy, lists, sort="createdAt") == list(NAMES)
    assert await names(tenancy, lists, sort="-createdAt") == list(reversed(NAMES))
    assert (await names(tenancy, lists, sort="name"))[:3] == by_name
    assert (await names(tenancy, lists, sort="-name"))[2:] == by_name[::-1]


@pytest.mark.parametrize("sort", ["size", "--name", "-", "created_at", "name,createdAt", "id; DROP TABLE x", "+name"])
async def test_orders_that_are_none(tenancy: Tenancy, lists: TenancyLists, sort: str) -> None:
    with pytest.raises(InvalidFields, match="createdAt, name") as told:
        await names(tenancy, lists, sort=sort)
    assert [(fault.path, fault.code) for fault in told.value.faults] == [("sort", "unknown_sort")]


async def test_pages(tenancy: Tenancy, lists: TenancyLists) -> None:
    assert await names(tenancy, lists, page=1, limit=2) == ["production", "beta"]
    assert await names(tenancy, lists, page=3, limit=2) == ["staging%2"]
    assert await names(tenancy, lists, page=4, limit=2) == []
    found = await lists.environments(tenancy.ours.id, Wanted(page=4, limit=2))
    assert (found.total, found.more) == (5, False)


async def test_searches(tenancy: Tenancy, lists: TenancyLists) -> None:
    assert await names(tenancy, lists, search="ALPH") == ["Alpha"]
    assert await names(tenancy, lists, search="ing", sort="-name") == ["staging_1", "staging%2"]
    # What means something in a pattern means itself.
    assert await names(tenancy, lists, search="%") == ["staging%2"]
    assert await names(tenancy, lists, search="_") == ["staging_1"]
    assert await names(tenancy, lists, search="'") == []
    assert (await lists.environments(tenancy.ours.id, Wanted(search="ing", limit=1))).total == 2


async def test_a_total_stops_being_counted(
    tenancy: Tenancy, lists: TenancyLists, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "MAX_TOTAL", 4)
    found = await lists.environments(tenancy.ours.id, Wanted(limit=2))
    assert (len(found.rows), found.total, found.more) == (2, 4, True)
    monkeypatch.setattr(parts, "MAX_TOTAL", 5)
    found = await lists.environments(tenancy.ours.id)
    assert (len(found.rows), found.total, found.more) == (5, 5, False)


async def test_organizations(tenancy: Tenancy, lists: TenancyLists) -> None:
    assert (await lists.organizations()).rows == [tenancy.ours, tenancy.theirs]
    assert (await lists.organizations(Wanted(sort="-name"))).rows == [tenancy.theirs, tenancy.ours]
    assert (await lists.organizations(Wanted(search="the"))).rows == [tenancy.theirs]


async def test_keys_and_sources_of_one_environment(tenancy: Tenancy, lists: TenancyLists) -> None:
    staging = await tenancy.store.create_environment(tenancy.ours.id, "other")
    for elsewhere in (tenancy.there, staging):
        await tenancy.store.create_key(elsewhere, "b")
        await tenancy.sources().create(elsewhere, "b", "none")
    later, never = tenancy.clock.ms + 2_000, None
    made = [(await tenancy.store.create_key(tenancy.here, *each))[0] for each in (("a", ("messages:read",)), ("B", ()))]
    ends = (await tenancy.store.create_key(tenancy.here, "c", (), later))[0]
    place = (tenancy.ours.id, tenancy.here.id)
    assert (await lists.keys(*place, Wanted(sort="name"))).rows == [*made, ends]
    # A key that never ends comes last, whichever way round.
    for sort in ("expiresAt", "-expiresAt"):
        assert [key.expires_at for key in (await lists.keys(*place, Wanted(sort=sort))).rows] == [later, never, never]
    assert (await lists.keys(*place, Wanted(search="b"))).rows == made[1:]
    sources = [
        await tenancy.sources().create(tenancy.here, name, kind) for name, kind in (("x", "none"), ("y", "hmac"))
    ]
    found = (await lists.sources(*place, Wanted(sort="kind"))).rows
    assert ([each.id for each in found], [each.secrets for each in found]) == ([sources[1].id, sources[0].id], [(), ()])


async def test_people(tenancy: Tenancy, lists: TenancyLists) -> None:
    people = tenancy.people()
    ada = await people.users.create("ada@example.com", "kept", first_name="Ada", last_name="Lovelace")
    tenancy.clock.ms += 1
    bob = await people.users.create("bob@example.com", "kept", first_name="Robert", last_name="Ada")
    for user, role in ((bob, "Admin"), (ada, "Guest")):
        await people.members.add(tenancy.ours.id, user.id, role)  # type: ignore[arg-type]
    await people.members.add(tenancy.theirs.id, bob.id, "Guest")
    found = await lists.users()
    assert [(user.id, user.password) for user in found.rows] == [(ada.id, None), (bob.id, None)]
    assert [user.id for user in (await lists.users(Wanted(sort="-lastName"))).rows] == [ada.id, bob.id]
    assert (await lists.users(Wanted(search="LOVE"))).total == 1
    assert (await lists.users(Wanted(search="kept"))).total == 0
    members = await lists.members(tenancy.ours.id)
    assert members.rows == await people.members.members(tenancy.ours.id)
    assert [each.role for each in (await lists.members(tenancy.ours.id, Wanted(sort="role"))).rows] == [
        "Admin",
        "Guest",
    ]
    assert [each.user_id for each in (await lists.members(tenancy.theirs.id, Wanted(search="a"))).rows] == [bob.id]


async def test_teams(tenancy: Tenancy, lists: TenancyLists) -> None:
    store = TeamStore(tenancy.database, tenancy.tables, Ids(tenancy.clock), tenancy.clock)
    ada = await tenancy.people().users.create("ada@example.com", None)
    await tenancy.people().members.add(tenancy.ours.id, ada.id, "User")
    ours = [await store.create(tenancy.ours.id, TeamDraft("b", (ada.id,), ((tenancy.here.id, "User"),)))]
    ours.append(await store.create(tenancy.ours.id, TeamDraft("a")))
    theirs = await store.create(tenancy.theirs.id, TeamDraft("b"))
    assert (await lists.teams(tenancy.ours.id, Wanted(sort="-name"))).rows == ours
    assert (await lists.teams(tenancy.theirs.id)).rows == [theirs]
    assert (await lists.teams(tenancy.ours.id, Wanted(limit=1))).total == 2
