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


@dataclass(frozen=True)
class Outline:
    """What is known of a workflow without its drawing: one version of it does the same for good."""

    id: str
    name: str
    is_active: bool
    version: int


@dataclass(frozen=True)
class Page:
    """Which part of a list is wanted: `page` counts from 1."""

    page: int = 1
    limit: int = 10

    @property
    def offset(self) -> int:
        return (self.page - 1) * self.limit
