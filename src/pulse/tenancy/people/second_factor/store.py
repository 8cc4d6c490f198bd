"""Second factors: what somebody shows besides the password, and codes for the day on which it is lost.

A secret is sealed under a data key that belongs to people alone, bound to its user and to this very set-up: moved to
another row it does not open. It is shown while it is being set up, never again. A code is taken once: the step that it
belongs to is written down in the statement that looks at the last one. Recovery codes are 80 random bits each, kept as
digests, and deleted by the statement that finds them.
"""

import base64
import hashlib
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from pulse.core.clock import Clock
from pulse.core.errors import Conflict, Fault, InvalidFields, NotFound, Unauthenticated
from pulse.core.ids import Ids
from pulse.storage.database import Database
from pulse.tenancy.audit.act import aside, note
from pulse.tenancy.people.second_factor.totp import new_secret, step_of
from pulse.tenancy.people.sessions import add_session, end_sessions, lock_enabled
from pulse.tenancy.secrets.data_keys import DataKeys
from pulse.tenancy.secrets.vault import Vault
from pulse.tenancy.tables import TenancyTables

# Whose data key it is: no organization has such an id.
PEOPLE = "people"
RECOVERY_CODES = 10
RECOVERY_BYTES = 10
SET_UP_MS = 15 * 60_000
_NOTHING_SET_UP = "There is no second factor that waits to be confirmed: begin again with POST."


class SecondFactorRequired(Unauthenticated):
    """This account asks for a second factor: send the code of its authenticator, or a recovery code, as `code`."""

    code = "second_factor_required"


class SecondFactorWrong(Unauthenticated):
    """The code is not right, or was used before: wait for the next one, and check the clock of your device."""

    code = "second_factor_wrong"


@dataclass(frozen=True)
class SecondFactor:
    """What may be told of it. `id` names one set-up; times are in ms since 1970."""

    id: str
    user_id: str
    created_at: int
    confirmed_at: int | None
    last_step: int
    sealed: bytes = field(repr=False)


class SecondFactors:
    """Reads and writes second factors."""

    def __init__(self, database: Database, tables: TenancyTables, vault: Vault, ids: Ids, clock: Clock) -> None:
        self._database = database
        self._tables = tables
        self._factors = tables.second_factors
        self._codes = tables.recovery_codes
        self._keys = DataKeys(replace(tables, data_keys=tables.people_keys), vault, clock)
        self._ids = ids
        self._clock = clock

    async def of(self, user_id: str) -> SecondFactor | None:
        """The second factor that is in force."""
        async with self._database.read() as connection:
            found = await self._find(connection, user_id)
        return found if found is not None and found.confirmed_at is not None else None

    async def codes_left(self, user_id: str) -> int:
        """How many recovery codes were not used yet."""
        query = select(func.count()).select_from(self._codes).where(self._codes.c.user_id == user_id)
        async with self._database.read() as connection:
            return await connection.scalar(query) or 0

    async def begin(self, user_id: str) -> bytes:
        """A new secret, which is in force once it is confirmed. Raises Conflict where another is in force."""
        secret, now, c = new_secret(), self._clock.now_ms(), self._factors.c
        made = self._ids.new("fac")
        taken = Conflict("This account has a second factor already: take it away first, with a code of it.")
        try:
            async with self._database.write() as connection:
                await connection.execute(delete(self._factors).where(c.user_id == user_id, c.confirmed_at.is_(None)))
                if await self._find(connection, user_id) is not None:
                    raise taken
                key = await self._keys.made(connection, PEOPLE)
                sealed = key.seal(_bound_to(user_id, made), secret)
                row = SecondFactor(made, user_id, now, None, 0, sealed)
                await connection.execute(insert(self._factors), [vars(row)])
                note("second-factor", user_id, begun=True)
        except IntegrityError:
            raise Conflict("This account was given a second factor at the same moment: begin again.") from None
        return secret

    async def confirm(self, user_id: str, code: str) -> tuple[list[str], str]:
        """Puts it in force and signs out everywhere; the recovery codes, shown this once, and a new session's token.

        Raises InvalidFields, NotFound.
        """
        c, now = self._factors.c, self._clock.now_ms()
        codes = [_new_code() for _ in range(RECOVERY_CODES)]
        async with self._database.write() as connection:
            if not await connection.run_sync(lock_enabled, self._tables, user_id):
                raise NotFound(_NOTHING_SET_UP)
            found = await self._find(connection, user_id)
            if found is None or found.confirmed_at is not None or found.created_at + SET_UP_MS <= now:
                raise NotFound(_NOTHING_SET_UP)
            step = step_of(await self._open(connection, found), _plain(code), now, found.last_step)
            if step is None:
                raise wrong_code()
            mine = (c.user_id == user_id) & (c.id == found.id) & c.confirmed_at.is_(None)
            values = {"confirmed_at": now, "last_step": step}
            if (await connection.execute(update(self._factors).where(mine).values(values))).rowcount == 0:
                raise NotFound(_NOTHING_SET_UP)
            await connection.execute(delete(self._codes).where(self._codes.c.user_id == user_id))
            rows = [{"user_id": user_id, "digest": _digest(user_id, each)} for each in codes]
            await connection.execute(insert(self._codes), rows)
            note("second-factor", user_id, confirmed=True)
            await connection.run_sync(end_sessions, self._tables, user_id)
            token = await connection.run_sync(add_session, self._tables, user_id, now)
        return codes, token

    async def takes(self, factor: SecondFactor, code: str) -> bool:
        """Whether the code is one of it, or one of its recovery codes; if so it is used up."""
        with aside():
            async with self._database.write() as connection:
                taken = await self._takes(connection, factor, _plain(code))
        if taken and not _is_shown(_plain(code)):
            note("second-factor", factor.user_id, recovery_code_used=True)
        return taken

    async def remove(self, factor: SecondFactor, code: str) -> None:
        """Takes it away with its recovery codes. Raises InvalidFields where the code is none of them."""
        async with self._database.write() as connection:
            if not await self._takes(connection, factor, _plain(code)):
                raise wrong_code()
            await self._forget(connection, factor.user_id)
            note("second-factor", factor.user_id, removed=True)

    async def reset(self, user_id: str) -> None:
        """Takes it away without a code, and signs out everywhere."""
        async with self._database.write() as connection:
            await connection.run_sync(lock_enabled, self._tables, user_id)
            await self._forget(connection, user_id)
            note("second-factor", user_id, reset=True)
            await connection.run_sync(end_sessions, self._tables, user_id)

    async def sweep(self) -> None:
        """Deletes what was begun and not confirmed in time."""
        c, late = self._factors.c, self._clock.now_ms() - SET_UP_MS
        async with self._database.write() as connection:
            await connection.execute(delete(self._factors).where(c.confirmed_at.is_(None), c.created_at <= late))

    # ---- within a transaction --------------------------------------------------------------------------------

    async def _takes(self, connection: AsyncConnection, factor: SecondFactor, code: str) -> bool:
        c, codes = self._factors.c, self._codes.c
        in_force = (c.user_id == factor.user_id) & (c.id == factor.id) & c.confirmed_at.is_not(None)
        if not _is_shown(code):
            # A recovery code of a set-up that is gone went with it.
            mine = (codes.user_id == factor.user_id) & (codes.digest == _digest(factor.user_id, code))
            here = mine & select(c.id).where(in_force).exists()
            return (await connection.execute(delete(self._codes).where(here))).rowcount == 1
        secret = await self._open(connection, factor)
        step = step_of(secret, code, self._clock.now_ms(), factor.last_step)
        if step is None:
            return False
        # Of two who show the same code at once, the second finds the step taken.
        taking = update(self._factors).where(in_force, c.last_step < step).values(last_step=step)
        return (await connection.execute(taking)).rowcount == 1

    async def _find(self, connection: AsyncConnection, user_id: str) -> SecondFactor | None:
        query = select(self._factors).where(self._factors.c.user_id == user_id)
        row = (await connection.execute(query)).mappings().first()
        return None if row is None else SecondFactor(**row)

    async def _open(self, connection: AsyncConnection, factor: SecondFactor) -> bytes:
        key = await self._keys.of(connection, PEOPLE)
        return key.open(_bound_to(factor.user_id, factor.id), factor.sealed)

    async def _forget(self, connection: AsyncConnection, user_id: str) -> None:
        for table in (self._codes, self._factors):
            await connection.execute(delete(table).where(table.c.user_id == user_id))


def wrong_code(path: str = "code") -> InvalidFields:
    words = "This code is not right, or was used before: wait for the next one, and check the clock of your device."
    return InvalidFields([Fault(path, "wrong_code", words)])


def _bound_to(user_id: str, factor_id: str) -> str:
    return f"second-factor:{user_id}:{factor_id}"


def _new_code() -> str:
    """Sixteen letters and digits, in four groups."""
    text = base64.b32encode(secrets.token_bytes(RECOVERY_BYTES)).decode().lower()
    return "-".join(_groups(text))


def _groups(text: str) -> Sequence[str]:
    return [text[at : at + 4] for at in range(0, len(text), 4)]


def _is_shown(code: str) -> bool:
    """Whether it is like what an authenticator shows, and not like a recovery code."""
    return re.fullmatch(r"[0-9]{6}", code, re.ASCII) is not None


def _plain(code: str) -> str:
    """What was typed, without the spaces and dashes that make it readable."""
    return re.sub(r"[\s-]", "", code).lower()


def _digest(user_id: str, code: str) -> bytes:
    return hashlib.sha256(f"{user_id}:{_plain(code)}".encode()).digest()
