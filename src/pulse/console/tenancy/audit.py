"""`/api/audit`: who changed what, and who was refused; sealed into a chain that can be verified elsewhere."""

from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import StreamingResponse

from pulse.console.access import may
from pulse.console.pages import MAX_PAGE, paged
from pulse.console.routes import GuardedRoute
from pulse.console.times import time_of
from pulse.core.ids import is_id
from pulse.storage.narrowing import narrowed
from pulse.tenancy.access import Principal
from pulse.tenancy.audit.audit import Audit
from pulse.tenancy.audit.chain import canonical, shown
from pulse.tenancy.audit.reading import AuditReader
from pulse.tenancy.audit.records import Entry, Wanted
from pulse.tenancy.store import TenancyStore
from pulse.workflows.records import Page

router = APIRouter(prefix="/audit", tags=["administration"], route_class=GuardedRoute)
MayReadAudit = Annotated[Principal, Depends(may("audit:read", anywhere=True))]
Text = Annotated[str | None, Query(max_length=200)]


async def _chain(principal: MayReadAudit, request: Request) -> str:
    """Whose chain: the operator's is the installation's own, unless an organization is named."""
    wanted = request.query_params.get("organizationId")
    if not principal.system or not wanted:
        return principal.organization_id
    if is_id(wanted, "org"):
        # What was done in an organization outlasts it.
        return wanted
    tenancy: TenancyStore = request.app.state.tenancy
    return (await tenancy.organization(wanted)).id


def _wanted(  # noqa: PLR0917 - each is a parameter of the query
    actor: Text = None,
    action: Text = None,
    subject_kind: Annotated[str | None, Query(alias="subjectKind", max_length=200)] = None,
    subject_id: Annotated[str | None, Query(alias="subjectId", max_length=200)] = None,
    from_: Annotated[str | None, Query(alias="from")] = None,
    to: str | None = None,
    text: Text = None,
) -> Wanted:
    return Wanted(actor, action, subject_kind, subject_id, time_of("from", from_), time_of("to", to), text)


NDJSON: dict[str, Any] = {"content": {"application/x-ndjson": {"schema": {"type": "string"}}}}
Chain = Annotated[str, Depends(_chain)]
Which = Annotated[Wanted, Depends(_wanted)]


@router.get("")
async def entries(
    organization_id: Chain,
    wanted: Which,
    request: Request,
    page: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 1,
    limit: Annotated[int, Query(ge=1, le=1000)] = 10,
) -> Any:
    """Newest first. `actor` is an id or a kind; an entry has its `sequence` and `hash` within seconds."""
    asked = Page(page, limit)
    found = await _audit(request).reader.page(organization_id, wanted, offset=asked.offset, limit=asked.limit)
    return paged([_entry(entry) for entry in found.entries], asked, found.total, more=found.more)


@router.get("/export", response_class=StreamingResponse, responses={200: NDJSON})
async def export(organization_id: Chain, wanted: Which, request: Request) -> StreamingResponse:
    """All that match as NDJSON, in the order of the chain. Without filters it is the whole chain.

    `hash` is SHA-256 (hex) of the previous hash's bytes (32 zero bytes at first), followed by the line's JSON without
    `hash`, with the names of each object sorted and no spaces.
    """
    await _audit(request).sealer.seal_chain(organization_id)
    lines = _lines(_audit(request).reader, organization_id, wanted)
    headers = {"Content-Disposition": 'attachment; filename="audit.ndjson"'}
    return StreamingResponse(lines, media_type="application/x-ndjson", headers=headers)


async def _lines(reader: AuditReader, organization_id: str, wanted: Wanted) -> AsyncIterator[bytes]:
    # The answer is sent when the request's own block is over. Of the operator's chain, there is no organization.
    with narrowed(organization_id):
        async for entry in reader.sealed(organization_id, wanted):
            yield canonical(_entry(entry)) + b"\n"


def _entry(entry: Entry) -> dict[str, Any]:
    return {**shown(entry), "hash": entry.hash.hex() if entry.hash is not None else None}


def _audit(request: Request) -> Audit:
    audit: Audit = request.app.state.audit
    return audit
