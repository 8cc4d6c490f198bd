"""Variables of environments: what scripts know as globals and nobody is shown again, sealed in the vault.

Every value of a variable is a version, and is kept until the variable is deleted. What scripts get is kept in memory: a
change made in this process is in force at once (`forget`), one made elsewhere after at most `refresh_seconds`.
"""

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from sqlalchemy import RowMapping, delete, func, insert, select, tuple_, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from pulse.core.clock import Clock
from pulse.core.errors import Conflict, Fault, InvalidFields, NotFound, StaleRevision
from pulse.core.ids import Ids
from pulse.core.kept import Kept
from pulse.sandbox.functions import is_reserved
from pulse.storage.claims import chunks
from pulse.storage.database import Database
from pulse.tenancy.audit.act import note, unchanged
from pulse.tenancy.places.holding import PlaceHold
from pulse.tenancy.records import Variable
from pulse.tenancy.secrets.data_keys import DataKey, DataKeys
from pulse.tenancy.secrets.vault import Vault
from pulse.tenancy.tables import TenancyTables

NAME = r"^[A-Za-z_][A-Za-z0-9_]{0,63}$"
MAX_VALUE = 65_536
_NAME = re.compile(NAME.strip("^$"))


@dataclass(frozen=True)
class Variables:
    """What scripts of one environment get: (name, value), by name.

    `id` names this very set for good, and is made of names, ids and versions: it tells nothing of the values.
    `versions` are the ids and versions, with which the same set can be had again.
    """

    id: str
    values: tuple[tuple[str, str], ...] = field(repr=False)
    versions: tuple[tuple[str, int], ...] = ()


def name_faults(name: str) -> list[Fault]:
    """What is wrong with a name: it must be one that scripts can use, and that means nothing to them yet."""
    if not _NAME.fullmatch(name):
        words = "A name has 1 to 64 letters (A-Z, a-z), digits or underscores, no digit first: try one like API_KEY."
        return [Fault("name", "invalid_name", words)]
    if is_reserved(name):
        words = f"{name} means something in scripts already, or begins with two underscores: choose another name."
        return [Fault("name", "reserved_name", words)]
    return []


def value_faults(value: str) -> list[Fault]:
    """What is wrong with a value, in words that do not repeat it."""
    if not 1 <= len(value) <= MAX_VALUE:
        return [Fault("value", "invalid_value", f"A value has 1 to {MAX_VALUE:,} characters.")]
    if "\0" in value:
        return [Fault("value", "invalid_value", "A value has no NUL characters: encode bytes as base64.")]
    if any("\ud800" <= letter <= "\udfff" for letter in value):
        return [Fault("value", "invalid_value", "A value is Unicode text: encode bytes as base64.")]
    return []


class VariableStore:
    """Variables in the database; values leave the vault only for whoever evaluates messages."""

    def __init__(
        self,
        database: Database,
        tables: TenancyTables,
        vault: Vault,
        ids: Ids,
        clock: Clock,
        *,
        refresh_seconds: float = 300.0,
    ) -> None:
        self._database = database
        self._tables = tables
        self._places = PlaceHold(tables)
        self._data_keys = DataKeys(tables, vault, clock)
        self._ids = ids
        self._clock = clock
        self._kept = Kept(self._read, refresh_seconds)

    async def create(self, organization_id: str, environment_id: str, name: str, value: str) -> Variable:
        """A new variable. Raises InvalidFields, NotFound for the environment, Conflict where the name is taken."""
        _refuse([*name_faults(name), *value_faults(value)])
        now = self._clock.now_ms()
        variable = Variable(self._ids.new("var"), organization_id, environment_id, name, 1, now, now)
        try:
            async with self._database.write() as connection:
                await self._places.hold(connection, organization_id, environment_id)
                key = await self._data_keys.made(connection, organization_id)
                await connection.execute(insert(self._tables.variables), [vars(variable)])
                await self._add_value(connection, key, variable, value)
                note("variable", variable.id, name, created=True)
        except IntegrityError:
            raise Conflict(f"There is a variable {name} already: give it a new value instead.") from None
        return variable

    async def set(self, organization_id: str, variable_id: str, value: str, expected: int | None = None) -> Variable:
        """Gives a variable a value, as a new version unless it has that value. `expected`: the version to replace.

        Raises InvalidFields, NotFound, StaleRevision.
        """
        _refuse(value_faults(value))
        async with self._database.write() as connection:
            found = await self._one(connection, organization_id, variable_id, locked=True)
            if expected is not None and expected != found.version:
                raise StaleRevision(revision=found.version)
            key = await self._data_keys.of(connection, organization_id)
            if await self._value(connection, key, found) == value:
                unchanged()
                return found
            changed = replace(found, version=found.version + 1, updated_at=self._clock.now_ms())
            await self._add_value(connection, key, changed, value)
            mine = self._tables.variables.c.id == variable_id
            stored = {"version": changed.version, "updated_at": changed.updated_at}
            await connection.execute(update(self._tables.variables).where(mine).values(stored))
            note("variable", variable_id, found.name, version=changed.version)
        return changed

    async def delete(self, organization_id: str, variable_id: str) -> None:
        """Deletes a variable with every value it had. Raises NotFound."""
        values, variables = self._tables.variable_values, self._tables.variables
        async with self._database.write() as connection:
            found = await self._one(connection, organization_id, variable_id, locked=True)
            note("variable", variable_id, found.name, deleted=True)
            await connection.execute(delete(values).where(values.c.variable_id == variable_id))
            await connection.execute(delete(variables).where(variables.c.id == variable_id))

    async def get(self, organization_id: str, variable_id: str) -> Variable:
        """Raises NotFound."""
        async with self._database.read() as connection:
            return await self._one(connection, organization_id, variable_id)

    async def named(self, organization_id: str, environment_id: str, name: str) -> Variable:
        """The environment's variable of that name. Raises NotFound."""
        c = self._tables.variables.c
        here = (c.organization_id == organization_id) & (c.environment_id == environment_id)
        async with self._database.read() as connection:
            rows = await connection.execute(select(self._tables.variables).where(here, c.name == name))
            row = rows.mappings().first()
        if row is None:
            raise NotFound(f"There is no variable {name!r} in this environment.")
        return Variable(**row)

    async def list(
        self, organization_id: str, environment_id: str, *, offset: int = 0, limit: int | None = None
    ) -> tuple[Sequence[Variable], int]:
        """A part of the environment's variables in the order of creation, and how many there are in all."""
        c = self._tables.variables.c
        here = (c.organization_id == organization_id) & (c.environment_id == environment_id)
        query = select(self._tables.variables).where(here).order_by(c.created_at, c.id)
        async with self._database.read() as connection:
            total = await connection.scalar(select(func.count()).select_from(self._tables.variables).where(here))
            rows = await connection.execute(query.offset(offset).limit(limit))
            return [Variable(**row) for row in rows.mappings()], total or 0

    async def values(self, organization_id: str, environment_id: str) -> Variables:
        """What scripts of the environment get. Raises Misconfigured where a value cannot be opened."""
        return await self._kept.get((organization_id, environment_id))

    async def as_they_were(self, organization_id: str, versions: Sequence[tuple[str, int]]) -> Variables:
        """Earlier values, by variable and version; those of variables that were deleted meanwhile are gone."""
        c, values = self._tables.variables.c, self._tables.variable_values.c
        query = select(c.name, c.id, values.version, values.sealed).where(
            c.organization_id == organization_id, values.variable_id == c.id
        )
        found: list[RowMapping] = []
        async with self._database.read() as connection:
            for part in chunks(list(versions)):
                mine = tuple_(values.variable_id, values.version).in_(part)
                found += (await connection.execute(query.where(mine))).mappings().all()
            if not found:
                return NONE
            key = await self._data_keys.of(connection, organization_id)
        return _opened(sorted(found, key=lambda row: str(row["name"])), key)

    def forget(self, organization_id: str, environment_id: str) -> None:
        """To be called when a variable of that environment has changed."""
        self._kept.forget((organization_id, environment_id))

    def forget_all(self) -> None:
        """To be called when changes elsewhere may have been missed."""
        self._kept.forget_all()

    # ---- within a transaction --------------------------------------------------------------------------------

    async def _read(self, place: tuple[str, str]) -> Variables:
        organization_id, environment_id = place
        c, values = self._tables.variables.c, self._tables.variable_values.c
        query = select(c.name, c.id, c.version, values.sealed).where(
            c.organization_id == organization_id,
            c.environment_id == environment_id,
            values.variable_id == c.id,
            values.version == c.version,
        )
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).mappings().all()
            if not rows:
                return NONE
            key = await self._data_keys.of(connection, organization_id)
        # Databases have orders of their own for text.
        return _opened(sorted(rows, key=lambda row: str(row["name"])), key)

    async def _one(
        self, connection: AsyncConnection, organization_id: str, variable_id: str, *, locked: bool = False
    ) -> Variable:
        """The variable; `locked`: nobody else changes it before this transaction ends."""
        c = self._tables.variables.c
        query = select(self._tables.variables).where(c.organization_id == organization_id, c.id == variable_id)
        found = await connection.execute(query.with_for_update() if locked else query)
        row = found.mappings().first()
        if row is None:
            raise NotFound(f"There is no variable {variable_id!r}.")
        return Variable(**row)

    async def _value(self, connection: AsyncConnection, key: DataKey, variable: Variable) -> str:
        c = self._tables.variable_values.c
        mine = (c.variable_id == variable.id) & (c.version == variable.version)
        sealed: bytes = (await connection.execute(select(c.sealed).where(mine))).scalar_one()
        return key.open(_bound_to(variable.id, variable.version), sealed).decode()

    async def _add_value(self, connection: AsyncConnection, key: DataKey, variable: Variable, value: str) -> None:
        row = {
            "variable_id": variable.id,
            "version": variable.version,
            "sealed": key.seal(_bound_to(variable.id, variable.version), value.encode()),
            "created_at": variable.updated_at,
        }
        await connection.execute(insert(self._tables.variable_values), [row])


def _refuse(faults: Sequence[Fault]) -> None:
    if faults:
        raise InvalidFields(list(faults))


def _bound_to(variable_id: str, version: int) -> str:
    return f"variable:{variable_id}:{version}"


def _opened(rows: Sequence[RowMapping], key: DataKey) -> Variables:
    named = [[row["name"], row["id"], row["version"]] for row in rows]
    opened = [key.open(_bound_to(row["id"], row["version"]), row["sealed"]).decode() for row in rows]
    names = [str(row["name"]) for row in rows]
    versions = tuple((str(row["id"]), int(row["version"])) for row in rows)
    return Variables(_digest(named), tuple(zip(names, opened, strict=True)), versions)


def _digest(named: Sequence[Sequence[object]]) -> str:
    return hashlib.sha256(json.dumps(named).encode()).hexdigest()


NONE = Variables(_digest([]), ())
