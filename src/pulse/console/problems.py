"""The console's errors: `{code, title, detail, errors?}` and its statuses."""

from collections.abc import Mapping

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from pulse.core.errors import (
    Conflict,
    Denied,
    Fault,
    InvalidFields,
    InvalidInput,
    NotFound,
    PulseError,
    StaleRevision,
    Unauthenticated,
    Unavailable,
)

STATUS: tuple[tuple[type[PulseError], int, str], ...] = (
    (Unauthenticated, 401, "Not signed in"),
    (Denied, 403, "Not allowed"),
    (NotFound, 404, "Not found"),
    (StaleRevision, 412, "Changed meanwhile"),
    (Conflict, 409, "Conflict"),
    (InvalidInput, 422, "Not as it must be"),
    (Unavailable, 503, "Not available now"),
)
HEADERS: Mapping[int, dict[str, str]] = {401: {"WWW-Authenticate": "Bearer"}, 503: {"Retry-After": "1"}}


async def on_pulse_error(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, PulseError)
    status, title = next(((s, t) for kind, s, t in STATUS if isinstance(error, kind)), (500, "Pulse failed"))
    body: dict[str, object] = {"code": error.code, "title": title, "detail": error.message}
    if isinstance(error, InvalidFields):
        body["errors"] = [vars(fault) for fault in error.faults]
    return JSONResponse(body, status, HEADERS.get(status))


async def on_invalid_request(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    faults = [Fault(_path(fault["loc"]), str(fault["type"]), str(fault["msg"])) for fault in error.errors()]
    return await on_pulse_error(request, InvalidFields(faults))


async def on_http_error(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    code = {404: "not_found", 405: "method_not_allowed"}.get(error.status_code, "error")
    body = {"code": code, "title": "Not possible here", "detail": str(error.detail)}
    return JSONResponse(body, error.status_code, getattr(error, "headers", None))


def _path(location: tuple[int | str, ...]) -> str:
    where = location[1:] if location and location[0] in ("body", "query", "path", "header") else location
    return ".".join(map(str, where))
