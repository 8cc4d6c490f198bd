"""The catalogue of models: complete, consistent, and honest about its day."""

from datetime import date
from decimal import Decimal

import pytest

from pulse.core.errors import NotFound
from pulse.models.catalogue import Catalogue, Definition, Provider, cost_usd, read
from pulse.models.mock import DIMENSIONS
from pulse.models.port import Usage


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return read()


def test_the_providers_are_those_of_the_platform(catalogue: Catalogue) -> None:
    assert catalogue.providers[:5] == (
        Provider("openai", "OpenAI", "api_key", "openai", "https://api.openai.com/v1"),
        Provider("anthropic", "Anthropic", "api_key", "anthropic", "https://api.anthropic.com/v1"),
        Provider("bedrock", "AWS Bedrock", "iam", "bedrock", None),
        Provider("google", "Google (Gemini)", "api_key", "google", "https://generativelanguage.googleapis.com/v1beta"),
        Provider("xai", "xAI (Grok)", "api_key", "openai", "https://api.x.ai/v1"),
    )
    assert [provider.slug for provider in catalogue.providers[5:]] == ["mock"]


def test_it_says_its_day_and_that_prices_are_to_be_checked(catalogue: Catalogue) -> None:
    assert date.fromisoformat(catalogue.dated) >= date(2026, 11, 1)
    assert "check" in catalogue.about


def test_the_documented_example_is_there_as_documented(catalogue: Catalogue) -> None:
    found = catalogue.definition("openai/gpt-4o")
    assert (found.context_window, found.max_output_tokens) == (128000, 16384)
    assert (found.input_price_per_million, found.output_price_per_million) == (Decimal("2.5"), Decimal(10))
    assert (found.category, found.tier, found.supports_vision) == ("chat", "premium", True)
    assert found.takes == {"temperature", "system", "schema", "vision"}


def test_every_name_is_there_once(catalogue: Catalogue) -> None:
    ids = [one.id for one in catalogue.definitions]
    slugs = [one.slug for one in catalogue.definitions]
    assert len(ids) == len(set(ids))
    assert len(slugs) == len(set(slugs))
    assert len({(one.provider, one.model_id) for one in catalogue.definitions}) == len(ids)


def test_every_model_has_a_provider_and_every_provider_models_in_use(catalogue: Catalogue) -> None:
    slugs = {provider.slug for provider in catalogue.providers}
    assert {one.provider for one in catalogue.definitions} == slugs
    for slug in slugs:
        assert any(one.is_active and not one.is_deprecated and one.category == "chat" for one in catalogue.of(slug))


def test_every_model_makes_sense(catalogue: Catalogue) -> None:
    for one in catalogue.definitions:
        assert one.context_window > 0
        assert one.max_output_tokens is None or 0 < one.max_output_tokens <= one.context_window
        assert (one.category == "embedding") == (one.dimensions is not None)
        assert one.is_active or one.is_deprecated
        free = one.provider == "mock"
        assert free == (one.input_price_per_million == 0)
        assert (
            one.cached_input_price_per_million is None
            or one.cached_input_price_per_million < one.input_price_per_million
        )
        if one.category == "chat" and not free:
            assert one.output_price_per_million > one.input_price_per_million


def test_the_models_the_documentation_names_are_there(catalogue: Catalogue) -> None:
    named = ("gpt-4o", "gpt-4o-mini", "o1", "o3-mini", "claude-3-5-sonnet", "claude-3-haiku", "claude-3-opus", "grok-2")
    assert set(named) <= {one.slug for one in catalogue.definitions}
    bedrock = {one.model_id for one in catalogue.of("bedrock")}
    assert {"amazon.nova-pro-v1:0", "amazon.titan-text-express-v1"} <= bedrock


def test_the_newest_models_take_no_temperature(catalogue: Catalogue) -> None:
    for name in ("openai/gpt-6.2-sol", "anthropic/claude-opus-5-5", "bedrock/bedrock-claude-haiku-5-5"):
        assert catalogue.definition(name).takes == {"system", "schema", "vision"}
    assert catalogue.definition("bedrock/bedrock-titan-text-express").takes == {"temperature"}


def test_the_mock_is_described_as_it_is(catalogue: Catalogue) -> None:
    assert catalogue.definition("mock/mock-embedding").dimensions == DIMENSIONS


def test_what_is_not_there_is_said(catalogue: Catalogue) -> None:
    with pytest.raises(NotFound, match="no provider 'acme'"):
        catalogue.provider("acme")
    with pytest.raises(NotFound, match="no model 'gpt-4o'"):
        catalogue.definition("gpt-4o")
    assert catalogue.provider("xai").api_format == "openai"


@pytest.mark.parametrize(
    ("usage", "usd"),
    [
        (Usage(0, 0, 0), "0"),
        (Usage(1, 0, 0), "0.0000025"),
        (Usage(1_000_000, 1_000_000, 0), "12.5"),
        (Usage(1000, 500, 200), "0.00725"),
        (Usage(1000, 0, 1000), "0.00125"),
        (Usage(100, 0, 500), "0.000125"),
    ],
)
def test_a_cost_is_exact(catalogue: Catalogue, usage: Usage, usd: str) -> None:
    assert cost_usd(catalogue.definition("openai/gpt-4o"), usage) == Decimal(usd)


def test_cached_tokens_cost_as_others_where_no_price_is_known(catalogue: Catalogue) -> None:
    definition: Definition = catalogue.definition("anthropic/claude-fable-5-2")
    assert cost_usd(definition, Usage(1000, 0, 400)) == cost_usd(definition, Usage(1000, 0, 0)) == Decimal("0.008")
