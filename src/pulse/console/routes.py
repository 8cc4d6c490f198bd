"""What every route does before its own work: who asks, whether they may, and only then is the body read, strictly.

So refusals come in the promised order (401, 403, 404, 422, 412), nobody unknown can make Pulse read or parse anything,
and a body is the same JSON that the receiver would take. What a request changes is its act, for the audit.
"""

from collections.abc import Callable, Coroutine
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import structlog
from fastapi import Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from starlette.types import Receive, Scope

from pulse.console.problems import NotJson
from pulse.core.errors import Fault, Forbidden, InvalidFields, NotFound, PulseError, TooLarge
from pulse.core.ids import is_id
from pulse.core.json import parse
from pulse.prompts.records import SYSTEM
from pulse.storage.narrowing import narrowed
from pulse.tenancy.access import SCRIPTS, Principal
from pulse.tenancy.audit.act import Act, Actor, acting
from pulse.tenancy.audit.audit import Audit
from pulse.tenancy.audit.log import AuditLog

log = structlog.get_logger(__name__)
SAFE = {"GET", "HEAD", "OPTIONS"}
# What the audit keeps of an address.
MAX_PATH = 500
MAX_ADDRESS = 100
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
        known = PLACE | parameters(self.dependant)
        takes_body, action = self.body_field is not None, str(checks[0].permission)

        async def guarded(request: Request) -> Response:
            asked = Asked(request, action)
            async with asked:
                for check in checks:
                    asked.let_in(await check(request))
                _refuse_unknown(request, known)
                with asked.acting(), asked.narrowed():
                    response = await handle(await _with_json(request) if takes_body else request)
            # What one person may see is nothing for a proxy, or for the next one at the same browser.
            response.headers.setdefault("Cache-Control", "no-store")
            return response

        return guarded


def permissions(dependant: Dependant) -> list[Any]:
    """The checks that a route depends on, at any depth; each has the attribute `permission`."""
    own = [dependant.call] if hasattr(dependant.call, "permission") else []
    below = [check for one in dependant.dependencies for check in permissions(one)]
    return list(dict.fromkeys([*own, *below]))


def parameters(dependant: Dependant) -> set[str]:
    """The parameters of a query that a route takes, at any depth."""
    own = {field.alias for field in dependant.query_params}
    return own.union(*map(parameters, dependant.dependencies))


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


# ---- for the audit -----------------------------------------------------------------------------------------------


class Asked:
    """A request for an action, as a block around all of it: a refusal of a right that leaves it is written down."""

    def __init__(self, request: Request, action: str) -> None:
        self._request = request
        self._action = action
        self._principal: Principal | None = None
        self._is_in = False

    def let_in(self, principal: Principal | None) -> None:
        """The request has the right; `principal` is for whom and where, if anybody is known."""
        self._principal, self._is_in = principal, True

    def acting(self) -> AbstractContextManager[None]:
        """The block in which it does what it asked for. To read is no act."""
        return nullcontext() if self._request.method in SAFE else acting(self._act(self._principal))

    def narrowed(self) -> AbstractContextManager[None]:
        """The block in which the database itself keeps it to its organization. The operator's is every one."""
        who = self._principal
        return narrowed("" if who is None or who.system else who.organization_id)

    async def __aenter__(self) -> None:
        return None

    async def __aexit__(self, _kind: Any, error: BaseException | None, _trace: Any) -> None:
        who = self._principal if self._is_in else getattr(self._request.state, "principal", None)
        if not isinstance(error, PulseError) or not self._is_refusal(error, who):
            return
        try:
            await _audit(self._request).refused(self._act(who), error.code)
        except PulseError as trouble:
            # A database that cannot take it changes no answer.
            log.warning("refusal_not_noted", action=self._action, reason=trouble.message)

    def _is_refusal(self, error: PulseError, who: Principal | None) -> bool:
        """Whether a right is missing, which may look as if nothing were there."""
        if isinstance(error, NotFound):
            asked_elsewhere = not self._is_in and who is not None and not who.system
            return asked_elsewhere or bool(error.details.get("elsewhere"))
        return isinstance(error, Forbidden)

    def _act(self, who: Principal | None) -> Act:
        request = self._request
        return Act(
            actor=_actor(who, request),
            action=self._action,
            at=_audit(request).now_ms(),
            organization_id=_organization(who, request),
            environment_id=who.environment_id if who is not None else "",
            method=request.method,
            path=_storable(request.url.path)[:MAX_PATH],
            address=_storable(request.client.host)[:MAX_ADDRESS] if request.client is not None else "",
        )


def _organization(who: Principal | None, request: Request) -> str:
    """Whose chain it belongs to; for the operator also the organization that the path names."""
    if who is None:
        return ""
    named = str(request.path_params.get("organization_id", ""))
    if who.system and not who.organization_id and is_id(named, "org"):
        return named
    return "" if who.organization_id == SYSTEM else who.organization_id


def _actor(principal: Principal | None, request: Request) -> Actor:
    if principal is None:
        return Actor("anyone")
    if principal.user_id:
        return Actor("user", principal.user_id)
    if principal.key_id == SCRIPTS:
        # An effect's key begins with the id of its message; Pulse itself sends it.
        message_id = request.headers.get("idempotency-key", "").partition(":")[0]
        return Actor("script", message_id if is_id(message_id, "msg") else "")
    return Actor("local") if principal.system else Actor("key", principal.key_id)


def _storable(text: str) -> str:
    return text.encode(errors="replace").decode().replace("\0", "")


def _audit(request: Request) -> AuditLog:
    audit: Audit = request.app.state.audit
    return audit.log
