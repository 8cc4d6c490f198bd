"""`/api/model-configurations`: models ready to use, and the entities and templates that use them."""

from typing import Any

import pytest

from pulse.core.ids import is_id
from tests.integration.console.documents import ENTITIES, create, entity
from tests.integration.console.models.documents import (
    CONFIGURATIONS,
    CREDENTIALS,
    TEMPLATES,
    ask,
    configuration,
    credential,
    faults,
    openai,
    template,
)
from tests.integration.receiver.installation import Installation, Tenant


def small(credential_id: str, **fields: Any) -> dict[str, Any]:
    return {"name": "Small", "modelDefinitionId": "mock/mock-small", "credentialId": credential_id, **fields}


async def test_create_read_change_delete(pulse: Installation, acme: Tenant) -> None:
    key = await create(pulse, acme, CREDENTIALS, openai())
    body = {"name": "Support", "modelDefinitionId": "openai/gpt-4o", "credentialId": key["id"]}
    made = await create(pulse, acme, CONFIGURATIONS, body)
    definition, provider = made.pop("modelDefinition"), {"id": "openai", "slug": "openai", "name": "OpenAI"}
    assert is_id(made["id"], "mcf")
    assert made == {
        "id": made["id"],
        "scope": "organization",
        "organizationId": acme.organization_id,
        **body,
        "description": None,
        "modelId": None,
        "defaultTemperature": 0.7,
        "defaultMaxTokens": 4096,
        "defaultTimeout": 30000,
        "isVisible": True,
        "isDefault": False,
        "priority": 100,
        "credential": {"id": key["id"], "name": "OpenAI", "hasApiKey": True, "provider": provider},
        "revision": 1,
        "createdAt": made["createdAt"],
        "updatedAt": made["createdAt"],
    }
    assert definition.items() >= {"id": "openai/gpt-4o", "displayName": "GPT-4o", "provider": provider}.items()
    path = f"{CONFIGURATIONS}/{made['id']}"
    read = await ask(pulse, acme, "GET", path)
    assert (read.status_code, read.headers["etag"]) == (200, '"1"')
    assert read.json() == {**made, "modelDefinition": definition}
    more = {"defaultTemperature": None, "defaultMaxTokens": 100, "defaultTimeout": 5000, "modelId": "ft:gpt-4o:acme"}
    changed = await ask(pulse, acme, "PUT", path, {**body, **more})
    assert (changed.status_code, changed.headers["etag"]) == (200, '"2"')
    assert changed.json().items() >= more.items()
    assert (await ask(pulse, acme, "DELETE", path)).status_code == 204
    for method, given in (("GET", None), ("PUT", body), ("DELETE", None)):
        assert (await ask(pulse, acme, method, path, given)).status_code == 404


async def test_lists_have_pages_filters_and_an_order(pulse: Installation, acme: Tenant) -> None:
    last = await configuration(pulse, acme, name="Last", priority=200)
    first = await configuration(pulse, acme, name="First", priority=1)
    hidden = await configuration(pulse, acme, name="Hidden", isVisible=False)
    vectors = await configuration(pulse, acme, name="Vectors", modelDefinitionId="mock/mock-embedding")
    for query, wanted in (
        ("", [first, vectors, last]),
        ("visibleOnly=false", [first, hidden, vectors, last]),
        ("category=embedding", [vectors]),
        ("category=chat", [first, last]),
        ("scope=organization&limit=1&page=3", [last]),
    ):
        answer = (await ask(pulse, acme, "GET", f"{CONFIGURATIONS}?{query}")).json()
        assert answer["data"] == wanted, query
    shown = (await ask(pulse, acme, "GET", f"{CONFIGURATIONS}?limit=1&page=3")).json()["pagination"]
    assert shown == {"page": 3, "limit": 1, "total": 3, "totalPages": 3}


async def test_one_of_a_kind_is_the_default(pulse: Installation, acme: Tenant) -> None:
    first = await configuration(pulse, acme, name="First", isDefault=True)
    second = await configuration(pulse, acme, name="Second", isDefault=True)
    shown = (await ask(pulse, acme, "GET", CONFIGURATIONS)).json()["data"]
    assert [(row["id"], row["isDefault"]) for row in shown] == [(first["id"], False), (second["id"], True)]


async def test_a_name_is_taken_once(pulse: Installation, acme: Tenant) -> None:
    made = await configuration(pulse, acme)
    taken = await ask(pulse, acme, "POST", CONFIGURATIONS, small(made["credentialId"]))
    assert (taken.status_code, taken.json()["code"]) == (409, "conflict")
    assert "'Small'" in taken.json()["detail"]


async def test_refusals_come_in_order(pulse: Installation, acme: Tenant) -> None:
    made = await configuration(pulse, acme)
    good = small(made["credentialId"])
    reader = await pulse.another_key(acme, "models:read")
    nobody = Tenant(acme.organization, acme.environment, "pk_none")
    path, none = f"{CONFIGURATIONS}/{made['id']}", f"{CONFIGURATIONS}/mcf_none"
    wrong = {**good, "priority": 10**9}
    assert (await ask(pulse, nobody, "PUT", none, wrong, '"9"')).status_code == 401
    assert (await ask(pulse, reader, "PUT", none, wrong, '"9"')).status_code == 403
    assert (await ask(pulse, acme, "PUT", none, wrong, '"9"')).status_code == 404
    assert (await ask(pulse, acme, "PUT", path, wrong, '"9"')).status_code == 422
    assert (await ask(pulse, acme, "PUT", path, good, '"9"')).status_code == 412
    assert (await ask(pulse, acme, "PUT", path, good, '"1"')).status_code == 200


async def test_scopes(pulse: Installation, acme: Tenant) -> None:
    made = await configuration(pulse, acme)
    path, body = f"{CONFIGURATIONS}/{made['id']}", small(made["credentialId"], name="Other")
    for scope, statuses in (("read", (200, 200, 403, 403, 403)), ("write", (403, 403, 201, 200, 204))):
        key = await pulse.another_key(acme, f"models:{scope}")
        answers = [
            await ask(pulse, key, "GET", CONFIGURATIONS),
            await ask(pulse, key, "GET", path),
            await ask(pulse, key, "POST", CONFIGURATIONS, body),
            await ask(pulse, key, "PUT", path, {**body, "name": "Third"}),
            await ask(pulse, key, "DELETE", path),
        ]
        assert tuple(answer.status_code for answer in answers) == statuses


WRONG: list[tuple[dict[str, Any], list[tuple[str, str]]]] = [
    ({"modelDefinitionId": "openai/none"}, [("modelDefinitionId", "unknown_model")]),
    ({"modelDefinitionId": "openai/gpt-4o"}, [("credentialId", "wrong_provider")]),
    ({"credentialId": "mcr_none"}, [("credentialId", "unknown_credential")]),
    ({"modelId": "two words"}, [("modelId", "invalid_model")]),
    ({"defaultTemperature": 3}, [("defaultTemperature", "out_of_range")]),
    ({"defaultMaxTokens": 0}, [("defaultMaxTokens", "out_of_range")]),
    ({"defaultTimeout": 1}, [("defaultTimeout", "out_of_range")]),
    ({"priority": 10**12}, [("priority", "out_of_range")]),
    ({"isDefault": "perhaps"}, [("isDefault", "bool_parsing")]),
    ({"credential": {}}, [("credential", "extra_forbidden")]),
    ({"scope": "mine"}, [("scope", "literal_error")]),
]


@pytest.mark.parametrize(("more", "wanted"), WRONG, ids=range(len(WRONG)))
async def test_every_fault_has_its_path(
    pulse: Installation, acme: Tenant, more: dict[str, Any], wanted: list[tuple[str, str]]
) -> None:
    key = (await credential(pulse, acme))["id"]
    assert faults(await ask(pulse, acme, "POST", CONFIGURATIONS, {**small(key), **more})) == wanted
    assert (await ask(pulse, acme, "GET", CONFIGURATIONS)).json()["data"] == []


async def test_a_credential_of_another_organization_cannot_be_used(pulse: Installation, acme: Tenant) -> None:
    theirs = (await credential(pulse, acme))["id"]
    answer = await ask(pulse, await pulse.tenant(), "POST", CONFIGURATIONS, small(theirs))
    assert faults(answer) == [("credentialId", "unknown_credential")]


async def test_an_entity_names_a_configuration_that_is_there(pulse: Installation, acme: Tenant) -> None:
    foreign = await configuration(pulse, await pulse.tenant())
    for named in ("mcf_none", "Small", foreign["id"]):
        wrong = entity("prompt", prompt="Hello", modelConfigurationId=named, condition={"field": "a"})
        found = faults(await ask(pulse, acme, "POST", ENTITIES, wrong))
        assert ("modelConfigurationId", "unknown_configuration") in found
        assert len(found) > 1
    mine = await configuration(pulse, acme)
    body = entity("prompt", prompt="Hello", modelConfigurationId=mine["id"])
    made = await create(pulse, acme, ENTITIES, body)
    assert made["modelConfigurationId"] == mine["id"]
    path = f"{ENTITIES}/{made['id']}"
    unknown = {**body, "modelConfigurationId": "mcf_none"}
    assert faults(await ask(pulse, acme, "PUT", path, unknown, '"9"')) == [
        ("modelConfigurationId", "unknown_configuration")
    ]
    assert (await ask(pulse, acme, "GET", path)).json() == made
    # The older name is kept as it is, and none at all means the default one.
    for more in ({"modelId": "an older model"}, {"modelConfigurationId": None}):
        await create(pulse, acme, ENTITIES, entity("prompt", prompt="Hello", **more))


async def test_an_older_entity_uses_it_as_well(pulse: Installation, acme: Tenant) -> None:
    mine = await configuration(pulse, acme)
    await create(pulse, acme, ENTITIES, entity("prompt", name="Old", prompt="?", modelId=mine["id"]))
    refused = await ask(pulse, acme, "DELETE", f"{CONFIGURATIONS}/{mine['id']}")
    assert (refused.status_code, "'Old'" in refused.json()["detail"]) == (409, True)


async def test_what_is_used_is_not_deleted(pulse: Installation, acme: Tenant) -> None:
    mine = await configuration(pulse, acme)
    path = f"{CONFIGURATIONS}/{mine['id']}"
    user = await create(
        pulse, acme, ENTITIES, entity("prompt", name="Ask it", prompt="?", modelConfigurationId=mine["id"])
    )
    production = await pulse.another_environment(acme)
    other = await template(pulse, production, name="Weekly", modelConfigurationId=mine["id"])
    refused = await ask(pulse, acme, "DELETE", path)
    assert (refused.status_code, refused.json()["code"]) == (409, "conflict")
    assert "'Ask it', 'Weekly'" in refused.json()["detail"]
    assert (await ask(pulse, acme, "DELETE", f"{ENTITIES}/{user['id']}")).status_code == 204
    assert "'Weekly'" in (await ask(pulse, acme, "DELETE", path)).json()["detail"]
    assert (await ask(pulse, production, "DELETE", f"{TEMPLATES}/{other['id']}")).status_code == 204
    assert (await ask(pulse, acme, "DELETE", path)).status_code == 204
