"""Passwords: argon2id, in a thread, a few at once (each takes 64 MiB for its time)."""

import asyncio
import secrets
import unicodedata
from collections.abc import Callable
from functools import cache
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from pulse.core.errors import Fault, Unavailable

SHORTEST, LONGEST = 12, 200
# A name that is shorter stands in half of all passwords.
SHORTEST_NAME = 3
AT_ONCE = 2
# About five seconds of work: who comes later is told to come again.
MOST_WAITING = 64
T = TypeVar("T")


@cache
def _of_nobody() -> str:
    """As long as the real ones, so that an unknown person is refused no sooner than a wrong password."""
    return PasswordHasher().hash(secrets.token_hex(16))


class Passwords:
    """Makes and checks what is kept of a password."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        """`hasher`: one with other parameters, for tests."""
        self._hasher = hasher or PasswordHasher()
        self._room = asyncio.Semaphore(AT_ONCE)
        self._waiting = 0

    async def hash(self, password: str) -> str:
        """What is kept of it. Raises Unavailable where too many wait already."""
        return await self._in_turn(self._hasher.hash, _same_everywhere(password))

    async def fits(self, kept: str | None, given: str) -> bool:
        """Whether it is the password; takes the same time where there is none. Raises Unavailable as `hash` does."""
        right = await self._in_turn(self._verify_or_try, kept, _same_everywhere(given))
        return right and kept is not None

    def is_old(self, kept: str) -> bool:
        """Whether it was made with weaker parameters than are used now."""
        return self._hasher.check_needs_rehash(kept)

    async def _in_turn(self, work: Callable[..., T], *given: str | None) -> T:
        if self._waiting >= MOST_WAITING:
            raise Unavailable("Too many people are signing in at once. Try again shortly.")
        self._waiting += 1
        try:
            async with self._room:
                return await asyncio.to_thread(work, *given)
        finally:
            self._waiting -= 1

    def _verify_or_try(self, kept: str | None, given: str) -> bool:
        nobody = _of_nobody()
        return self._verify(kept or nobody, given)

    def _verify(self, kept: str, given: str) -> bool:
        try:
            return self._hasher.verify(kept, given)
        except (VerificationError, InvalidHashError):
            return False


def new_password() -> str:
    """A password that nobody guesses: 120 random bits."""
    return secrets.token_urlsafe(15)


def password_faults(password: str, email: str, path: str = "password") -> list[Fault]:
    """What is wrong with a new password. Length is what counts (NIST SP 800-63B); the address is too easily guessed."""
    if not SHORTEST <= len(password) <= LONGEST:
        return [Fault(path, "invalid_length", f"A password has {SHORTEST} to {LONGEST} characters.")]
    name = email.partition("@")[0].lower()
    if (len(name) >= SHORTEST_NAME and name in password.lower()) or len(set(password)) < 5:
        return [Fault(path, "too_easy", "This password is too easily guessed: take another one.")]
    return []


def _same_everywhere(password: str) -> str:
    """The same text from every keyboard: one writes é as one character, another as two (NIST SP 800-63B 3.1.1.2)."""
    return unicodedata.normalize("NFKC", password)
