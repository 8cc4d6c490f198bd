"""`/api/messages`: what was processed, and what can be done with it."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response

from pulse.console.access import (
    MayCancelMessages,
    MayDeleteMessages,
    MayReadMessages,
    MayReplayMessages,
    own_environment,
    require_here,
)
from pulse.console.bodies import ReplayBody
from pulse.console.pages import MAX_PAGE, paged
from pulse.console.routes import GuardedRoute
from pulse.core.clock import parse_iso
from pulse.core.errors import Fault, InvalidFields
from pulse.messages.queue import MessageQueue
from pulse.messages.reading import Filter, MessageReader
from pulse.messages.records import OUTCOMES, StoredMessage
from pulse.messages.replay import Replay
from pulse.messages.result import document, summary
from pulse.messages.retention import Retention
from pulse.messages.waiting import Waiting
from pulse.tenancy.access import Principal
from pulse.workflows.store import Page

router = APIRouter(prefix="/messages", tags=["messages"], route_class=GuardedRoute)
Status = Literal["pending", "held", "success", "fail", "ignore", "canceled"]


@router.get("")
async def list_messages(  # noqa: PLR0917 - each is a parameter of the query
    principal: MayReadMessages,
    request: Request,
    status: Status | None = None,
    type: str | None = None,  # noqa: A002 - the documented name
    workflow_id: Annotated[str | None, Query(alias="workflowId")] = None,
    q: Annotated[str | None, Query(max_length=200)] = None,
    from_: Annotated[str | None, Query(alias="from")] = None,
    to: str | None = None,
    sort: Literal["receivedAt", "-receivedAt"] = "-receivedAt",
    page: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 1,
    limit: Annotated[int, Query(ge=1, le=1000)] = 10,
) -> Any:
    wanted = Filter(principal.environment_id, status, type, workflow_id, q, _time("from", from_), _time("to", to))
    reader: MessageReader = request.app.state.reader
    newest_first = sort.startswith("-")
    found = await reader.page(principal.organization_id, wanted, page=page, limit=limit, newest_first=newest_first)
    return paged([summary(row) for row in found.rows], Page(page, limit), found.total, more=found.more)


@router.get("/{message_id}")
async def read(
    message_id: str,
    principal: MayReadMessages,
    request: Request,
    wait: Annotated[float, Query(ge=0, le=60)] = 0,
) -> Response:
    waiting: Waiting = request.app.state.waiting
    stored = await _here(message_id, principal, request)
    if wait and stored.row.status not in OUTCOMES:
        stored = await waiting.outcome(principal.organization_id, message_id, wait) or stored
    return Response(document(stored), media_type="application/json")


@router.delete("/{message_id}", status_code=204)
async def remove(message_id: str, principal: MayDeleteMessages, request: Request) -> None:
    await _here(message_id, principal, request)
    retention: Retention = request.app.state.retention
    await retention.delete(principal.organization_id, message_id)


@router.post("/{message_id}/cancel")
async def cancel(message_id: str, principal: MayCancelMessages, request: Request) -> Any:
    await _here(message_id, principal, request)
    queue: MessageQueue = request.app.state.queue
    await queue.cancel(principal.organization_id, message_id)
    return {"id": message_id, "status": "canceled"}


@router.post("/{message_id}/replay", status_code=202)
async def replay(message_id: str, principal: MayReplayMessages, request: Request) -> Any:
    await _here(message_id, principal, request)
    sender: Replay = request.app.state.replay
    return {"messageId": await sender.replay(principal.organization_id, message_id), "replayOf": message_id}


@router.post("/replay", status_code=202)
async def replay_many(body: ReplayBody, principal: MayReplayMessages, request: Request) -> Any:
    reader: MessageReader = request.app.state.reader
    sender: Replay = request.app.state.replay
    ids = await reader.ids(principal.organization_id, _wanted(body, principal), body.limit)
    if body.dry_run:
        return {"count": len(ids)}
    sent = [await sender.replay(principal.organization_id, message_id) for message_id in ids]
    return {"count": len(sent), "messageIds": sent}


def _wanted(body: ReplayBody, principal: Principal) -> Filter:
    here = own_environment(principal, None, body.environment_id)
    wanted = Filter(
        environment_id=here,
        status=body.status,
        type=body.type,
        workflow_id=body.workflow_id,
        since=_time("from", body.from_),
        until=_time("to", body.to),
        ids=tuple(body.ids or ()),
    )
    if wanted == Filter(environment_id=here):
        raise InvalidFields([Fault("", "no_filter", "Say which messages to replay: a status, a time, or their ids.")])
    return wanted


async def _here(message_id: str, principal: Principal, request: Request) -> StoredMessage:
    reader: MessageReader = request.app.state.reader
    found = await reader.message(principal.organization_id, message_id)
    require_here(message_id, found.row.environment_id, principal)
    return found


def _time(name: str, text: str | None) -> int | None:
    if text is None:
        return None
    try:
        return parse_iso(text)
    except ValueError:
        words = f"{name} is a time such as 2026-01-31T12:00:00Z."
        raise InvalidFields([Fault(name, "invalid_time", words)]) from None
