"""Bodies of models and prompts that the console takes, and ways to make what a test needs of them."""

from typing import Any

import httpx2

from tests.integration.console.documents import create
from tests.integration.receiver.installation import Installation, Tenant

CREDENTIALS, CONFIGURATIONS = "/api/model-credentials", "/api/model-configurations"
MODELS, TEMPLATES = "/api/models", "/api/prompt-templates"
CANARY = "sk-canary-of-a-secret"


def openai(**fields: Any) -> dict[str, Any]:
    """A credential with a key."""
    return {"name": "OpenAI", "providerId": "openai", "apiKey": CANARY, **fields}


def mock(**fields: Any) -> dict[str, Any]:
    """A credential that needs no secret, of a provider that answers at once."""
    return {"name": "Mock", "providerId": "mock", **fields}


def older(**fields: Any) -> dict[str, Any]:
    """A legacy model with a token."""
    return {"name": "Older", "modelUrl": "https://models.example.com/v1/generate", "token": CANARY, **fields}


async def credential(pulse: Installation, tenant: Tenant, **fields: Any) -> dict[str, Any]:
    return await create(pulse, tenant, CREDENTIALS, mock(**fields))


async def configuration(pulse: Installation, tenant: Tenant, **fields: Any) -> dict[str, Any]:
    """A new configuration; without a credential of its own it gets a new one."""
    if "credentialId" not in fields:
        fields["credentialId"] = (await credential(pulse, tenant, name=f"For {fields.get('name', 'Small')}"))["id"]
    body = {"name": "Small", "modelDefinitionId": "mock/mock-small", **fields}
    return await create(pulse, tenant, CONFIGURATIONS, body)


async def template(pulse: Installation, tenant: Tenant, **fields: Any) -> dict[str, Any]:
    body = {"name": "Summary", "text": "Summarise {{issue.title}} for {{reader}}.", **fields}
    return await create(pulse, tenant, TEMPLATES, body)


async def ask(
    pulse: Installation, tenant: Tenant, method: str, path: str, body: Any = None, match: str = "*"
) -> httpx2.Response:
    """A request with the tenant's key."""
    headers = {**tenant.headers, "If-Match": match}
    return await pulse.client.request(method, path, json=body, headers=headers)


async def as_operator(pulse: Installation, method: str, path: str, body: Any = None, **query: str) -> httpx2.Response:
    """A request of whoever operates the installation."""
    return await pulse.client.request(method, path, json=body, params=query, headers=pulse.operator)


def faults(answer: httpx2.Response) -> list[tuple[str, str]]:
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_fields"), answer.text
    return [(fault["path"], fault["code"]) for fault in answer.json()["errors"]]
