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
    TooLarge,
    Unauthenticated,
    Unavailable,
)
from pulse.tenancy.people.attempts import TooManyAttempts


class NotJson(InvalidInput):
    """Only JSON is taken here: send `Content-Type: application/json`."""

    code = "unsupported_media_type"


STATUS: tuple[tuple[type[PulseError], int, str], ...] = (
    (Unauthenticated, 401, "Not signed in"),
    (Denied, 403, "Not allowed"),
    (TooManyAttempts, 429, "Too many attempts"),
    (NotFound, 404, "Not found"),
    (StaleRevision, 412, "Changed meanwhile"),
    (Conflict, 409, "Conflict"),
    (TooLarge, 413, "Too large"),
    (NotJson, 415, "Not a kind of body that is taken"),
    (InvalidInput, 422, "Not as it must be"),
    (Unavailable, 503, "Not available now"),
)
WORDS: Mapping[str, str] = {
    "missing": "This is needed.",
    "extra_forbidden": "There is no such field.",
    "model_attributes_type": "This is a JSON object.",
}
HEADERS: Mapping[int, dict[str, str]] = {401: {"WWW-Authenticate": "Bearer"}, 503: {"Retry-After": "1"}}


async def on_pulse_error(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, PulseError)
    status, title = next(((s, t) for kind, s, t in STATUS if isinstance(error, kind)), (500, "Pulse failed"))
    body: dict[str, object] = {"code": error.code, "title": title, "detail": error.message}
    if isinstance(error, InvalidFields):
        body["errors"] = [vars(fault) for fault in error.faults]
    waits = {"Retry-After": str(error.details["retry_after"])} if "retry_after" in error.details else {}
    return JSONResponse(body, status, {**HEADERS.get(status, {}), **waits})


async def on_invalid_request(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    faults = [_fault(fault["loc"], str(fault["type"]), str(fault["msg"])) for fault in error.errors()]
    return await on_pulse_error(request, InvalidFields(faults))


async def on_http_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    if error.status_code == 404:
        return await on_pulse_error(request, NotFound("There is nothing at this address."))
    known = error.status_code == 405
    detail = f"This address does not take {request.method}." if known else f"{error.detail}."
    body = {"code": "method_not_allowed" if known else "error", "title": "Not possible here", "detail": detail}
    return JSONResponse(body, error.status_code, error.headers)


async def on_failure(request: Request, _error: Exception) -> JSONResponse:
    return await on_pulse_error(request, PulseError("Pulse failed to answer this request. Its log says why."))


def _fault(location: tuple[int | str, ...], code: str, message: str) -> Fault:
    return Fault(_path(location), code, WORDS.get(code, f"{message}."))


def _path(location: tuple[int | str, ...]) -> str:
    where = location[1:] if location and location[0] in ("body", "query", "path", "header") else location
    return ".".join(map(str, where))
