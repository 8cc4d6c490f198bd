"""The records of workflows, frozen."""

from dataclasses import dataclass, field
from typing import Any, Literal

EntityType = Literal["event", "prompt", "action", "result"]
MODES = ("Single Path", "True/False", "Multi", "Iterable")


@dataclass(frozen=True)
class Entity:
    """A building block: what a node of a workflow does (platform.md 5). `fields` are the documented ones, as sent."""

    id: str
    organization_id: str
    environment_id: str
    name: str
    entity_type: EntityType
    description: str | None = None
    fields: dict[str, Any] = field(default_factory=dict)
    revision: int = 1
    created_at: int = 0
    updated_at: int = 0


@dataclass(frozen=True)
class Workflow:
    """A drawn workflow. `data` is its `workflowData`, as sent; `version` counts the saves that change behaviour."""

    id: str
    organization_id: str
    environment_id: str
    name: str
    data: dict[str, Any]
    description: str | None = None
    is_active: bool = True
    priority: int = 100
    version: int = 1
    revision: int = 1
    created_at: int = 0
    updated_at: int = 0
