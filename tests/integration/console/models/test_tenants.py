"""A second organization sees, changes and uses nothing of the first; prompts stay in their environment, too."""

from typing import Any

import pytest
from fastapi.routing import APIRoute

from pulse.console.models import configurations, credentials, legacy, runs, sets, templates
from tests.integration.console.documents import create
from tests.integration.console.models.documents import (
    CONFIGURATIONS,
    CREDENTIALS,
    MODELS,
    TEMPLATES,
    ask,
    configuration,
    faults,
    mock,
    older,
    template,
)
from tests.integration.receiver.installation import Installation, Tenant

STOLEN = {"name": "stolen", "text": "stolen"}
OF_ORGANIZATIONS: list[tuple[str, str, Any]] = [
    ("GET", "/model-credentials/{credential_id}", None),
    ("PUT", "/model-credentials/{credential_id}", mock(name="stolen")),
    ("DELETE", "/model-credentials/{credential_id}", None),
    ("POST", "/model-credentials/{credential_id}/validate", None),
    ("GET", "/model-configurations/{configuration_id}", None),
    ("PUT", "/model-configurations/{configuration_id}", {"name": "stolen"}),
    ("DELETE", "/model-configurations/{configuration_id}", None),
    ("GET", "/models/{model_id}", None),
    ("PUT", "/models/{model_id}", older(name="stolen")),
    ("DELETE", "/models/{model_id}", None),
]
PROMPTS: list[tuple[str, str, Any]] = [
    ("GET", "/prompt-templates/{template_id}", None),
    ("PUT", "/prompt-templates/{template_id}", STOLEN),
    ("DELETE", "/prompt-templates/{template_id}", None),
    ("GET", "/prompt-templates/{template_id}/versions", None),
    ("GET", "/prompt-templates/{template_id}/versions/{version}", None),
    ("GET", "/prompt-templates/{template_id}/diff", None),
    ("GET", "/prompt-templates/{template_id}/variable-sets", None),
    ("POST", "/prompt-templates/{template_id}/variable-sets", {"name": "stolen"}),
    ("GET", "/prompt-templates/{template_id}/variable-sets/{set_id}", None),
    ("PUT", "/prompt-templates/{template_id}/variable-sets/{set_id}", {"name": "stolen"}),
    ("DELETE", "/prompt-templates/{template_id}/variable-sets/{set_id}", None),
    ("GET", "/prompt-templates/{template_id}/runs", None),
    ("POST", "/prompt-templates/{template_id}/runs", {}),
    ("GET", "/prompt-templates/{template_id}/runs/{run_id}", None),
    ("POST", "/prompt-templates/{template_id}/runs/{run_id}/cancel", None),
    ("POST", "/prompt-templates/{template_id}/runs/{run_id}/retry", None),
    ("DELETE", "/prompt-templates/{template_id}/runs/{run_id}", None),
]


async def belongings(pulse: Installation, acme: Tenant) -> dict[str, str]:
    model = await configuration(pulse, acme, name="Of acme", isDefault=True)
    made = await template(pulse, acme, name="Of acme", modelConfigurationId=model["id"])
    path = f"{TEMPLATES}/{made['id']}"
    return {
        "credential_id": model["credentialId"],
        "configuration_id": model["id"],
        "model_id": (await create(pulse, acme, MODELS, older(name="Of acme")))["id"],
        "template_id": made["id"],
        "version": "1",
        "set_id": (await create(pulse, acme, f"{path}/variable-sets", {"name": "Of acme"}))["id"],
        "run_id": (await create(pulse, acme, f"{path}/runs", {}))["id"],
    }


async def snapshot(pulse: Installation, tenant: Tenant, mine: dict[str, str]) -> list[Any]:
    template_path = f"{TEMPLATES}/{mine['template_id']}"
    paths = (CREDENTIALS, CONFIGURATIONS, MODELS, TEMPLATES, f"{template_path}/variable-sets", f"{template_path}/runs")
    return [(await ask(pulse, tenant, "GET", path)).json() for path in paths]


def test_every_address_with_an_id_is_tried() -> None:
    modules = (credentials, configurations, legacy, templates, sets, runs)
    routes = [route for module in modules for route in module.router.routes if isinstance(route, APIRoute)]
    there = {(method, route.path) for route in routes for method in route.methods or () if "{" in route.path}
    assert there == {(method, path) for method, path, _ in (*OF_ORGANIZATIONS, *PROMPTS)}


@pytest.mark.parametrize(("method", "path", "body"), [*OF_ORGANIZATIONS, *PROMPTS], ids=lambda value: str(value)[:80])
async def test_an_id_of_another_is_not_found(
    pulse: Installation, acme: Tenant, method: str, path: str, body: Any
) -> None:
    mine = await belongings(pulse, acme)
    before = await snapshot(pulse, acme, mine)
    others = [await pulse.tenant()]
    if (method, path, body) in PROMPTS:
        others.append(await pulse.another_environment(acme))
    for other in others:
        address = f"/api{path.format(**mine)}"
        answer = await ask(pulse, other, method, f"{address}?from=1" if address.endswith("diff") else address, body)
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
        assert "Of acme" not in answer.text
    assert await snapshot(pulse, acme, mine) == before


async def test_a_template_of_ones_own_does_not_open_what_is_of_another(pulse: Installation, acme: Tenant) -> None:
    mine = await belongings(pulse, acme)
    for other in (await pulse.tenant(), await pulse.another_environment(acme)):
        own = await template(pulse, other)
        for path in ("variable-sets/{set_id}", "runs/{run_id}"):
            address = f"{TEMPLATES}/{own['id']}/{path.format(**mine)}"
            assert (await ask(pulse, other, "GET", address)).status_code == 404
        body = {"setIds": [mine["set_id"]], "variants": [{"modelConfigurationId": mine["configuration_id"]}]}
        found = faults(await ask(pulse, other, "POST", f"{TEMPLATES}/{own['id']}/runs", body))
        assert ("setIds.0", "unknown_set") in found


async def test_lists_show_nothing_of_another(pulse: Installation, acme: Tenant) -> None:
    mine = await belongings(pulse, acme)
    text = str(await snapshot(pulse, await pulse.tenant(), mine))
    assert [name for name, value in mine.items() if value in text and name != "version"] == ["template_id"]
    assert "Of acme" not in text


async def test_what_belongs_to_the_organization_is_seen_in_each_environment(pulse: Installation, acme: Tenant) -> None:
    await belongings(pulse, acme)
    production = await pulse.another_environment(acme)
    for path, count in ((f"{CREDENTIALS}?scope=organization", 1), (CONFIGURATIONS, 1), (MODELS, 1), (TEMPLATES, 0)):
        assert len((await ask(pulse, production, "GET", path)).json()["data"]) == count


@pytest.mark.parametrize("path", [CREDENTIALS, CONFIGURATIONS, MODELS, TEMPLATES, "/api/model-providers"])
async def test_naming_another_organization_is_not_found(pulse: Installation, acme: Tenant, path: str) -> None:
    other = await pulse.tenant()
    query = f"{path}?organizationId={acme.organization_id}"
    assert (await ask(pulse, other, "GET", query)).status_code == 404
    assert (await ask(pulse, acme, "GET", query)).status_code == 200


async def test_naming_another_organization_in_a_body_is_not_found(pulse: Installation, acme: Tenant) -> None:
    key, other = (await belongings(pulse, acme))["credential_id"], await pulse.tenant()
    bodies: dict[str, dict[str, Any]] = {
        CREDENTIALS: mock(),
        CONFIGURATIONS: {"name": "x", "modelDefinitionId": "mock/mock-small", "credentialId": key},
        MODELS: older(),
        TEMPLATES: {"name": "x", "text": "x"},
    }
    for path, body in bodies.items():
        named = {**body, "organizationId": other.organization_id}
        assert (await ask(pulse, acme, "POST", path, named)).status_code == 404
        assert (await ask(pulse, other, "GET", path)).json()["data"] == []
