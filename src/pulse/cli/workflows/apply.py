"""What applying a workflow document changes, and the calls that carry it out."""

import difflib
import json
import math
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import ValidationError

from pulse.cli.session import Session
from pulse.console.bodies import Body, EntityBody, WorkflowBody
from pulse.core.errors import Fault, InvalidFields
from pulse.workflows.plan import check_workflow, entity_ids
from pulse.workflows.records import Entity, Workflow
from pulse.workflows.transfer import shared_names, started_by, to_document, with_configuration_names, with_ids

Kind = Literal["create", "change", "unchanged"]


def as_json(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False)


@dataclass(frozen=True)
class Change:
    """The change that one document means: `present` is the workflow of that name, `entities` those it uses, by name.

    Model configurations go by their ids in the document, and by their names in the diff.
    """

    kind: Kind
    name: str
    document: dict[str, Any]
    present: Workflow | None
    entities: Mapping[str, Entity]
    diff: Sequence[str]

    async def carry_out(self, pulse: Session, place: dict[str, str], known: dict[str, str]) -> None:
        """Entities first, then the workflow that uses them. Applied again, it changes nothing more.

        `known` are the ids of the workflows by name; this one's is added.
        """
        if self.kind == "unchanged":
            return
        ids = {}
        for key, fields in self.document.get("entities", {}).items():
            stored = self.entities.get(fields["name"])
            ids[key] = await _put(pulse, place, "/api/workflow-entities", stored.id if stored else None, fields)
        body: dict[str, Any] = {
            name: self.document[name]
            for name in ("name", "description", "priority", "isActive")
            if name in self.document
        }
        body["workflowData"] = with_ids(self.document, ids, known)
        known[self.name] = await _put(pulse, place, "/api/workflows", known.get(self.name), body)


async def carry_out_all(
    changes: Sequence[Change], pulse: Session, place: dict[str, str], known: dict[str, str]
) -> None:
    """Carries the changes out, a workflow before those that start it.

    Where new ones start each other (or themselves), they are made empty first, so that they can name one another.
    """
    waiting = [change for change in changes if change.kind != "unchanged"]
    while waiting:
        ready = [change for change in waiting if not (started_by(change.document) - known.keys()) & _names(waiting)]
        for change in ready:
            await change.carry_out(pulse, place, known)
        waiting = [change for change in waiting if change not in ready]
        if waiting and not ready:
            name = next(change.name for change in waiting if change.name not in known)
            known[name] = await _put(pulse, place, "/api/workflows", None, {"name": name, "isActive": False})


def _names(changes: Sequence[Change]) -> set[str]:
    return {change.name for change in changes}


def changes_of(
    document: dict[str, Any],
    workflows: Sequence[Workflow],
    entities: Mapping[str, Entity],
    configurations: Mapping[str, str] | None = None,
    shown_as: Callable[[dict[str, Any]], str] = as_json,
) -> Change:
    """What applying the document would change; `configurations` are the names of model configurations by id.

    `shown_as`: the text of a document, whose lines the diff is made of.
    """
    name, shown = document["name"], with_configuration_names(document, configurations or {})
    present = next((workflow for workflow in workflows if workflow.name == name), None)
    if present is None:
        return Change("create", name, document, None, {}, diff_of({}, shown, shown_as))
    before = to_document(present, entities, {workflow.id: workflow.name for workflow in workflows}, configurations)
    used = {entities[entity_id].name: entities[entity_id] for entity_id in entity_ids(present.data)}
    diff = diff_of(_comparable(before), _comparable(shown), shown_as)
    return Change("change" if diff else "unchanged", name, document, present, used, diff)


def check_contents(document: dict[str, Any], workflows: Container[str] | None = None) -> None:
    """Finds what Pulse would refuse, before anything of it is sent. Raises InvalidFields.

    `workflows` are the names and ids that its workflow nodes may have; None: they are not checked.
    """
    entities = document.get("entities", {})
    faults = not_json(document, "") or [
        *shared_names(entities),
        *_faults(WorkflowBody, {name: value for name, value in document.items() if name != "entities"}, ""),
        *(fault for key, entity in entities.items() for fault in _entity_faults(entity, f"entities.{key}.")),
    ]
    if not faults:
        drawn = {
            key: Entity(key, "", "", entity["name"], entity["entityType"], None, entity)
            for key, entity in entities.items()
        }
        faults = check_workflow(document.get("workflowData") or {}, drawn, workflows)
    if faults:
        raise InvalidFields(faults)


def _entity_faults(entity: dict[str, Any], path: str) -> list[Fault]:
    faults = _faults(EntityBody, {name: value for name, value in entity.items() if name != "modelConfiguration"}, path)
    model, place = entity.get("modelConfiguration"), f"{path}modelConfiguration"
    if not isinstance(model, str | None):
        faults.append(Fault(place, "not_text", "The name of a model configuration is text."))
    elif model and entity.get("modelConfigurationId"):
        words = "Name the model configuration here or by its id in modelConfigurationId, not both."
        faults.append(Fault(place, "named_twice", words))
    return faults


def _faults(body: type[Body], fields: dict[str, Any], path: str) -> list[Fault]:
    try:
        body.model_validate(fields)
    except ValidationError as error:
        found = [(".".join(map(str, fault["loc"])), fault["type"], fault["msg"]) for fault in error.errors()]
        return [Fault(path + where, code, f"{words}.") for where, code, words in found]
    return []


def not_json(value: Any, path: str) -> list[Fault]:
    """What YAML can say and JSON cannot: dates, binary data, names that are no text."""
    if isinstance(value, dict):
        faults = []
        for key, inner in value.items():
            if not isinstance(key, str):
                faults.append(Fault(path, "not_text", f"Put {key!r} in quotes: a name is text."))
            faults += not_json(inner, f"{path}.{key}" if path else str(key))
        return faults
    if isinstance(value, list):
        return [fault for at, inner in enumerate(value) for fault in not_json(inner, f"{path}.{at}")]
    if isinstance(value, str | int | None) or (isinstance(value, float) and math.isfinite(value)):
        return []
    return [Fault(path, "not_json", f"Put {value!s} in quotes: JSON has no such value.")]


async def _put(pulse: Session, place: dict[str, str], path: str, record_id: str | None, body: Any) -> str:
    method, path = ("POST", path) if record_id is None else ("PUT", f"{path}/{record_id}")
    response = await pulse.send(method, path, params=place, json=body)
    return str(response.json()["id"])


def _comparable(document: dict[str, Any]) -> dict[str, Any]:
    """The document with its entities under their names, and with the defaults that may be left out."""
    names = {key: entity.get("name", key) for key, entity in document.get("entities", {}).items()}
    entities = {entity.get("name", key): _entity(entity) for key, entity in document.get("entities", {}).items()}
    data = with_ids(document, names)
    rest = {name: value for name, value in document.items() if name not in ("entities", "workflowData")}
    return {"priority": 100, "isActive": True, **rest, "entities": entities, "workflowData": data}


def _entity(entity: dict[str, Any]) -> dict[str, Any]:
    return {
        "tfCondition": "Single Path",
        **{name: value for name, value in entity.items() if value not in ([], "", None)},
    }


def diff_of(before: dict[str, Any], after: dict[str, Any], shown_as: Callable[[dict[str, Any]], str]) -> list[str]:
    """The lines of a unified diff of two documents, without its head; an empty one has no lines."""
    old, new = ([] if not side else shown_as(side).splitlines() for side in (before, after))
    return list(difflib.unified_diff(old, new, lineterm="", n=2))[2:]
