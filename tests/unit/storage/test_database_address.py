"""Which addresses a database may have, and what errors of the drivers come to."""

import sqlite3
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError

from pulse.core.errors import Misconfigured, PulseError, StorageDown, StorageFull, StorageReadOnly
from pulse.storage.database import Database, sqlite_file, translate, translated_errors


@pytest.mark.parametrize("url", ["mysql://h/d", "oracle://h", "sqlserver://h", "pulse.db", "", "postgres://h/d"])
def test_an_address_of_something_else_is_refused(url: str) -> None:
    with pytest.raises(Misconfigured):
        Database(url)


@pytest.mark.parametrize(
    "url",
    [
        "sqlite://",
        "sqlite+aiosqlite://",
        "sqlite:///:memory:",
        "sqlite:///file::memory:?uri=true",
        "sqlite:///file:x?mode=memory&uri=true",
    ],
)
def test_memory_is_refused_because_it_keeps_nothing(url: str) -> None:
    with pytest.raises(Misconfigured, match="memory"):
        Database(url)


def test_the_address_is_not_told_because_it_may_hold_a_password() -> None:
    with pytest.raises(Misconfigured) as caught:
        Database("mysql://user:canary-secret@h/d")
    assert "canary" not in caught.value.message
    assert "canary" not in str(Database("postgresql://user:canary-secret@h/d").url)


@pytest.mark.parametrize(
    ("url", "driver", "dialect"),
    [
        ("sqlite:////tmp/x.db", "sqlite+aiosqlite", "sqlite"),
        ("sqlite+pysqlite:////tmp/x.db", "sqlite+aiosqlite", "sqlite"),
        ("postgresql://h/d", "postgresql+asyncpg", "postgresql"),
        ("postgresql+psycopg://h/d", "postgresql+asyncpg", "postgresql"),
    ],
)
def test_the_driver_is_always_ours(url: str, driver: str, dialect: str) -> None:
    database = Database(url)
    assert (database.url.drivername, database.dialect) == (driver, dialect)


def test_the_file_of_a_database() -> None:
    assert sqlite_file(Database("sqlite:////tmp/x.db")) == Path("/tmp/x.db")
    assert sqlite_file(Database("postgresql://h/d")) is None


WORDS = [
    ("database or disk is full", StorageFull),
    ("disk I/O error", StorageDown),
    ("attempt to write a readonly database", StorageReadOnly),
    ("unable to open database file", StorageReadOnly),
    ("database is locked", StorageDown),
    ("file is not a database", StorageDown),
    ("database disk image is malformed", StorageDown),
]


@pytest.mark.parametrize(("words", "kind"), WORDS)
def test_what_sqlite_says(words: str, kind: type[PulseError]) -> None:
    error = sqlite3.OperationalError(words)
    for each in (error, OperationalError("INSERT", {}, error)):
        assert type(translate(each)) is kind


@pytest.mark.parametrize("error", [OSError(111, "Connection refused"), TimeoutError(), ConnectionResetError()])
def test_a_server_that_cannot_be_reached(error: Exception) -> None:
    assert type(translate(error)) is StorageDown


@pytest.mark.parametrize(
    "error",
    [sqlite3.IntegrityError("UNIQUE constraint failed: t.id"), ValueError("x"), KeyError("x"), FileNotFoundError()],
)
def test_everything_else_stays_what_it_is(error: Exception) -> None:
    assert translate(error) is None
    with pytest.raises(type(error)) as caught, translated_errors():
        raise error
    assert caught.value is error


def test_an_error_of_pulse_passes_and_a_translated_one_names_its_cause() -> None:
    own = StorageFull("mine")
    with pytest.raises(StorageFull) as passed, translated_errors():
        raise own
    assert passed.value is own
    cause = sqlite3.OperationalError("database is locked")
    with pytest.raises(StorageDown) as caught, translated_errors():
        raise cause
    assert caught.value.__cause__ is cause
