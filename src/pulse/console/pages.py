"""Lists as the API shows them."""

from typing import Any

from pulse.workflows.records import Page

MAX_PAGE = 100_000


def paged(data: list[dict[str, Any]], page: Page, total: int, *, more: bool = False) -> dict[str, Any]:
    """`{data, pagination{page, limit, total, totalPages}}`; `more` where the total stopped being counted."""
    pages = -(-total // page.limit)
    pagination: dict[str, Any] = {"page": page.page, "limit": page.limit, "total": total, "totalPages": pages}
    return {"data": data, "pagination": {**pagination, "more": True} if more else pagination}
