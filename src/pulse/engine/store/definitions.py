"""Workflows and their versions. A version never changes, so it is parsed once a process."""

import json
from collections import OrderedDict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, select, update

from pulse.core.errors import NotFound
from pulse.core.schedule import Schedule, next_fire
from pulse.engine.definition.checks import schedule_of
from pulse.engine.definition.json_form import from_json, to_json
from pulse.engine.definition.workflow import Workflow
from pulse.engine.records import WorkflowDefinition
from pulse.engine.store.forms.values import moment_at, moment_of, plain_json
from pulse.engine.store.ground import Ground
from pulse.storage.rows import Given, insert_into

KEPT_VERSIONS = 2_000


@dataclass(frozen=True)
class Version:
    """One version of one workflow, ready to run. `text` is its JSON, `json` the value of that."""

    definition_id: str
    number: int
    workflow: Workflow
    json: dict[str, Any]
    text: str


@dataclass(frozen=True)
class Match:
    """An enabled workflow for a type of signal, as far as matching looks."""

    definition_id: str
    version: int
    environment_filter: str | None
    resource_type_filter: str | None


class DefinitionStore:
    """The workflows of all tenants. Methods that take a connection are part of the caller's transaction."""

    def __init__(self, ground: Ground) -> None:
        self._database = ground.database
        self._tables = tables = ground.tables
        self._values = ground.values
        self._ids = ground.ids
        self._clock = ground.clock
        self._versions: OrderedDict[tuple[str, int], Version] = OrderedDict()
        self._types = Given(
            ground.database.dialect,
            {"tenant_id": tables.definitions.c.tenant_id.type, "type": tables.triggers.c.type.type},
        )

    async def create(self, workflow: Workflow) -> WorkflowDefinition:
        """Stores the workflow, as a new version where its tenant has one of that name."""
        new_id = self._ids.new("wfd")

        def store(connection: Connection) -> WorkflowDefinition:
            row = self._upsert(connection, workflow, new_id)
            values = {"definition_id": row.id, "version": row.version, "definition": row.definition}
            connection.execute(self._tables.versions.insert().values(**values, created_at=row.updated_at))
            self.schedule(connection, row.id, workflow, enabled=workflow.is_enabled)
            return self._definition(row)

        return await self._database.transact(store)

    async def enable(self, definition_id: str, enabled: bool, tenant_id: str | None) -> None:  # noqa: FBT001 - one of two
        """Raises NotFound."""
        c = self._tables.definitions.c

        def store(connection: Connection) -> None:
            changed = update(self._tables.definitions).where(c.id == definition_id, *_of(c.tenant_id, tenant_id))
            values = {"is_enabled": enabled, "updated_at": self._now()}
            row = connection.execute(changed.values(**values).returning(*c)).first()
            if row is None:
                raise NotFound(f"There is no workflow {definition_id!r}.")
            self.schedule(connection, row.id, from_json(json.loads(row.definition)), enabled=enabled)

        await self._database.transact(store)

    def schedule(self, connection: Connection, definition_id: str, workflow: Workflow, *, enabled: bool) -> None:
        """Sets when the workflow's trigger is emitted next by itself; nothing for one that has no times.

        Where its times are what they were, the next one stays: it may be one that was missed.
        """
        table, schedule = self._tables.schedules, schedule_of(workflow)
        mine = table.c.definition_id == definition_id
        text = schedule_text(schedule) if schedule is not None and enabled else None
        if connection.scalar(select(table.c.schedule).where(mine)) == text:
            return
        connection.execute(table.delete().where(mine))
        if schedule is not None and text is not None:
            values = {"definition_id": definition_id, "tenant_id": workflow.tenant_id, "schedule": text}
            following = next_fire(schedule, self._clock.now_ms() - 1)
            connection.execute(table.insert().values(**values, next_at=following))

    async def get(self, definition_id: str, tenant_id: str | None) -> WorkflowDefinition | None:
        c = self._tables.definitions.c
        found = await self._read(select(*c).where(c.id == definition_id, *_of(c.tenant_id, tenant_id)))
        return found[0] if found else None

    async def by_name(self, tenant_id: str, name: str) -> WorkflowDefinition | None:
        c = self._tables.definitions.c
        found = await self._read(select(*c).where(c.tenant_id == tenant_id, c.name == name))
        return found[0] if found else None

    async def listed(self, tenant_id: str | None, limit: int, after: str | None) -> list[WorkflowDefinition]:
        """By id, which is the order in which they were created."""
        c = self._tables.definitions.c
        query = select(*c).where(*_of(c.tenant_id, tenant_id)).order_by(c.id).limit(limit)
        return await self._read(query if after is None else query.where(c.id > after))

    # ---- within a transaction of others ----------------------------------------------------------------------

    def matching(
        self, connection: Connection, pairs: Collection[tuple[str, str]]
    ) -> dict[tuple[str, str], list[Match]]:
        """The enabled workflows for each (tenant, type of signal), oldest first."""
        c, wanted = self._tables.definitions.c, self._types.rows
        query = (
            select(c.tenant_id, c.trigger_type, c.id, c.version, c.environment_filter, c.resource_type_filter)
            .join(wanted, (c.tenant_id == wanted.c.tenant_id) & (c.trigger_type == wanted.c.type))
            .where(c.is_enabled)
            .order_by(c.id)
        )
        found: dict[tuple[str, str], list[Match]] = {}
        for row in connection.execute(query, self._types.parameters(pairs)):
            found.setdefault((row[0], row[1]), []).append(Match(*row[2:]))
        return found

    def named(self, connection: Connection, tenant_id: str, name: str) -> Version | None:
        """The present version of the tenant's enabled workflow of that name."""
        c = self._tables.definitions.c
        row = connection.execute(
            select(c.id, c.version).where(c.tenant_id == tenant_id, c.name == name, c.is_enabled)
        ).first()
        return None if row is None else self.versions(connection, [(row.id, row.version)])[row.id, row.version]

    def versions(self, connection: Connection, keys: Iterable[tuple[str, int]]) -> dict[tuple[str, int], Version]:
        """These versions, from memory where they were seen before."""
        wanted = set(keys)
        found = {key: self._versions[key] for key in wanted if key in self._versions}
        c = self._tables.versions.c
        for definition_id, number in wanted - found.keys():
            text = connection.scalar(select(c.definition).where(c.definition_id == definition_id, c.version == number))
            if text is None:
                raise NotFound(f"There is no version {number} of the workflow {definition_id!r}.")
            found[definition_id, number] = self._keep(definition_id, number, text)
        return found

    def _keep(self, definition_id: str, number: int, text: str) -> Version:
        value = json.loads(text)
        kept = Version(definition_id, number, from_json(value), value, text)
        self._versions[definition_id, number] = kept
        if len(self._versions) > KEPT_VERSIONS:
            self._versions.popitem(last=False)
        return kept

    # ---- rows ------------------------------------------------------------------------------------------------

    def _upsert(self, connection: Connection, workflow: Workflow, new_id: str) -> Row[*tuple[Any, ...]]:
        table = self._tables.definitions
        value = to_json(workflow)
        values = {
            "tenant_id": workflow.tenant_id,
            "name": workflow.name,
            "description": workflow.description,
            "trigger_type": workflow.trigger_type,
            "environment_filter": workflow.environment_filter,
            "resource_type_filter": workflow.resource_type_filter,
            "steps": plain_json(value["steps"], "the steps of a workflow"),
            "config": plain_json(dict(workflow.config), "the config of a workflow"),
            "is_enabled": workflow.is_enabled,
            "cron_expression": workflow.cron_expression,
            "definition": plain_json(value, "a workflow"),
            "updated_at": self._now(),
        }
        made = insert_into(self._database.dialect, table).values(id=new_id, version=1, created_at=self._now(), **values)
        again = {**values, "version": table.c.version + 1}
        upsert = made.on_conflict_do_update(index_elements=["tenant_id", "name"], set_=again).returning(*table.c)
        return connection.execute(upsert).one()

    def _now(self) -> Any:
        return self._values.moment(moment_at(self._clock.now_ms()))

    async def _read(self, query: Select[Any]) -> list[WorkflowDefinition]:
        async with self._database.read() as connection:
            return [self._definition(row) for row in await connection.execute(query)]

    def _definition(self, row: Row[*tuple[Any, ...]]) -> WorkflowDefinition:
        return WorkflowDefinition(
            id=row.id,
            tenant_id=row.tenant_id,
            name=row.name,
            description=row.description,
            trigger_type=row.trigger_type,
            environment_filter=row.environment_filter,
            resource_type_filter=row.resource_type_filter,
            steps=json.loads(row.steps),
            config=json.loads(row.config),
            is_enabled=bool(row.is_enabled),
            cron_expression=row.cron_expression,
            version=row.version,
            created_at=_known(row.created_at),
            updated_at=_known(row.updated_at),
            definition=json.loads(row.definition),
        )


def _known(stored: object) -> Any:
    return moment_of(stored)


def _of(column: ColumnElement[str], tenant_id: str | None) -> Sequence[ColumnElement[bool]]:
    return [] if tenant_id is None else [column == tenant_id]


def schedule_text(schedule: Schedule) -> str:
    return json.dumps({name: value for name, value in vars(schedule).items() if value is not None})


def schedule_from(text: str) -> Schedule:
    return Schedule(**json.loads(text))
