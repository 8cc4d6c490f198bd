"""What only Pulse itself writes is written by no body: every such field is refused, wherever in a body it stands."""

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest

from tests.integration.console.matrix.askers import Asker
from tests.integration.console.matrix.calls import Call
from tests.integration.console.matrix.houses import rows
from tests.integration.console.matrix.matrix import Matrix
from tests.integration.console.matrix.operations import Json, Operation

OWNED: Json = {
    "id": "own_00000000000000000000000000",
    "organization_id": "org_00000000000000000000000000",
    "organization": {"id": "org_00000000000000000000000000"},
    "ownerId": "usr_00000000000000000000000000",
    "userId": "usr_00000000000000000000000000",
    "role": "System",
    "isSystem": True,
    "is_system": True,
    "isAdmin": True,
    "permissions": ["organizations:create"],
    "createdAt": "2001-01-01T00:00:00Z",
    "updatedAt": "2001-01-01T00:00:00Z",
    "revision": 999,
    "version": 999,
    "apiKeyHash": "00",
    "digest": "00",
    "passwordHash": "$argon2id$",
    "secrets": ["planted"],
    "status": "success",
    "revokedAt": None,
    "lastUsedAt": None,
    "lastValidated": "2001-01-01T00:00:00Z",
    "__proto__": {"isSystem": True},
    "model_config": {"extra": "allow"},
}
# Places of a body that are the sender's own to fill.
FREE = {"workflowData", "payload", "message", "values", "condition", "pins", "effects", "schema", "customHeaders"}


def objects(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The paths of all objects of a body whose fields are Pulse's to name."""
    if isinstance(value, dict):
        yield path
        for name, inner in value.items():
            if name not in FREE:
                yield from objects(inner, (*path, name))
    if isinstance(value, list):
        for at, inner in enumerate(value):
            yield from objects(inner, (*path, at))


def planted(body: Any, path: tuple[Any, ...], name: str) -> Any:
    grown = deepcopy(body)
    inner = grown
    for step in path:
        inner = inner[step]
    inner[name] = OWNED[name]
    return grown


def declared(asked: Matrix, operation: Operation, path: tuple[Any, ...]) -> set[str]:
    """The fields that a body of that operation really has; further inside, those of any body."""
    schema = operation.schema or {}
    names = [str(each.get("$ref", "")).rpartition("/")[2] for each in (schema, *schema.get("anyOf", ()))]
    wanted = list(asked.schemas) if path else names
    return {name for each in wanted for name in asked.schemas.get(each, {}).get("properties", {})}


@pytest.mark.timeout(300)
async def test_no_body_writes_what_is_not_its_own(asked: Matrix) -> None:
    tried, failures = 0, []
    for operation in [each for each in asked.operations if each.body is not None]:
        admin = asked.who["Admin"]
        asker = asked.who["operator"] if admin.refusal(operation.permission) else admin
        call = Call(operation, asker.name)
        await asked.request(call, asker)
        before = await rows(asked.pulse)
        for path in objects(operation.body):
            for name in OWNED.keys() - declared(asked, operation, path):
                tried += 1
                failures += await _refused(asked, call, asker, path, name)
        if await rows(asked.pulse) != before:
            failures.append(f"{operation}: something was written")
    assert failures == [], "\n".join(failures[:40])
    assert tried > 500


async def _refused(asked: Matrix, call: Call, asker: Asker, path: tuple[Any, ...], name: str) -> list[str]:
    address, body = await asked.request(call, asker)
    answer = await asked.pulse.client.request(
        call.operation.method, address, json=planted(body, path, name), headers=asker.headers
    )
    where = ".".join(map(str, (*path, name)))
    faults = answer.json().get("errors", []) if answer.status_code == 422 else []
    if [where] == [fault["path"] for fault in faults if fault["code"] == "extra_forbidden"]:
        return []
    return [f"{call.operation} with {where}: {answer.status_code} {answer.text[:200]}"]
