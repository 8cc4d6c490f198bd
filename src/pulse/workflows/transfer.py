"""Workflows as documents that live in git: a workflow with its entities in one, read and written as YAML elsewhere.

    {name, description?, priority?, isActive?, entities: {<key>: {name, entityType, …}}, workflowData}

Inside `workflowData` an `entityId` is a key of `entities`, and the `workflowId` of a workflow node is the other
workflow's name. A workflow is recognised by its name when it is applied, and its entities by theirs within it. The
`modelConfiguration` of an entity is a name too, and takes the place of `modelConfigurationId`: ids mean nothing in
another installation.
"""

import copy
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pulse.core.errors import Fault, InvalidFields
from pulse.workflows.plan import workflow_ids
from pulse.workflows.records import Entity, Workflow

_OWN = ("name", "description", "priority", "isActive", "entities", "workflowData")
# The first that an entity has is read; the second is its older name.
_CONFIGURATION_IDS = ("modelConfigurationId", "modelId")


def to_document(
    workflow: Workflow,
    entities: Mapping[str, Entity],
    workflows: Mapping[str, str] | None = None,
    configurations: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """The document of a workflow; `entities` by id, and the names of `workflows` and `configurations` by theirs."""
    keys: dict[str, str] = {}

    def key_of(entity_id: str) -> str:
        if entity_id not in entities:
            # A node that stands nowhere in the tree may refer to what is gone, and unknown fields to anything.
            return entity_id
        if entity_id not in keys:
            keys[entity_id] = _free(_slug(entities[entity_id].name), set(keys.values()))
        return keys[entity_id]

    names = workflows or {}
    data = _renamed(workflow.data, entityId=key_of, workflowId=lambda found: names.get(found, found))
    document: dict[str, Any] = {"name": workflow.name}
    if workflow.description:
        document["description"] = workflow.description
    shown = {key: _entity_document(entities[entity_id]) for entity_id, key in keys.items()}
    active = {} if workflow.is_active else {"isActive": False}
    document |= {"priority": workflow.priority, **active, "entities": shown, "workflowData": data}
    return with_configuration_names(document, configurations or {})


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


def shared_names(entities: Mapping[str, Any]) -> list[Fault]:
    """Entities are recognised by their names within a workflow: no two may share one."""
    seen: dict[Any, str] = {}
    faults = []
    for key, entity in entities.items():
        first = seen.setdefault(entity.get("name"), key)
        if first != key and isinstance(entity.get("name"), str):
            words = f"The entities {first!r} and {key!r} have the same name: give each its own."
            faults.append(Fault(f"entities.{key}.name", "name_taken", words))
    return faults


def with_ids(
    document: dict[str, Any], ids: Mapping[str, str], workflows: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """The `workflowData` of a document with ids: of its entities by their keys, of `workflows` by their names."""
    known = workflows or {}
    data: dict[str, Any] = _renamed(
        document.get("workflowData") or {},
        entityId=lambda key: ids.get(key, key),
        workflowId=lambda name: known.get(name, name),
    )
    return data


def with_configuration_names(document: dict[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """The document with the names of model configurations in place of their ids, where `names` has them by id."""

    def named(entity: dict[str, Any]) -> dict[str, Any]:
        field = next((name for name in _CONFIGURATION_IDS if entity.get(name)), None)
        if field is None or entity[field] not in names:
            return entity
        named_by = ("modelConfiguration", names[entity[field]])
        return dict(named_by if name == field else (name, value) for name, value in entity.items())

    return _with_entities(document, named)


def with_configuration_ids(document: dict[str, Any], ids: Mapping[str, str]) -> dict[str, Any]:
    """The document with the ids of model configurations in place of their names; `ids` by name."""

    def identified(entity: dict[str, Any]) -> dict[str, Any]:
        name = entity.get("modelConfiguration")
        rest = {field: value for field, value in entity.items() if field != "modelConfiguration"}
        return {**rest, "modelConfigurationId": ids.get(name, name)} if name else rest

    return _with_entities(document, identified)


def started_by(document: dict[str, Any]) -> set[str]:
    """The names of the workflows that the document's workflow nodes start."""
    return workflow_ids(document.get("workflowData") or {})


def file_name(name: str, nameless: str = "workflow") -> str:
    """What a file of something of that name is called; `nameless`: where it has nothing that a file's name can hold."""
    return f"{_slug(name, nameless)}.yaml"


def file_stems(names: Iterable[str], nameless: str = "workflow") -> list[str]:
    """The same for several, without `.yaml`: those that would be called the same get numbers, in their order."""
    stems: list[str] = []
    for name in names:
        stems.append(_free(file_name(name, nameless).removesuffix(".yaml"), set(stems)))
    return stems


def _with_entities(document: dict[str, Any], change: Callable[[dict[str, Any]], dict[str, Any]]) -> dict[str, Any]:
    """The document with each of its entities changed."""
    if not document.get("entities"):
        return document
    return {**document, "entities": {key: change(entity) for key, entity in document["entities"].items()}}


def _entity_document(entity: Entity) -> dict[str, Any]:
    described = {"description": entity.description} if entity.description else {}
    return {"name": entity.name, "entityType": entity.entity_type, **described, **_without_defaults(entity.fields)}


def _without_defaults(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value not in ([], "", None)}


def _renamed(data: Any, **rename: Callable[[str], str]) -> Any:
    """A copy of the data in which the texts under these names are renamed."""
    if isinstance(data, list):
        return [_renamed(item, **rename) for item in data]
    if not isinstance(data, Mapping):
        return copy.copy(data)
    return {
        name: rename[name](value) if name in rename and isinstance(value, str) else _renamed(value, **rename)
        for name, value in data.items()
    }


def _slug(name: str, nameless: str = "workflow") -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or nameless


def _free(wanted: str, taken: set[str]) -> str:
    number, name = 2, wanted
    while name in taken:
        name, number = f"{wanted}-{number}", number + 1
    return name
