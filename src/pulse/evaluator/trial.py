"""A test run of one workflow: what would become of a message, with nothing stored and nothing sent.

Effects are recorded as they would have been called and answered from `mocks`, or by a plausible answer; those in
`allow` are executed. `pins` say what some nodes come to, so that they do nothing.
"""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any

import msgspec

from pulse.core.errors import Fault, InvalidFields
from pulse.core.ids import Ids
from pulse.core.redaction import Redaction
from pulse.effects.functions import ScriptEffects
from pulse.evaluator.environments import surroundings
from pulse.evaluator.evaluate import seed_of
from pulse.messages.records import Work
from pulse.messages.result import outcome_parts, visits
from pulse.sandbox.port import Answer, Asked, Effects, Job, Sandbox, Tenant, Trial
from pulse.tenancy.variables import Variables
from pulse.workflows.plan import WorkflowPlan

# The same chance and, where a test says no time, the same time in every run.
SEED = "test"
NO_VARIABLES = Variables("", ())
FAILED = {"code": "mocked_error", "message": "The test lets this call fail.", "retryable": False}


@dataclass(frozen=True)
class TrialRun:
    """What is tried: a message as the workflow's environment would get it; `at` is the time that scripts see."""

    plan: WorkflowPlan
    message: Mapping[str, Any]
    at: int
    entry: str | None = None
    pins: Mapping[str, Any] = field(default_factory=dict)
    mocks: Mapping[str, Any] = field(default_factory=dict)
    allow: frozenset[str] = frozenset()
    variables: Variables = NO_VARIABLES
    directory: str = "{}"


class Trials:
    """Tries workflows in the sandbox."""

    def __init__(self, sandbox: Sandbox, ids: Ids, effects: ScriptEffects | None = None) -> None:
        self._sandbox = sandbox
        self._ids = ids
        self._effects = effects

    async def run(self, tenant: Tenant, wanted: TrialRun) -> dict[str, Any]:
        """`{status, code?, workflowId?, …, reason?, result?, context, message, nodes, effects}`.

        `nodes` are `{node, name, kind, changed, removed, result?, leadsTo}` in the order in which they were visited,
        `effects` are `{seq, function, arguments, answer | error, mocked?}` in the order in which they were asked for.
        """
        _check(wanted)
        payload, run_id = msgspec.json.encode(wanted.message), self._ids.new("test")
        effects = MockedEffects(wanted, self._real(run_id, tenant, payload, wanted))
        job = Job(
            id=run_id,
            tenant=tenant,
            plans=(wanted.plan,),
            message=payload,
            at=wanted.at,
            seed=seed_of(SEED),
            entry=wanted.entry,
            surroundings=surroundings(wanted.variables, wanted.directory),
            trial=Trial(msgspec.json.encode(wanted.pins).decode()),
        )
        verdict = await self._sandbox.evaluate(job, effects)
        fired = {
            "workflowId": verdict.workflow_id,
            "workflowName": verdict.workflow_name,
            "workflowVersion": verdict.workflow_version,
            "code": verdict.code,
            "elapsedMs": verdict.sandbox_ms,
        }
        return {
            "status": verdict.status,
            **{name: value for name, value in fired.items() if value is not None},
            **outcome_parts(verdict.status, verdict.code, payload, verdict.body),
            "message": wanted.message,
            "nodes": visits(verdict.body),
            "effects": effects.calls,
        }

    def _real(self, run_id: str, tenant: Tenant, payload: bytes, wanted: TrialRun) -> Effects | None:
        """What executes the effects that are allowed, as if a message of that id asked for them."""
        if not wanted.allow or self._effects is None:
            return None
        work = Work(run_id, tenant.organization_id, tenant.environment_id, 0, 0, wanted.at, None, payload)
        effects = self._effects.unrecorded(work)
        effects.around(wanted.variables.values, {wanted.plan.id: wanted.plan.workflow_id})
        return effects


class MockedEffects:
    """Effects that are written down in the place of being done."""

    def __init__(self, wanted: TrialRun, real: Effects | None) -> None:
        self.calls: list[dict[str, Any]] = []
        self._mocks = wanted.mocks
        self._allow = wanted.allow
        self._redaction = Redaction(value for _, value in wanted.variables.values)
        self._real = real

    def begin(self) -> None:
        self.calls.clear()
        if self._real is not None:
            self._real.begin()

    def rest(self, waiting: AbstractSet[int]) -> None:
        return None

    async def call(self, job: Job, asked: Asked) -> Answer:
        name = NODE_CALLS.get(asked.function, asked.function)
        told: dict[str, Any] = {"seq": asked.seq, "function": name, "arguments": self._redaction.clean(asked.arguments)}
        self.calls.append(told)
        if asked.function in self._allow and self._real is not None:
            answer = await self._real.call(job, asked)
            value = msgspec.json.decode(answer.payload)
        else:
            told["mocked"] = True
            answer, value = self._mocked(name, asked)
        told["answer" if answer.ok else "error"] = self._redaction.clean(value)
        return answer

    def _mocked(self, name: str, asked: Asked) -> tuple[Answer, Any]:
        mock = self._mocks[name] if name in self._mocks else _plausible(asked)
        if not _is_failure(mock):
            return Answer(ok=True, payload=msgspec.json.encode(mock)), mock
        error = {"effect": name, **FAILED, **mock["error"]}
        return Answer(ok=False, payload=msgspec.json.encode(error)), mock["error"]


# A workflow node asks for what a script asks for by this name.
NODE_CALLS = {"workflowNode": "triggerWorkflow"}


def _check(wanted: TrialRun) -> None:
    """Raises InvalidFields for a pin on a node that the workflow does not have, and for a failure that is none."""
    plan: dict[str, Any] = msgspec.json.decode(wanted.plan.text) if wanted.pins else {"refs": [], "nodes": []}
    known = {*plan["refs"], *(node["name"] for node in plan["nodes"])}
    words = "The workflow has no node of that id or name."
    faults = [Fault(f"pins.{name}", "unknown_node", words) for name in wanted.pins if name not in known]
    words = "A call that fails has an error of the form {code, message}, both text."
    for name, mock in wanted.mocks.items():
        if _is_failure(mock) and not _is_error(mock["error"]):
            faults.append(Fault(f"effects.{name}.error", "invalid_error", words))
    if faults:
        raise InvalidFields(faults)


def _is_failure(mock: Any) -> bool:
    return isinstance(mock, dict) and mock.keys() == {"error"}


def _is_error(error: Any) -> bool:
    return isinstance(error, dict) and all(isinstance(error.get(name, ""), str) for name in ("code", "message"))


PROMPTS = ("promptCallUniversal", "executePromptWithModel", "promptCallToken", "promptCallKeys")


def _plausible(asked: Asked) -> Any:
    if asked.function in PROMPTS:
        return "A mocked answer."
    if asked.function == "httpRequest":
        return {"status": 200, "data": None, "headers": {}, "elapsedMs": 0}
    if asked.function not in ("triggerWorkflow", "workflowNode"):
        return None
    workflow_id = asked.arguments[0] if asked.arguments else None
    answer = {"success": True, "workflowId": workflow_id, "sequenceNumber": f"mocked-{asked.seq}"}
    return answer if asked.function == "triggerWorkflow" else {**answer, "workflowName": workflow_id}
