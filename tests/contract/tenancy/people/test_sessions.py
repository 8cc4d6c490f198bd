"""Sessions that were stolen gain nothing, and what ends sessions ends them with the change itself, or not at all."""

from dataclasses import replace
from typing import NoReturn

import pytest
from sqlalchemy import insert, select

from pulse.core.errors import InvalidFields, NotFound, StorageDown, Unauthenticated
from pulse.tenancy.people import users
from pulse.tenancy.people.protection import confirm_second_factor, reset_second_factor
from pulse.tenancy.people.records import User
from pulse.tenancy.people.second_factor import store as second_factor_store
from pulse.tenancy.people.sessions import ABSOLUTE_MS, IDLE_MS, YOUNG_MS, new_session
from pulse.tenancy.people.tickets import TicketRefused
from pulse.tenancy.places.lists import TenancyLists
from tests.contract.tenancy.conftest import Tenancy
from tests.contract.tenancy.people.factors import EMAIL, HERE, PASSWORD, code, enter, protect

NEW, PICTURE = "another good one", "https://example.com/ada.png"


@pytest.fixture
async def ada(tenancy: Tenancy) -> User:
    people = tenancy.people()
    return await people.users.create(EMAIL, await people.passwords.hash(PASSWORD))


async def test_another_token_makes_a_session_no_younger(tenancy: Tenancy, ada: User) -> None:
    sessions = tenancy.people().sessions
    began, old = tenancy.clock.ms, await sessions.begin(ada.id)
    tenancy.clock.ms += YOUNG_MS - 1
    token = await sessions.rotate(old)
    assert [await sessions.is_young(each) for each in (old, token)] == [False, True]
    assert (await sessions.user(old), await sessions.user(token)) == (None, ada)
    tenancy.clock.ms += 1
    assert not await sessions.is_young(token)
    while tenancy.clock.ms < began + ABSOLUTE_MS - IDLE_MS:
        tenancy.clock.ms += IDLE_MS - 2
        assert await sessions.user(token) == ada
        token = await sessions.rotate(token)
    tenancy.clock.ms = began + ABSOLUTE_MS
    assert await sessions.user(token) is None


async def test_a_session_that_has_ended_goes_on_under_no_other_token(tenancy: Tenancy, ada: User) -> None:
    sessions = tenancy.people().sessions
    token = await sessions.begin(ada.id)
    await sessions.end(token)
    for gone in (token, ""):
        with pytest.raises(Unauthenticated):
            await sessions.rotate(gone)
    async with tenancy.database.read() as connection:
        assert (await connection.execute(select(tenancy.tables.sessions))).all() == []


async def test_of_who_changes_their_own_role_that_session_stays(tenancy: Tenancy, ada: User) -> None:
    people = tenancy.people()
    await people.members.add(tenancy.ours.id, ada.id, "User")
    own, elsewhere = await people.sessions.begin(ada.id), await people.sessions.begin(ada.id)
    await people.members.change(tenancy.ours.id, ada.id, "Guest", by=own)
    assert [await people.sessions.user(each) for each in (own, elsewhere)] == [ada, None]


async def test_the_first_password_takes_a_young_session(tenancy: Tenancy) -> None:
    people = tenancy.people()
    bob = await people.users.create("bob@example.com", None)
    token = await people.sessions.begin(bob.id)
    tenancy.clock.ms += YOUNG_MS
    for by in (token, ""):
        with pytest.raises(InvalidFields, match="sign in again") as refused:
            await people.change_password(bob, None, NEW, by)
        assert [fault.code for fault in refused.value.faults] == ["sign_in_again"]
    assert (await people.users.user(bob.id)).password is None
    assert await people.sessions.user(token) == bob
    await people.change_password(bob, None, NEW, await people.sessions.begin(bob.id))
    assert (await people.sign_in(bob.email, NEW, HERE))[0].id == bob.id


async def test_who_asks_is_read_without_the_picture(tenancy: Tenancy, ada: User) -> None:
    people = tenancy.people()
    changed = await people.users.change(ada.id, avatar=PICTURE)
    assert changed.avatar == PICTURE
    assert await people.user_of(await people.sessions.begin(ada.id)) == replace(changed, avatar=None)
    (listed,) = (await TenancyLists(tenancy.database, tenancy.tables).users()).rows
    assert (listed.id, listed.avatar) == (ada.id, None)


async def test_a_session_of_who_is_disabled_speaks_for_nobody(tenancy: Tenancy, ada: User) -> None:
    people = tenancy.people()
    await people.departures.disable(ada.id)
    token = await left_over(tenancy, ada)
    with pytest.raises(Unauthenticated):
        await people.user_of(token)


async def test_nothing_of_before_lets_in_who_is_enabled_again(tenancy: Tenancy, ada: User) -> None:
    people = tenancy.people()
    await people.departures.disable(ada.id)
    session, link = await left_over(tenancy, ada), await people.tickets.issue(ada, "sign_in")
    await people.departures.enable(ada.id)
    with pytest.raises(Unauthenticated):
        await people.user_of(session)
    with pytest.raises(TicketRefused):
        await people.redemption.sign_in(link)
    # Who is not disabled stays signed in.
    _, token = await people.sign_in(EMAIL, PASSWORD, HERE)
    await people.departures.enable(ada.id)
    assert (await people.user_of(token)).id == ada.id


async def left_over(tenancy: Tenancy, user: User) -> str:
    """The token of a session that came as its user was disabled."""
    session, token = new_session(user.id, tenancy.clock.ms)
    async with tenancy.database.write() as connection:
        await connection.execute(insert(tenancy.tables.sessions), [vars(session)])
    return token


def broken(*_given: object) -> NoReturn:
    raise StorageDown


async def test_a_password_changes_with_all_that_it_ends_or_not_at_all(
    tenancy: Tenancy, ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = tenancy.people()
    token, link = await people.sessions.begin(ada.id), await people.tickets.issue(ada, "sign_in")
    monkeypatch.setattr(users, "add_session", broken)
    with pytest.raises(StorageDown):
        await people.change_password(ada, PASSWORD, NEW)
    assert await people.user_of(token) == ada
    assert (await people.tickets.find(link, "sign_in")).user_id == ada.id
    assert (await people.sign_in(EMAIL, PASSWORD, HERE))[0].id == ada.id


async def test_who_is_disabled_meanwhile_has_no_new_password(tenancy: Tenancy, ada: User) -> None:
    people = tenancy.people()
    await people.departures.disable(ada.id)
    with pytest.raises(InvalidFields):
        await people.change_password(ada, PASSWORD, NEW)
    assert (await people.users.user(ada.id)).password == ada.password


async def test_a_second_factor_begins_with_all_that_it_ends_or_not_at_all(
    tenancy: Tenancy, ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = tenancy.people()
    token = await people.sessions.begin(ada.id)
    secret = await people.second_factors.begin(ada.id)
    monkeypatch.setattr(second_factor_store, "end_sessions", broken)
    with pytest.raises(StorageDown):
        await confirm_second_factor(people, ada, code(tenancy, secret))
    assert await people.second_factors.of(ada.id) is None
    assert await people.user_of(token) == ada
    monkeypatch.undo()
    _, fresh = await confirm_second_factor(people, ada, code(tenancy, secret))
    assert [await people.sessions.user(each) for each in (token, fresh)] == [None, ada]


async def test_a_second_factor_is_reset_with_all_that_it_ends_or_not_at_all(
    tenancy: Tenancy, ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = tenancy.people()
    secret, _ = await protect(tenancy, ada)
    monkeypatch.setattr(second_factor_store, "end_sessions", broken)
    with pytest.raises(StorageDown):
        await reset_second_factor(people, ada.id)
    assert await people.second_factors.of(ada.id) is not None
    await enter(tenancy, code(tenancy, secret))


async def test_a_user_comes_with_the_membership_or_not_at_all(tenancy: Tenancy) -> None:
    people = tenancy.people()
    with pytest.raises(NotFound, match="org_none"):
        await people.users.create(EMAIL, None, member_of=("org_none", "User"))
    assert await people.users.by_email(EMAIL) is None
    made = await people.users.create(EMAIL, None, member_of=(tenancy.ours.id, "User"))
    assert (await people.members.member(tenancy.ours.id, made.id)).role == "User"
    assert await people.members.members(tenancy.theirs.id) == []
