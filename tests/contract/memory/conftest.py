"""What memory is kept in, for contract tests: a folder, a bucket of a server that stands in for S3, and the indexes of
vectors: SQLite, PostgreSQL, pgvector, a server that stands in for Pinecone.
"""

import secrets
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from moto.s3.models import s3_backends
from moto.server import ThreadedMotoServer
from sqlalchemy import text

from pulse.memory.port import Shelf
from pulse.memory.shelf import ObstoreShelf
from pulse.memory.short_term import Owner
from pulse.memory.tables import BRANCH, memory_tables
from pulse.memory.vectors.exact import ExactVectors
from pulse.memory.vectors.pgvector import PgVectors
from pulse.memory.vectors.pinecone import PineconeIndex
from pulse.memory.vectors.store import DatabaseIndex, Vectors
from pulse.storage.database import Database
from pulse.storage.migrations import migrate
from tests.contract.anywhere import Anywhere
from tests.contract.conftest import SetClock, drop_tables, sqlite_threads, sqlite_threads_ended
from tests.contract.mail.way_out import UncheckedEgress
from tests.contract.memory import fake_pinecone
from tests.contract.memory.fake_pinecone import FakePinecone
from tests.contract.memory.library import DatabaseLibrary, Hashing, Library

OURS, THEIRS = Owner("org_ours", "env_prod"), Owner("org_theirs", "env_prod")
S3_OPTIONS = {"region": "us-east-1", "access_key_id": "test", "secret_access_key": "test"}


@dataclass(frozen=True)
class Place:
    """Opens the shelf, each time as another process would, and says where its values are."""

    open: Callable[[], Shelf]
    bucket: str


@pytest.fixture(scope="session")
def s3_url() -> Iterator[str]:
    """A server that stands in for S3."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(params=["folder", "s3"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "folder":
        url = (tmp_path / "short term").as_uri()
        return Place(lambda: ObstoreShelf(url), "short term")
    endpoint = str(request.getfixturevalue("s3_url"))
    bucket = f"stm-{secrets.token_hex(8)}"
    s3_backends["123456789012"]["aws"].create_bucket(bucket, S3_OPTIONS["region"])
    options = {**S3_OPTIONS, "endpoint": endpoint}
    return Place(lambda: ObstoreShelf(f"s3://{bucket}/remembered", options=options), bucket)


@pytest.fixture
def shelf(place: Place) -> Shelf:
    return place.open()


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
def pinecone() -> Iterator[FakePinecone]:
    with fake_pinecone.running() as server:
        yield server


def _database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Asked for outside the event loop, where PostgreSQL's is made."""
    if request.param == "sqlite":
        return f"sqlite+aiosqlite:///{tmp_path}/pulse.db"
    return str(request.getfixturevalue("postgres_url"))


@pytest.fixture(params=["sqlite", "postgresql"])
def database_place(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, str]:
    return request.param, _database_url(request, tmp_path)


@pytest.fixture(params=["sqlite", "postgresql", "pgvector", "pinecone"])
def index_place(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, str]:
    if request.param == "pinecone":
        return "pinecone", request.getfixturevalue("pinecone").url
    return request.param, _database_url(request, tmp_path)


@pytest.fixture
async def database_library(
    database_place: tuple[str, str], prefix: str, clock: SetClock
) -> AsyncIterator[DatabaseLibrary]:
    """Exact search and full text, in the database."""
    async with _in_database(*database_place, prefix, clock) as library:
        yield library


@pytest.fixture
async def empty_library(index_place: tuple[str, str], prefix: str, clock: SetClock) -> AsyncIterator[Library]:
    """Every index there is."""
    kind, url = index_place
    if kind != "pinecone":
        async with _in_database(kind, url, prefix, clock) as library:
            yield library
        return
    egress = UncheckedEgress()
    yield Library(PineconeIndex(url, fake_pinecone.KEY, egress), None, Hashing())
    await egress.close()


@asynccontextmanager
async def _in_database(kind: str, url: str, prefix: str, clock: SetClock) -> AsyncIterator[DatabaseLibrary]:
    others = sqlite_threads()
    database = Database(url, prefix=prefix)
    await migrate(database, [BRANCH])
    tables = memory_tables(prefix)
    vectors: Vectors = ExactVectors(tables, database.dialect)
    if kind == "pgvector":
        await provide_pgvector(database)
        vectors = PgVectors(database, tables)
        await vectors.prepare()
    index = DatabaseIndex(database, tables, vectors, Anywhere(), clock)
    yield DatabaseLibrary(index, index, Hashing(), database, tables)
    await database.close()
    await sqlite_threads_ended(others)
    if kind != "sqlite":
        await drop_tables(url, prefix)


async def provide_pgvector(database: Database) -> None:
    """pgvector; where the server does not offer it, a stand-in of its type and of the one operator that Pulse uses."""
    async with database.write() as connection:
        # Once for all of the session's tests.
        await connection.execute(text("SELECT pg_advisory_xact_lock(41)"))
        if await connection.scalar(text("SELECT 1 FROM pg_type WHERE typname = 'vector'")):
            return
        offered = await connection.scalar(text("SELECT 1 FROM pg_available_extensions WHERE name = 'vector'"))
        for statement in ("CREATE EXTENSION vector",) if offered else _STAND_IN:
            await connection.execute(text(statement))


_STAND_IN = (
    "CREATE DOMAIN vector AS text CHECK (VALUE ~ '^\\[[-+0-9.e,]+\\]$')",
    """CREATE FUNCTION cosine_distance(text, text) RETURNS float8 LANGUAGE sql IMMUTABLE STRICT AS $$
        SELECT 1 - sum(a * b) / sqrt(sum(a * a) * sum(b * b)) FROM unnest(
            CAST(string_to_array(trim(both '[]' from $1), ',') AS float8[]),
            CAST(string_to_array(trim(both '[]' from $2), ',') AS float8[])
        ) AS pairs(a, b) $$""",
    "CREATE OPERATOR <=> (LEFTARG = text, RIGHTARG = text, FUNCTION = cosine_distance)",
)
