"""`/api/messages`: what was processed, and what can be done with it."""

from dataclasses import replace
from typing import Annotated, Any, Literal, cast

import msgspec
from fastapi import APIRouter, Depends, Query, Request, Response

from pulse.console.access import (
    MayCancelMessages,
    MayDeleteMessages,
    MayReadMessages,
    MayReplayMessages,
    own_environment,
    require_here,
)
from pulse.console.bodies import ReplayBody, ReplayOneBody
from pulse.console.pages import MAX_PAGE, paged
from pulse.console.routes import GuardedRoute
from pulse.console.times import time_of
from pulse.console.workflow_runs import stored_form
from pulse.core.clock import iso
from pulse.core.errors import Fault, InvalidFields
from pulse.messages.journal import Entry, Journal
from pulse.messages.keeping.retention import Retention
from pulse.messages.links import Links, family_tree
from pulse.messages.queue import MessageQueue
from pulse.messages.reading import Filter, MessageReader
from pulse.messages.records import OUTCOMES, StoredMessage
from pulse.messages.replay import Edits, Replay
from pulse.messages.result import document, summary
from pulse.messages.waiting import Waiting
from pulse.tenancy.access import Principal
from pulse.tenancy.audit.act import note
from pulse.workflows.records import Page

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
    wanted = Filter(principal.environment_id, status, type, workflow_id, q, time_of("from", from_), time_of("to", to))
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
    link = await _links(request).of(principal.organization_id, message_id)
    family = {"parentId": link.parent_id, "rootId": link.root_id} if link is not None else {}
    return Response(document(stored, family), media_type="application/json")


@router.get("/{message_id}/effects")
async def effects(message_id: str, principal: MayReadMessages, request: Request) -> Any:
    """What is recorded of a message's effects: while it runs, and after it has failed."""
    await _here(message_id, principal, request)
    journal: Journal = request.app.state.journal
    found = await journal.of(principal.organization_id, message_id)
    return {"data": [_effect(entry) for entry in found.entries] if found is not None else []}


@router.delete("/{message_id}", status_code=204)
async def remove(message_id: str, principal: MayDeleteMessages, request: Request) -> None:
    await _here(message_id, principal, request)
    retention: Retention = request.app.state.retention
    note("message", message_id, deleted=True)
    await retention.delete(principal.organization_id, message_id)


@router.post("/{message_id}/cancel")
async def cancel(message_id: str, principal: MayCancelMessages, request: Request) -> Any:
    await _here(message_id, principal, request)
    queue: MessageQueue = request.app.state.queue
    note("message", message_id, canceled=True)
    await queue.cancel(principal.organization_id, message_id)
    return {"id": message_id, "status": "canceled"}


@router.get("/{message_id}/tree")
async def tree(message_id: str, principal: MayReadMessages, request: Request) -> Any:
    """The message's whole family: what it was sent by, and everything that descends from the same root."""
    await _here(message_id, principal, request)
    links, reader = _links(request), cast(MessageReader, request.app.state.reader)
    own = await links.of(principal.organization_id, message_id)
    root = own.root_id if own is not None else message_id
    family = await links.descendants(principal.organization_id, root)
    rows = await reader.rows(principal.organization_id, [root, *(link.child_id for link in family)])
    return family_tree(root, family, {row.id: summary(row) for row in rows})


async def _to_replay(message_id: str, principal: MayReplayMessages, request: Request) -> StoredMessage:
    return await _here(message_id, principal, request)


@router.post("/{message_id}/replay", status_code=202)
async def replay(
    stored: Annotated[StoredMessage, Depends(_to_replay)],
    principal: MayReplayMessages,
    request: Request,
    body: ReplayOneBody | None = None,
) -> Any:
    message_id = stored.row.id
    sender: Replay = request.app.state.replay
    edits = _edits(body or ReplayOneBody(), stored, request.app.state.max_message_bytes)
    note("message", message_id, replayed=True)
    new_id = await sender.replay(principal.organization_id, message_id, edits)
    return {"messageId": new_id, "replayOf": message_id}


@router.post("/replay", status_code=202)
async def replay_many(body: ReplayBody, principal: MayReplayMessages, request: Request) -> Any:
    reader: MessageReader = request.app.state.reader
    sender: Replay = request.app.state.replay
    ids = await reader.ids(principal.organization_id, _wanted(body, principal), body.limit)
    if body.dry_run:
        return {"count": len(ids)}
    edits = Edits(old_version=body.version == "old", reuse_effects=body.reuse_effects)
    note("message", "", replayed=len(ids))
    sent = await sender.replay_all(principal.organization_id, ids, edits)
    more = {"next": ids[-1]} if len(ids) == body.limit else {}
    return {"count": len(sent), "skipped": len(ids) - len(sent), "messageIds": sent, **more}


def _effect(entry: Entry) -> dict[str, Any]:
    """An effect as people may see it: arguments without the values of variables, and what failed, but no answer."""
    shown: dict[str, Any] = {
        "seq": entry.seq,
        "function": entry.function,
        "arguments": entry.arguments.decode(errors="replace"),
        "state": entry.state,
        "key": entry.key,
    }
    if entry.is_answered:
        shown["answeredAt"] = iso(entry.at)
    if entry.state == "failed":
        shown["error"] = msgspec.json.decode(entry.answer)
    return shown


def _edits(body: ReplayOneBody, stored: StoredMessage, limit: int) -> Edits:
    """What the body says of the replay. Raises InvalidFields, TooLarge."""
    payload = None
    if body.message is not None and "payload" in body.model_fields_set:
        raise InvalidFields([Fault("payload", "not_both", "Give another payload or another message, not both.")])
    if body.message is not None:
        place = {"organizationId": stored.row.organization_id, "environmentId": stored.row.environment_id}
        payload = stored_form({**body.message, **place}, limit)
    elif "payload" in body.model_fields_set:
        payload = stored_form({**msgspec.json.decode(stored.payload), "payload": body.payload}, limit)
    return Edits(payload, old_version=body.version == "old", reuse_effects=body.reuse_effects)


def _wanted(body: ReplayBody, principal: Principal) -> Filter:
    here = own_environment(principal, None, body.environment_id)
    wanted = Filter(
        environment_id=here,
        status=body.status,
        type=body.type,
        workflow_id=body.workflow_id,
        since=time_of("from", body.from_),
        until=time_of("to", body.to),
        ids=tuple(body.ids or ()),
        after=body.after,
    )
    if replace(wanted, after=None) == Filter(environment_id=here):
        raise InvalidFields([Fault("", "no_filter", "Say which messages to replay: a status, a time, or their ids.")])
    return wanted


def _links(request: Request) -> Links:
    links: Links = request.app.state.links
    return links


async def _here(message_id: str, principal: Principal, request: Request) -> StoredMessage:
    reader: MessageReader = request.app.state.reader
    found = await reader.message(principal.organization_id, message_id)
    require_here(message_id, found.row.environment_id, principal)
    return found
