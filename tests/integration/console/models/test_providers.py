"""`/api/model-providers` and `/api/model-definitions`: the catalogue, as the documentation shows it."""

from typing import Any

import pytest

from tests.integration.console.models.documents import as_operator, ask, faults
from tests.integration.receiver.installation import Installation, Tenant

PROVIDERS, DEFINITIONS = "/api/model-providers", "/api/model-definitions"
DOCUMENTED: list[tuple[str, str, str, str, str | None]] = [
    ("openai", "OpenAI", "api_key", "openai", "https://api.openai.com/v1"),
    ("anthropic", "Anthropic", "api_key", "anthropic", "https://api.anthropic.com/v1"),
    ("bedrock", "AWS Bedrock", "iam", "bedrock", None),
    ("google", "Google (Gemini)", "api_key", "google", "https://generativelanguage.googleapis.com/v1beta"),
    ("xai", "xAI (Grok)", "api_key", "openai", "https://api.x.ai/v1"),
]


async def rows(pulse: Installation, tenant: Tenant, path: str) -> list[dict[str, Any]]:
    answer = await ask(pulse, tenant, "GET", path)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["data"]
    return found


async def test_the_documented_providers_are_there(pulse: Installation, acme: Tenant) -> None:
    shown = await rows(pulse, acme, PROVIDERS)
    names = ("slug", "name", "authType", "apiFormat", "baseUrl")
    assert [tuple(row[name] for name in names) for row in shown][: len(DOCUMENTED)] == DOCUMENTED
    assert all(row["id"] == row["slug"] and "models" not in row for row in shown)


async def test_with_models_each_provider_has_its_own(pulse: Installation, acme: Tenant) -> None:
    shown = await rows(pulse, acme, f"{PROVIDERS}?includeModels=true")
    assert all({model["providerId"] for model in row["models"]} == {row["id"]} for row in shown)
    counted = sum(len(row["models"]) for row in shown)
    assert counted == len(await rows(pulse, acme, f"{DEFINITIONS}?activeOnly=false"))


async def test_a_definition_has_the_documented_fields(pulse: Installation, acme: Tenant) -> None:
    found = [row for row in await rows(pulse, acme, DEFINITIONS) if row["id"] == "openai/gpt-4o"]
    wanted = {
        "slug": "gpt-4o",
        "modelId": "gpt-4o",
        "category": "chat",
        "contextWindow": 128000,
        "maxOutputTokens": 16384,
        "inputPricePerMillion": 2.5,
        "outputPricePerMillion": 10.0,
        "supportsVision": True,
        "supportsFunctionCalling": True,
        "supportsStreaming": True,
        "isActive": True,
        "isDeprecated": False,
        "provider": {"id": "openai", "slug": "openai", "name": "OpenAI"},
    }
    assert len(found) == 1
    assert found[0].items() >= wanted.items()


@pytest.mark.parametrize(
    ("query", "field", "value"),
    [
        ("providerId=anthropic", "providerId", "anthropic"),
        ("category=embedding", "category", "embedding"),
        ("tier=economy", "tier", "economy"),
        ("supportsVision=false", "supportsVision", False),
        ("", "isActive", True),
    ],
)
async def test_definitions_can_be_filtered(
    pulse: Installation, acme: Tenant, query: str, field: str, value: Any
) -> None:
    everything = await rows(pulse, acme, f"{DEFINITIONS}?activeOnly=false")
    found = await rows(pulse, acme, f"{DEFINITIONS}?{query}")
    assert found == [row for row in everything if row[field] == value and row["isActive"]]
    assert 0 < len(found) < len(everything)


async def test_lists_have_pages_and_say_of_which_day_they_are(pulse: Installation, acme: Tenant) -> None:
    everything = await rows(pulse, acme, DEFINITIONS)
    answer = (await ask(pulse, acme, "GET", f"{DEFINITIONS}?page=2&limit=5")).json()
    assert answer["data"] == everything[5:10]
    assert answer["pagination"] == {
        "page": 2,
        "limit": 5,
        "total": len(everything),
        "totalPages": -(-len(everything) // 5),
    }
    assert answer["dated"].count("-") == 2
    assert "Prices" in answer["about"]


@pytest.mark.parametrize(
    ("query", "path"), [("category=image", "category"), ("tier=x", "tier"), ("provider=openai", "provider")]
)
async def test_what_cannot_be_asked_is_refused(pulse: Installation, acme: Tenant, query: str, path: str) -> None:
    answer = await ask(pulse, acme, "GET", f"{DEFINITIONS}?{query}")
    assert [where for where, _ in faults(answer)] == [path]


async def test_a_right_is_needed_and_the_operator_needs_no_organization(pulse: Installation, acme: Tenant) -> None:
    reader = await pulse.another_key(acme, "models:read")
    other = await pulse.another_key(acme, "credentials:read", "models:write")
    for path in (PROVIDERS, DEFINITIONS):
        assert (await ask(pulse, reader, "GET", path)).status_code == 200
        assert (await ask(pulse, other, "GET", path)).status_code == 403
        assert (await as_operator(pulse, "GET", path)).status_code == 200
