"""Workflows as documents that live in git: a workflow with its entities in one, read and written as YAML elsewhere.

    {name, description?, priority?, isActive?, entities: {<key>: {name, entityType, …}}, workflowData}

Inside `workflowData` an `entityId` is a key of `entities`. A workflow is recognised by its name when it is applied,
and its entities by theirs within it.
"""

import copy
import re
from collections.abc import Mapping
from typing import Any

from pulse.core.errors import Fault, InvalidFields
from pulse.workflows.records import Entity, Workflow

_OWN = ("name", "description", "priority", "isActive", "entities", "workflowData")


def to_document(workflow: Workflow, entities: Mapping[str, Entity]) -> dict[str, Any]:
    """The document of a workflow; `entities` by id."""
    keys: dict[str, str] = {}

    def key_of(entity_id: str) -> str:
        if entity_id not in entities:
            # A node that stands nowhere in the tree may refer to what is gone, and unknown fields to anything.
            return entity_id
        if entity_id not in keys:
            keys[entity_id] = _free(_slug(entities[entity_id].name), set(keys.values()))
        return keys[entity_id]

    data = _renamed(workflow.data, key_of)
    document: dict[str, Any] = {"name": workflow.name}
    if workflow.description:
        document["description"] = workflow.description
    shown = {key: _entity_document(entities[entity_id]) for entity_id, key in keys.items()}
    active = {} if workflow.is_active else {"isActive": False}
    return {**document, "priority": workflow.priority, **active, "entities": shown, "workflowData": data}


def check_document(document: Any) -> None:
    """Raises InvalidFields where the document is not of the form above; what it says is checked when it is stored."""
    if not isinstance(document, dict):
        raise InvalidFields([Fault("", "not_an_object", "A workflow document is a mapping.")])
    faults = [Fault(name, "unknown_field", f"There is no field {name!r}.") for name in document if name not in _OWN]
    if not isinstance(document.get("name"), str) or not document["name"]:
        faults.append(Fault("name", "missing", "A workflow has a name."))
    entities = document.get("entities", {})
    if not isinstance(entities, dict) or not all(isinstance(entity, dict) for entity in entities.values()):
        faults.append(Fault("entities", "not_an_object", "entities maps keys to entities."))
    if faults:
        raise InvalidFields(faults)


def with_ids(document: dict[str, Any], ids: Mapping[str, str]) -> dict[str, Any]:
    """The `workflowData` of a document with the ids of its entities in the place of their keys."""
    data: dict[str, Any] = _renamed(document.get("workflowData") or {}, lambda key: ids.get(key, key))
    return data


def file_name(workflow_name: str) -> str:
    return f"{_slug(workflow_name)}.yaml"


def _entity_document(entity: Entity) -> dict[str, Any]:
    described = {"description": entity.description} if entity.description else {}
    return {"name": entity.name, "entityType": entity.entity_type, **described, **_without_defaults(entity.fields)}


def _without_defaults(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value not in ([], "", None)}


def _renamed(data: Any, rename: Any) -> Any:
    """A copy of the data in which every `entityId` is renamed."""
    if isinstance(data, list):
        return [_renamed(item, rename) for item in data]
    if not isinstance(data, Mapping):
        return copy.copy(data)
    return {
        name: rename(value) if name == "entityId" and isinstance(value, str) else _renamed(value, rename)
        for name, value in data.items()
    }


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "workflow"


def _free(wanted: str, taken: set[str]) -> str:
    number, name = 2, wanted
    while name in taken:
        name, number = f"{wanted}-{number}", number + 1
    return name
