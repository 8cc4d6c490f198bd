"""Records of workflows as rows, and back."""

import json
from typing import Any

from sqlalchemy import RowMapping

from pulse.workflows.records import Entity, Workflow


def to_row(record: Entity | Workflow) -> dict[str, Any]:
    row = {name: getattr(record, name) for name in record.__dataclass_fields__}
    for name in ("fields", "data"):
        if name in row:
            row[name] = json.dumps(row[name], ensure_ascii=False)
    return row


def to_entity(row: RowMapping) -> Entity:
    return Entity(**{**row, "fields": json.loads(row["fields"])})


def to_workflow(row: RowMapping) -> Workflow:
    return Workflow(**{**row, "data": json.loads(row["data"])})
