"""What the console reads from a request before it reads the body."""

import pytest
from fastapi import Request

from pulse.console.access import refuse_nul, require_here, revision_of
from pulse.console.pages import paged
from pulse.core.errors import InvalidFields, NotFound
from pulse.tenancy.access import Principal
from pulse.workflows.records import Page


def request(path: str = "/", query: bytes = b"", **headers: str) -> Request:
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "path": path, "query_string": query, "headers": raw})


@pytest.mark.parametrize(
    ("text", "revision"),
    [
        ('"7"', 7),
        ('W/"7"', 7),
        ("7", 7),
        ('  "7"  ', 7),
        ("*", None),
        ('"0"', 0),
        ('"07"', 7),
        ("", -1),
        ('""', -1),
        ('"x"', -1),
        ('"7", "8"', -1),
        ('"-7"', -1),
        ('"7.0"', -1),
        ("w/7", -1),
        ('"' + "9" * 400 + '"', -1),
    ],
)
def test_the_revision_of_if_match(text: str, revision: int | None) -> None:
    """What is no revision of ours fits none: a write that depends on something is never made without it."""
    assert revision_of(request(if_match=text)) == revision


def test_without_if_match_a_write_depends_on_nothing() -> None:
    assert revision_of(request()) is None


def test_nul_in_an_address() -> None:
    refuse_nul(request("/api/messages/x", b"type=a&q=%C3%A9"))
    with pytest.raises(NotFound):
        refuse_nul(request("/api/messages/a\0b"))
    for query in (b"type=a%00", b"a%00=b", b"ok=1&q=%00"):
        with pytest.raises(InvalidFields):
            refuse_nul(request("/", query))


def test_what_belongs_to_another_environment_is_not_there() -> None:
    principal = Principal("org_1", "env_1", "key_1")
    require_here("wf_1", "env_1", principal)
    with pytest.raises(NotFound, match="wf_1"):
        require_here("wf_1", "env_2", principal)


@pytest.mark.parametrize(("total", "limit", "pages"), [(0, 10, 0), (1, 10, 1), (10, 10, 1), (11, 10, 2), (25, 1, 25)])
def test_pages(total: int, limit: int, pages: int) -> None:
    wanted = {"page": 1, "limit": limit, "total": total, "totalPages": pages}
    assert paged([], Page(1, limit), total) == {"data": [], "pagination": wanted}
    assert paged([], Page(1, limit), total, more=True)["pagination"] == {**wanted, "more": True}
