"""What every route does before its own work: who asks, whether they may, and only then is the body read, strictly.

So refusals come in the promised order (401, 403, 404, 422, 412), nobody unknown can make Pulse read or parse anything,
and a body is the same JSON that the receiver would take.
"""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from starlette.types import Receive, Scope

from pulse.console.problems import NotJson
from pulse.core.errors import Fault, InvalidFields, TooLarge
from pulse.core.json import parse

MAX_BODY_BYTES = 8 << 20
# A workflow may be a hundred nodes deep, and each costs two levels; a thousand nodes have a few dozen names each.
MAX_DEPTH = 300
MAX_KEYS = 200_000
PLACE = {"organizationId", "environmentId"}


class GuardedRoute(APIRoute):
    """A route whose permission is checked first of all."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()
        checks = permissions(self.dependant)
        known = PLACE | {field.alias for field in self.dependant.query_params}
        takes_body = self.body_field is not None

        async def guarded(request: Request) -> Response:
            for check in checks:
                await check(request)
            _refuse_unknown(request, known)
            return await handle(await _with_json(request) if takes_body else request)

        return guarded


def permissions(dependant: Dependant) -> list[Any]:
    """The checks that a route depends on, at any depth; each has the attribute `permission`."""
    own = [dependant.call] if hasattr(dependant.call, "permission") else []
    below = [check for one in dependant.dependencies for check in permissions(one)]
    return list(dict.fromkeys([*own, *below]))


class _JsonRequest(Request):
    """A request whose body has been read and parsed."""

    def __init__(self, scope: Scope, receive: Receive, raw: bytes) -> None:
        super().__init__(scope, receive)
        self._raw = raw
        self._value = parse(raw, max_depth=MAX_DEPTH, max_keys=MAX_KEYS) if raw else None

    async def body(self) -> bytes:
        return self._raw

    async def json(self) -> Any:
        return self._value


def _refuse_unknown(request: Request, known: set[str]) -> None:
    faults = [
        Fault(name, "unknown_parameter", f"There is no parameter {name!r} here.")
        for name in request.query_params
        if name not in known
    ]
    if faults:
        raise InvalidFields(faults)


async def _with_json(request: Request) -> Request:
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > MAX_BODY_BYTES:
            raise TooLarge(f"The body has more than {MAX_BODY_BYTES} bytes.", limit=MAX_BODY_BYTES, size=size)
        parts.append(part)
    if size and not _is_json(request.headers.get("content-type", "")):
        raise NotJson
    return _JsonRequest(request.scope, request.receive, b"".join(parts))


def _is_json(content_type: str) -> bool:
    media = content_type.partition(";")[0].strip().lower()
    return media == "application/json" or (media.startswith("application/") and media.endswith("+json"))
