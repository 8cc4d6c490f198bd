"""Which variables were used when: those that the workflow names, and only by the workflow that was evaluated."""

from typing import cast

from pulse.evaluator.mentions import VariableUses
from pulse.sandbox.port import Verdict
from pulse.tenancy.uses import Uses
from pulse.tenancy.variables import Variables
from pulse.workflows.plan import WorkflowPlan
from tests.unit.evaluator.evaluating import NOW, evaluator
from tests.unit.evaluator.fake_sandbox import FakeSandbox, work
from tests.unit.workflows.drawn import entity, inline, planned, workflow

NAMES = ("API_KEY", "API", "kind", "URL", "postScript", "action", "start")
VARIABLES = Variables("v1", tuple((name, "x") for name in NAMES), tuple((f"var_{name}", 1) for name in NAMES))


class Noted:
    """What was written down."""

    def __init__(self) -> None:
        self.found: dict[str, int] = {}
        self.written: dict[str, int] = {}

    def note(self, row_id: str, at: int) -> None:
        self.found[row_id] = at

    async def write(self) -> None:
        self.written |= self.found
        self.found = {}


def plan_of(script: str) -> WorkflowPlan:
    found = planned({"root": inline("start")}, entity("start", "action", postScript=script))
    assert found is not None
    return found


async def test_a_variable_is_used_by_a_workflow_that_names_it() -> None:
    noted = Noted()
    uses = VariableUses(cast("Uses", noted))
    plan = plan_of("const key = `${API_KEY}\n`;\nfetch(URL)")
    for at in (5, 7):
        uses.note(plan, VARIABLES, at)
    await uses.write()
    assert noted.written == {"var_API_KEY": 7, "var_URL": 7}
    await uses.write()
    assert noted.found == {}


async def test_names_of_fields_are_no_variables() -> None:
    noted = Noted()
    uses = VariableUses(cast("Uses", noted))
    uses.note(plan_of("1"), VARIABLES, 5)
    await uses.write()
    assert noted.written == {}


async def test_the_workflow_that_was_evaluated_is_told() -> None:
    told: list[tuple[str, str, int]] = []
    drawn = [workflow({"root": inline("start")}, id=f"wf_{name}", name=name) for name in ("one", "two")]
    tried = evaluator(FakeSandbox(Verdict("success", b"{}", None, "wf_two", "two", 1)), *drawn, variables=VARIABLES)
    tried._note_use = lambda plan, variables, at: told.append((plan.workflow_id, variables.id, at))
    await tried.evaluate(work())
    assert told == [("wf_two", "v1", NOW)]


async def test_nothing_is_told_of_what_was_ignored() -> None:
    told: list[str] = []
    tried = evaluator(FakeSandbox(Verdict("ignore", b"{}", "no_match")), workflow({"root": inline("start")}))
    tried._note_use = lambda plan, _variables, _at: told.append(plan.id)
    await tried.evaluate(work())
    assert told == []
