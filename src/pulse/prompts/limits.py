"""The limits of credentials, held over all processes: each credential has one row, and what is taken is one statement.

That statement takes from all buckets of the credential or from none. What a call will use is not known before: it
reserves the most that it can use (`reserve`), and what it did not use goes back (`settle`). A process that dies in
between gives nothing back, and the buckets refill all the same.
"""

from typing import Any

from sqlalchemy import ColumnElement, and_, case, select, true, update

from pulse.prompts.buckets import Limits, units_of
from pulse.prompts.tables import PromptTables
from pulse.storage.database import Database
from pulse.storage.rows import insert_into
from pulse.tenancy.audit.act import aside

BUCKETS = ("requests", "tokens", "day_tokens")


class RateLimits:
    """Takes requests and tokens from the buckets of credentials. `tokens` are whole numbers from 0."""

    def __init__(self, database: Database, tables: PromptTables) -> None:
        self._database = database
        self._table = tables.buckets

    async def reserve(self, credential_id: str, limits: Limits, tokens: int) -> int:
        """Takes one request and so many tokens: 0. Or takes nothing: the milliseconds to wait before another try.

        One that wants more tokens than a bucket holds begins when the bucket is full, and leaves it in debt.
        """
        if not limits.are_set:
            return 0
        statement = self._taking(credential_id, limits, tokens)
        with aside():
            while await self._database.transact(lambda connection: connection.scalar(statement)) is None:
                wait_ms = await self._wait_ms(credential_id, limits, tokens)
                if wait_ms:
                    return wait_ms
        return 0

    async def settle(self, credential_id: str, limits: Limits, reserved: int, used: int) -> None:
        """Gives back the tokens that were reserved and not used, or takes those that were used beyond."""
        buckets = {name: bucket for name, bucket in limits.buckets().items() if name != "requests"}
        if reserved == used or not buckets:
            return
        c = self._table.c
        later = {name: bucket.refill_us(used) - bucket.refill_us(reserved) for name, bucket in buckets.items()}
        values = {name: c[name] + shift for name, shift in later.items()}
        statement = update(self._table).where(c.credential_id == credential_id).values(values)
        with aside():
            await self._database.transact(lambda connection: connection.execute(statement).rowcount)

    def _taking(self, credential_id: str, limits: Limits, tokens: int) -> Any:
        c, now = self._table.c, self._database.now() * 1000
        buckets = limits.buckets()
        taken = {name: buckets[name].refill_us(units_of(name, tokens)) if name in buckets else 0 for name in BUCKETS}
        fits = [
            _later(c[name], now) + bucket.needed_us(units_of(name, tokens)) <= now + bucket.window_us
            for name, bucket in buckets.items()
        ]
        statement = insert_into(self._database.dialect, self._table).values(
            credential_id=credential_id, **{name: now + span for name, span in taken.items()}
        )
        return statement.on_conflict_do_update(
            index_elements=["credential_id"],
            set_={name: _later(c[name], now) + span for name, span in taken.items()},
            where=and_(true(), *fits),
        ).returning(c.credential_id)

    async def _wait_ms(self, credential_id: str, limits: Limits, tokens: int) -> int:
        c, now = self._table.c, self._database.now() * 1000
        query = select(*(c[name] for name in BUCKETS), now.label("now_us")).where(c.credential_id == credential_id)
        async with self._database.read() as connection:
            row = (await connection.execute(query)).mappings().first()
        if row is None:
            return 0
        waits = [
            bucket.wait_us(row[name], row["now_us"], units_of(name, tokens))
            for name, bucket in limits.buckets().items()
        ]
        return -(-max(waits) // 1000)


def _later(one: ColumnElement[int], other: ColumnElement[int]) -> ColumnElement[int]:
    return case((one > other, one), else_=other)
