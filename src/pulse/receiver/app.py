"""The receiver's routes (spec: interfaces, "HTTP, receiver")."""

from collections.abc import Awaitable, Callable, Mapping

import msgspec
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ExceptionHandler

from pulse.core.errors import Fault, InvalidFields, NotFound, PulseError
from pulse.messages.result import document
from pulse.receiver.bodies import envelope, headers_of, read_body, require_json, require_json_hook
from pulse.receiver.problems import MethodNotAllowed, on_pulse_error, problem_response
from pulse.receiver.receiver import Receiver, accepted_body, addressing, split_batch

NDJSON = ("application/x-ndjson", "application/ndjson", "application/jsonl")
MAX_BATCH_BYTES = 8 << 20
MAX_WAIT_S = 60.0
Check = Callable[[], Awaitable[str | None]]


def routes(checks: Mapping[str, Check], notes: Mapping[str, Check], registry: CollectorRegistry) -> list[Route]:
    """The receiver's routes; `checks` answer None when their part is well, or say what is wrong with it.

    So do `notes`, for parts without which messages are taken and evaluated all the same.
    """

    async def ready(_request: Request) -> Response:
        found = {name: await check() for name, check in {**checks, **notes}.items()}
        well = all(found[name] is None for name in checks)
        parts = {name: trouble or "ok" for name, trouble in found.items()}
        return _json({"status": "ready" if well else "not_ready", "checks": parts}, 200 if well else 503)

    async def metrics(_request: Request) -> Response:
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    return [
        Route("/v1/messages", post_message, methods=["POST"]),
        Route("/v1/messages/batch", post_batch, methods=["POST"]),
        Route("/v1/hooks/{source}", post_hook, methods=["POST"]),
        Route("/healthz", healthy),
        Route("/readyz", ready),
        Route("/metrics", metrics),
    ]


async def post_message(request: Request) -> Response:
    receiver: Receiver = request.app.state.receiver
    headers, query = headers_of(request), _query_of(request)
    principal = await receiver.principal(headers.get("authorization"), query)
    seconds = _wait_of(query)
    require_json(headers)
    raw = await read_body(request, headers, receiver.max_message_bytes)
    keys = addressing(headers.get("idempotency-key"), headers.get("pulse-partition-key"))
    accepted = await receiver.accept(principal, envelope(raw, principal), raw, keys)
    if seconds > 0:
        stored = await receiver.outcome(principal, accepted.id, seconds)
        if stored is not None:
            return Response(document(stored), 200, media_type="application/json")
    return _json(accepted_body(accepted), 202)


async def post_batch(request: Request) -> Response:
    receiver: Receiver = request.app.state.receiver
    headers = headers_of(request)
    principal = await receiver.principal(headers.get("authorization"), _query_of(request))
    media = require_json(headers, *NDJSON)
    body = await read_body(request, headers, MAX_BATCH_BYTES)
    return _json(await receiver.accept_batch(principal, split_batch(body, lines=media in NDJSON)), 202)


async def post_hook(request: Request) -> Response:
    receiver: Receiver = request.app.state.receiver
    headers = headers_of(request)
    require_json_hook(headers)
    raw = await read_body(request, headers, receiver.max_message_bytes)
    accepted = await receiver.accept_hook(request.path_params["source"], headers, raw)
    if isinstance(accepted, str):
        return _json({"challenge": accepted}, 200)
    return _json(accepted_body(accepted), 202)


async def healthy(_request: Request) -> Response:
    return _json({"status": "ok"}, 200)


async def on_http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code != 405:
        return await on_pulse_error(request, NotFound("There is nothing at this address."))
    response = await on_pulse_error(request, MethodNotAllowed(f"This address does not take {request.method}."))
    response.headers.update(error.headers or {})
    return response


async def on_failure(_request: Request, _error: Exception) -> Response:
    return problem_response(PulseError("Pulse failed to answer this request. Its log says why."))


HANDLERS: dict[type[Exception] | int, ExceptionHandler] = {
    PulseError: on_pulse_error,
    HTTPException: on_http_error,
    Exception: on_failure,
}


def _query_of(request: Request) -> Mapping[str, str]:
    return request.query_params if request.scope["query_string"] else {}


def _wait_of(query: Mapping[str, str]) -> float:
    text = query.get("wait")
    if text is None:
        return 0.0
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= MAX_WAIT_S:
        raise InvalidFields(
            [Fault("wait", "invalid_number", f"wait is a number of seconds from 0 to {MAX_WAIT_S:.0f}.")]
        )
    return seconds


def _json(body: object, status: int) -> Response:
    return Response(msgspec.json.encode(body), status, media_type="application/json")
