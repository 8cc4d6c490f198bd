"""Records as the engine makes them, for tests of what is done with them."""

from datetime import UTC, datetime, timedelta
from typing import Any

from pulse.engine.definition.steps import Step
from pulse.engine.definition.workflow import Workflow
from pulse.engine.records import TriggerEnvelope, WorkflowRun, WorkflowStepRun
from pulse.engine.rules.progress import step_run_id

NOW = datetime(2026, 3, 1, 8, tzinfo=UTC)
RUN_ID = "run_01kjmaq6000000000000000000"
TRIGGER_ID = "trg_01kjmaq6000000000000000000"


def later(**units: float) -> datetime:
    return NOW + timedelta(**units)


def workflow(*steps: Step, **fields: Any) -> Workflow:
    return Workflow(**{"tenant_id": "acme", "name": "flow", "trigger_type": "go", "steps": steps, **fields})


def trigger(**fields: Any) -> TriggerEnvelope:
    known: dict[str, Any] = {
        "id": TRIGGER_ID,
        "tenant_id": "acme",
        "source": "tests",
        "type": "go",
        "resource_type": None,
        "resource_id": None,
        "environment": None,
        "payload": {},
        "created_at": NOW,
    }
    return TriggerEnvelope(**known | fields)


def run(**fields: Any) -> WorkflowRun:
    known: dict[str, Any] = {
        "id": RUN_ID,
        "definition_id": "wfd_01kjmaq6000000000000000000",
        "tenant_id": "acme",
        "trigger_id": TRIGGER_ID,
        "status": "running",
        "context": {},
        "current_step_index": 0,
        "is_replay": False,
        "definition_snapshot": {},
        "created_at": NOW,
        "updated_at": NOW,
        "started_at": NOW,
    }
    return WorkflowRun(**known | fields)


def row(path: str, name: str, status: str, **fields: Any) -> WorkflowStepRun:
    """A row of an action step, unless `step_type` says otherwise."""
    known: dict[str, Any] = {
        "id": step_run_id(RUN_ID, path),
        "run_id": RUN_ID,
        "tenant_id": "acme",
        "step_index": int(path.rpartition(".")[2]),
        "step_type": "action",
        "step_name": name,
        "status": status,
        "created_at": NOW,
        "path": path,
    }
    return WorkflowStepRun(**known | fields)
