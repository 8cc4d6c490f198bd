"""Many tries at once, from many addresses, and passwords that change under a sign-in."""

import asyncio
from dataclasses import replace

import pytest

from pulse.core.errors import InvalidFields, Unauthenticated
from pulse.tenancy.people.attempts import MOST, WINDOW_MS, TooManyAttempts, account_key, address_key
from pulse.tenancy.people.passwords import Passwords
from pulse.tenancy.people.records import User
from pulse.tenancy.people.sign_in import People
from tests.contract.tenancy.conftest import Tenancy

EMAIL, PASSWORD, NEW, HERE = "ada@example.com", "correct horse battery", "another good one", "192.0.2.1"


@pytest.fixture
async def ada(tenancy: Tenancy) -> User:
    people = tenancy.people()
    return await people.users.create(EMAIL, await people.passwords.hash(PASSWORD))


async def allowed(tenancy: Tenancy, keys: list[str], times: int) -> int:
    """How many of so many tries at once may be made, over two processes."""
    processes = [tenancy.people().attempts, tenancy.people().attempts]
    tries = [processes[number % 2].begin(keys) for number in range(times)]
    found = await asyncio.gather(*tries, return_exceptions=True)
    assert {type(each) for each in found if each is not None} <= {TooManyAttempts}
    return found.count(None)


async def test_tries_at_once_are_counted_one_by_one(tenancy: Tenancy) -> None:
    assert await allowed(tenancy, [account_key(EMAIL), address_key(HERE)], MOST["account"] * 2) == MOST["account"]
    tenancy.clock.ms += WINDOW_MS
    assert await allowed(tenancy, [account_key(EMAIL)], MOST["account"] * 2) == MOST["account"]


async def test_a_refused_try_makes_nobody_wait_longer(tenancy: Tenancy) -> None:
    keys = [account_key(EMAIL), address_key(HERE)]
    for _ in range(MOST["account"]):
        await tenancy.people().attempts.begin(keys)
    tenancy.clock.ms += WINDOW_MS - 1
    with pytest.raises(TooManyAttempts) as refused:
        await tenancy.people().attempts.begin(keys)
    assert refused.value.details["retry_after"] == 1
    # Nor does it count for the address.
    left = MOST["address"] - MOST["account"]
    assert await allowed(tenancy, [address_key(HERE)], MOST["address"]) == left


async def test_those_who_sign_in_cost_their_address_nothing(tenancy: Tenancy) -> None:
    attempts = tenancy.people().attempts
    for number in range(MOST["address"] + 1):
        keys = [account_key(f"{number}@example.com"), address_key(HERE)]
        await attempts.begin(keys)
        await attempts.succeeded(keys)
    assert await allowed(tenancy, [address_key(HERE)], MOST["address"] + 1) == MOST["address"]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8::1", "2001:db8::ffff:ffff:ffff:ffff", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("fe80::1%eth0", "fe80::2%eth1", True),
        ("unknown", "unknown", True),
    ],
)
def test_addresses_that_one_sender_may_have(one: str, other: str, same: bool) -> None:
    assert (address_key(one) == address_key(other)) is same


class Between(Passwords):
    """Passwords, of which the first to fit is changed before that is heard."""

    people: People
    user: User

    async def fits(self, kept: str | None, given: str) -> bool:
        found = await super().fits(kept, given)
        await self.people.change_password(self.user, PASSWORD, NEW)
        return found


def between(tenancy: Tenancy, user: User) -> People:
    passwords = Between()
    passwords.people, passwords.user = tenancy.people(), user
    return replace(tenancy.people(), passwords=passwords)


async def test_a_sign_in_does_not_outlive_its_password(tenancy: Tenancy, ada: User) -> None:
    with pytest.raises(Unauthenticated):
        await between(tenancy, ada).sign_in(EMAIL, PASSWORD, HERE)
    assert (await tenancy.people().sign_in(EMAIL, NEW, HERE))[0].id == ada.id


async def test_a_password_changes_once(tenancy: Tenancy, ada: User) -> None:
    with pytest.raises(InvalidFields) as refused:
        await between(tenancy, ada).change_password(ada, PASSWORD, "what a thief would like")
    assert [fault.code for fault in refused.value.faults] == ["wrong_password"]
    assert (await tenancy.people().sign_in(EMAIL, NEW, HERE))[0].id == ada.id


async def test_who_guesses_at_a_change_waits(tenancy: Tenancy, ada: User) -> None:
    for _ in range(MOST["account"]):
        with pytest.raises(InvalidFields):
            await tenancy.people().change_password(ada, "a guess", NEW)
    with pytest.raises(TooManyAttempts):
        await tenancy.people().change_password(ada, PASSWORD, NEW)
