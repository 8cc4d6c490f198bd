"""An invitation is good for as long as who sent it may invite; another organization's are none of its business."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from sqlalchemy import delete, select

from pulse.core.errors import Forbidden
from pulse.tenancy.people.arrivals import accept
from pulse.tenancy.people.records import Ticket, User
from pulse.tenancy.people.tickets import TicketRefused, end_invitations
from tests.contract.tenancy.conftest import Tenancy
from tests.contract.tenancy.places.deleting import blocked_or_done

PASSWORD = "correct horse battery"


@pytest.fixture
async def eve(tenancy: Tenancy) -> User:
    """An Admin of both organizations, neither of which is hers alone."""
    people = tenancy.people()
    eve, other = [await people.users.create(f"{name}@example.com", None) for name in ("eve", "other")]
    for organization in (tenancy.ours, tenancy.theirs):
        for user in (eve, other):
            await people.members.add(organization.id, user.id, "Admin")
    return eve


async def invited(tenancy: Tenancy, organization_id: str, email: str, by: User | None) -> tuple[Ticket, str]:
    tickets, user_id = tenancy.people().tickets, None if by is None else by.id
    return await tickets.invite(organization_id, email, "User", user_id, by_member=by is not None)


async def is_open(tenancy: Tenancy, token: str) -> bool:
    try:
        await tenancy.people().tickets.find(token, "invitation")
    except TicketRefused:
        return False
    return True


Departure = Callable[[Tenancy, User], Awaitable[object]]
FROM_HERE: dict[str, Departure] = {
    "removed": lambda tenancy, eve: tenancy.people().members.remove(tenancy.ours.id, eve.id),
    "a User": lambda tenancy, eve: tenancy.people().members.change(tenancy.ours.id, eve.id, "User"),
}
FROM_EVERYWHERE: dict[str, Departure] = {
    "disabled": lambda tenancy, eve: tenancy.people().departures.disable(eve.id),
    "deleted": lambda tenancy, eve: tenancy.people().departures.delete(eve.id),
}


@pytest.mark.parametrize("how", [*FROM_HERE, *FROM_EVERYWHERE])
async def test_what_somebody_invited_ends_with_them(tenancy: Tenancy, eve: User, how: str) -> None:
    _, here = await invited(tenancy, tenancy.ours.id, "one@example.com", eve)
    _, there = await invited(tenancy, tenancy.theirs.id, "one@example.com", eve)
    _, anothers = await invited(tenancy, tenancy.ours.id, "two@example.com", None)
    await (FROM_HERE | FROM_EVERYWHERE)[how](tenancy, eve)
    assert not await is_open(tenancy, here)
    with pytest.raises(TicketRefused):
        await accept(tenancy.people(), here, PASSWORD)
    assert await is_open(tenancy, there) is (how in FROM_HERE)
    assert await is_open(tenancy, anothers)
    assert await tenancy.people().tickets.open_invitations(tenancy.ours.id, "") == 1


async def test_who_stays_an_admin_keeps_what_they_invited(tenancy: Tenancy, eve: User) -> None:
    _, token = await invited(tenancy, tenancy.ours.id, "one@example.com", eve)
    await tenancy.people().members.change(tenancy.ours.id, eve.id, "Admin", "all")
    assert await is_open(tenancy, token)


async def test_what_has_ended_is_sent_again_by_another(tenancy: Tenancy, eve: User) -> None:
    """Who answers for it from then on."""
    people = tenancy.people()
    ticket, _ = await invited(tenancy, tenancy.ours.id, "one@example.com", eve)
    other = await people.users.by_email("other@example.com")
    assert other is not None
    await people.members.remove(tenancy.ours.id, eve.id)
    assert [each.id for each in await people.tickets.invitations(tenancy.ours.id)] == [ticket.id]
    renewed, token = await people.tickets.renew(tenancy.ours.id, ticket.id, other.id, by_member=True)
    assert (renewed.invited_by, await is_open(tenancy, token)) == (other.id, True)
    await people.members.add(tenancy.ours.id, eve.id, "Admin")
    await people.members.remove(tenancy.ours.id, other.id)
    assert not await is_open(tenancy, token)


async def test_who_may_not_invite_any_more_does_not(tenancy: Tenancy, eve: User) -> None:
    people = tenancy.people()
    ticket, _ = await invited(tenancy, tenancy.ours.id, "one@example.com", None)
    await people.members.change(tenancy.ours.id, eve.id, "User")
    with pytest.raises(Forbidden):
        await invited(tenancy, tenancy.ours.id, "two@example.com", eve)
    with pytest.raises(Forbidden):
        await people.tickets.renew(tenancy.ours.id, ticket.id, eve.id, by_member=True)
    assert await people.tickets.invitations(tenancy.ours.id) == [ticket]


async def test_who_is_removed_at_the_moment_in_which_they_invite(tenancy: Tenancy, eve: User) -> None:
    """Their right was there when they asked."""
    members, organizations = tenancy.tables.members, tenancy.tables.organizations
    async with tenancy.database.write() as connection:
        # What removing a member does, up to its commit.
        here = select(organizations.c.id).where(organizations.c.id == tenancy.ours.id)
        await connection.execute(here.with_for_update())
        mine = (members.c.organization_id == tenancy.ours.id) & (members.c.user_id == eve.id)
        await connection.execute(delete(members).where(mine))
        await connection.run_sync(end_invitations, tenancy.tables, eve.id, tenancy.clock.ms, tenancy.ours.id)
        inviting = asyncio.create_task(invited(tenancy, tenancy.ours.id, "one@example.com", eve))
        await blocked_or_done(tenancy.database, inviting)
    with pytest.raises(Forbidden):
        await inviting
    assert await tenancy.people().tickets.invitations(tenancy.ours.id) == []
