"""Workflows in another environment: what they refer to there."""

import dataclasses
from collections.abc import Mapping

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from pulse.core.errors import Fault, InvalidFields
from pulse.workflows.plan import workflow_ids
from pulse.workflows.records import Entity, Workflow
from pulse.workflows.tables import WorkflowTables
from pulse.workflows.transfer import with_ids

_NONE = "there is no workflow of that name in that environment. Copy it first."
_SEVERAL = "there are several workflows of that name in that environment. Rename all but one of them."


def redrawn(copy: Workflow, entities: Mapping[str, Entity], workflows: Mapping[str, str]) -> Workflow:
    """The workflow with these entities, and ids of workflows, in place of those that stand in its drawing now."""
    ids = {old: entity.id for old, entity in entities.items()}
    return dataclasses.replace(copy, data=with_ids({"workflowData": copy.data}, ids, workflows))


async def namesakes(
    connection: AsyncConnection, tables: WorkflowTables, workflow: Workflow, environment_id: str
) -> dict[str, str]:
    """For each other workflow that this one starts, the id of the one of that name in an environment.

    Raises InvalidFields where there is none, or more than one.
    """
    c, wanted = tables.workflows.c, sorted(workflow_ids(workflow.data) - {workflow.id})
    mine = c.organization_id == workflow.organization_id
    started = (await connection.execute(select(c.id, c.name).where(mine, c.id.in_(wanted)))).all()
    here = mine & (c.environment_id == environment_id) & c.name.in_([row.name for row in started])
    rows = (await connection.execute(select(c.id, c.name).where(here))).all()
    found = {row.id: (row.name, [each.id for each in rows if each.name == row.name]) for row in started}
    faults = [
        Fault("environmentId", "unknown_workflow", f"It starts {name!r}: {_SEVERAL if ids else _NONE}")
        for name, ids in found.values()
        if len(ids) != 1
    ]
    if faults:
        raise InvalidFields(faults)
    return {old: ids[0] for old, (_, ids) in found.items()}
