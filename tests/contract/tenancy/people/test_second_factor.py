"""Second factors: set up, asked for at the sign-in, each code once, and nothing of them to be read in the database."""

import asyncio

import pytest
from sqlalchemy import delete, insert, select, update

from pulse.core.errors import InvalidFields, Misconfigured, NotFound, Unauthenticated
from pulse.tenancy.people.attempts import LONG_WINDOW_MS, MOST, WINDOW_MS, TooManyAttempts, code_keys
from pulse.tenancy.people.protection import (
    remove_second_factor,
    reset_second_factor,
)
from pulse.tenancy.people.records import User
from pulse.tenancy.people.second_factor.store import RECOVERY_CODES, SecondFactorRequired, SecondFactorWrong
from pulse.tenancy.people.second_factor.totp import as_text
from tests.contract.tenancy.conftest import Tenancy
from tests.contract.tenancy.people.factors import EMAIL, HERE, PASSWORD, STEP_MS, WRONG, code, enter, protect


@pytest.fixture
async def ada(tenancy: Tenancy) -> User:
    people = tenancy.people()
    return await people.users.create(EMAIL, await people.passwords.hash(PASSWORD))


async def test_the_code_is_asked_for_after_the_right_password_only(tenancy: Tenancy, ada: User) -> None:
    secret, _ = await protect(tenancy, ada)
    with pytest.raises(SecondFactorRequired):
        await enter(tenancy, None)
    for given in (None, code(tenancy, secret)):
        with pytest.raises(Unauthenticated, match="mail address or the password") as refused:
            await enter(tenancy, given, "wrong")
        assert refused.value.code == "unauthenticated"
    assert (await enter(tenancy, code(tenancy, secret))).id == ada.id


async def test_without_a_second_factor_a_code_means_nothing(tenancy: Tenancy, ada: User) -> None:
    assert (await enter(tenancy, "123456")).id == ada.id
    await tenancy.people().second_factors.begin(ada.id)
    assert (await enter(tenancy, None)).id == ada.id


@pytest.mark.parametrize("away", [-2, 2])
async def test_a_code_of_another_time_is_wrong(tenancy: Tenancy, ada: User, away: int) -> None:
    secret, _ = await protect(tenancy, ada)
    tenancy.clock.ms += 10 * STEP_MS
    for given in (code(tenancy, secret, away), "", WRONG, code(tenancy, secret) + "0", "\0", "é" * 16):
        with pytest.raises(SecondFactorWrong):
            await enter(tenancy, given)
    assert (await enter(tenancy, code(tenancy, secret, away // 2))).id == ada.id


async def test_a_code_is_taken_once(tenancy: Tenancy, ada: User) -> None:
    secret, _ = await protect(tenancy, ada)
    first = code(tenancy, secret)
    await enter(tenancy, f" {first[:3]} {first[3:]} ")
    for given in (first, code(tenancy, secret, -1)):
        with pytest.raises(SecondFactorWrong):
            await enter(tenancy, given)
    await enter(tenancy, code(tenancy, secret, 1))


async def test_the_code_that_confirmed_is_used_up(tenancy: Tenancy, ada: User) -> None:
    secret, _ = await protect(tenancy, ada)
    with pytest.raises(SecondFactorWrong):
        await enter(tenancy, code(tenancy, secret, -1))


async def test_of_many_who_show_the_same_code_at_once_one_comes_in(tenancy: Tenancy, ada: User) -> None:
    secret, codes = await protect(tenancy, ada)
    processes = [tenancy.people().second_factors for _ in range(2)]
    factor = await processes[0].of(ada.id)
    assert factor is not None
    for given in (code(tenancy, secret), codes[0]):
        tries = [processes[number % 2].takes(factor, given) for number in range(6)]
        assert sorted(await asyncio.gather(*tries)) == [False] * 5 + [True]


async def test_recovery_codes_are_used_once_each(tenancy: Tenancy, ada: User) -> None:
    _, codes = await protect(tenancy, ada)
    assert len(set(codes)) == RECOVERY_CODES
    for left, given in enumerate(codes[:3], 1):
        await enter(tenancy, given.upper().replace("-", " "))
        assert await tenancy.people().second_factors.codes_left(ada.id) == RECOVERY_CODES - left
        with pytest.raises(SecondFactorWrong):
            await enter(tenancy, given)


async def test_nothing_that_proves_anything_is_stored(tenancy: Tenancy, ada: User) -> None:
    secret, codes = await protect(tenancy, ada)
    tables = (tenancy.tables.second_factors, tenancy.tables.recovery_codes, tenancy.tables.people_keys)
    async with tenancy.database.read() as connection:
        rows = [row for table in tables for row in (await connection.execute(select(table))).all()]
    raw = b"".join(value for row in rows for value in row if isinstance(value, bytes))
    texts = [as_text(secret), *codes, *(each.replace("-", "") for each in codes)]
    assert len(rows) == RECOVERY_CODES + 2
    assert not any(text in str(rows) or text.encode() in raw for text in texts)
    assert secret not in raw


async def test_a_secret_that_is_moved_to_another_user_does_not_open(tenancy: Tenancy, ada: User) -> None:
    people, table = tenancy.people(), tenancy.tables.second_factors
    eve = await people.users.create("eve@example.com", None)
    secret, codes = await protect(tenancy, eve)
    await protect(tenancy, ada)
    async with tenancy.database.write() as connection:
        row = (await connection.execute(select(table).where(table.c.user_id == eve.id))).mappings().one()
        moved = {"sealed": row["sealed"], "id": row["id"], "last_step": 0}
        await connection.execute(update(table).where(table.c.user_id == ada.id).values(moved))
        # Nor does a digest that is moved fit.
        hers = tenancy.tables.recovery_codes
        found = (await connection.scalars(select(hers.c.digest).where(hers.c.user_id == eve.id))).all()
        await connection.execute(delete(hers))
        await connection.execute(insert(hers), [{"user_id": ada.id, "digest": digest} for digest in found])
    with pytest.raises(Misconfigured):
        await enter(tenancy, code(tenancy, secret))
    with pytest.raises(SecondFactorWrong):
        await enter(tenancy, codes[0])


async def test_wrong_codes_are_failures_of_the_account(tenancy: Tenancy, ada: User) -> None:
    secret, _ = await protect(tenancy, ada)
    for _ in range(MOST["account"]):
        with pytest.raises(SecondFactorWrong):
            await enter(tenancy, WRONG)
    for given in (code(tenancy, secret), None):
        with pytest.raises(TooManyAttempts):
            await enter(tenancy, given)
    tenancy.clock.ms += WINDOW_MS
    assert (await enter(tenancy, code(tenancy, secret))).id == ada.id


async def test_to_be_asked_for_the_code_is_no_failure(tenancy: Tenancy, ada: User) -> None:
    await protect(tenancy, ada)
    for _ in range(MOST["address"] + 1):
        with pytest.raises(SecondFactorRequired):
            await enter(tenancy, None)


async def test_whoever_knows_the_password_gets_no_new_guesses_at_the_code_by_it(tenancy: Tenancy, ada: User) -> None:
    secret, _ = await protect(tenancy, ada)
    people, user = tenancy.people(), await tenancy.people().users.user(ada.id)
    for number in range(MOST["code"]):
        with pytest.raises(SecondFactorWrong):
            await enter(tenancy, WRONG)
        if number % 5 == 4:
            # A stolen session, with which the same password is set once more: the account's failures are forgotten.
            await people.change_password(user, PASSWORD, PASSWORD)
            user = await people.users.user(ada.id)
    with pytest.raises(TooManyAttempts):
        await enter(tenancy, code(tenancy, secret))
    with pytest.raises(TooManyAttempts):
        await remove_second_factor(people, user, code(tenancy, secret))


async def guess_patiently(tenancy: Tenancy, user: User) -> None:
    """All the wrong codes that there are in a month, as fast as the shorter window lets them."""
    attempts = tenancy.people().attempts
    for number in range(MOST["codes"]):
        if number % MOST["code"] == 0:
            tenancy.clock.ms += WINDOW_MS
            await attempts.sweep()
        await attempts.begin(code_keys(user.id))
    tenancy.clock.ms += WINDOW_MS
    await attempts.sweep()


async def test_patience_does_not_find_a_code(tenancy: Tenancy, ada: User) -> None:
    secret, _ = await protect(tenancy, ada)
    await guess_patiently(tenancy, ada)
    with pytest.raises(TooManyAttempts, match="whoever operates Pulse"):
        await enter(tenancy, code(tenancy, secret))
    tenancy.clock.ms += LONG_WINDOW_MS
    await tenancy.people().sweep()
    await enter(tenancy, code(tenancy, secret))
    # That was a success, which makes good what was before.
    await guess_patiently(tenancy, ada)


async def test_the_operator_forgives_wrong_codes(tenancy: Tenancy, ada: User) -> None:
    await protect(tenancy, ada)
    await guess_patiently(tenancy, ada)
    await reset_second_factor(tenancy.people(), ada.id)
    secret, _ = await protect(tenancy, ada)
    assert (await enter(tenancy, code(tenancy, secret))).id == ada.id


async def test_a_code_or_a_recovery_code_takes_it_away(tenancy: Tenancy, ada: User) -> None:
    people = tenancy.people()
    for way in ("code", "recovery"):
        secret, codes = await protect(tenancy, ada)
        with pytest.raises(InvalidFields, match="not right"):
            await remove_second_factor(people, ada, WRONG)
        await remove_second_factor(people, ada, code(tenancy, secret) if way == "code" else codes[-1])
        assert await people.second_factors.codes_left(ada.id) == 0
        assert (await enter(tenancy, None)).id == ada.id
        with pytest.raises(NotFound):
            await remove_second_factor(people, ada, codes[0])
        tenancy.clock.ms += STEP_MS


async def test_a_reset_takes_it_away_and_signs_out(tenancy: Tenancy, ada: User) -> None:
    people = tenancy.people()
    bob = await people.users.create("bob@example.com", None)
    await protect(tenancy, bob)
    secret, codes = await protect(tenancy, ada)
    _, token = await people.sign_in(EMAIL, PASSWORD, HERE, code(tenancy, secret))
    await reset_second_factor(people, ada.id)
    with pytest.raises(Unauthenticated):
        await people.user_of(token)
    assert (await enter(tenancy, codes[0])).id == ada.id
    assert await people.second_factors.of(bob.id) is not None
    assert await people.second_factors.codes_left(bob.id) == RECOVERY_CODES
    with pytest.raises(NotFound):
        await reset_second_factor(people, "usr_nobody")
