"""Parts of lists: what is searched for, in an order, a page of it. The database does all of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy import ColumnElement, RowMapping, Select, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from pulse.core.errors import Fault, InvalidFields

MAX_TOTAL = 10_000
T = TypeVar("T")


@dataclass(frozen=True)
class Wanted:
    """Which part of a list: `page` counts from 1. `sort` names a field, with `-` before it from the end backwards.

    `search`: a text that must stand in what the list is searched by; SQLite takes capitals for small ones in A-Z only.
    """

    page: int = 1
    limit: int = 1_000
    sort: str = ""
    search: str = ""


FIRST = Wanted()


@dataclass(frozen=True)
class Part(Generic[T]):
    """A part of a list, and how much there is in all. `total` stops at MAX_TOTAL; then `more` is true."""

    rows: list[T]
    total: int
    more: bool = False


@dataclass(frozen=True)
class Order:
    """What a list can be sorted and searched by. The first of `sorts` is its own order; `last` is unique in it."""

    sorts: Mapping[str, ColumnElement[Any]]
    searched: Sequence[ColumnElement[Any]]
    last: ColumnElement[Any]

    async def part(self, connection: AsyncConnection, query: Select[Any], wanted: Wanted) -> Part[RowMapping]:
        """Raises InvalidFields for an order that the list does not know."""
        ordered = self._by(wanted.sort)
        if wanted.search:
            matches = (column.icontains(wanted.search, autoescape=True) for column in self.searched)
            query = query.where(or_(*matches))
        counted = query.with_only_columns(self.last, maintain_column_froms=True).limit(MAX_TOTAL + 1).subquery()
        total = await connection.scalar(select(func.count()).select_from(counted)) or 0
        page = query.order_by(*ordered).offset((wanted.page - 1) * wanted.limit).limit(wanted.limit)
        rows = list((await connection.execute(page)).mappings())
        return Part(rows, min(total, MAX_TOTAL), total > MAX_TOTAL)

    def _by(self, sort: str) -> list[ColumnElement[Any]]:
        name = sort.removeprefix("-") if sort else next(iter(self.sorts))
        if name not in self.sorts:
            words = f"This list is sorted by one of {', '.join(self.sorts)}; with - before it, backwards."
            raise InvalidFields([Fault("sort", "unknown_sort", words)])
        columns = [self.sorts[name], self.last]
        # The databases differ in where nothing at all comes.
        return [(each.desc() if sort.startswith("-") else each.asc()).nulls_last() for each in columns]
