"""Plans as they are kept: JSON text."""

import json
from dataclasses import asdict

from pulse.prompts.templates.runs.records import Column, Plan, Row


def written(plan: Plan) -> str:
    return json.dumps(asdict(plan), separators=(",", ":"))


def read(text: str) -> Plan:
    fields = json.loads(text)
    return Plan(
        columns=tuple(Column(**column) for column in fields["columns"]),
        rows=tuple(Row(row["name"], row["values"], tuple(row["images"])) for row in fields["rows"]),
        assertions=tuple(fields["assertions"]),
        sentiment=fields["sentiment"],
        schema=fields["schema"],
    )
