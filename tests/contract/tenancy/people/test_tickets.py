"""Tickets: used once, by one of many at once, for one purpose, until they end; with a second organization beside."""

import asyncio
from collections.abc import Awaitable
from typing import Any

import pytest
from sqlalchemy import select

from pulse.core.errors import Conflict, InvalidFields, NotFound, Unauthenticated
from pulse.tenancy.people.arrivals import Arrival, accept, choose_password, forgotten
from pulse.tenancy.people.records import Ticket, User
from pulse.tenancy.people.tickets import LASTS_MS, SHOWN_MS, TicketRefused
from tests.contract.tenancy.conftest import Tenancy

EMAIL, PASSWORD, NEW, HERE = "ada@example.com", "correct horse battery", "another good one", "192.0.2.1"
BOB = "bob@example.com"


@pytest.fixture
async def ada(tenancy: Tenancy) -> User:
    people = tenancy.people()
    return await people.users.create(EMAIL, await people.passwords.hash(PASSWORD))


async def invited(tenancy: Tenancy, email: str = BOB) -> tuple[Ticket, str]:
    return await tenancy.people().tickets.invite(tenancy.ours.id, email, "User", None)


async def outcomes(*tries: Awaitable[Any]) -> list[type]:
    found = await asyncio.gather(*tries, return_exceptions=True)
    return sorted((type(each) for each in found), key=lambda kind: kind.__name__)


async def rows(tenancy: Tenancy) -> list[Any]:
    async with tenancy.database.read() as connection:
        return list((await connection.execute(select(tenancy.tables.tickets))).all())


async def test_an_invitation_makes_a_user_who_is_a_member(tenancy: Tenancy) -> None:
    _, token = await invited(tenancy)
    arrival = await accept(tenancy.people(), token, PASSWORD, first_name="Bob")
    assert (arrival.user.email, arrival.user.first_name, arrival.user.is_system) == (BOB, "Bob", False)
    assert (await tenancy.people().members.member(tenancy.ours.id, arrival.user.id)).role == "User"
    assert await tenancy.people().members.members(tenancy.theirs.id) == []
    assert arrival.session is not None
    assert await tenancy.people().user_of(arrival.session) == arrival.user
    assert (await tenancy.people().sign_in(BOB, PASSWORD, HERE))[0] == arrival.user
    assert await rows(tenancy) == []


async def test_a_token_is_kept_nowhere(tenancy: Tenancy, ada: User) -> None:
    tokens = [(await invited(tenancy))[1]]
    tokens += [await tenancy.people().tickets.issue(ada, purpose) for purpose in ("reset", "sign_in")]
    kept = str(await rows(tenancy))
    assert all(len(token) >= 43 and token not in kept for token in tokens)


async def test_who_has_an_account_joins_with_it_as_it_is(tenancy: Tenancy, ada: User) -> None:
    session = await tenancy.people().sessions.begin(ada.id)
    _, token = await invited(tenancy, EMAIL)
    for given in ({"password": NEW}, {"first_name": "Eve"}):
        with pytest.raises(InvalidFields) as refused:
            await accept(tenancy.people(), token, **given)
        assert [(fault.path, fault.code) for fault in refused.value.faults] == [("password", "not_allowed")]
    arrival = await accept(tenancy.people(), token)
    assert (arrival.user, arrival.session) == (ada, None)
    assert (await tenancy.people().members.member(tenancy.ours.id, ada.id)).role == "User"
    # Their rights have changed: they sign in again, with the password that they had.
    with pytest.raises(Unauthenticated):
        await tenancy.people().user_of(session)
    assert (await tenancy.people().sign_in(EMAIL, PASSWORD, HERE))[0] == ada


@pytest.mark.parametrize("password", [None, "", "short", "x" * 201, "aaaaaaaaaaaaaaaa", "bob and his engine"])
async def test_a_refused_password_uses_nothing_up(tenancy: Tenancy, password: str | None) -> None:
    _, token = await invited(tenancy)
    with pytest.raises(InvalidFields) as refused:
        await accept(tenancy.people(), token, password)
    assert [fault.path for fault in refused.value.faults] == ["password"]
    assert await tenancy.people().users.all() == []
    await accept(tenancy.people(), token, PASSWORD)


async def test_of_two_who_accept_at_once_one_wins(tenancy: Tenancy) -> None:
    _, token = await invited(tenancy)
    found = await outcomes(*(accept(tenancy.people(), token, f"{PASSWORD} {number}") for number in range(3)))
    assert found.count(Arrival) == 1
    assert set(found) <= {Arrival, TicketRefused, Conflict, InvalidFields}
    assert len(await tenancy.people().users.all()) == 1
    assert len(await tenancy.people().members.members(tenancy.ours.id)) == 1


async def test_of_two_with_an_account_one_wins(tenancy: Tenancy, ada: User) -> None:
    _, token = await invited(tenancy, EMAIL)
    found = await outcomes(*(tenancy.people().redemption.join(token, None) for _ in range(2)))
    assert found == [TicketRefused, str]
    assert len(await tenancy.people().members.members(tenancy.ours.id)) == 1


async def test_of_two_new_passwords_at_once_one_wins(tenancy: Tenancy, ada: User) -> None:
    token = await tenancy.people().tickets.issue(ada, "reset")
    passwords = [f"{NEW} {number}" for number in range(2)]
    found = await outcomes(*(choose_password(tenancy.people(), token, password) for password in passwords))
    assert found == [type(None), TicketRefused] or found == [TicketRefused, type(None)]
    signed_in = await outcomes(*(tenancy.people().sign_in(EMAIL, password, HERE) for password in passwords))
    assert sorted(kind.__name__ for kind in signed_in) == ["Unauthenticated", "tuple"]


async def test_of_two_first_sign_ins_at_once_one_wins(tenancy: Tenancy, ada: User) -> None:
    token = await tenancy.people().tickets.issue(ada, "sign_in")
    found = await outcomes(*(tenancy.people().redemption.sign_in(token) for _ in range(3)))
    assert found == [TicketRefused, TicketRefused, str]


async def refusal(attempt: Awaitable[Any]) -> tuple[str, str]:
    with pytest.raises(TicketRefused) as refused:
        await attempt
    return refused.value.code, refused.value.message


async def test_every_link_that_does_not_work_looks_the_same(tenancy: Tenancy, ada: User) -> None:
    people = tenancy.people()
    used, revoked, renewed, ended = [(await invited(tenancy, f"{number}@example.com")) for number in range(4)]
    await accept(people, used[1], PASSWORD)
    await people.tickets.revoke(tenancy.ours.id, revoked[0].id)
    await people.tickets.renew(tenancy.ours.id, renewed[0].id, None)
    of_reset, of_sign_in = [await people.tickets.issue(ada, purpose) for purpose in ("reset", "sign_in")]
    tokens = [used[1], revoked[1], renewed[1], of_reset, of_sign_in, "", "x", "\0", "é" * 200]
    found = {await refusal(accept(people, token, PASSWORD)) for token in tokens}
    tenancy.clock.ms += LASTS_MS["invitation"]
    found.add(await refusal(accept(people, ended[1], PASSWORD)))
    assert len(found) == 1
    # An invitation is neither a way to a password nor a way in.
    _, token = await invited(tenancy)
    assert await refusal(choose_password(people, token, NEW)) in found
    assert await refusal(people.redemption.sign_in(token)) in found


async def test_a_new_password_signs_out_everywhere(tenancy: Tenancy, ada: User) -> None:
    session = await tenancy.people().sessions.begin(ada.id)
    asked = await forgotten(tenancy.people(), EMAIL.upper())
    assert asked is not None
    assert asked[0] == ada
    await choose_password(tenancy.people(), asked[1], NEW)
    with pytest.raises(Unauthenticated):
        await tenancy.people().user_of(session)
    with pytest.raises(Unauthenticated):
        await tenancy.people().sign_in(EMAIL, PASSWORD, HERE)
    assert (await tenancy.people().sign_in(EMAIL, NEW, HERE))[0].id == ada.id
    await refusal(choose_password(tenancy.people(), asked[1], PASSWORD))


async def test_a_newer_link_makes_the_older_void(tenancy: Tenancy, ada: User) -> None:
    older, newer = [await tenancy.people().tickets.issue(ada, "reset") for _ in range(2)]
    await refusal(choose_password(tenancy.people(), older, NEW))
    await choose_password(tenancy.people(), newer, NEW)
    asked = await outcomes(*(tenancy.people().tickets.issue(ada, "reset") for _ in range(4)))
    assert asked == [str] * 4
    assert len(await rows(tenancy)) == 1


async def test_a_link_to_a_new_password_ends_after_half_an_hour(tenancy: Tenancy, ada: User) -> None:
    token = await tenancy.people().tickets.issue(ada, "reset")
    tenancy.clock.ms += 30 * 60_000 - 1
    assert (await tenancy.people().tickets.find(token, "reset")).email == EMAIL
    tenancy.clock.ms += 1
    await refusal(tenancy.people().tickets.find(token, "reset"))
    await refusal(choose_password(tenancy.people(), token, NEW))


async def test_a_new_password_ends_the_other_links(tenancy: Tenancy, ada: User) -> None:
    people = tenancy.people()
    bob = await people.users.create(BOB, None)
    of_bob = await people.tickets.issue(bob, "sign_in")
    for _ in range(2):
        reset, sign_in = [await people.tickets.issue(ada, purpose) for purpose in ("reset", "sign_in")]
        await choose_password(people, reset, PASSWORD)
        await refusal(people.redemption.sign_in(sign_in))
    left_over = await people.tickets.issue(ada, "reset")
    await people.change_password(await people.users.user(ada.id), PASSWORD, NEW)
    await refusal(choose_password(people, left_over, PASSWORD))
    assert await people.redemption.sign_in(of_bob)


async def test_nobody_without_a_password_gets_one_by_mail(tenancy: Tenancy) -> None:
    await tenancy.people().users.create(BOB, None)
    assert await forgotten(tenancy.people(), BOB) is None
    assert await forgotten(tenancy.people(), "nobody@example.com") is None
    assert await rows(tenancy) == []


async def test_who_is_invited_twice(tenancy: Tenancy, ada: User) -> None:
    ticket, old = await invited(tenancy)
    with pytest.raises(Conflict, match="was invited already"):
        await invited(tenancy)
    # Another organization's invitation is its own.
    await tenancy.people().tickets.invite(tenancy.theirs.id, BOB, "Guest", ada.id)
    tenancy.clock.ms += LASTS_MS["invitation"]
    again, new = await invited(tenancy)
    assert await tenancy.people().tickets.invitations(tenancy.ours.id) == [again]
    assert again.id != ticket.id
    await refusal(accept(tenancy.people(), old, PASSWORD))
    await accept(tenancy.people(), new, PASSWORD)
    with pytest.raises(Conflict, match="is a member already"):
        await invited(tenancy)


async def test_of_two_invitations_at_once_one_is_made(tenancy: Tenancy) -> None:
    found = await outcomes(*(invited(tenancy) for _ in range(3)))
    assert found == [Conflict, Conflict, tuple]


async def test_invitations_of_another_organization_are_not_there(tenancy: Tenancy) -> None:
    ticket, token = await invited(tenancy)
    tickets = tenancy.people().tickets
    assert await tickets.invitations(tenancy.theirs.id) == []
    for attempt in (tickets.renew(tenancy.theirs.id, ticket.id, None), tickets.revoke(tenancy.theirs.id, ticket.id)):
        with pytest.raises(NotFound):
            await attempt
    assert await tickets.invitations(tenancy.ours.id) == [ticket]
    await accept(tenancy.people(), token, PASSWORD)


async def test_an_invitation_that_has_ended_is_renewed(tenancy: Tenancy) -> None:
    ticket, _ = await invited(tenancy)
    tenancy.clock.ms += LASTS_MS["invitation"] + 5
    await tenancy.people().sweep()
    renewed, token = await tenancy.people().tickets.renew(tenancy.ours.id, ticket.id, None)
    assert (renewed.id, renewed.expires_at) == (ticket.id, tenancy.clock.ms + LASTS_MS["invitation"])
    await accept(tenancy.people(), token, PASSWORD)


async def test_what_has_ended_is_swept(tenancy: Tenancy, ada: User) -> None:
    await invited(tenancy)
    for purpose in ("reset", "sign_in"):
        await tenancy.people().tickets.issue(ada, purpose)
    await tenancy.people().sweep()
    assert len(await rows(tenancy)) == 3
    tenancy.clock.ms += LASTS_MS["invitation"]
    await tenancy.people().sweep()
    assert [row.purpose for row in await rows(tenancy)] == ["invitation"]
    tenancy.clock.ms += SHOWN_MS
    await tenancy.people().sweep()
    assert await rows(tenancy) == []


async def test_who_became_a_member_meanwhile(tenancy: Tenancy, ada: User) -> None:
    """Somebody who is invited anew after they were made a member by hand is told so, and the link stays."""
    _, token = await invited(tenancy, EMAIL)
    await tenancy.people().members.add(tenancy.ours.id, ada.id, "Guest")
    with pytest.raises(Conflict):
        await accept(tenancy.people(), token)
    assert (await tenancy.people().members.member(tenancy.ours.id, ada.id)).role == "Guest"
