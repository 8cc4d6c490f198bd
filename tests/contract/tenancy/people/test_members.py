"""Users, and where they belong: with a second organization that has the same users in other roles."""

import asyncio

import pytest

from pulse.core.errors import Conflict, InvalidFields, NotFound
from pulse.tenancy.people.records import User
from tests.contract.tenancy.conftest import Tenancy


async def somebody(tenancy: Tenancy, email: str = "ada@example.com") -> User:
    return await tenancy.people().users.create(email, None)


async def test_users_are_kept(tenancy: Tenancy) -> None:
    users = tenancy.people().users
    ada = await users.create(" Ada@Example.com ", "kept", first_name="Ada", last_name="Lovelace")
    assert (ada.email, ada.first_name, ada.is_system, ada.password) == ("ada@example.com", "Ada", False, "kept")
    assert await users.user(ada.id) == ada
    assert await users.by_email("ADA@example.com") == ada
    assert await users.by_email("nobody@example.com") is None
    operator = await users.create("op@example.com", None, is_system=True)
    assert await users.all() == [ada, operator]
    with pytest.raises(NotFound):
        await users.user("usr_unknown")


async def test_an_address_is_taken_once(tenancy: Tenancy) -> None:
    await somebody(tenancy)
    with pytest.raises(Conflict, match=r"ada@example\.com"):
        await somebody(tenancy, "ADA@EXAMPLE.COM")


@pytest.mark.parametrize("email", ["", "ada", "ada@", "@example.com", "a b@example.com", "a@b@c", "a\0@example.com"])
async def test_what_is_no_address(tenancy: Tenancy, email: str) -> None:
    with pytest.raises(InvalidFields):
        await somebody(tenancy, email)
    assert await tenancy.people().users.all() == []


async def test_what_changes_of_a_user(tenancy: Tenancy) -> None:
    users, ada, bob = tenancy.people().users, await somebody(tenancy), await somebody(tenancy, "bob@example.com")
    tenancy.clock.ms += 5
    changed = await users.change(ada.id, first_name="Ada", avatar="https://example.com/a.png")
    assert (changed.first_name, changed.avatar, changed.last_name) == ("Ada", "https://example.com/a.png", "")
    assert changed.updated_at == ada.updated_at + 5
    assert await users.user(bob.id) == bob


async def test_a_member_has_one_role_in_each_organization(tenancy: Tenancy) -> None:
    members, ada = tenancy.people().members, await somebody(tenancy)
    ours = await members.add(tenancy.ours.id, ada.id, "Admin")
    theirs = await members.add(tenancy.theirs.id, ada.id, "Guest")
    assert (ours.role, ours.email, theirs.role) == ("Admin", "ada@example.com", "Guest")
    assert await members.members(tenancy.ours.id) == [ours]
    places = [(place.id, role) for place, role in await members.places(ada.id)]
    assert sorted(places) == sorted([(tenancy.ours.id, "Admin"), (tenancy.theirs.id, "Guest")])
    with pytest.raises(Conflict):
        await members.add(tenancy.ours.id, ada.id, "User")


async def test_members_of_another_organization_are_not_there(tenancy: Tenancy) -> None:
    members, ada, bob = tenancy.people().members, await somebody(tenancy), await somebody(tenancy, "bob@example.com")
    kept = await members.add(tenancy.ours.id, ada.id, "User")
    await members.add(tenancy.theirs.id, bob.id, "Admin")
    for organization_id, user_id in ((tenancy.theirs.id, ada.id), (tenancy.ours.id, bob.id), ("org_x", ada.id)):
        with pytest.raises(NotFound):
            await members.member(organization_id, user_id)
        with pytest.raises(NotFound):
            await members.change(organization_id, user_id, "Guest")
        with pytest.raises(NotFound):
            await members.remove(organization_id, user_id)
    assert await members.members(tenancy.ours.id) == [kept]


async def test_the_last_admin_stays(tenancy: Tenancy) -> None:
    members, ada, bob = tenancy.people().members, await somebody(tenancy), await somebody(tenancy, "bob@example.com")
    await members.add(tenancy.ours.id, ada.id, "Admin")
    await members.add(tenancy.ours.id, bob.id, "User")
    # Admins of others do not count.
    await members.add(tenancy.theirs.id, bob.id, "Admin")
    for attempt in (members.remove(tenancy.ours.id, ada.id), members.change(tenancy.ours.id, ada.id, "User")):
        with pytest.raises(Conflict, match="needs an Admin"):
            await attempt
    assert (await members.change(tenancy.ours.id, ada.id, "Admin")).role == "Admin"
    await members.change(tenancy.ours.id, bob.id, "Admin")
    await members.remove(tenancy.ours.id, ada.id)
    assert [member.user_id for member in await members.members(tenancy.ours.id)] == [bob.id]


async def test_two_admins_cannot_remove_each_other(tenancy: Tenancy) -> None:
    ada, bob = await somebody(tenancy), await somebody(tenancy, "bob@example.com")
    for user in (ada, bob):
        await tenancy.people().members.add(tenancy.ours.id, user.id, "Admin")
    tries = [tenancy.people().members.remove(tenancy.ours.id, user.id) for user in (ada, bob)]
    found = await asyncio.gather(*tries, return_exceptions=True)
    assert [type(each) for each in found if each is not None] == [Conflict]
    assert len(await tenancy.people().members.members(tenancy.ours.id)) == 1
