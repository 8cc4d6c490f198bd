"""`/api/prompt-templates/{id}/runs`: a template over rows of values and variants, and the answers as they come."""

from collections import Counter
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request

from pulse.console.models.bodies import RunBody
from pulse.console.models.rights import MayReadPrompts, MayRunPrompts
from pulse.console.models.templates import ToRead, ToRun
from pulse.console.pages import MAX_PAGE, paged
from pulse.console.routes import GuardedRoute
from pulse.core.clock import iso
from pulse.core.errors import Fault, InvalidFields, NotFound
from pulse.prompts.configurations import ConfigurationStore
from pulse.prompts.records import Part
from pulse.prompts.templates.records import Template
from pulse.prompts.templates.runs.records import Cell, Row, Run, RunDraft, RunOutline, Variant
from pulse.prompts.templates.runs.store import RunStore
from pulse.tenancy.access import Principal
from pulse.workflows.records import Page

PATH = "/prompt-templates/{template_id}/runs"
router = APIRouter(prefix=PATH, tags=["prompt templates"], route_class=GuardedRoute)


async def _here(template_id: str, run_id: str, principal: Principal, request: Request) -> Run:
    """The run, whose template may have been deleted since. Raises NotFound."""
    found = await _store(request).get(principal.organization_id, run_id)
    if (found.template_id, found.environment_id) != (template_id, principal.environment_id):
        raise NotFound(f"This template has no run {run_id!r}.")
    return found


async def _run_to_change(template_id: str, run_id: str, principal: MayRunPrompts, request: Request) -> Run:
    return await _here(template_id, run_id, principal, request)


RunToChange = Annotated[Run, Depends(_run_to_change)]


@router.post("", status_code=201)
async def start(found: ToRun, body: RunBody, request: Request) -> Any:
    """Starts a run. Its cells are filled one after another: read it again to see how far it is."""
    draft = _draft(body, await _variants(found, body, request))
    return _shown(await _store(request).start(found.organization_id, found.id, draft))


@router.get("")
async def list_runs(
    found: ToRead,
    request: Request,
    page: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 1,
    limit: Annotated[int, Query(ge=1, le=1000)] = 10,
) -> Any:
    """Newest first, without cells."""
    wanted = Page(page, limit)
    rows, total = await _store(request).list(found.organization_id, found.id, Part(wanted.offset, limit))
    return paged([_outline(row) for row in rows], wanted, total)


@router.get("/{run_id}")
async def read(template_id: str, run_id: str, principal: MayReadPrompts, request: Request) -> Any:
    return _shown(await _here(template_id, run_id, principal, request))


@router.post("/{run_id}/cancel")
async def cancel(found: RunToChange, request: Request) -> Any:
    return _shown(await _store(request).cancel(found.organization_id, found.id))


@router.post("/{run_id}/retry")
async def retry(found: RunToChange, request: Request) -> Any:
    """Asks once more what has failed or was canceled."""
    return _shown(await _store(request).retry(found.organization_id, found.id))


@router.delete("/{run_id}", status_code=204)
async def remove(found: RunToChange, request: Request) -> None:
    await _store(request).delete(found.organization_id, found.id)


async def _variants(template: Template, body: RunBody, request: Request) -> list[Variant]:
    """The variants that are named or else the template's model, or else the default one. Raises InvalidFields."""
    if body.variants:
        return [Variant(each.model_configuration_id, *_options(each)) for each in body.variants]
    if template.configuration_id is not None:
        return [Variant(template.configuration_id)]
    configurations: ConfigurationStore = request.app.state.models.configurations
    try:
        return [Variant((await configurations.default_of(template.organization_id)).id)]
    except NotFound as error:
        raise InvalidFields([Fault("variants", "missing", error.message)]) from None


def _options(variant: Any) -> tuple[Any, ...]:
    return variant.version, variant.temperature, variant.max_tokens


def _draft(body: RunBody, variants: list[Variant]) -> RunDraft:
    rows = enumerate(body.rows, len(body.set_ids) + 1)
    return RunDraft(
        variants=variants,
        set_ids=body.set_ids,
        rows=[Row(row.name or f"row {number}", row.values, row.images) for number, row in rows],
        assertions=body.assertions,
        sentiment=body.sentiment,
        schema=body.schema_,
    )


def _shown(run: Run) -> dict[str, Any]:
    """A run with everything that it runs and its cells, row by row; costs are in millionths of a dollar."""
    plan = run.plan
    return {
        "id": run.id,
        "organizationId": run.organization_id,
        "environmentId": run.environment_id,
        "templateId": run.template_id,
        "status": run.status,
        "counts": dict(Counter(cell.state for cell in run.cells)),
        "costMicros": sum(_cost(cell) for cell in run.cells),
        "variants": [
            {
                "modelConfigurationId": column.configuration_id,
                "version": column.version,
                "text": column.text,
                "system": column.system,
                "temperature": column.temperature,
                "maxTokens": column.max_tokens,
            }
            for column in plan.columns
        ],
        "rows": [{"name": row.name, "values": row.values, "images": list(row.images)} for row in plan.rows],
        "assertions": list(plan.assertions),
        "sentiment": plan.sentiment,
        "schema": plan.schema,
        "cells": [_cell(cell, len(plan.columns)) for cell in run.cells],
        **_times(run),
    }


def _outline(run: RunOutline) -> dict[str, Any]:
    shown = {"id": run.id, "templateId": run.template_id, "status": run.status, "counts": run.cells}
    return {**shown, **_times(run)}


def _times(run: Run | RunOutline) -> dict[str, str | None]:
    canceled = run.canceled_at
    return {"createdAt": iso(run.created_at), "canceledAt": None if canceled is None else iso(canceled)}


def _cell(cell: Cell, columns: int) -> dict[str, Any]:
    """`row` and `variant` count from 0; `result` is as results.py says."""
    row, variant = divmod(cell.place, columns)
    ended = cell.completed_at
    shown = {"id": cell.id, "row": row, "variant": variant, "state": cell.state, "result": cell.result}
    return {**shown, "completedAt": None if ended is None else iso(ended)}


def _cost(cell: Cell) -> int:
    found = cell.result or {}
    return int(found.get("costMicros", 0)) + int(found.get("checkCostMicros", 0))


def _store(request: Request) -> RunStore:
    store: RunStore = request.app.state.prompts.runs
    return store
