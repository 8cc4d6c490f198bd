"""Runs in the database: started, looked at, canceled, their failed cells tried again. The organization comes first."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import RowMapping, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from pulse.core.clock import Clock
from pulse.core.errors import Conflict, Fault, InvalidFields, NotFound
from pulse.core.ids import Ids
from pulse.prompts.records import SYSTEM, WHOLE, Part
from pulse.prompts.tables import PromptTables
from pulse.prompts.templates.records import Template
from pulse.prompts.templates.runs import plans
from pulse.prompts.templates.runs.faults import run_faults
from pulse.prompts.templates.runs.records import (
    Cell,
    CellState,
    Column,
    Plan,
    Row,
    Run,
    RunDraft,
    RunOutline,
    Variant,
)
from pulse.prompts.templates.store import TemplateStore
from pulse.storage.claims import READY, RUNNING
from pulse.storage.database import Database
from pulse.tenancy.audit.act import note

_STATES: Mapping[str, CellState] = {
    "ready": "waiting",
    "running": "running",
    "done": "done",
    "failed": "failed",
    "canceled": "canceled",
}
NO_ROW = Row("")
MAX_PLAN = 4_000_000
Faults = list[Fault]


class RunStore:
    """Runs and their cells. `on_start` hears that there is something to do, `on_cancel` of cells that were ended."""

    def __init__(
        self, database: Database, tables: PromptTables, templates: TemplateStore, ids: Ids, clock: Clock
    ) -> None:
        self._database = database
        self._tables = tables
        self._templates = templates
        self._ids = ids
        self._clock = clock
        self.on_start: Callable[[], None] = lambda: None
        self.on_cancel: Callable[[str], None] = lambda _cell_id: None

    async def start(self, organization_id: str, template_id: str, draft: RunDraft) -> Run:
        """A new run, all its cells waiting. Raises InvalidFields, NotFound for the template or its environment."""
        template = await self._templates.get(organization_id, template_id)
        faults = run_faults(draft)
        if faults:
            raise InvalidFields(faults)
        plan = await self._plan(template, draft)
        written = plans.written(plan)
        if len(written) > MAX_PLAN:
            words = f"What a run runs has at most {MAX_PLAN:,} characters in all: run fewer rows at a time."
            raise InvalidFields([Fault("rows", "too_large", words)])
        run_id, now = self._ids.new("prun"), self._clock.now_ms()
        row = {
            "id": run_id,
            "organization_id": organization_id,
            "environment_id": template.environment_id,
            "template_id": template_id,
            "plan": written,
            "created_at": now,
        }
        cells = [self._cell(organization_id, run_id, at) for at in range(len(plan.rows) * len(plan.columns))]
        async with self._database.write() as connection:
            await self._templates.places.hold(connection, organization_id, template.environment_id)
            await connection.execute(insert(self._tables.runs), [row])
            await connection.execute(insert(self._tables.cells), cells)
            note("prompt-run", run_id, template.name, template=template_id, cells=len(cells))
        self.on_start()
        return await self.get(organization_id, run_id)

    async def get(self, organization_id: str, run_id: str) -> Run:
        """The run as far as it is. Raises NotFound."""
        c = self._tables.cells.c
        query = select(c.id, c.place, c.state, c.result, c.completed_at).where(c.run_id == run_id).order_by(c.place)
        async with self._database.read() as connection:
            row = await self._one(connection, organization_id, run_id)
            cells = [_cell(cell) for cell in (await connection.execute(query)).mappings()]
        return Run(**{**row, "plan": plans.read(row["plan"])}, cells=tuple(cells))

    async def list(
        self, organization_id: str, template_id: str, part: Part = WHOLE
    ) -> tuple[Sequence[RunOutline], int]:
        """The runs of a template, newest first, and how many there are."""
        c = self._tables.runs.c
        mine = (c.organization_id == organization_id) & (c.template_id == template_id)
        query = select(c.id, c.template_id, c.created_at, c.canceled_at).where(mine)
        async with self._database.read() as connection:
            total = await connection.scalar(select(func.count()).select_from(self._tables.runs).where(mine))
            ordered = query.order_by(c.created_at.desc(), c.id.desc()).offset(part.offset).limit(part.limit)
            rows = (await connection.execute(ordered)).mappings().all()
            counts = await self._counts(connection, [row["id"] for row in rows])
        return [RunOutline(**row, cells=counts.get(row["id"], {})) for row in rows], total or 0

    async def cancel(self, organization_id: str, run_id: str) -> Run:
        """Ends what waits or runs; what is done stays. Raises NotFound; Conflict where the run is over."""
        c, runs = self._tables.cells.c, self._tables.runs
        now = self._clock.now_ms()
        open_ = (c.run_id == run_id) & c.state.in_((READY, RUNNING))
        ended = {"state": "canceled", "epoch": c.epoch + 1, "completed_at": now}
        async with self._database.write() as connection:
            await self._one(connection, organization_id, run_id, locked=True)
            statement = update(self._tables.cells).where(open_).values(ended).returning(c.id)
            canceled = list((await connection.execute(statement)).scalars())
            if not canceled:
                raise Conflict("This run is over already.")
            await connection.execute(update(runs).where(runs.c.id == run_id).values(canceled_at=now))
            note("prompt-run", run_id, canceled=len(canceled))
        for cell_id in canceled:
            self.on_cancel(cell_id)
        return await self.get(organization_id, run_id)

    async def retry(self, organization_id: str, run_id: str) -> Run:
        """Lets failed and canceled cells wait once more, as new ones. Raises NotFound; Conflict where there is none."""
        c, runs = self._tables.cells.c, self._tables.runs
        again = (c.run_id == run_id) & c.state.in_(("failed", "canceled"))
        async with self._database.write() as connection:
            await self._one(connection, organization_id, run_id, locked=True)
            statement = delete(self._tables.cells).where(again).returning(c.place)
            places = sorted((await connection.execute(statement)).scalars())
            if not places:
                raise Conflict("No cell of this run has failed or was canceled.")
            cells = [self._cell(organization_id, run_id, place) for place in places]
            await connection.execute(insert(self._tables.cells), cells)
            await connection.execute(update(runs).where(runs.c.id == run_id).values(canceled_at=None))
            note("prompt-run", run_id, retried=len(places))
        self.on_start()
        return await self.get(organization_id, run_id)

    async def delete(self, organization_id: str, run_id: str) -> None:
        """Deletes a run with its answers. Raises NotFound; Conflict while it runs."""
        cells, runs = self._tables.cells, self._tables.runs
        open_ = (cells.c.run_id == run_id) & cells.c.state.in_((READY, RUNNING))
        async with self._database.write() as connection:
            await self._one(connection, organization_id, run_id, locked=True)
            if await connection.scalar(select(cells.c.id).where(open_).limit(1)) is not None:
                raise Conflict("This run is still at work: cancel it first.")
            await connection.execute(delete(cells).where(cells.c.run_id == run_id))
            await connection.execute(delete(runs).where(runs.c.id == run_id))
            note("prompt-run", run_id, deleted=True)

    # ---- making a plan ---------------------------------------------------------------------------------------

    async def _plan(self, template: Template, draft: RunDraft) -> Plan:
        """What is run, with everything it refers to. Raises InvalidFields where something is not there."""
        async with self._database.read() as connection:
            faults = await self._configuration_faults(connection, template.organization_id, draft)
            rows = [*(await self._named_rows(connection, template, draft.set_ids, faults)), *draft.rows]
            columns = [
                await self._column(connection, template, at, variant, faults)
                for at, variant in enumerate(draft.variants)
            ]
        if faults:
            raise InvalidFields(faults)
        return Plan(
            columns=tuple(column for column in columns if column is not None),
            rows=tuple(rows) or (NO_ROW,),
            assertions=tuple(draft.assertions),
            sentiment=draft.sentiment,
            schema=draft.schema,
        )

    async def _configuration_faults(self, connection: AsyncConnection, organization_id: str, draft: RunDraft) -> Faults:
        """A fault for each place where a configuration is named that the organization has not."""
        named = _named_configurations(draft)
        c = self._tables.configurations.c
        usable = c.organization_id.in_((organization_id, SYSTEM)) & c.id.in_(sorted(set(named.values())))
        known = set(await connection.scalars(select(c.id).where(usable)))
        words = "There is no such model configuration."
        return [Fault(path, "unknown_configuration", words) for path, wanted in named.items() if wanted not in known]

    async def _named_rows(
        self, connection: AsyncConnection, template: Template, set_ids: Sequence[str], faults: Faults
    ) -> Sequence[Row]:
        c = self._tables.variable_sets.c
        query = select(c.id, c.name, c.contents).where(c.template_id == template.id, c.id.in_(list(set_ids)))
        found = {row.id: row for row in await connection.execute(query)}
        for at, set_id in enumerate(set_ids):
            if set_id not in found:
                faults.append(Fault(f"setIds.{at}", "unknown_set", "This template has no such set of values."))
        wanted = [found[set_id] for set_id in set_ids if set_id in found]
        return [Row(row.name, json.loads(row.contents)) for row in wanted]

    async def _column(
        self, connection: AsyncConnection, template: Template, at: int, variant: Variant, faults: Faults
    ) -> Column | None:
        version = template.version if variant.version is None else variant.version
        c = self._tables.versions.c
        query = select(c.text, c.system).where(c.template_id == template.id, c.version == version)
        row = (await connection.execute(query)).first()
        if row is None:
            words = f"This template has no version {version}."
            faults.append(Fault(f"variants.{at}.version", "unknown_version", words))
            return None
        options = (variant.temperature, variant.max_tokens)
        return Column(variant.configuration_id, version, row.text, row.system, *options)

    # ---- rows ------------------------------------------------------------------------------------------------

    def _cell(self, organization_id: str, run_id: str, place: int) -> dict[str, Any]:
        return {
            "id": self._ids.new("pcell"),
            "organization_id": organization_id,
            "state": READY,
            "due_at": 0,
            "run_id": run_id,
            "place": place,
        }

    async def _one(
        self, connection: AsyncConnection, organization_id: str, run_id: str, *, locked: bool = False
    ) -> RowMapping:
        c = self._tables.runs.c
        query = select(self._tables.runs).where(c.organization_id == organization_id, c.id == run_id)
        row = (await connection.execute(query.with_for_update() if locked else query)).mappings().first()
        if row is None:
            raise NotFound(f"There is no run {run_id!r}.")
        return row

    async def _counts(self, connection: AsyncConnection, run_ids: Sequence[str]) -> dict[str, dict[CellState, int]]:
        c = self._tables.cells.c
        query = select(c.run_id, c.state, func.count().label("cells")).where(c.run_id.in_(run_ids))
        counts: dict[str, dict[CellState, int]] = {}
        for row in await connection.execute(query.group_by(c.run_id, c.state)):
            counts.setdefault(row.run_id, {})[_STATES[row.state]] = row.cells
        return counts


def _named_configurations(draft: RunDraft) -> dict[str, str]:
    """The configurations that a run names, by the place where."""
    named = {f"variants.{at}.modelConfigurationId": each.configuration_id for at, each in enumerate(draft.variants)}
    for at, rule in enumerate(draft.assertions):
        if rule.get("modelConfigurationId"):
            named[f"assertions.{at}.modelConfigurationId"] = rule["modelConfigurationId"]
    if draft.sentiment not in (None, "lexicon"):
        named["sentiment"] = draft.sentiment or ""
    return named


def _cell(row: RowMapping) -> Cell:
    result = None if row["result"] is None else json.loads(row["result"])
    return Cell(row["id"], row["place"], _STATES[row["state"]], result, row["completed_at"])
