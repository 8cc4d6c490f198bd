"""Lists as the API shows them."""

from collections.abc import Callable
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Query

from pulse.tenancy.places.parts import Part, Wanted
from pulse.workflows.records import Page

MAX_PAGE = 100_000
MAX_LIMIT = 1_000
T = TypeVar("T")


def _wanted(
    page: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 1,
    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT)] = MAX_LIMIT,
    sort: Annotated[str, Query(max_length=50)] = "",
    search: Annotated[str, Query(max_length=200)] = "",
) -> Wanted:
    return Wanted(page, limit, sort, search)


# What a query says of the part that is wanted. These lists are short: without a limit all of it, as a rule, comes.
ListWanted = Annotated[Wanted, Depends(_wanted)]


def part(found: Part[T], wanted: Wanted, shown: Callable[[T], dict[str, Any]]) -> dict[str, Any]:
    """A part of a list, each row as `shown` has it."""
    page = Page(wanted.page, wanted.limit)
    return paged([shown(row) for row in found.rows], page, found.total, more=found.more)


def whole(data: list[dict[str, Any]]) -> dict[str, Any]:
    """A list that is short enough to be shown on one page."""
    total = len(data)
    return {"data": data, "pagination": {"page": 1, "limit": max(total, 1), "total": total, "totalPages": 1}}


def paged(data: list[dict[str, Any]], page: Page, total: int, *, more: bool = False) -> dict[str, Any]:
    """`{data, pagination{page, limit, total, totalPages}}`; `more` where the total stopped being counted."""
    pages = -(-total // page.limit)
    pagination: dict[str, Any] = {"page": page.page, "limit": page.limit, "total": total, "totalPages": pages}
    return {"data": data, "pagination": {**pagination, "more": True} if more else pagination}
