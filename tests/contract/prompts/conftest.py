"""The stores of prompts on one database, with two organizations; the second has everything under the same names.

After each test, what the second one has is as it was.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

import pytest

from pulse.core.ids import Ids
from pulse.models.catalogue import Catalogue, Definition, Provider
from pulse.prompts.configurations import ConfigurationStore
from pulse.prompts.credentials import CredentialStore
from pulse.prompts.legacy import LegacyStore
from pulse.prompts.limits import RateLimits
from pulse.prompts.records import (
    SYSTEM,
    Configuration,
    ConfigurationDraft,
    Credential,
    CredentialDraft,
    LegacyDraft,
    LegacyModel,
)
from pulse.prompts.secrets import SecretKeys, Secrets
from pulse.prompts.tables import BRANCH, PromptTables, prompt_tables
from pulse.prompts.templates.records import Template, TemplateDraft
from pulse.prompts.templates.sets import VariableSetStore
from pulse.prompts.templates.store import TemplateStore
from pulse.prompts.uses import Uses
from pulse.storage.database import Database
from pulse.storage.migrations import migrate
from pulse.tenancy.records import Environment, Organization
from pulse.tenancy.secrets.vault import Vault, new_master_key
from pulse.tenancy.store import TenancyStore
from pulse.tenancy.tables import BRANCH as TENANCY
from pulse.tenancy.tables import TenancyTables, tenancy_tables
from tests.contract.conftest import OpenDatabase, SetClock
from tests.contract.lending import lent

CANARY = "sk-canary-of-a-secret"
KEY = CredentialDraft("Key", "openai", secrets=Secrets(api_key=CANARY))
OLDER = LegacyDraft("Older", "https://models.example.com/v1/generate", Secrets(api_key=CANARY))
# One of each kind.
EVERYTHING = Secrets(
    api_key=CANARY,
    service_account=f'{{"client_email": "a@b.c", "private_key": "{CANARY}"}}',
    access_key=CANARY,
    secret_key=CANARY,
    session_token=CANARY,
    headers={"x-team": CANARY},
)
TEXT = "Answer {{customer.name}} about {{topic}}."


def definition(provider: str, slug: str, **more: Any) -> Definition:
    fields: dict[str, Any] = {
        "display_name": slug.upper(),
        "model_id": slug,
        "category": "chat",
        "tier": "standard",
        "context_window": 128_000,
        "max_output_tokens": 16_384,
        "input_price_per_million": Decimal("2.5"),
        "output_price_per_million": Decimal(10),
        "supports_temperature": True,
        "supports_vision": True,
    }
    return Definition(provider=provider, slug=slug, **{**fields, **more})


CATALOGUE = Catalogue(
    dated="2026-11-21",
    about="Enough for tests.",
    providers=(
        Provider("openai", "OpenAI", "api_key", "openai", "https://api.openai.com/v1"),
        Provider("anthropic", "Anthropic", "api_key", "anthropic", "https://api.anthropic.com/v1"),
        Provider("bedrock", "AWS Bedrock", "iam", "bedrock", None),
        Provider("google", "Google (Gemini)", "api_key", "google", "https://generativelanguage.googleapis.com/v1beta"),
    ),
    definitions=(
        definition("openai", "gpt-4o"),
        definition("openai", "o3-mini", supports_temperature=False, supports_vision=False),
        definition("openai", "text-embedding-3-small", category="embedding", max_output_tokens=None),
        definition("openai", "davinci-small", max_output_tokens=1_024),
        definition("anthropic", "claude-3-haiku"),
        definition("bedrock", "nova-pro"),
    ),
)


@dataclass
class Desk:
    """The stores, and the two organizations that each test has."""

    database: Database
    tenancy: TenancyTables
    tables: PromptTables
    clock: SetClock
    ids: Ids
    ours: Organization
    theirs: Organization
    here: Environment
    there: Environment
    master_key: str = field(default_factory=new_master_key)

    @property
    def credentials(self) -> CredentialStore:
        """Another process's view of the credentials, as are the others: nothing is kept from before."""
        return self.credentials_under(self.master_key)

    def credentials_under(self, *master_keys: str) -> CredentialStore:
        keys = self._keys(master_keys)
        return CredentialStore(self.database, self.tables, keys, CATALOGUE, self.ids, self.clock)

    @property
    def legacy(self) -> LegacyStore:
        return self.legacy_under(self.master_key)

    def legacy_under(self, *master_keys: str, users: Sequence[Uses] = ()) -> LegacyStore:
        return LegacyStore(self.database, self.tables, self._keys(master_keys), self.ids, self.clock, users=users)

    def _keys(self, master_keys: Sequence[str]) -> SecretKeys:
        return SecretKeys(self.tenancy, self.tables.system_keys, SYSTEM, Vault(master_keys), self.clock)

    @property
    def configurations(self) -> ConfigurationStore:
        stores = (self.credentials, CATALOGUE, self.ids, self.clock)
        return ConfigurationStore(self.database, self.tables, *stores, users=(self.templates,))

    @property
    def limits(self) -> RateLimits:
        return RateLimits(self.database, self.tables)

    @property
    def templates(self) -> TemplateStore:
        return TemplateStore(self.database, self.tables, self.tenancy, self.ids, self.clock)

    @property
    def sets(self) -> VariableSetStore:
        return VariableSetStore(self.database, self.tables, self.ids, self.clock)

    async def credential(self, draft: CredentialDraft = KEY, organization_id: str = "", **more: Any) -> Credential:
        """A new credential, ours unless another organization is named."""
        self.clock.ms += 1
        return await self.credentials.create(organization_id or self.ours.id, replace(draft, **more))

    async def configuration(self, credential: Credential | None = None, **more: Any) -> Configuration:
        """A new configuration of ours (or of `organization_id`), with a credential of its own unless one is given."""
        self.clock.ms += 1
        organization_id = more.pop("organization_id", self.ours.id)
        if credential is None:
            credential = await self.credential(KEY, organization_id, name=f"Key {self.clock.ms}")
        wanted = {"name": "Model", "definition_id": "openai/gpt-4o", "credential_id": credential.id, **more}
        return await self.configurations.create(organization_id, ConfigurationDraft(**wanted))

    async def older(self, organization_id: str = "", **more: Any) -> LegacyModel:
        """A new legacy model, ours unless another organization is named."""
        self.clock.ms += 1
        return await self.legacy.create(organization_id or self.ours.id, replace(OLDER, **more))

    async def template(self, **more: Any) -> Template:
        """A new template of ours."""
        self.clock.ms += 1
        return await self.templates.create(
            self.ours.id, self.here.id, TemplateDraft(**{"name": "Reply", "text": TEXT, **more})
        )

    async def everything_of(self, organization_id: str, environment_id: str) -> list[Any]:
        """All that an organization has here, as its people see it, and whether its secrets still open."""
        credentials, _ = await self.credentials.list(organization_id, scope="organization", active_only=False)
        configurations, _ = await self.configurations.list(organization_id, visible_only=False)
        templates, _ = await self.templates.list(organization_id, environment_id)
        return [
            *credentials,
            *[(await self.credentials.access_of(organization_id, each.id)).api_key for each in credentials],
            *configurations,
            *templates,
            *[await self.templates.versions(organization_id, each.id) for each in templates],
            *[await self.sets.list(organization_id, each.id) for each in templates],
        ]


@dataclass
class Theirs:
    """What the other organization has."""

    credential: Credential
    configuration: Configuration
    template: Template
    set_id: str


prefix = lent("prompts", [TENANCY, BRANCH])


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
async def desk(open_database: OpenDatabase, clock: SetClock) -> Desk:
    database, ids = open_database(clock=clock), Ids(clock)
    await migrate(database, [TENANCY, BRANCH])
    tenancy = tenancy_tables(database.prefix)
    store = TenancyStore(database, tenancy, ids, clock)
    ours, theirs = await store.create_organization("Ours"), await store.create_organization("Theirs")
    here, there = [await store.create_environment(each.id, "production") for each in (ours, theirs)]
    return Desk(database, tenancy, prompt_tables(database.prefix), clock, ids, ours, theirs, here, there)


@pytest.fixture(autouse=True)
async def theirs(desk: Desk) -> AsyncIterator[Theirs]:
    """What the other organization has, under the names that tests use; it must stay as it is."""
    owner = desk.theirs.id
    credential = await desk.credential(KEY, owner, secrets=Secrets(api_key="theirs"))
    configuration = await desk.configuration(credential, organization_id=owner)
    draft = TemplateDraft("Reply", "Theirs: {{topic}}", configuration_id=configuration.id)
    template = await desk.templates.create(owner, desk.there.id, draft)
    made = await desk.sets.create(owner, template.id, "Usual", {"topic": "theirs"})
    before = await desk.everything_of(owner, desk.there.id)
    yield Theirs(credential, configuration, template, made.id)
    assert await desk.everything_of(owner, desk.there.id) == before
