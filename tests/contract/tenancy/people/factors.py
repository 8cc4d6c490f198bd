"""Somebody with a second factor, and the codes of it."""

from pulse.tenancy.people.records import User
from pulse.tenancy.people.second_factor.totp import code_at
from tests.contract.tenancy.conftest import Tenancy

EMAIL, PASSWORD, HERE = "ada@example.com", "correct horse battery", "192.0.2.1"
STEP_MS = 30_000
# A right one exists for a moment in 3 of 10^6; the secret of each test is another.
WRONG = "wrong1"


def code(tenancy: Tenancy, secret: bytes, steps: int = 0) -> str:
    return code_at(secret, tenancy.clock.ms // STEP_MS + steps)


async def protect(tenancy: Tenancy, user: User) -> tuple[bytes, list[str]]:
    """Gives the user a second factor; the clock goes on to the next step, whose code was not used yet."""
    secret = await tenancy.people().second_factors.begin(user.id)
    codes, _ = await tenancy.people().second_factors.confirm(user.id, code(tenancy, secret))
    tenancy.clock.ms += STEP_MS
    return secret, codes


async def enter(tenancy: Tenancy, given: str | None, password: str = PASSWORD) -> User:
    user, _ = await tenancy.people().sign_in(EMAIL, password, HERE, given)
    return user
