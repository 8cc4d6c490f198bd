"""Many rows at once, without a look at each: SQLAlchemy's own ways cost more than the database does.

`given` passes rows in one parameter: the statement is the same for any number of them, and the database takes them
apart. `Insertion` hands rows with bytes in them straight to the driver.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from sqlalchemy import (
    ARRAY,
    Connection,
    Insert,
    Integer,
    Table,
    Text,
    bindparam,
    cast,
    func,
    literal_column,
    select,
    type_coerce,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.expression import ColumnElement, Subquery
from sqlalchemy.types import JSON, TypeEngine

from pulse.storage.database import Dialect

# The name of the parameter that `parameter` makes.
ROWS = "given_rows"


def given(dialect: Dialect, columns: Mapping[str, TypeEngine[Any]]) -> Subquery:
    """A table with these columns, whose rows are the parameter."""
    if dialect == "sqlite":
        each: Any = func.json_each(bindparam(ROWS, type_=Text)).table_valued("value", name="each_row")
    else:
        each = func.json_array_elements(cast(bindparam(ROWS, type_=Text), JSON)).table_valued("value", name="each_row")

    def field(place: int, kind: TypeEngine[Any]) -> ColumnElement[Any]:
        if dialect == "sqlite":
            return type_coerce(func.json_extract(each.c.value, literal_column(f"'$[{place}]'")), kind)
        return cast(each.c.value.op("->>")(literal_column(str(place), Integer)), kind)

    return select(*(field(place, kind).label(name) for place, (name, kind) in enumerate(columns.items()))).subquery(
        "given"
    )


def parameter(rows: Iterable[Sequence[object]]) -> dict[str, str]:
    """The rows, each with a value for every column of `given`, as the statement takes them."""
    return {ROWS: json.dumps(list(rows), separators=(",", ":"))}


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
