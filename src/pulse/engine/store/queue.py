"""Runs as a worker sees them: claimed with all that driving them takes, renewed, handed back, woken."""

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, bindparam, case, literal, select

from pulse.core.clock import Clock
from pulse.engine.records import TriggerEnvelope
from pulse.engine.rules.progress import News
from pulse.engine.store.definitions import DefinitionStore
from pulse.engine.store.forms.records import Records
from pulse.engine.store.forms.steps import StepRows
from pulse.engine.store.forms.tables import DONE, TENANT, EngineTables
from pulse.engine.store.forms.values import moment_at, moment_text, plain_json
from pulse.engine.store.ground import Ground
from pulse.engine.store.held import Held, begun, entry
from pulse.storage.claims import NEVER, Claimed, Claims, chunks
from pulse.storage.database import Database
from pulse.storage.turns import TenantLimit
from pulse.storage.types import MOMENT


def run_claims(
    database: Database, tables: EngineTables, owner: str, clock: Clock, lease_ms: int, tenant_limit: int | None
) -> Claims:
    """Claims on runs: a claim makes a run `running`, says when it began, and ends its being held back."""
    c = tables.runs.c
    now: Any = _Now(clock, database)
    also = {
        "status": literal("running"),
        "started_at": case((c.started_at.is_(None), now.expression()), else_=c.started_at),
        "debounce_key": None,
    }
    limit = None if tenant_limit is None else TenantLimit(tenant_limit, ~_waits_in_a_handler(tables))
    return Claims(database, tables.runs, owner, lease_ms=lease_ms, tenant=TENANT, also_set=also, tenant_limit=limit)


def _waits_in_a_handler(tables: EngineTables) -> ColumnElement[bool]:
    """Runs one of whose handlers waits for runs that it started: those could not begin, if this one counted."""
    child, run = tables.runs.alias("child"), tables.runs.c
    # The children of an emit step have a row among the waits; their parent is not held by anybody.
    drawn = select(tables.waits.c.id).where(tables.waits.c.id == child.c.parent_step_run_id)
    started = select(child.c.id).where(child.c.parent_run_id == run.id, child.c.state != DONE, ~drawn.exists())
    return started.correlate(tables.runs).exists()


class _Now:
    """The clock's time, as an expression that is evaluated each time a statement is executed."""

    def __init__(self, clock: Clock, database: Database) -> None:
        self._clock = clock
        self._text = database.dialect == "sqlite"

    def expression(self) -> Any:
        return bindparam("claimed_at", type_=MOMENT, unique=True, callable_=self.value)

    def value(self) -> object:
        moment = moment_at(self._clock.now_ms())
        return moment_text(moment) if self._text else moment


class RunQueue:
    """Claims on runs for one worker, and the loading of what was claimed."""

    def __init__(self, ground: Ground, definitions: DefinitionStore, steps: StepRows) -> None:
        self._database = ground.database
        self._tables = ground.tables
        self._claims = ground.claims
        self._clock = ground.clock
        self._replay_safe = ground.replay_safe
        self._definitions = definitions
        self._steps = steps
        self._records = Records(ground.values)

    async def claim(self, limit: int) -> list[Held]:
        """At most `limit` runs of the tenant whose turn it is; what they begin with is recorded as begun."""
        return await self._database.transact(partial(self._claim, limit))

    async def claim_suspect(self) -> Held | None:
        return await self._database.transact(self._claim_suspect)

    async def renew(self, works: Sequence[Held]) -> set[str]:
        return await self._claims.renew([(work.id, work.epoch) for work in works])

    async def release(self, works: Sequence[Held], delay_ms: int = 0) -> None:
        claimed = [Claimed(work.id, work.run.tenant_id, work.epoch) for work in works]
        await self._claims.release(claimed, delay_ms)

    async def sweep(self) -> int:
        return await self._claims.sweep()

    async def suspects_wait(self) -> bool:
        return await self._claims.suspects_wait()

    async def wake(self) -> int:
        return await self._claims.wake()

    async def next_due(self) -> int | None:
        return await self._claims.next_due()

    # ---- the transactions ------------------------------------------------------------------------------------

    def _claim(self, limit: int, connection: Connection) -> list[Held]:
        return self._begin(connection, self._load(connection, self._claims.claim_in(limit, connection)))

    def _claim_suspect(self, connection: Connection) -> Held | None:
        claimed = self._claims.claim_suspect_in(connection)
        # A suspect's holder looks at how often it died before it begins anything.
        return self._load(connection, [claimed])[0] if claimed else None

    def _begin(self, connection: Connection, works: list[Held]) -> list[Held]:
        now = moment_at(self._clock.now_ms())
        rows = [row for work in works for row in begun(work, now, self._replay_safe)]
        self._steps.write(connection, rows)
        return works

    def _load(self, connection: Connection, claimed: Sequence[Claimed]) -> list[Held]:
        if not claimed:
            return []
        rows = self._run_rows(connection, [each.id for each in claimed])
        versions = self._definitions.versions(
            connection, {(row.definition_id, row.definition_version) for row in rows.values()}
        )
        triggers = self.triggers(connection, {row.trigger_id for row in rows.values()})
        steps = self._steps.of_runs(connection, rows)
        news = self.news(connection, [key for key in rows if _may_have_news(steps.get(key, {}).values())])
        return [
            self._held(each, rows[each.id], versions, triggers, steps.get(each.id, {}), news.get(each.id, {}))
            for each in claimed
        ]

    def _run_rows(self, connection: Connection, ids: Sequence[str]) -> dict[str, Row[*tuple[Any, ...]]]:
        c = self._tables.runs.c
        columns = [column for column in c if column.name != "definition_snapshot"]
        return {
            row.id: row
            for part in chunks(list(ids))
            for row in connection.execute(select(*columns).where(c.id.in_(part)))
        }

    def triggers(self, connection: Connection, ids: Iterable[str]) -> dict[str, TriggerEnvelope]:
        """These triggers, by id."""
        c = self._tables.triggers.c
        return {
            row.id: self._records.trigger(row)
            for part in chunks(sorted(ids))
            for row in connection.execute(select(*c).where(c.id.in_(part)))
        }

    def news(self, connection: Connection, run_ids: Sequence[str]) -> dict[str, dict[str, News]]:
        """What arrived for the waits of these runs, by the path of the step."""
        c = self._tables.waits.c
        found: dict[str, dict[str, News]] = {}
        over = (c.trigger_id.is_not(None) & c.children.is_(None)) | (c.children == 0)
        rows = [
            row
            for part in chunks(list(run_ids))
            for row in connection.execute(
                select(c.run_id, c.path, c.trigger_id, c.children).where(c.run_id.in_(part), over)
            )
        ]
        signals = self.triggers(connection, {row.trigger_id for row in rows if row.children is None})
        for row in rows:
            news = (
                self._children(connection, row.trigger_id)
                if row.children == 0
                else News(signals[row.trigger_id].payload)
            )
            found.setdefault(row.run_id, {})[row.path] = news
        return found

    def _children(self, connection: Connection, trigger_id: str) -> News:
        """How the runs that a step waited for have ended."""
        c = self._tables.runs.c
        rows = connection.execute(
            select(c.id, c.status, c.error_message).where(c.trigger_id == trigger_id).order_by(c.id)
        ).all()
        result = {"triggerId": trigger_id, "runs": [{"id": row.id, "status": row.status} for row in rows]}
        # One that has not ended is not this step's to wait for: it was held back, and another signal is in it too.
        bad = next((row for row in rows if row.status in ("failed", "canceled")), None)
        if bad is None:
            return News(result)
        why = f": {bad.error_message}" if bad.error_message else ""
        return News(result, error=f"The run {bad.id} that was waited for is {bad.status}{why}")

    def _held(
        self, claimed: Claimed, row: Any, versions: Any, triggers: dict[str, TriggerEnvelope], steps: Any, news: Any
    ) -> Held:
        version = versions[row.definition_id, row.definition_version]
        run = self._records.run(row, version.json)
        context = {name: entry(name, plain_json(value, "the context of a run")) for name, value in run.context.items()}
        due = moment_at(min(row.due_at, NEVER >> 12)) if row.due_at < NEVER else run.created_at
        return Held(
            claimed.id,
            claimed.epoch,
            claimed.lone_deaths,
            run,
            version.workflow,
            triggers[row.trigger_id],
            steps,
            context,
            due=due,
            lane=row.lane,
            news=news,
        )


def _may_have_news(rows: Iterable[Any]) -> bool:
    return any(row.step_type in ("wait", "emit") and row.status == "scheduled" for row in rows)
