"""Many rows at once, without a look at each: SQLAlchemy's own ways cost more than the database does.

`Given` passes rows with a statement that is the same for any number of them, and the database takes them apart;
`Prepared` is such a statement. `Insertion` hands rows with bytes in them straight to the driver.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal
from typing import cast as as_type

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    ClauseElement,
    Column,
    Connection,
    CursorResult,
    Insert,
    Integer,
    Table,
    Text,
    bindparam,
    cast,
    delete,
    func,
    literal_column,
    select,
    type_coerce,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.expression import ColumnElement, Subquery
from sqlalchemy.types import TypeEngine

from pulse.storage.database import Dialect


class Given:
    """A table of rows that are passed with a statement, whose text is the same for any number of them.

    `rows` is that table, with `columns`; `parameters` makes of rows, each with a value for every column, what the
    statement is executed with. SQLite takes them apart from one JSON text, PostgreSQL from one array a column (from
    JSON it would read the whole row again for each of its values). Times and JSON are passed as text.
    """

    def __init__(self, dialect: Dialect, columns: Mapping[str, TypeEngine[Any]]) -> None:
        self._dialect = dialect
        self._names = [f"given_{place}" for place in range(len(columns))]
        self.rows = (_of_json if dialect == "sqlite" else _of_arrays)(columns)

    def parameters(self, rows: Iterable[Sequence[object]]) -> dict[str, Any]:
        if self._dialect == "sqlite":
            return {ROWS: json.dumps(list(rows), separators=(",", ":"))}
        columns = list(zip(*rows, strict=True)) or [()] * len(self._names)
        return dict(zip(self._names, map(list, columns), strict=True))


# The name of SQLite's one parameter.
ROWS = "given_rows"


class Prepared:
    """A statement about rows of `given`, compiled when it is executed first, and never looked at again.

    What it returns comes as the driver gives it; constants in it are what the driver takes (texts and numbers).
    """

    def __init__(self, statement: ClauseElement, given: Given) -> None:
        self._statement = statement
        self._given = given
        self._compiled: SQLCompiler | None = None

    def execute(self, connection: Connection, rows: Iterable[Sequence[object]]) -> CursorResult[*tuple[Any, ...]]:
        if self._compiled is None:
            self._compiled = as_type(SQLCompiler, self._statement.compile(dialect=connection.dialect))
        values = self._compiled.construct_params(self._given.parameters(rows))
        order = self._compiled.positiontup or ()
        return connection.exec_driver_sql(self._compiled.string, tuple(values[name] for name in order))


def _of_json(columns: Mapping[str, TypeEngine[Any]]) -> Subquery:
    each = func.json_each(bindparam(ROWS, type_=Text)).table_valued("value", name="each_row")

    def field(place: int, kind: TypeEngine[Any]) -> ColumnElement[Any]:
        return type_coerce(func.json_extract(each.c.value, literal_column(f"'$[{place}]'")), kind)

    return select(*(field(place, kind).label(name) for place, (name, kind) in enumerate(columns.items()))).subquery(
        "given"
    )


def _of_arrays(columns: Mapping[str, TypeEngine[Any]]) -> Subquery:
    arrays = [cast(bindparam(f"given_{place}"), ARRAY(_passed_as(kind))) for place, kind in enumerate(columns.values())]
    each = func.unnest(*arrays).table_valued(*columns).render_derived(name="each_row")
    return select(*(cast(each.c[name], kind).label(name) for name, kind in columns.items())).subquery("given")


def _passed_as(kind: TypeEngine[Any]) -> TypeEngine[Any]:
    """What the driver knows to encode as it is; everything else as text."""
    if isinstance(kind, Boolean):
        return Boolean()
    return BigInteger() if isinstance(kind, Integer) else Text()


def insert_into(dialect: Dialect, table: Table) -> Any:
    """An INSERT of that dialect, which can say what becomes of a row that is there already."""
    return sqlite.insert(table) if dialect == "sqlite" else postgresql.insert(table)


class Insertion:
    """Inserts rows that are tuples of driver values, in the order of `columns`.

    Where a row is there already: an error, unless `instead` says to `keep` it (whatever is unique about it), or to
    `replace` what stands in these columns (of the row with the same primary key).

    On PostgreSQL they go as one array a column. The driver's own `executemany` sends many rows piecemeal, and a process
    that stood still between two pieces would keep its locks for as long: the server ends transactions that are idle,
    but to it this one would be at work.
    """

    def __init__(self, table: Table, *columns: str, instead: Literal["keep", "replace"] | None = None) -> None:
        self._table, self._columns = table, columns
        self._instead = instead
        self._text = ""

    def execute(self, connection: Connection, rows: Sequence[tuple[object, ...]]) -> None:
        piecemeal = connection.dialect.name == "sqlite"
        if not self._text:
            made = self._or_else(self._statement(piecemeal=piecemeal), piecemeal=piecemeal)
            self._text = str(made.compile(dialect=connection.dialect))
        connection.exec_driver_sql(self._text, list(rows) if piecemeal else tuple(map(list, zip(*rows, strict=True))))

    def _or_else(self, made: Any, *, piecemeal: bool) -> Insert:
        if self._instead == "keep":
            return made.on_conflict_do_nothing()  # type: ignore[no-any-return]
        if self._instead == "replace":
            keys = [column.name for column in self._table.primary_key]
            values = {name: made.excluded[name] for name in self._columns if name not in keys}
            return made.on_conflict_do_update(index_elements=keys, set_=values)  # type: ignore[no-any-return]
        return made  # type: ignore[no-any-return]

    def _statement(self, *, piecemeal: bool) -> Insert:
        insert = sqlite.insert if piecemeal else postgresql.insert
        if piecemeal:
            return insert(self._table).values({name: bindparam(name) for name in self._columns})
        kinds = {name: self._table.c[name].type for name in self._columns}
        arrays = [cast(bindparam(name), ARRAY(kind)) for name, kind in kinds.items()]
        rows = func.unnest(*arrays).table_valued(*self._columns).render_derived(name="given")
        return insert(self._table).from_select(list(self._columns), select(*rows.c))


class Deletion:
    """Deletes the rows that have one of many values in `column`."""

    def __init__(self, dialect: Dialect, column: Column[Any]) -> None:
        given = Given(dialect, {column.name: column.type})
        self._prepared = Prepared(delete(column.table).where(column.in_(select(*given.rows.c))), given)

    def execute(self, connection: Connection, values: Iterable[object]) -> None:
        self._prepared.execute(connection, ((value,) for value in values))
