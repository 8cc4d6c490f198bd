"""PostgreSQL's own row-level security, alone: every store's look at the organization is taken away, and nothing leaks.

Pulse signs in there as an ordinary user, who owns its database and may make roles.
"""

import asyncio
import base64
import os
import secrets
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from sqlalchemy import BindParameter, Column, Connection, Delete, Select, Update, event, true
from sqlalchemy.sql.elements import BinaryExpression
from sqlalchemy.sql.visitors import replacement_traverse

from pulse.storage.narrowing import is_narrowed
from tests.contract.conftest import SERVER
from tests.integration.console.matrix.calls import calls, sample
from tests.integration.console.matrix.conftest import make_passwords_cheap
from tests.integration.console.matrix.matrix import Matrix, matrix
from tests.integration.receiver.installation import installed

SAMPLE = 400


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """A database of an ordinary user's own."""
    name = f"pulse_test_{os.getpid()}_{secrets.token_hex(4)}"
    asyncio.run(_administer(f"CREATE ROLE {name} LOGIN CREATEROLE", f"CREATE DATABASE {name} OWNER {name}"))
    yield f"postgresql+asyncpg://{name}@{SERVER[0]}:{SERVER[1]}/{name}"
    drop_role = f"DROP OWNED BY {name} CASCADE", f"DROP ROLE {name}"
    asyncio.run(_administer(f"DROP DATABASE {name} WITH (FORCE)", *drop_role))


async def _administer(*statements: str) -> None:
    connection = await asyncpg.connect(host=SERVER[0], port=SERVER[1], user="postgres", database="postgres")
    for statement in statements:
        await connection.execute(statement)
    await connection.close()


@pytest.fixture
async def guarded(address: str, tmp_path: Path) -> AsyncIterator[Matrix]:
    """A matrix on that database."""
    key = base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
    settings = {"PULSE_DATABASE_URL": address, "PULSE_SECRET_KEY": key}
    async with installed(tmp_path / "data", **settings) as installation:
        make_passwords_cheap(installation)
        yield await matrix(installation)


@pytest.fixture
def without_filters(guarded: Matrix) -> Iterator[None]:
    """What is done for an organization no longer says so to the database: neither looks nor changes name it."""
    engine = guarded.pulse.parts.database._writer.sync_engine
    event.listen(engine, "before_execute", _unfiltered, retval=True)
    yield
    event.remove(engine, "before_execute", _unfiltered)


def _unfiltered(_connection: Connection, clause: Any, multi: Any, params: Any, _options: Any) -> Any:
    if is_narrowed() and isinstance(clause, Select | Update | Delete):
        clause = replacement_traverse(clause, {}, _anything)
    return clause, multi, params


def _anything(element: Any, **_: Any) -> Any:
    """In place of a comparison of a row's organization with a given one."""
    is_filter = (
        isinstance(element, BinaryExpression)
        and isinstance(element.left, Column)
        and element.left.name == "organization_id"
        and isinstance(element.right, BindParameter)
    )
    return true() if is_filter else None


@pytest.mark.timeout(600)
async def test_nothing_leaks_without_filters(guarded: Matrix, without_filters: None, size: int | None) -> None:
    assert guarded.pulse.parts.database.narrows
    every = calls(guarded.operations, guarded.who.values())
    failures = await guarded.run(every if size is None else sample(every, SAMPLE))
    assert failures == [], f"{len(failures)} of {guarded.asked.total()}:\n" + "\n".join(failures[:40])


async def test_without_policies_it_would(guarded: Matrix, without_filters: None) -> None:
    """The negative control: the filters are really gone."""
    guarded.pulse.parts.database.narrows = False
    operations = [each for each in guarded.operations if str(each) in ("GET /variables", "GET /models/{model_id}")]
    failures = "\n".join(await guarded.run(calls(operations, guarded.who.values())))
    assert f"the answer shows ['{guarded.victim.canary}'" in failures
