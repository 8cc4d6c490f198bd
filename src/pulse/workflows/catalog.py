"""The plans of each organization and environment, compiled once and kept until something changes.

A change made in this process is in force at once (`forget`); one made elsewhere when it is announced, or after at most
`refresh_seconds`. Which plans a message is tried against is found by its type, not by looking at each.
"""

import asyncio
from collections.abc import Mapping

import structlog

from pulse.core.errors import InvalidFields, NotFound
from pulse.core.kept import Kept
from pulse.workflows.drawn import DrawnWorkflows
from pulse.workflows.matching import Listing, Plans
from pulse.workflows.plan import WorkflowPlan, compile_plan
from pulse.workflows.records import Entity, Workflow
from pulse.workflows.versions import WorkflowVersions

log = structlog.get_logger(__name__)
MAX_OLD = 1_000
AT_ONCE = 50
Compiled = tuple[WorkflowPlan | None, str | None]


class Catalog:
    """Plans by (organization, environment); old versions by themselves."""

    def __init__(self, drawn: DrawnWorkflows, versions: WorkflowVersions, refresh_seconds: float = 300.0) -> None:
        self._drawn = drawn
        self._versions = versions
        self._kept = Kept(self._compile, refresh_seconds)
        self._compiled: dict[tuple[str, str], dict[tuple[str, int], Compiled]] = {}
        self._old: dict[tuple[str, str, str, int], WorkflowPlan | None] = {}

    async def plans(self, organization_id: str, environment_id: str) -> Plans:
        return await self._kept.get((organization_id, environment_id))

    async def version(
        self, organization_id: str, environment_id: str, workflow_id: str, version: int
    ) -> WorkflowPlan | None:
        """The plan of one version, however old; None where there is none in this environment."""
        key = (organization_id, environment_id, workflow_id, version)
        if key not in self._old:
            if len(self._old) >= MAX_OLD:
                self._old.clear()
            self._old[key] = await self._compile_version(organization_id, environment_id, workflow_id, version)
        return self._old[key]

    def forget(self, organization_id: str, environment_id: str) -> None:
        """To be called when a workflow or an entity of that environment has changed."""
        self._kept.forget((organization_id, environment_id))

    def forget_all(self) -> None:
        """To be called when changes may have been missed."""
        self._kept.forget_all()

    async def _compile(self, place: tuple[str, str]) -> Plans:
        """Compiles what is not known yet: a version that was compiled once does the same for good."""
        outlines = await self._drawn.outlines(*place)
        before = self._compiled.get(place, {})
        unknown = [outline.id for outline in outlines if (outline.id, outline.version) not in before]
        compiled = {**before, **await self._compile_some(place[0], unknown)}
        # One that was changed since it was listed is there as it is now.
        now = dict(compiled.keys())
        present = [(outline, (outline.id, now[outline.id])) for outline in outlines if outline.id in now]
        self._compiled[place] = {key: compiled[key] for _, key in present}
        return Plans(Listing(outline.id, outline.name, outline.is_active, *compiled[key]) for outline, key in present)

    async def _compile_some(self, organization_id: str, ids: list[str]) -> dict[tuple[str, int], Compiled]:
        compiled: dict[tuple[str, int], Compiled] = {}
        for start in range(0, len(ids), AT_ONCE):
            for workflow, entities in await self._drawn.drawn(organization_id, ids[start : start + AT_ONCE]):
                compiled[workflow.id, workflow.version] = _compiled(workflow, entities)
            # Others have their turn in between.
            await asyncio.sleep(0)
        return compiled

    async def _compile_version(
        self, organization_id: str, environment_id: str, workflow_id: str, version: int
    ) -> WorkflowPlan | None:
        try:
            found = await self._versions.one(organization_id, workflow_id, version)
        except NotFound:
            return None
        if found.workflow.environment_id != environment_id:
            return None
        try:
            return compile_plan(found.workflow, found.entities)
        except InvalidFields:
            return None


def _compiled(workflow: Workflow, entities: Mapping[str, Entity]) -> Compiled:
    """The plan of a workflow, or the reason why it has none."""
    try:
        return compile_plan(workflow, entities), None
    except InvalidFields as error:
        log.error("workflow_not_usable", workflow=workflow.id, reason=error.message)
        return None, error.message
