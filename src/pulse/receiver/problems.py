"""Errors as `application/problem+json` (RFC 9457) with a stable `code`. The only statuses of the receiver are here."""

from collections.abc import Mapping
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from pulse.core.errors import InvalidFields, PulseError

STATUS: Mapping[str, int] = {
    "invalid_input": 400,
    "invalid_json": 400,
    "invalid_encoding": 400,
    "invalid_signature": 401,
    "unauthenticated": 401,
    "denied": 403,
    "forbidden": 403,
    "not_found": 404,
    "method_not_allowed": 405,
    "conflict": 409,
    "idempotency_conflict": 409,
    "too_large": 413,
    "unsupported_media_type": 415,
    "invalid_message": 422,
    "invalid_fields": 422,
    "too_many_requests": 429,
    "storage_full": 507,
    "storage_read_only": 507,
    "unavailable": 503,
    "storage_down": 503,
}
TITLES = {
    400: "The request cannot be read",
    401: "Not signed in",
    403: "Not allowed",
    404: "Not found",
    405: "Not possible here",
    409: "Conflict",
    413: "Too large",
    415: "Not a kind of body that is taken",
    422: "Not as it must be",
    429: "Too many at once",
    500: "Pulse failed",
    503: "Not available now",
    507: "No room left",
}


class TooManyRequests(PulseError):
    """Your organization sends faster than its messages can be stored. Slow down, then try again."""

    code = "too_many_requests"


class UnsupportedMediaType(PulseError):
    """Only JSON is taken here: send `Content-Type: application/json`."""

    code = "unsupported_media_type"


class InvalidEncoding(PulseError):
    """The compressed body cannot be unpacked."""

    code = "invalid_encoding"


class InvalidSignature(PulseError):
    """The signature does not fit the body: check that both sides use the same secret, and that the clock is right."""

    code = "invalid_signature"


class MethodNotAllowed(PulseError):
    """This address takes other methods."""

    code = "method_not_allowed"


def problem(error: PulseError) -> dict[str, Any]:
    """The body of an error."""
    status = STATUS.get(error.code, 500)
    body: dict[str, Any] = {"code": error.code, "title": TITLES[status], "status": status, "detail": error.message}
    if isinstance(error, InvalidFields):
        body["errors"] = [vars(fault) for fault in error.faults]
    return {**body, **{name: value for name, value in error.details.items() if name not in body}}


def problem_response(error: PulseError) -> Response:
    body = problem(error)
    headers = {}
    if body["status"] in (429, 503):
        headers["Retry-After"] = "1"
    if body["status"] == 429:
        headers |= {
            "RateLimit-Limit": str(error.details.get("limit", 0)),
            "RateLimit-Remaining": "0",
            "RateLimit-Reset": "1",
        }
    if body["status"] == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return Response(msgspec.json.encode(body), body["status"], headers, "application/problem+json")


async def on_pulse_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, PulseError)
    request.app.state.receiver.refused(error)
    return problem_response(error)
