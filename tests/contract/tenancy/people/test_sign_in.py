"""Signing in: passwords, sessions and their ends, and what many failures come to."""

import pytest
from sqlalchemy import select

from pulse.core.errors import InvalidFields, NotFound, Unauthenticated
from pulse.tenancy.people.attempts import MOST, WINDOW_MS, TooManyAttempts
from pulse.tenancy.people.records import User
from pulse.tenancy.people.sessions import ABSOLUTE_MS, IDLE_MS
from tests.contract.tenancy.conftest import Tenancy

EMAIL, PASSWORD, HERE = "ada@example.com", "correct horse battery", "192.0.2.1"


@pytest.fixture
async def ada(tenancy: Tenancy) -> User:
    people = tenancy.people()
    return await people.users.create(EMAIL, await people.passwords.hash(PASSWORD))


async def test_a_session_lasts_from_sign_in_to_sign_out(tenancy: Tenancy, ada: User) -> None:
    user, token = await tenancy.people().sign_in(f" {EMAIL.upper()} ", PASSWORD, HERE)
    assert user == ada
    assert await tenancy.people().user_of(token) == ada
    await tenancy.people().sessions.end(token)
    with pytest.raises(Unauthenticated):
        await tenancy.people().user_of(token)


async def test_neither_token_nor_password_is_kept(tenancy: Tenancy, ada: User) -> None:
    _, token = await tenancy.people().sign_in(EMAIL, PASSWORD, HERE)
    async with tenancy.database.read() as connection:
        found = [*(await connection.execute(select(tenancy.tables.sessions))).all()]
        found += (await connection.execute(select(tenancy.tables.users))).all()
    assert token not in str(found)
    assert PASSWORD not in str(found)
    assert ada.password is not None
    assert ada.password.startswith("$argon2id$")


@pytest.mark.parametrize(
    ("email", "password"), [(EMAIL, "wrong"), ("bob@example.com", PASSWORD), ("", ""), (EMAIL, "")]
)
async def test_a_wrong_password_and_an_unknown_person_look_the_same(
    tenancy: Tenancy, ada: User, email: str, password: str
) -> None:
    with pytest.raises(Unauthenticated, match="mail address or the password"):
        await tenancy.people().sign_in(email, password, HERE)
    assert ada.email == EMAIL


async def test_whoever_has_no_password_has_no_way_in_with_one(tenancy: Tenancy) -> None:
    await tenancy.people().users.create("sso@example.com", None)
    for password in ("", "None", PASSWORD):
        with pytest.raises(Unauthenticated):
            await tenancy.people().sign_in("sso@example.com", password, HERE)


async def test_an_idle_session_ends(tenancy: Tenancy, ada: User) -> None:
    _, token = await tenancy.people().sign_in(EMAIL, PASSWORD, HERE)
    for _ in range(3):
        tenancy.clock.ms += IDLE_MS - 1
        assert await tenancy.people().user_of(token) == ada
    tenancy.clock.ms += IDLE_MS
    with pytest.raises(Unauthenticated):
        await tenancy.people().user_of(token)


async def test_no_session_lasts_for_ever(tenancy: Tenancy, ada: User) -> None:
    began = tenancy.clock.ms
    _, token = await tenancy.people().sign_in(EMAIL, PASSWORD, HERE)
    while tenancy.clock.ms < began + ABSOLUTE_MS - IDLE_MS:
        tenancy.clock.ms += IDLE_MS - 1
        assert await tenancy.people().user_of(token) == ada
    tenancy.clock.ms = began + ABSOLUTE_MS
    with pytest.raises(Unauthenticated):
        await tenancy.people().user_of(token)
    await tenancy.people().sweep()
    async with tenancy.database.read() as connection:
        assert (await connection.execute(select(tenancy.tables.sessions))).all() == []


async def test_the_sweep_leaves_what_lives(tenancy: Tenancy, ada: User) -> None:
    _, token = await tenancy.people().sign_in(EMAIL, PASSWORD, HERE)
    tenancy.clock.ms += IDLE_MS - 1
    await tenancy.people().sweep()
    assert await tenancy.people().user_of(token) == ada


async def test_a_new_password_signs_out_everywhere_else(tenancy: Tenancy, ada: User) -> None:
    _, elsewhere = await tenancy.people().sign_in(EMAIL, PASSWORD, HERE)
    bob = await tenancy.people().users.create("bob@example.com", None)
    of_bob = await tenancy.people().sessions.begin(bob.id)
    token = await tenancy.people().change_password(ada, PASSWORD, "another good one")
    with pytest.raises(Unauthenticated):
        await tenancy.people().user_of(elsewhere)
    assert (await tenancy.people().user_of(token)).id == ada.id
    assert await tenancy.people().user_of(of_bob) == bob
    with pytest.raises(Unauthenticated):
        await tenancy.people().sign_in(EMAIL, PASSWORD, HERE)
    await tenancy.people().sign_in(EMAIL, "another good one", HERE)


@pytest.mark.parametrize(
    ("old", "new", "path"),
    [
        ("wrong", "another good one", "oldPassword"),
        (PASSWORD, "short", "newPassword"),
        (PASSWORD, "x" * 201, "newPassword"),
        (PASSWORD, "aaaaaaaaaaaaaaaa", "newPassword"),
        (PASSWORD, "Ada-and-her-engine", "newPassword"),
    ],
)
async def test_passwords_that_are_refused(tenancy: Tenancy, ada: User, old: str, new: str, path: str) -> None:
    with pytest.raises(InvalidFields) as refused:
        await tenancy.people().change_password(ada, old, new)
    assert [fault.path for fault in refused.value.faults] == [path]
    await tenancy.people().sign_in(EMAIL, PASSWORD, HERE)


async def fail(tenancy: Tenancy, times: int, email: str = EMAIL, address: str = HERE) -> None:
    keys = [f"account:{email}", f"address:{address}"]
    for _ in range(times):
        await tenancy.people().attempts.begin(keys)


async def test_after_many_failures_an_account_waits(tenancy: Tenancy, ada: User) -> None:
    await fail(tenancy, MOST["account"] - 1)
    with pytest.raises(Unauthenticated):
        await tenancy.people().sign_in(EMAIL, "wrong", HERE)
    with pytest.raises(TooManyAttempts) as refused:
        await tenancy.people().sign_in(EMAIL, PASSWORD, "198.51.100.7")
    assert refused.value.details["retry_after"] == WINDOW_MS // 1000
    tenancy.clock.ms += WINDOW_MS
    assert (await tenancy.people().sign_in(EMAIL, PASSWORD, HERE))[0] == ada


async def test_success_forgets_the_failures_of_an_account(tenancy: Tenancy, ada: User) -> None:
    await fail(tenancy, MOST["account"] - 1)
    await tenancy.people().sign_in(EMAIL, PASSWORD, HERE)
    await fail(tenancy, MOST["account"] - 1)
    assert (await tenancy.people().sign_in(EMAIL, PASSWORD, HERE))[0] == ada


async def test_after_many_failures_an_address_waits_for_every_account(tenancy: Tenancy, ada: User) -> None:
    for number in range(MOST["address"]):
        await fail(tenancy, 1, email=f"{number}@example.com")
    with pytest.raises(TooManyAttempts):
        await tenancy.people().sign_in(EMAIL, PASSWORD, HERE)
    assert (await tenancy.people().sign_in(EMAIL, PASSWORD, "198.51.100.7"))[0] == ada


async def test_a_session_speaks_for_the_organization_that_is_named(tenancy: Tenancy, ada: User) -> None:
    people = tenancy.people()
    await people.members.add(tenancy.ours.id, ada.id, "User")
    _, token = await people.sign_in(EMAIL, PASSWORD, HERE)
    principal = await people.principal_of(token)
    alone = await people.within(principal, None, None, anywhere=False)
    assert (alone.organization_id, alone.environment_id, alone.role) == (tenancy.ours.id, tenancy.here.id, "User")
    for organization, environment in ((tenancy.theirs.id, None), (tenancy.theirs.name, None), (None, tenancy.there.id)):
        with pytest.raises(NotFound):
            await people.within(principal, organization, environment, anywhere=True)
    await people.members.add(tenancy.theirs.id, ada.id, "Guest")
    with pytest.raises(InvalidFields, match=tenancy.theirs.name):
        await people.within(principal, None, None, anywhere=True)
    chosen = await people.within(principal, tenancy.theirs.name, None, anywhere=False)
    assert (chosen.organization_id, chosen.environment_id, chosen.role) == (
        tenancy.theirs.id,
        tenancy.there.id,
        "Guest",
    )


async def test_where_there_are_several_environments_one_is_named(tenancy: Tenancy, ada: User) -> None:
    people = tenancy.people()
    await people.members.add(tenancy.ours.id, ada.id, "User")
    other = await tenancy.store.create_environment(tenancy.ours.id, "another")
    principal = await people.principal_of(await people.sessions.begin(ada.id))
    assert (await people.within(principal, None, None, anywhere=True)).environment_id == ""
    with pytest.raises(InvalidFields, match="another"):
        await people.within(principal, None, None, anywhere=False)
    assert (await people.within(principal, None, "another", anywhere=False)).environment_id == other.id


async def test_whoever_was_removed_is_out_at_once(tenancy: Tenancy, ada: User) -> None:
    people = tenancy.people()
    await people.members.add(tenancy.ours.id, ada.id, "Guest")
    principal = await people.principal_of(await people.sessions.begin(ada.id))
    await people.members.remove(tenancy.ours.id, ada.id)
    with pytest.raises(NotFound):
        await people.within(principal, tenancy.ours.id, None, anywhere=True)
    with pytest.raises(InvalidFields, match="belong to none"):
        await people.within(principal, None, None, anywhere=True)
