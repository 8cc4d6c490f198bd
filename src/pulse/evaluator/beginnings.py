"""What an evaluation begins with: the plans that are tried, and what their scripts find around them.

A message whose scripts did something is evaluated again, if it must be, with what it began with the first time: the
same versions of workflows and variables, whatever has changed since. That is written into the header of its journal.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import msgspec
import zstandard

from pulse.evaluator.environments import Environments, surroundings
from pulse.evaluator.routing import Route, route
from pulse.messages.records import Work
from pulse.sandbox.port import Surroundings
from pulse.tenancy.variables import Variables, VariableStore
from pulse.workflows.catalog import Catalog
from pulse.workflows.plan import WorkflowPlan


class _Header(msgspec.Struct, rename="camel"):
    """What is written: versions by id, and the directory of workflows as scripts may ask for it (JSON)."""

    epoch: int
    received_at: int
    plans: list[tuple[str, int]]
    variables: list[tuple[str, int]]
    entry: str | None = None
    directory: str = "{}"


_header = msgspec.json.Decoder(_Header)


@dataclass(frozen=True)
class Beginning:
    """The plans and where they are entered; the variables; the surroundings as the sandbox takes them."""

    way: Route
    variables: Variables
    directory: str
    around: Surroundings | None

    def header(self, work: Work) -> bytes:
        """As the journal keeps it."""
        plans = [(plan.workflow_id, plan.version) for plan in self.way.plans]
        variables = list(self.variables.versions)
        made = _Header(work.epoch, work.received_at, plans, variables, self.way.entry, self.directory)
        return zstandard.compress(msgspec.json.encode(made), 1)

    @property
    def workflows(self) -> dict[str, str]:
        """The workflow of each plan, by the plan's id."""
        return {plan.id: plan.workflow_id for plan in self.way.plans}


class Beginnings:
    """Finds out what an evaluation begins with."""

    def __init__(self, catalog: Catalog, variables: VariableStore) -> None:
        self._catalog = catalog
        self._variables = variables
        self._around = Environments()

    async def way_of(self, work: Work) -> Route:
        """The plans that are in force now."""
        return await route(work, self._catalog)

    async def of(self, work: Work, way: Route) -> Beginning:
        """With what is in force now. Raises Misconfigured."""
        variables = await self._variables.values(work.organization_id, work.environment_id)
        directory = (await self._catalog.plans(work.organization_id, work.environment_id)).directory
        around = self._around.of((work.organization_id, work.environment_id), variables, directory)
        return Beginning(way, variables, directory, around)

    async def again(self, work: Work, header: bytes) -> Beginning:
        """With what it began with the first time, deleted workflows included: their versions are kept."""
        began = _header.decode(zstandard.decompress(header))
        plans = await self._plans(work, began.plans)
        variables = await self._variables.as_they_were(work.organization_id, began.variables)
        found = replace(await self.way_of(work), plans=plans, entry=began.entry, code=None)
        return Beginning(found, variables, began.directory, surroundings(variables, began.directory))

    async def _plans(self, work: Work, wanted: Sequence[tuple[str, int]]) -> tuple[WorkflowPlan, ...]:
        place = (work.organization_id, work.environment_id)
        found = [await self._catalog.version(*place, *each) for each in wanted]
        return tuple(plan for plan in found if plan is not None)
