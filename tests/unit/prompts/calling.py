"""Models and callers that answer what a test says, and remember what they were asked."""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from pulse.core.errors import PulseError
from pulse.models.catalogue import Definition, Provider
from pulse.models.port import Access, Completion, Delta, Embeddings, Prompt, Usage
from pulse.prompts.buckets import Limits
from pulse.prompts.caller import Ask, Called
from pulse.prompts.configurations import Defaults, ResolvedModel

CANARY = "sk-canary-of-a-secret"
OPENAI = Provider("openai", "OpenAI", "api_key", "openai", "https://api.openai.com/v1")
GPT = Definition(
    provider="openai",
    slug="gpt-4o",
    display_name="GPT-4o",
    model_id="gpt-4o",
    category="chat",
    tier="premium",
    context_window=128_000,
    max_output_tokens=16_384,
    input_price_per_million=Decimal("2.5"),
    output_price_per_million=Decimal(10),
    supports_vision=True,
    supports_temperature=True,
)


def completed(text: str = "Paris.", input_tokens: int = 12, output_tokens: int = 3) -> Completion:
    return Completion(text, Usage(input_tokens, output_tokens), "gpt-4o-2024-08-06")


def resolved(**more: Any) -> ResolvedModel:
    fields: dict[str, Any] = {
        "configuration_id": "mcf_1",
        "provider": OPENAI,
        "definition": GPT,
        "model_id": "gpt-4o",
        "credential_id": "mcr_1",
        "access": Access("https://api.openai.com/v1", api_key=CANARY),
        "defaults": Defaults(0.7, 4096, 30_000),
        "limits": Limits(),
    }
    return ResolvedModel(**{**fields, **more})


Step = Completion | Embeddings | BaseException | Callable[[Prompt], Any]


@dataclass
class ScriptedModels:
    """A wire format that answers with these steps in turn; the last one stays."""

    steps: list[Step] = field(default_factory=lambda: [completed()])
    asked: list[tuple[Access, Prompt]] = field(default_factory=list)
    embedded: list[tuple[str, Sequence[str]]] = field(default_factory=list)
    checked: list[Access] = field(default_factory=list)

    async def complete(self, access: Access, prompt: Prompt) -> Completion:
        self.asked.append((access, prompt))
        answer = await self._next(prompt)
        assert isinstance(answer, Completion)
        return answer

    def stream(self, access: Access, prompt: Prompt) -> AsyncIterator[Delta]:
        raise AssertionError("nothing here streams")

    async def embed(self, access: Access, model: str, texts: Sequence[str]) -> Embeddings:
        self.embedded.append((model, texts))
        answer = await self._next(None)
        assert isinstance(answer, Embeddings)
        return answer

    async def check(self, access: Access) -> None:
        self.checked.append(access)
        await self._next(None)

    async def _next(self, prompt: Prompt | None) -> Any:
        step = self.steps.pop(0) if len(self.steps) > 1 else self.steps[0]
        if isinstance(step, BaseException):
            raise step
        if callable(step):
            assert prompt is not None
            return await step(prompt)
        return step


@dataclass
class ScriptedCaller:
    """A caller that answers by what `answer` makes of the question: a text, or an error to raise."""

    answer: Callable[[Ask], str | PulseError] = lambda _ask: "Fine."
    asked: list[tuple[str, str, Ask]] = field(default_factory=list)

    async def call(self, organization_id: str, configuration_id: str, ask: Ask) -> Called:
        self.asked.append((organization_id, configuration_id, ask))
        found = self.answer(ask)
        if isinstance(found, PulseError):
            raise found
        return Called(completed(found), 1, 250, 60, "gpt-4o", "openai")
