"""What is kept of a password, how many are worked on at once, and which ones are refused."""

import asyncio

import pytest
from anyio import wait_all_tasks_blocked

from pulse.core.errors import Unavailable
from pulse.tenancy.people import passwords
from pulse.tenancy.people.passwords import Passwords, new_password, password_faults

EMAIL = "ada@example.com"


async def test_only_the_password_fits() -> None:
    made = Passwords()
    kept = await made.hash("correct horse battery")
    assert await made.fits(kept, "correct horse battery")
    for wrong in ("", "correct horse batterY", "correct horse battery "):
        assert not await made.fits(kept, wrong)
    assert not await made.fits(None, "correct horse battery")
    assert not await made.fits("no hash at all", "correct horse battery")
    assert not made.is_old(kept)


async def test_too_many_at_once_are_told_to_come_again() -> None:
    made = Passwords()
    async with asyncio.timeout(20), made._room, made._room:
        crowd = [asyncio.create_task(made.fits(None, "x")) for _ in range(passwords.MOST_WAITING)]
        await wait_all_tasks_blocked()
        with pytest.raises(Unavailable, match="at once"):
            await made.fits(None, "x")
        for each in crowd:
            each.cancel()
        await asyncio.gather(*crowd, return_exceptions=True)
    assert not await made.fits(None, "x")


def test_a_made_password_is_good_enough() -> None:
    made = {new_password() for _ in range(100)}
    assert len(made) == 100
    # A name of three letters stands in one of so many by chance.
    assert all(password_faults(each, "grace.hopper@example.com") == [] for each in made)


@pytest.mark.parametrize(
    ("password", "code"),
    [
        ("short", "invalid_length"),
        ("x" * 11, "invalid_length"),
        ("ab cd ef gh " * 20, "invalid_length"),
        ("aaaaaaaaaaaa", "too_easy"),
        ("I am Ada, hello", "too_easy"),
    ],
)
def test_what_is_no_password(password: str, code: str) -> None:
    assert [fault.code for fault in password_faults(password, EMAIL)] == [code]
