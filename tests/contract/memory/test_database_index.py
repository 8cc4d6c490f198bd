"""The index in the database apart: its tables, its bound, writers at once, and pgvector brought up to date."""

import asyncio
import math
import random
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import func, inspect, select, text

from pulse.core.errors import Misconfigured, TooLarge
from pulse.memory.tables import BRANCH, memory_tables
from pulse.memory.vectors.exact import ExactVectors, packed, unit, unpacked
from pulse.memory.vectors.memory import VectorMemory
from pulse.memory.vectors.pgvector import PgVectors, has_pgvector
from pulse.memory.vectors.port import Document, Indexed, Known, Piece, Space
from pulse.memory.vectors.store import DatabaseIndex
from pulse.storage.database import Database
from pulse.storage.migrations import migrate, pending
from tests.contract.anywhere import Anywhere
from tests.contract.conftest import SetClock, drop_tables
from tests.contract.memory.conftest import provide_pgvector
from tests.contract.memory.library import GUIDES, OURS, SECRET, THEIRS, DatabaseLibrary, Hashing


async def test_the_migration_makes_what_the_tables_say(database_library: DatabaseLibrary) -> None:
    database, tables = database_library.database, database_library.tables
    assert await pending(database, [BRANCH]) == []
    async with database.read() as connection:
        names = set(await connection.run_sync(lambda inner: inspect(inner).get_table_names()))
        for table in (tables.documents, tables.chunks, tables.vectors):
            assert table.name in names
            made = await connection.run_sync(lambda inner, name=table.name: inspect(inner).get_columns(name))  # type: ignore[misc]
            columns = {each["name"]: each["nullable"] for each in made if each["name"] != "lexemes"}
            assert columns == {column.name: bool(column.nullable) for column in table.columns}
            key = await connection.run_sync(lambda inner, name=table.name: inspect(inner).get_pk_constraint(name))  # type: ignore[misc]
            assert key["constrained_columns"] == [column.name for column in table.primary_key]
    assert (tables.words in names) == (database.dialect == "sqlite")


async def test_a_space_has_at_most_so_many_chunks(database_library: DatabaseLibrary, clock: SetClock) -> None:
    database, tables = database_library.database, database_library.tables
    index = DatabaseIndex(database, tables, ExactVectors(tables, database.dialect), Anywhere(), clock, max_chunks=4)
    memory = VectorMemory(index, texts=index)
    await memory.upsert(OURS, GUIDES)
    await memory.upsert(THEIRS[0], [SECRET])
    with pytest.raises(TooLarge, match="5 chunks, more than 4"):
        await memory.upsert(OURS, [Document("one-more", "text")])
    assert (await memory.search(OURS, "text")).matches == []
    await memory.delete(OURS, ["guide-plain"])
    await memory.upsert(OURS, [Document("one-more", "text")])


async def test_writers_of_the_same_documents_leave_one_of_each(database_library: DatabaseLibrary) -> None:
    versions = [[Document(each.id, f"{each.content} version{n}", each.title) for each in GUIDES] for n in range(6)]
    memory = database_library.memory()
    await memory.upsert(THEIRS[0], [SECRET])
    await asyncio.gather(*(memory.upsert(OURS, random.sample(version, len(version))) for version in versions))
    tables = database_library.tables
    async with database_library.database.read() as connection:
        counts = [
            await connection.scalar(select(func.count()).select_from(table))
            for table in (tables.documents, tables.chunks, tables.vectors)
        ]
    assert counts == [5, 5, 5]
    matches = await database_library.found("schedule", limit=100)
    assert len({each.id for each in matches}) == len(matches) == 4


async def test_nothing_is_left_of_what_was_deleted(database_library: DatabaseLibrary) -> None:
    memory, tables = database_library.memory(), database_library.tables
    await memory.upsert(OURS, GUIDES)
    await memory.delete(OURS, ["guide-plain"])
    await memory.clear(OURS)
    async with database_library.database.read() as connection:
        for name in (tables.documents.name, tables.chunks.name, tables.vectors.name):
            assert await connection.scalar(text(f'SELECT count(*) FROM "{name}"')) == 0  # noqa: S608 - our own name
        if database_library.database.dialect == "sqlite":
            counted = text(f"SELECT count(*) FROM {tables.words} WHERE {tables.words} MATCH 'words : schedule'")  # noqa: S608 - our own name
            assert await connection.scalar(counted) == 0


async def test_the_index_of_words_agrees_with_its_texts(database_library: DatabaseLibrary) -> None:
    memory, name = database_library.memory(), database_library.tables.words
    for n in range(3):
        await memory.upsert(OURS, [Document(each.id, f"{each.content} {n}", each.title) for each in GUIDES[n:]])
    await memory.delete(OURS, [GUIDES[0].id])
    if database_library.database.dialect == "postgresql":
        # It makes its index of the texts itself.
        return
    async with database_library.database.write() as connection:
        # FTS5's own check, which raises where the index is not what the texts say.
        await connection.execute(text(f"INSERT INTO {name}({name}, rank) VALUES ('integrity-check', 1)"))  # noqa: S608 - our own name


async def test_exact_search_finds_what_comparing_everything_finds(database_library: DatabaseLibrary) -> None:
    dice, model = random.Random(4711), "random/48"
    vectors = {(f"d{d}", p): unit([dice.gauss(0, 1) for _ in range(48)]) for d in range(80) for p in range(1 + d % 4)}
    for space, sign in ((OURS, 1.0), (THEIRS[0], -1.0)):
        entries = [
            Indexed(
                Document(f"d{d}", ""),
                [Piece(p, f"{d}.{p}", [sign * x for x in vectors[f"d{d}", p]]) for p in range(1 + d % 4)],
                Known("digest", None, model),
            )
            for d in range(80)
        ]
        await database_library.index.put(space, entries)
    for _ in range(10):
        asked = unit([dice.gauss(0, 1) for _ in range(48)])
        cosines = {spot: sum(map(float.__mul__, asked, vector)) for spot, vector in vectors.items()}
        best = sorted(cosines, key=lambda spot: -cosines[spot])[:7]
        matches = await database_library.index.search(OURS, model, asked, 7, None)
        assert [(each.id, each.position) for each in matches] == best
        for match in matches:
            assert match.similarity == pytest.approx(cosines[match.id, match.position], abs=1e-6)


async def test_other_things_run_while_a_search_compares(database_library: DatabaseLibrary) -> None:
    """A search over many numbers lets others have their turn before it is done."""
    vector = unit([1.0] * 1024)
    pieces = [Piece(p, f"{p}", vector) for p in range(500)]
    for n in range(4):
        entry = Indexed(Document(f"d{n}", ""), pieces, Known("digest", None, "large/1024"))
        await database_library.index.put(OURS, [entry])
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.get_running_loop().run_in_executor(None, int)

    task = asyncio.create_task(others())
    assert len(await database_library.index.search(OURS, "large/1024", vector, 3, None)) == 3
    task.cancel()
    assert turns > 3


async def test_tables_that_are_missing_are_told(database: Database, clock: SetClock) -> None:
    tables = memory_tables(database.prefix)
    index = DatabaseIndex(database, tables, ExactVectors(tables, database.dialect), Anywhere(), clock)
    with pytest.raises(Misconfigured, match="pulse migrate"):
        await index.check()


async def test_only_a_database_that_has_pgvector_says_so(database_library: DatabaseLibrary) -> None:
    database = database_library.database
    expected = False
    if database.dialect == "postgresql":
        async with database.read() as connection:
            query = text("SELECT count(*) FROM pg_extension WHERE extname = 'vector'")
            expected = bool(await connection.scalar(query))
    assert await has_pgvector(database) is expected


@pytest.fixture
async def postgresql(postgres_url: str, prefix: str) -> AsyncIterator[Database]:
    database = Database(postgres_url, prefix=prefix)
    await migrate(database, [BRANCH])
    await provide_pgvector(database)
    yield database
    await database.close()
    await drop_tables(postgres_url, prefix)


async def test_pgvector_takes_over_what_was_there_before(postgresql: Database, clock: SetClock) -> None:
    tables, model = memory_tables(postgresql.prefix), Hashing()
    vectors = PgVectors(postgresql, tables)
    exact = DatabaseIndex(postgresql, tables, ExactVectors(tables, "postgresql"), Anywhere(), clock)
    taken_over = DatabaseIndex(postgresql, tables, vectors, Anywhere(), clock)
    before, after = (VectorMemory(index, embedder=model) for index in (exact, taken_over))
    for space, count in ((OURS, 80), (THEIRS[0], 40)):
        await before.upsert(space, [Document(f"n{n}", f"invoice number{n}") for n in range(count)])
    assert [await vectors.prepare(), await vectors.prepare()] == [120, 0]
    matches = [(await memory.search(OURS, "invoice number77", 100)).matches for memory in (before, after)]
    expected, found = ({each.id: each.similarity for each in some} for some in matches)
    assert len(expected) == 80
    assert found == pytest.approx(expected, abs=1e-6)
    assert found["n77"] == pytest.approx(1.0, abs=1e-6)
    await after.clear(OURS)
    for memory in (before, after):
        assert list((await memory.search(OURS, "invoice")).matches) == []
        assert len((await memory.search(THEIRS[0], "invoice", 100)).matches) == 40


def test_vectors_are_packed_as_float32() -> None:
    vectors = [unit([3.0, 4.0]), unit([-1.0, 1.0])]
    back = unpacked(packed(vectors), 2)
    assert [tuple(round(x, 6) for x in each) for each in back] == [(0.6, 0.8), (-0.707107, 0.707107)]
    assert len(packed(vectors)) == 16
    assert math.hypot(*unit([1e-3] * 3)) == pytest.approx(1.0)
    for wrong in ([], [0.0, 0.0], [math.nan, 1.0], [math.inf, 1.0]):
        with pytest.raises(ValueError, match="direction"):
            unit(wrong)


@pytest.mark.parametrize(("organization", "environment"), [("", "env"), ("org", "")])
def test_a_space_belongs_to_somebody(organization: str, environment: str) -> None:
    with pytest.raises(Exception, match="environment"):
        Space(organization, environment)
