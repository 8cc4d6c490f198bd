"""The plans of each organization and environment, compiled once and kept until something changes.

A change made in this process is in force at once (`forget`); one made elsewhere after at most `refresh_seconds`.
"""

import time
from dataclasses import dataclass

import structlog

from pulse.core.errors import InvalidFields
from pulse.sandbox.port import Plan
from pulse.workflows.plan import compile_plan
from pulse.workflows.store import WorkflowStore

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Plans:
    """What messages of one environment are tried against, in order; `inactive` counts those switched off."""

    plans: tuple[Plan, ...]
    inactive: int


class Catalog:
    """Plans by (organization, environment)."""

    def __init__(self, store: WorkflowStore, refresh_seconds: float = 300.0) -> None:
        self._store = store
        self._refresh = refresh_seconds
        self._changes = 0
        self._kept: dict[tuple[str, str], tuple[float, Plans]] = {}

    async def plans(self, organization_id: str, environment_id: str) -> Plans:
        key = (organization_id, environment_id)
        kept = self._kept.get(key)
        if kept is not None and time.monotonic() - kept[0] < self._refresh:
            return kept[1]
        read_at, changes = time.monotonic(), self._changes
        plans = await self._compile(organization_id, environment_id)
        # What was read before a change that came meanwhile is not kept.
        if changes == self._changes:
            self._kept[key] = (read_at, plans)
        return plans

    def forget(self, organization_id: str, environment_id: str) -> None:
        """To be called when a workflow or an entity of that environment has changed."""
        self._changes += 1
        self._kept.pop((organization_id, environment_id), None)

    async def _compile(self, organization_id: str, environment_id: str) -> Plans:
        workflows, _ = await self._store.workflows(organization_id, environment_id)
        entities, _ = await self._store.entities(organization_id, environment_id)
        by_id = {entity.id: entity for entity in entities}
        plans = []
        for workflow in workflows:
            if not workflow.is_active:
                continue
            try:
                plan = compile_plan(workflow, by_id)
            except InvalidFields as error:
                log.error("workflow_not_usable", workflow=workflow.id, reason=error.message)
                continue
            if plan is not None:
                plans.append(plan)
        return Plans(tuple(plans), sum(not workflow.is_active for workflow in workflows))
