"""Advisory locks of transactions: PostgreSQL names a lock by a signed 64-bit number, Pulse by words.

SQLite has one writer at a time, and needs none.
"""

import hashlib
from collections.abc import Iterable

from sqlalchemy import Connection, text

_TRY = text("SELECT each FROM unnest(CAST(:numbers AS BIGINT[])) AS given(each) WHERE pg_try_advisory_xact_lock(each)")
_TAKE = text("SELECT count(pg_advisory_xact_lock(each)) FROM unnest(CAST(:numbers AS BIGINT[])) AS given(each)")


def lock_number(*words: str) -> int:
    """The number of the lock that these words name; the same in every process."""
    digest = hashlib.blake2b("\0".join(words).encode(), digest_size=8).digest()
    return int.from_bytes(digest, signed=True)


def take_locks(connection: Connection, numbers: Iterable[int]) -> None:
    """Takes locks that are held until the transaction ends, one after another in one order that is the same everywhere.

    A transaction that takes all its locks by one call waits for nobody who waits for it.
    """
    wanted = sorted(set(numbers))
    if wanted and connection.dialect.name != "sqlite":
        connection.execute(_TAKE, {"numbers": wanted})


def try_locks(connection: Connection, numbers: Iterable[int]) -> set[int]:
    """Takes those of the locks that nobody holds; the ones that are held now until the transaction ends."""
    wanted = sorted(set(numbers))
    if not wanted or connection.dialect.name == "sqlite":
        return set(wanted)
    return set(connection.execute(_TRY, {"numbers": wanted}).scalars())
