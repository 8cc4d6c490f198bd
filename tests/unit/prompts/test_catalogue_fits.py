"""Every provider and model of the catalogue that Pulse comes with can be given a credential and a configuration."""

import pytest

from pulse.models.catalogue import Definition, Provider, read
from pulse.prompts.faults import access_faults, configuration_faults
from pulse.prompts.records import AUTH_TYPES, ConfigurationDraft, CredentialDraft

CATALOGUE = read()


@pytest.mark.parametrize("provider", CATALOGUE.providers, ids=lambda provider: provider.slug)
def test_a_provider_is_reached_by_its_own_kind_of_access(provider: Provider) -> None:
    assert list(access_faults(CredentialDraft("Key", provider.slug, provider.auth_type), provider)) == []
    refused = [
        auth_type
        for auth_type in AUTH_TYPES
        if list(access_faults(CredentialDraft("Key", provider.slug, auth_type), provider))
    ]
    assert refused or provider.slug == "mock"


@pytest.mark.parametrize("definition", CATALOGUE.definitions, ids=lambda definition: definition.id)
def test_a_model_takes_the_defaults(definition: Definition) -> None:
    assert configuration_faults(ConfigurationDraft("Model", definition.id, "mcr_1"), definition) == []
