"""Organizations with one thing of every kind in them, each marked with a word that stands nowhere else: its canary."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from tests.integration.console.documents import create, drawn, entity
from tests.integration.console.models.documents import CONFIGURATIONS, CREDENTIALS, MODELS, TEMPLATES, mock, older
from tests.integration.console.people.rooms import user
from tests.integration.receiver.installation import Installation, Tenant

ID = re.compile(r"\b[a-z]+_[0-9a-z]{26}\b")
# What is lost together with something.
BELONGINGS = {
    "variable": ("variable_name",),
    "template": ("set", "run", "ended_run"),
    "workflow": ("placed",),
    "member": ("member_email",),
}
# Written by whoever asks about themselves, and by every refusal.
OF_ASKERS = ("sessions", "sign_in_failures", "audit")
_numbers = count(1)


@dataclass
class House:
    """An organization. `ids` holds by kind what is in it now; all that can be named has its `canary` in the name."""

    pulse: Installation
    tenant: Tenant
    canary: str
    ids: dict[str, str] = field(default_factory=dict)

    @property
    def secret(self) -> str:
        return f"secret-of-{self.canary}"

    async def of(self, kind: str) -> str:
        """The id of something of that kind, made if there is none (any more)."""
        if kind not in self.ids:
            maker = MAKERS.get(kind)
            assert maker is not None, f"say in matrix/houses.py (MAKERS) how to make what {kind!r} stands for"
            self.ids[kind] = await maker(self)
        return self.ids[kind]

    def lost(self, kind: str) -> None:
        """It was changed or deleted: the next to ask for one gets another."""
        for each in (kind, *BELONGINGS.get(kind, ())):
            self.ids.pop(each, None)

    def named(self) -> str:
        """A name that nothing had before."""
        return f"{self.canary} {next(_numbers)}"

    def identifier(self) -> str:
        return f"V{next(_numbers)}"

    def address(self) -> str:
        return f"{self.canary}-{next(_numbers)}@example.com"

    async def made(self, path: str, body: Any) -> str:
        return str((await create(self.pulse, self.tenant, path, body))["id"])

    async def by_operator(self, path: str, body: Any) -> str:
        """The id of something that no key may make."""
        place = {"organizationId": self.tenant.organization_id}
        given = {**body, **(place if path == "/api/environments" else {})}
        answer = await self.pulse.client.post(path, params=place, json=given, headers=self.pulse.operator)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    async def done(self, path: str) -> None:
        answer = await self.pulse.client.post(path, headers=self.tenant.headers)
        assert answer.is_success, answer.text


async def house(pulse: Installation, word: str) -> House:
    """A new organization. Its word is in its name, too."""
    canary = f"canary-{word}-{next(_numbers)}"
    tenant = await pulse.tenant(canary)
    known = {
        "organization": tenant.organization_id,
        "organization_name": tenant.organization.name,
        "environment": tenant.environment_id,
    }
    return House(pulse, tenant, canary, known)


async def furnish(found: House) -> House:
    """With everything that there is to make."""
    for kind in MAKERS:
        await found.of(kind)
    return found


async def _message(at: House) -> str:
    return await at.pulse.sent(at.tenant, {"type": at.canary, "payload": {"said": at.canary}})


async def _variable(at: House) -> str:
    at.ids["variable_name"] = at.identifier()
    return await at.made("/api/variables", {"name": at.ids["variable_name"], "value": at.secret})


async def _variable_name(at: House) -> str:
    await at.of("variable")
    return at.ids["variable_name"]


async def _ended_message(at: House) -> str:
    message_id = await _message(at)
    await at.done(f"/api/messages/{message_id}/cancel")
    return message_id


async def _ended_run(at: House) -> str:
    run_id = await _run(at)
    await at.done(f"{TEMPLATES}/{await at.of('template')}/runs/{run_id}/cancel")
    return run_id


async def _placed(at: House) -> str:
    """An entity that stands in the house's workflow."""
    await at.of("workflow")
    return at.ids["placed"]


async def _workflow(at: House) -> str:
    at.ids["placed"] = await at.made("/api/workflow-entities", entity(name=at.named()))
    data = drawn({"entityId": at.ids["placed"], "entityType": "event"})
    return await at.made("/api/workflows", {"name": at.named(), "description": at.canary, "workflowData": data})


async def _member(at: House) -> str:
    made = await user(at.pulse, at.tenant)
    at.ids["member_email"] = made["email"]
    return str(made["id"])


async def _configuration(at: House) -> str:
    """With a credential of its own, so that the house's other one can be deleted."""
    used = await at.made(CREDENTIALS, mock(name=at.named()))
    body = {"name": at.named(), "modelDefinitionId": "mock/mock-small", "credentialId": used}
    return await at.made(CONFIGURATIONS, body)


async def _set(at: House) -> str:
    return await at.made(f"{TEMPLATES}/{await at.of('template')}/variable-sets", {"name": at.named()})


async def _run(at: House) -> str:
    column = {"modelConfigurationId": await at.of("configuration")}
    return await at.made(f"{TEMPLATES}/{await at.of('template')}/runs", {"variants": [column]})


MAKERS: dict[str, Callable[[House], Awaitable[str]]] = {
    "entity": lambda at: at.made("/api/workflow-entities", entity(name=at.named(), description=at.canary)),
    "workflow": _workflow,
    "placed": _placed,
    "message": _message,
    "key": lambda at: at.made("/api/api-keys", {"name": at.named(), "scopes": ["workflows:read"]}),
    "source": lambda at: at.made("/api/sources", {"name": at.named(), "kind": "hmac", "secret": f"{at.secret}-longer"}),
    "variable": _variable,
    "variable_name": _variable_name,
    "spare_environment": lambda at: at.by_operator("/api/environments", {"name": at.named()}),
    "team": lambda at: at.by_operator("/api/teams", {"name": at.named(), "memberIds": []}),
    "invitation": lambda at: at.by_operator("/api/invitations", {"email": at.address()}),
    "credential": lambda at: at.made(
        CREDENTIALS, {"name": at.named(), "providerId": "openai", "apiKey": at.secret, "description": at.canary}
    ),
    "mock_credential": lambda at: at.made(CREDENTIALS, mock(name=at.named())),
    "configuration": _configuration,
    "model": lambda at: at.made(MODELS, older(name=at.named(), token=at.secret)),
    "template": lambda at: at.made(TEMPLATES, {"name": at.named(), "text": f"{at.canary} {{{{name}}}}"}),
    "set": _set,
    "run": _run,
    "ended_run": _ended_run,
    "ended_message": _ended_message,
    "member": _member,
}


async def rows(pulse: Installation) -> dict[str, list[str]]:
    """Every row of the database as text, by table, but for what every request may write."""
    found = await pulse.rows()
    return {name: lines for name, lines in found.items() if not any(part in name for part in OF_ASKERS)}


async def rows_of(pulse: Installation, found: House) -> list[str]:
    """The rows that are the organization's: those that name it, or something of it."""
    every = [f"{table} {row}" for table, lines in (await rows(pulse)).items() for row in lines]
    marks = {found.tenant.organization_id, found.canary, *found.ids.values()} - {"1"}
    return [row for row in every if any(mark in row for mark in marks)]
