"""Users who are disabled or deleted: nothing lets them in, and somebody is left who can."""

import asyncio

import pytest
from sqlalchemy import select

from pulse.core.errors import Conflict, NotFound, Unauthenticated
from pulse.tenancy.people.arrivals import accept, forgotten
from pulse.tenancy.people.records import Purpose, User
from pulse.tenancy.people.tickets import TicketRefused
from tests.contract.tenancy.conftest import Tenancy

PURPOSES: tuple[Purpose, ...] = ("reset", "sign_in")
PASSWORD, HERE = "correct horse battery", "192.0.2.1"


async def somebody(tenancy: Tenancy, name: str, *, is_system: bool = False) -> User:
    people = tenancy.people()
    return await people.users.create(f"{name}@example.com", await people.passwords.hash(PASSWORD), is_system=is_system)


async def test_whoever_is_disabled_has_no_way_in(tenancy: Tenancy) -> None:
    people, ada = tenancy.people(), await somebody(tenancy, "ada")
    session = await people.sessions.begin(ada.id)
    tokens = {purpose: await people.tickets.issue(ada, purpose) for purpose in PURPOSES}
    _, invitation = await people.tickets.invite(tenancy.ours.id, ada.email, "User", None)
    await people.departures.disable(ada.id)
    assert (await people.users.user(ada.id)).disabled_at == tenancy.clock.ms
    with pytest.raises(Unauthenticated):
        await people.user_of(session)
    with pytest.raises(Unauthenticated, match="is not right"):
        await people.sign_in(ada.email, PASSWORD, HERE)
    for purpose, token in tokens.items():
        with pytest.raises(TicketRefused):
            await people.tickets.find(token, purpose)
    with pytest.raises(TicketRefused):
        await accept(people, invitation)
    with pytest.raises(TicketRefused):
        await people.redemption.join(invitation, None)
    assert await forgotten(people, ada.email) is None


async def test_links_that_come_after_do_not_work_either(tenancy: Tenancy) -> None:
    people, ada = tenancy.people(), await somebody(tenancy, "ada")
    await people.departures.disable(ada.id)
    reset, sign_in = [await people.tickets.issue(ada, purpose) for purpose in ("reset", "sign_in")]
    for attempt in (people.redemption.set_password(reset, "kept"), people.redemption.sign_in(sign_in)):
        with pytest.raises(TicketRefused):
            await attempt
    with pytest.raises(Unauthenticated):
        await people.sessions.begin(ada.id)


async def test_disabling_is_taken_back(tenancy: Tenancy) -> None:
    people, ada = tenancy.people(), await somebody(tenancy, "ada")
    await people.members.add(tenancy.ours.id, ada.id, "User")
    await people.departures.disable(ada.id)
    since = tenancy.clock.ms
    tenancy.clock.ms += 5
    await people.departures.disable(ada.id)
    assert (await people.users.user(ada.id)).disabled_at == since
    await people.departures.enable(ada.id)
    assert (await people.sign_in(ada.email, PASSWORD, HERE))[0].id == ada.id
    assert (await people.members.member(tenancy.ours.id, ada.id)).role == "User"


async def test_who_is_deleted_leaves_nothing(tenancy: Tenancy) -> None:
    people, ada, bob = tenancy.people(), await somebody(tenancy, "ada"), await somebody(tenancy, "bob")
    for user in (ada, bob):
        await people.members.add(tenancy.ours.id, user.id, "User")
        await people.sessions.begin(user.id)
        await people.tickets.issue(user, "reset")
    await people.departures.delete(ada.id)
    with pytest.raises(NotFound):
        await people.users.user(ada.id)
    async with tenancy.database.read() as connection:
        for table in (tenancy.tables.members, tenancy.tables.sessions, tenancy.tables.tickets):
            assert set((await connection.execute(select(table.c.user_id))).scalars()) == {bob.id}, table.name
    with pytest.raises(Unauthenticated):
        await people.sessions.begin(ada.id)
    with pytest.raises(NotFound):
        await people.tickets.issue(ada, "reset")


async def test_users_who_are_not_there(tenancy: Tenancy) -> None:
    departures = tenancy.people().departures
    for attempt in (departures.disable("usr_x"), departures.enable("usr_x"), departures.delete("usr_x")):
        with pytest.raises(NotFound):
            await attempt


async def test_the_last_system_administrator_stays(tenancy: Tenancy) -> None:
    departures, ada = tenancy.people().departures, await somebody(tenancy, "ada", is_system=True)
    bob = await somebody(tenancy, "bob", is_system=True)
    await departures.disable(bob.id)
    for attempt in (departures.disable(ada.id), departures.delete(ada.id)):
        with pytest.raises(Conflict, match="needs a system administrator"):
            await attempt
    await departures.delete(bob.id)
    carol = await somebody(tenancy, "carol", is_system=True)
    await departures.delete(ada.id)
    assert [user.id for user in await tenancy.people().users.all()] == [carol.id]


async def test_the_last_admin_stays(tenancy: Tenancy) -> None:
    people, ada, bob = tenancy.people(), await somebody(tenancy, "ada"), await somebody(tenancy, "bob")
    await people.members.add(tenancy.ours.id, ada.id, "Admin")
    await people.members.add(tenancy.ours.id, bob.id, "User")
    await people.members.add(tenancy.theirs.id, bob.id, "Admin")
    for attempt in (people.departures.disable(ada.id), people.departures.delete(ada.id)):
        with pytest.raises(Conflict, match="'Ours' needs an Admin"):
            await attempt
    await people.members.change(tenancy.ours.id, bob.id, "Admin")
    await people.departures.disable(ada.id)
    # One who cannot come in owns nothing.
    for change in (
        people.members.remove(tenancy.ours.id, bob.id),
        people.members.change(tenancy.ours.id, bob.id, "User"),
    ):
        with pytest.raises(Conflict, match="needs an Admin"):
            await change


@pytest.mark.parametrize("is_system", [True, False])
async def test_two_cannot_remove_each_other(tenancy: Tenancy, is_system: bool) -> None:
    users = [await somebody(tenancy, name, is_system=is_system) for name in ("ada", "bob")]
    for user in users:
        await tenancy.people().members.add(tenancy.ours.id, user.id, "Admin")
    first, second = users
    tries = (tenancy.people().departures.delete(first.id), tenancy.people().departures.disable(second.id))
    found = await asyncio.gather(*tries, return_exceptions=True)
    assert [type(each) for each in found if each is not None] == [Conflict]


async def test_whose_role_changes_signs_in_again(tenancy: Tenancy) -> None:
    people, ada, bob = tenancy.people(), await somebody(tenancy, "ada"), await somebody(tenancy, "bob")
    for user in (ada, bob):
        await people.members.add(tenancy.ours.id, user.id, "User")
    of_ada, of_bob = await people.sessions.begin(ada.id), await people.sessions.begin(bob.id)
    await people.members.change(tenancy.ours.id, ada.id, "User")
    assert await people.user_of(of_ada) == ada
    await people.members.change(tenancy.ours.id, ada.id, "Guest")
    with pytest.raises(Unauthenticated):
        await people.user_of(of_ada)
    again = await people.sessions.begin(ada.id)
    await people.members.remove(tenancy.ours.id, ada.id)
    with pytest.raises(Unauthenticated):
        await people.user_of(again)
    assert await people.user_of(of_bob) == bob
