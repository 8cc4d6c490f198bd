"""An organization with models: the mock provider's, on a database of the test's own."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from pulse.bootstrap.wiring import Parts
from pulse.models.mock import MockModels
from pulse.models.port import Access, Completion, Prompt, Usage
from pulse.prompts.caller import ModelCaller
from pulse.prompts.kept import KeptModels
from pulse.prompts.limits import RateLimits
from pulse.prompts.records import Configuration, ConfigurationDraft, CredentialDraft
from pulse.prompts.secrets import Secrets
from pulse.prompts.tables import prompt_tables
from pulse.sandbox.port import Tenant
from tests.integration.effects.functions.bench import CANARY, Bench


@dataclass
class Heard(MockModels):
    """The mock provider, which keeps what it was asked; `says` are answers to give in the place of its own."""

    asked: list[Prompt] = field(default_factory=list)
    accesses: list[Access] = field(default_factory=list)
    says: list[str] = field(default_factory=list)
    stop: Any = "end"

    def __post_init__(self) -> None:
        super().__init__(wait=_at_once)

    async def complete(self, access: Access, prompt: Prompt) -> Completion:
        self.asked.append(prompt)
        self.accesses.append(access)
        answered = await super().complete(access, prompt)
        return Completion(self.says.pop(0), Usage(11, 7), prompt.model, self.stop) if self.says else answered


@dataclass
class Office:
    """One organization, with model configurations by the names that tests give them."""

    parts: Parts
    tenant: Tenant
    models: Heard = field(default_factory=Heard)

    async def configuration(self, name: str, organization_id: str = "", **more: Any) -> Configuration:
        """A configuration of `mock-small`, reached with a credential that holds the canary."""
        owner = organization_id or self.tenant.organization_id
        draft = CredentialDraft(name, "mock", "none", secrets=Secrets(headers={"x-team": CANARY}))
        credential = await self.parts.models.credentials.create(owner, draft)
        wanted = {"name": name, "definition_id": "mock/mock-small", "credential_id": credential.id, **more}
        return await self.parts.models.configurations.create(owner, ConfigurationDraft(**wanted))

    def reached_by(self, bench: Bench) -> Bench:
        """Scripts of the organization, with its models and the way out."""
        parts = self.parts
        limits = RateLimits(parts.database, prompt_tables(parts.database.prefix))
        models = KeptModels(parts.models.configurations, parts.models.legacy, seconds=60)
        caller = ModelCaller(models, limits, {"mock": self.models}, sleep=_at_once)
        return Bench(bench.sandbox, tenant=self.tenant).reaching(
            caller=caller, models=models, egress=parts.outside.egress
        )

    @property
    def keys(self) -> Sequence[str | None]:
        return [prompt.key for prompt in self.models.asked]


async def _at_once(_seconds: float) -> None:
    return None
