"""An evaluator over workflows and variables in memory."""

from dataclasses import dataclass

from pulse.effects.functions import ScriptEffects
from pulse.evaluator.evaluate import Evaluator
from pulse.sandbox.port import Sandbox
from pulse.tenancy.variables import NONE, Variables, VariableStore
from pulse.workflows.records import Workflow
from pulse.workflows.versions import WorkflowVersion
from tests.unit.workflows.kept import Kept, catalog_of

NOW = 1_700_000_000_000


class Stopped:
    """A clock that stands still."""

    def now_ms(self) -> int:
        return NOW


@dataclass
class KeptVariables(VariableStore):
    """The same variables in every environment."""

    kept: Variables = NONE

    async def values(self, organization_id: str, environment_id: str) -> Variables:
        return self.kept


def evaluator(
    sandbox: Sandbox,
    *workflows: Workflow,
    variables: Variables = NONE,
    effects: ScriptEffects | None = None,
    versions: tuple[WorkflowVersion, ...] = (),
) -> Evaluator:
    catalog = catalog_of(Kept(list(workflows)), *versions)
    return Evaluator(catalog, KeptVariables(variables), sandbox, effects or ScriptEffects([], Stopped()), Stopped())
