"""The work that is measured: a workflow of three nodes on a message of 1 KB, the same as the peers do."""

import json
from pathlib import Path
from typing import Any

from pulse.sandbox.port import Job, Plan, Tenant
from pulse.workflows.plan import compile_plan
from pulse.workflows.records import Entity, Workflow

PEERS = Path(__file__).parent / "peers"
MESSAGE = (PEERS / "message.json").read_bytes().strip()
EXPECTED = json.loads((PEERS / "result.json").read_text())

LABEL = """\
const title = payload.pull_request.title.toLowerCase();
labels = ['feat', 'fix', 'docs', 'chore'].filter((word) => title.includes(word));
if (payload.pull_request.additions > 1000) labels.push('large');
"""
SUMMARIZE = """\
const { user, additions, deletions } = payload.pull_request;
___result___ = {
  repository: payload.repository.full_name,
  number: payload.number,
  author: user.login,
  labels,
  lines: additions + deletions,
  reviewers: labels.includes('large') ? 2 : 1,
};
"""

ENTITIES: dict[str, dict[str, Any]] = {
    "event": {
        "name": "Large pull request",
        "entityType": "event",
        "condition": {"field": "payload.pull_request.additions", "comparison": "greater_than", "value": 500},
    },
    "label": {"name": "Label", "entityType": "action", "postScript": LABEL},
    "summarize": {"name": "Summarize", "entityType": "action", "postScript": SUMMARIZE},
}


def document() -> dict[str, Any]:
    """The workflow as `pulse workflows apply` takes it."""
    leaf = {"entityId": "summarize", "entityType": "action", "children": []}
    middle = {"entityId": "label", "entityType": "action", "children": [leaf]}
    root = {"entityId": "event", "entityType": "event", "children": [middle]}
    return {"name": "Benchmark", "entities": ENTITIES, "workflowData": {"root": root}}


def plan() -> Plan:
    """The workflow as the sandbox takes it."""
    entities = {key: _entity(key, fields) for key, fields in ENTITIES.items()}
    compiled = compile_plan(Workflow("wf_bench", "org", "env", "Benchmark", document()["workflowData"]), entities)
    assert compiled is not None
    return compiled


def job(number: int, compiled: Plan) -> Job:
    return Job(
        f"msg_{number}", Tenant("org", "env"), (compiled,), MESSAGE, 1_767_225_600_000 + number, (number, 2, 3, 4)
    )


def _entity(key: str, fields: dict[str, Any]) -> Entity:
    rest = {name: value for name, value in fields.items() if name not in ("name", "entityType")}
    return Entity(key, "org", "env", fields["name"], fields["entityType"], None, rest)
