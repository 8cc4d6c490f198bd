"""Setting a second factor up: what it takes, how long it may take, and what ends with it."""

import asyncio

import pytest
from sqlalchemy import select

from pulse.core.errors import Conflict, InvalidFields, NotFound, Unauthenticated
from pulse.tenancy.people.attempts import MOST, TooManyAttempts
from pulse.tenancy.people.protection import (
    begin_second_factor,
    confirm_second_factor,
)
from pulse.tenancy.people.records import User
from pulse.tenancy.people.second_factor.store import RECOVERY_CODES, SET_UP_MS, SecondFactorRequired
from pulse.tenancy.people.sessions import YOUNG_MS
from pulse.tenancy.people.sign_in import People
from tests.contract.tenancy.conftest import Tenancy
from tests.contract.tenancy.people.factors import EMAIL, HERE, PASSWORD, code, enter, protect


@pytest.fixture
async def ada(tenancy: Tenancy) -> User:
    people = tenancy.people()
    return await people.users.create(EMAIL, await people.passwords.hash(PASSWORD))


async def begun(people: People, user: User, password: str | None = None, token: str = "") -> bytes:
    return await begin_second_factor(people, user, token, password)


async def test_to_begin_takes_the_password_or_a_young_session(tenancy: Tenancy, ada: User) -> None:
    people = tenancy.people()
    token = await people.sessions.begin(ada.id)
    await begun(people, ada, token=token)
    tenancy.clock.ms += YOUNG_MS
    for given, path_code in ((None, "missing"), ("wrong", "wrong_password")):
        with pytest.raises(InvalidFields) as refused:
            await begun(people, ada, given, token)
        assert [(fault.path, fault.code) for fault in refused.value.faults] == [("password", path_code)]
    await begun(people, ada, PASSWORD, token)


async def test_a_stolen_session_does_not_guess_the_password_by_beginning(tenancy: Tenancy, ada: User) -> None:
    people = tenancy.people()
    for _ in range(MOST["account"]):
        with pytest.raises(InvalidFields):
            await begun(people, ada, "a guess")
    with pytest.raises(TooManyAttempts):
        await begun(people, ada, PASSWORD)


async def test_beginning_again_makes_the_first_secret_void(tenancy: Tenancy, ada: User) -> None:
    factors = tenancy.people().second_factors
    first, second = await factors.begin(ada.id), await factors.begin(ada.id)
    with pytest.raises(InvalidFields, match="not right"):
        await factors.confirm(ada.id, code(tenancy, first))
    assert await factors.of(ada.id) is None
    await factors.confirm(ada.id, code(tenancy, second))
    assert await factors.of(ada.id) is not None


async def test_what_is_in_force_is_not_replaced(tenancy: Tenancy, ada: User) -> None:
    people = tenancy.people()
    secret, _ = await protect(tenancy, ada)
    for beginning in (begun(people, ada, PASSWORD), people.second_factors.begin(ada.id)):
        with pytest.raises(Conflict):
            await beginning
    with pytest.raises(NotFound):
        await people.second_factors.confirm(ada.id, code(tenancy, secret))
    await enter(tenancy, code(tenancy, secret))


async def test_many_who_begin_at_once_leave_one_secret(tenancy: Tenancy, ada: User) -> None:
    processes = [tenancy.people().second_factors for _ in range(4)]
    found = await asyncio.gather(*(each.begin(ada.id) for each in processes), return_exceptions=True)
    made = [each for each in found if isinstance(each, bytes)]
    assert {type(each) for each in found} <= {bytes, Conflict}
    confirmed = 0
    for secret in made:
        try:
            await processes[0].confirm(ada.id, code(tenancy, secret))
        except (InvalidFields, NotFound):
            continue
        confirmed += 1
    assert confirmed == 1


async def test_of_two_who_confirm_at_once_one_gets_the_codes(tenancy: Tenancy, ada: User) -> None:
    secret = await tenancy.people().second_factors.begin(ada.id)
    tries = [tenancy.people().second_factors.confirm(ada.id, code(tenancy, secret)) for _ in range(3)]
    found = await asyncio.gather(*tries, return_exceptions=True)
    (codes,) = [each[0] for each in found if isinstance(each, tuple)]
    assert {type(each) for each in found} == {tuple, NotFound}
    assert await tenancy.people().second_factors.codes_left(ada.id) == RECOVERY_CODES
    await enter(tenancy, codes[0])


async def test_a_set_up_does_not_wait_for_ever(tenancy: Tenancy, ada: User) -> None:
    people = tenancy.people()
    secret = await people.second_factors.begin(ada.id)
    tenancy.clock.ms += SET_UP_MS
    with pytest.raises(NotFound, match="begin again"):
        await people.second_factors.confirm(ada.id, code(tenancy, secret))
    await people.sweep()
    async with tenancy.database.read() as connection:
        assert (await connection.execute(select(tenancy.tables.second_factors))).all() == []


async def test_the_sweep_leaves_what_is_in_force(tenancy: Tenancy, ada: User) -> None:
    await protect(tenancy, ada)
    tenancy.clock.ms += SET_UP_MS
    await tenancy.people().sweep()
    with pytest.raises(SecondFactorRequired):
        await enter(tenancy, None)


async def test_sessions_that_were_begun_without_it_end(tenancy: Tenancy, ada: User) -> None:
    people = tenancy.people()
    elsewhere = await people.sessions.begin(ada.id)
    secret = await begun(people, ada, PASSWORD)
    _, token = await confirm_second_factor(people, ada, code(tenancy, secret))
    assert (await people.user_of(token)).id == ada.id
    with pytest.raises(Unauthenticated):
        await people.user_of(elsewhere)


async def test_a_sign_in_without_a_code_does_not_outlive_the_set_up(
    tenancy: Tenancy, ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = tenancy.people()
    begin = people.sessions.begin

    async def meanwhile(user_id: str) -> str:
        monkeypatch.undo()
        await protect(tenancy, ada)
        return await begin(user_id)

    monkeypatch.setattr(people.sessions, "begin", meanwhile)
    with pytest.raises(Unauthenticated):
        await people.sign_in(EMAIL, PASSWORD, HERE)
    # What is left is the session of who set it up.
    async with tenancy.database.read() as connection:
        assert len((await connection.execute(select(tenancy.tables.sessions))).all()) == 1
