"""Identities and sign-ins that were begun: one identity a user, one user an identity, and each sign-in ends once."""

import asyncio

import pytest
from sqlalchemy import delete, select

from pulse.tenancy.people.oidc.asking import new_token, request_id
from pulse.tenancy.people.oidc.refusals import AccountTaken, SignInVoid
from pulse.tenancy.people.oidc.store import LASTS_MS, OidcStore
from pulse.tenancy.people.records import User
from tests.contract.tenancy.conftest import Tenancy

ISSUER = "https://id.example.com"


@pytest.fixture
async def ada(tenancy: Tenancy) -> User:
    return await tenancy.people().users.create("ada@example.com", None)


def store(tenancy: Tenancy) -> OidcStore:
    """Another process's view."""
    return OidcStore(tenancy.database, tenancy.tables, tenancy.clock)


async def begun(tenancy: Tenancy) -> bytes:
    made = request_id(new_token())
    await store(tenancy).begin(made)
    return made


async def test_of_many_who_end_a_sign_in_at_once_one_does(tenancy: Tenancy) -> None:
    made, other = await begun(tenancy), await begun(tenancy)
    tries = [store(tenancy).end(made) for _ in range(6)]
    found = await asyncio.gather(*tries, return_exceptions=True)
    assert found.count(None) == 1
    assert {type(each) for each in found if each is not None} == {SignInVoid}
    await store(tenancy).end(other)


async def test_what_was_never_begun_does_not_end(tenancy: Tenancy) -> None:
    await begun(tenancy)
    with pytest.raises(SignInVoid):
        await store(tenancy).end(request_id(new_token()))


async def test_a_sign_in_lasts_ten_minutes(tenancy: Tenancy) -> None:
    late, early = await begun(tenancy), await begun(tenancy)
    tenancy.clock.ms += LASTS_MS - 1
    await store(tenancy).end(early)
    tenancy.clock.ms += 1
    with pytest.raises(SignInVoid):
        await store(tenancy).end(late)


async def test_those_that_are_over_go_with_the_next(tenancy: Tenancy) -> None:
    await begun(tenancy)
    tenancy.clock.ms += LASTS_MS - 1
    kept = await begun(tenancy)
    tenancy.clock.ms += 1
    last = await begun(tenancy)
    async with tenancy.database.read() as connection:
        found = set((await connection.scalars(select(tenancy.tables.sign_in_requests.c.id))).all())
    assert found == {kept, last}


async def test_an_identity_is_of_its_issuer(tenancy: Tenancy, ada: User) -> None:
    await store(tenancy).join(ISSUER, "7", ada.id)
    assert await store(tenancy).user_of(ISSUER, "7") == ada.id
    for issuer, subject in (("https://other.example.com", "7"), (ISSUER, "8"), (ISSUER, "07"), (f"{ISSUER}/", "7")):
        assert await store(tenancy).user_of(issuer, subject) is None


async def test_subjects_differ_by_their_case(tenancy: Tenancy, ada: User) -> None:
    await store(tenancy).join(ISSUER, "Ada", ada.id)
    assert await store(tenancy).user_of(ISSUER, "ada") is None


async def test_nobody_has_two_identities_and_no_identity_two_users(tenancy: Tenancy, ada: User) -> None:
    bob = await tenancy.people().users.create("bob@example.com", None)
    await store(tenancy).join(ISSUER, "7", ada.id)
    for issuer, subject, user in ((ISSUER, "7", bob), (ISSUER, "8", ada), ("https://other.example.com", "7", ada)):
        with pytest.raises(AccountTaken):
            await store(tenancy).join(issuer, subject, user.id)
    assert await store(tenancy).user_of(ISSUER, "7") == ada.id
    assert await store(tenancy).user_of(ISSUER, "8") is None


async def test_of_many_who_join_at_once_one_does(tenancy: Tenancy, ada: User) -> None:
    found = await asyncio.gather(
        *(store(tenancy).join(ISSUER, str(number), ada.id) for number in range(5)), return_exceptions=True
    )
    assert found.count(None) == 1
    assert {type(each) for each in found if each is not None} == {AccountTaken}


async def test_with_a_user_everything_of_theirs_goes(tenancy: Tenancy, ada: User) -> None:
    bob = await tenancy.people().users.create("bob@example.com", None)
    for user in (ada, bob):
        await store(tenancy).join(ISSUER, user.id, user.id)
        await tenancy.people().second_factors.begin(user.id)
    users = tenancy.tables.users
    async with tenancy.database.write() as connection:
        await connection.execute(delete(users).where(users.c.id == ada.id))
    assert await store(tenancy).user_of(ISSUER, ada.id) is None
    assert await store(tenancy).user_of(ISSUER, bob.id) == bob.id
    async with tenancy.database.read() as connection:
        assert (await connection.scalars(select(tenancy.tables.second_factors.c.user_id))).all() == [bob.id]
