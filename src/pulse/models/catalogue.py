"""Providers, and the models they offer: what each takes, how much, and for how much. The data is `catalogue.json`.

It is a picture of one day, `dated`: prices change, and are to be checked before anybody is billed by them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from importlib.resources import files
from typing import Literal

import msgspec

from pulse.core.errors import NotFound
from pulse.models.port import Usage

MILLION = Decimal(1_000_000)


@dataclass(frozen=True)
class Provider:
    """Who offers models. `api_format` names the adapter that speaks with it; `base_url` is None where it has no one."""

    slug: str
    name: str
    auth_type: Literal["api_key", "iam", "none"]
    api_format: Literal["openai", "anthropic", "bedrock", "google", "mock"]
    base_url: str | None


@dataclass(frozen=True, kw_only=True)
class Definition:
    """A model. `model_id` is the provider's name for it, `slug` ours; prices are US dollars a million tokens.

    `cached_input_price_per_million` is None where it is not known: cached tokens then cost as others do.
    `max_output_tokens` is None where the model has no limit of its own. `dimensions` is of vectors. `api_format` is the
    adapter for this model where it is not the provider's usual one; a server of one's own has the usual one.
    """

    provider: str
    slug: str
    display_name: str
    model_id: str
    category: Literal["chat", "embedding"]
    tier: Literal["premium", "standard", "economy"]
    context_window: int
    max_output_tokens: int | None
    input_price_per_million: Decimal
    output_price_per_million: Decimal
    cached_input_price_per_million: Decimal | None = None
    dimensions: int | None = None
    api_format: Literal["openai-responses"] | None = None
    supports_vision: bool = False
    supports_function_calling: bool = True
    supports_streaming: bool = True
    supports_json_schema: bool = True
    supports_temperature: bool = False
    supports_system: bool = True
    is_active: bool = True
    is_deprecated: bool = False
    note: str | None = None

    @property
    def id(self) -> str:
        """The same in every installation: `openai/gpt-4o`."""
        return f"{self.provider}/{self.slug}"

    @property
    def takes(self) -> frozenset[str]:
        """What `Prompt.takes` says of this model."""
        can = {
            "temperature": self.supports_temperature,
            "system": self.supports_system,
            "schema": self.supports_json_schema,
            "vision": self.supports_vision,
        }
        return frozenset(name for name, does in can.items() if does)


@dataclass(frozen=True)
class Catalogue:
    """All of it. `dated` is the day it shows (YYYY-MM-DD)."""

    dated: str
    about: str
    providers: tuple[Provider, ...]
    definitions: tuple[Definition, ...]

    def provider(self, slug: str) -> Provider:
        """Raises NotFound."""
        for one in self.providers:
            if one.slug == slug:
                return one
        raise NotFound(f"There is no provider {slug!r}.")

    def definition(self, definition_id: str) -> Definition:
        """Raises NotFound."""
        for one in self.definitions:
            if one.id == definition_id:
                return one
        raise NotFound(f"There is no model {definition_id!r}: name it as in openai/gpt-4o.")

    def of(self, provider: str) -> Sequence[Definition]:
        """A provider's models, in the catalogue's order."""
        return [one for one in self.definitions if one.provider == provider]


@cache
def read() -> Catalogue:
    """The catalogue that Pulse comes with."""
    raw = files("pulse.models").joinpath("catalogue.json").read_bytes()
    return msgspec.json.decode(raw, type=Catalogue)


def cost_usd(definition: Definition, usage: Usage) -> Decimal:
    """What those tokens cost in US dollars, exactly. Tariffs for very long prompts are not in it."""
    price = definition.input_price_per_million
    cached_price = definition.cached_input_price_per_million
    fresh = max(0, usage.input_tokens - usage.cached_tokens)
    cached = min(usage.cached_tokens, usage.input_tokens)
    paid = fresh * price + cached * (price if cached_price is None else cached_price)
    return (paid + usage.output_tokens * definition.output_price_per_million) / MILLION
