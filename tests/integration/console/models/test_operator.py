"""What belongs to the installation: everybody reads and uses it, and only its operator changes it."""

from typing import Any

import pytest

from tests.integration.console.documents import ENTITIES, create, entity
from tests.integration.console.models.documents import (
    CONFIGURATIONS,
    CREDENTIALS,
    as_operator,
    ask,
    configuration,
    credential,
    faults,
    mock,
)
from tests.integration.receiver.installation import Installation


def shared(credential_id: str, **fields: Any) -> dict[str, Any]:
    body = {"name": "Shared", "modelDefinitionId": "mock/mock-small", "credentialId": credential_id}
    return {**body, "scope": "system", **fields}


@pytest.fixture
async def system(alone: Installation) -> dict[str, Any]:
    """A credential and a configuration of the installation."""
    key = await as_operator(alone, "POST", CREDENTIALS, mock(scope="system"))
    assert key.status_code == 201, key.text
    model = await as_operator(alone, "POST", CONFIGURATIONS, shared(key.json()["id"]))
    assert model.status_code == 201, model.text
    return {"credential": key.json(), "configuration": model.json()}


def paths(system: dict[str, Any]) -> tuple[str, str]:
    key, model = system["credential"], system["configuration"]
    return f"{CREDENTIALS}/{key['id']}", f"{CONFIGURATIONS}/{model['id']}"


async def test_everybody_reads_it(alone: Installation, system: dict[str, Any]) -> None:
    key, model = system["credential"], system["configuration"]
    for row in (key, model):
        assert (row["scope"], row["organizationId"]) == ("system", None)
    assert (key["organization"], key["_count"]) == (None, {"modelConfigs": 0})
    acme = await alone.tenant()
    key_path, model_path = paths(system)
    assert (await ask(alone, acme, "GET", key_path)).json() == key
    assert (await ask(alone, acme, "GET", model_path)).json() == model
    assert (await ask(alone, acme, "GET", CREDENTIALS)).json()["data"] == [key]
    for query, wanted in (("", []), ("?includeSystem=true", [model]), ("?scope=system", [model])):
        assert (await ask(alone, acme, "GET", f"{CONFIGURATIONS}{query}")).json()["data"] == wanted
    assert (await ask(alone, acme, "GET", f"{CREDENTIALS}?scope=organization")).json()["data"] == []


async def test_everybody_uses_it(alone: Installation, system: dict[str, Any]) -> None:
    acme = await alone.tenant()
    key, model = system["credential"], system["configuration"]
    await create(alone, acme, ENTITIES, entity("prompt", prompt="?", modelConfigurationId=model["id"]))
    own = await configuration(alone, acme, credentialId=key["id"])
    assert (own["scope"], own["credential"]["id"]) == ("organization", key["id"])
    key_path, model_path = paths(system)
    assert (await ask(alone, acme, "GET", key_path)).json()["_count"] == {"modelConfigs": 1}
    for path, words in ((key_path, "1 of organizations"), (model_path, "'an entity of a workflow'")):
        refused = await as_operator(alone, "DELETE", path)
        assert refused.status_code == 409
        assert words in refused.json()["detail"]
        assert own["name"] not in refused.json()["detail"]


async def test_only_the_operator_changes_it(alone: Installation, system: dict[str, Any]) -> None:
    acme = await alone.tenant()
    key_path, model_path = paths(system)
    model = shared(system["credential"]["id"])
    requests: list[tuple[str, str, Any]] = [
        ("PUT", key_path, mock(name="mine")),
        ("DELETE", key_path, None),
        ("POST", f"{key_path}/validate", None),
        ("POST", CREDENTIALS, mock(name="mine", scope="system")),
        ("PUT", model_path, model),
        ("DELETE", model_path, None),
        ("POST", CONFIGURATIONS, {**model, "name": "mine"}),
    ]
    for method, path, body in requests:
        answer = await ask(alone, acme, method, path, body, '"9"')
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden"), (method, path, answer.text)
        assert "operator" in answer.json()["detail"]
    assert (await ask(alone, acme, "GET", key_path)).json() == system["credential"]
    # Within an organization or without one, the operator may.
    assert (await as_operator(alone, "POST", f"{key_path}/validate")).json()["valid"] is True
    assert (await as_operator(alone, "PUT", key_path, mock(name="Renamed"), **acme.place)).status_code == 200
    assert (await as_operator(alone, "PUT", model_path, {**model, "name": "Renamed"})).status_code == 200
    assert (await as_operator(alone, "DELETE", model_path)).status_code == 204
    assert (await as_operator(alone, "DELETE", key_path)).status_code == 204


async def test_the_operator_says_for_whom(alone: Installation) -> None:
    acme, other = await alone.tenant(), await alone.tenant()
    organization = {"organizationId": acme.organization_id}
    ways: list[tuple[dict[str, str], dict[str, str]]] = [
        (organization, {}),
        ({}, organization),
        (organization, acme.place),
        ({}, {"organizationId": acme.organization.name}),
    ]
    for number, (body, query) in enumerate(ways):
        made = await as_operator(alone, "POST", CREDENTIALS, mock(name=f"Mock {number}", **body), **query)
        assert (made.status_code, made.json()["organizationId"]) == (201, acme.organization_id)
    path = f"{CREDENTIALS}/{(await credential(alone, acme))['id']}"
    assert (await as_operator(alone, "GET", path, **organization)).status_code == 200
    assert (await as_operator(alone, "GET", path)).status_code == 404
    assert (await as_operator(alone, "GET", path, **other.place)).status_code == 404
    without = await as_operator(alone, "POST", CREDENTIALS, mock(name="Of all"))
    assert (without.status_code, without.json()["scope"]) == (201, "system")


async def test_what_contradicts_itself_is_refused(alone: Installation) -> None:
    acme, other = await alone.tenant(), await alone.tenant()
    named = mock(organizationId=acme.organization_id)
    both = await as_operator(alone, "POST", CREDENTIALS, {**named, "scope": "system"})
    assert faults(both) == [("organizationId", "not_allowed")]
    nobody = await as_operator(alone, "POST", CREDENTIALS, mock(scope="organization"))
    assert faults(nobody) == [("organizationId", "missing")]
    for query in (other.place, {"organizationId": "nobody"}, {**acme.place, "environmentId": other.environment_id}):
        assert (await as_operator(alone, "POST", CREDENTIALS, named, **query)).status_code == 404
    for path in (CREDENTIALS, CONFIGURATIONS):
        assert faults(await as_operator(alone, "GET", path, scope="organization")) == [("organizationId", "missing")]
    unknown = await as_operator(alone, "POST", CREDENTIALS, mock(organizationId="nobody"))
    assert unknown.status_code == 404
    assert (await as_operator(alone, "GET", CREDENTIALS)).json()["data"] == []


async def test_the_installation_uses_nothing_of_an_organization(alone: Installation) -> None:
    mine = await configuration(alone, await alone.tenant())
    answer = await as_operator(alone, "POST", CONFIGURATIONS, shared(mine["credentialId"]))
    assert faults(answer) == [("credentialId", "unknown_credential")]
