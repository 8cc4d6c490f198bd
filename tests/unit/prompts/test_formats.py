"""Which wire format a model is spoken to in."""

import pytest

from pulse.models.catalogue import read
from pulse.models.port import Access
from pulse.prompts.caller import format_of
from tests.unit.prompts.calling import resolved

CATALOGUE = read()
OPENAI = CATALOGUE.provider("openai")


@pytest.mark.parametrize(
    ("model", "base_url", "wanted"),
    [
        ("openai/gpt-4o", None, "openai"),
        ("openai/gpt-6.2-sol", None, "openai-responses"),
        ("openai/gpt-6.2-sol", OPENAI.base_url, "openai-responses"),
        ("openai/gpt-6.2-sol", "http://models.internal/v1", "openai"),
    ],
)
def test_a_model_has_a_format_of_its_own_at_its_provider_only(model: str, base_url: str | None, wanted: str) -> None:
    definition = CATALOGUE.definition(model)
    found = resolved(definition=definition, provider=OPENAI, access=Access(base_url=base_url, api_key="k"))
    assert format_of(found) == wanted


def test_every_format_that_is_named_has_its_adapter() -> None:
    named = {definition.api_format for definition in CATALOGUE.definitions} - {None}
    assert named == {"openai-responses"}
