"""A catalog over workflows in memory."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from pulse.core.errors import NotFound
from pulse.workflows.catalog import Catalog
from pulse.workflows.drawn import DrawnWorkflows
from pulse.workflows.records import Entity, Outline, Workflow
from pulse.workflows.versions import WorkflowVersion, WorkflowVersions
from tests.unit.workflows.drawn import ENVIRONMENT, ORGANIZATION, entity

START = entity("start", "event")


@dataclass
class Kept(DrawnWorkflows):
    """What the catalog reads, in memory; `gate` holds a read up.

    `reads` are the environments whose workflows were listed, `drawings` the workflows whose drawings were read.
    """

    workflows_kept: list[Workflow] = field(default_factory=list)
    reads: list[tuple[str, str]] = field(default_factory=list)
    drawings: list[str] = field(default_factory=list)
    gate: asyncio.Event | None = None
    entities_kept: list[Entity] = field(default_factory=lambda: [START])

    async def outlines(self, organization_id: str, environment_id: str) -> list[Outline]:
        self.reads.append((organization_id, environment_id))
        found = [
            Outline(each.id, each.name, each.is_active, each.version)
            for each in self.workflows_kept
            if (organization_id, environment_id) == (ORGANIZATION, ENVIRONMENT)
        ]
        if self.gate is not None:
            await self.gate.wait()
        return found

    async def drawn(self, organization_id: str, ids: Sequence[str]) -> list[tuple[Workflow, dict[str, Entity]]]:
        self.drawings.extend(ids)
        found = [each for each in self.workflows_kept if each.id in ids and each.organization_id == organization_id]
        return [(each, {entity.id: entity for entity in self.entities_kept}) for each in found]


@dataclass
class KeptVersions(WorkflowVersions):
    """Versions in memory; `reads` are the versions that were asked for."""

    versions_kept: list[WorkflowVersion] = field(default_factory=list)
    reads: list[tuple[str, int]] = field(default_factory=list)

    async def one(self, organization_id: str, workflow_id: str, version: int) -> WorkflowVersion:
        self.reads.append((workflow_id, version))
        for found in self.versions_kept:
            kept = found.workflow
            if (kept.organization_id, kept.id, kept.version) == (organization_id, workflow_id, version):
                return found
        raise NotFound(f"There is no version {version} of {workflow_id!r}.")


def version_of(workflow: Workflow, *entities: Entity) -> WorkflowVersion:
    """The workflow as it is, as a version."""
    return WorkflowVersion(workflow, {each.id: each for each in entities or (START,)}, workflow.updated_at)


def catalog_of(store: Kept, *versions: WorkflowVersion, refresh_seconds: float = 300.0) -> Catalog:
    return Catalog(store, KeptVersions(list(versions)), refresh_seconds)
