"""Model configurations: what they refer to is checked, one is the default, `resolve` gives all that a call needs."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from pulse.core.errors import Conflict, InvalidFields, NotFound, StaleRevision
from pulse.core.ids import is_id
from pulse.models.catalogue import Catalogue
from pulse.prompts.buckets import Limits
from pulse.prompts.configurations import ConfigurationStore, Defaults
from pulse.prompts.credentials import CredentialInactive
from pulse.prompts.records import SYSTEM, Configuration, ConfigurationDraft, Part
from pulse.prompts.secrets import Secrets
from tests.contract.prompts.conftest import CANARY, CATALOGUE, KEY, Desk, Theirs


def drafted(configuration: Configuration, **more: Any) -> ConfigurationDraft:
    names = ConfigurationDraft.__dataclass_fields__
    return replace(ConfigurationDraft(**{name: getattr(configuration, name) for name in names}), **more)


async def test_a_configuration_has_the_documented_defaults(desk: Desk) -> None:
    key = await desk.credential()
    made = await desk.configuration(key)
    now = desk.clock.now_ms()
    assert made == Configuration(
        id=made.id,
        organization_id=desk.ours.id,
        name="Model",
        description=None,
        definition_id="openai/gpt-4o",
        credential_id=key.id,
        category="chat",
        model_id=None,
        default_temperature=0.7,
        default_max_tokens=4096,
        default_timeout_ms=30_000,
        is_visible=True,
        is_default=False,
        priority=100,
        revision=1,
        created_at=now,
        updated_at=now,
    )
    assert is_id(made.id, "mcf")
    assert made.scope == "organization"
    assert await desk.configurations.get(desk.ours.id, made.id) == made


async def test_resolving_gives_all_that_a_request_needs(desk: Desk) -> None:
    limits = Limits(requests_per_minute=7)
    key = await desk.credential(limits=limits, base_url="https://models.example/v1")
    made = await desk.configuration(key, default_temperature=0, default_max_tokens=99, model_id="ft:gpt-4o:team")
    found = await desk.configurations.resolve(desk.ours.id, made.id)
    assert (found.provider, found.definition) == (CATALOGUE.provider("openai"), CATALOGUE.definition("openai/gpt-4o"))
    assert (found.configuration_id, found.credential_id, found.model_id) == (made.id, key.id, "ft:gpt-4o:team")
    assert (found.access.base_url, found.access.api_key) == ("https://models.example/v1", CANARY)
    assert (found.defaults, found.limits) == (Defaults(0, 99, 30_000), limits)


async def test_the_model_is_the_definitions_unless_another_is_named(desk: Desk) -> None:
    made = await desk.configuration()
    assert (await desk.configurations.resolve(desk.ours.id, made.id)).model_id == "gpt-4o"


async def test_what_cannot_be_resolved_says_why(desk: Desk, theirs: Theirs) -> None:
    key = await desk.credential()
    made = await desk.configuration(key)
    for foreign in (theirs.configuration.id, "mcf_none"):
        with pytest.raises(NotFound):
            await desk.configurations.resolve(desk.ours.id, foreign)
    await desk.credentials.update(desk.ours.id, key.id, replace(KEY, is_active=False))
    with pytest.raises(CredentialInactive):
        await desk.configurations.resolve(desk.ours.id, made.id)
    stores = (desk.database, desk.tables, desk.credentials, Catalogue("2027-01-01", "", CATALOGUE.providers, ()))
    with pytest.raises(NotFound, match="'Model' is not in the catalogue any more"):
        await ConfigurationStore(*stores, desk.ids, desk.clock).resolve(desk.ours.id, made.id)


async def test_the_installations_are_used_by_all_and_changed_by_none(desk: Desk) -> None:
    shared = await desk.credential(organization_id=SYSTEM, secrets=Secrets(api_key="sk-shared"))
    made = await desk.configuration(shared, organization_id=SYSTEM)
    for organization_id in (desk.ours.id, desk.theirs.id):
        found = await desk.configurations.resolve(organization_id, made.id)
        assert found.access.api_key == "sk-shared"
        for attempt in (
            desk.configurations.update(organization_id, made.id, drafted(made)),
            desk.configurations.delete(organization_id, made.id),
        ):
            with pytest.raises(NotFound):
                await attempt
    assert made.scope == "system"


async def test_an_organization_may_use_the_installations_credential_and_not_the_other_way(desk: Desk) -> None:
    shared, own = await desk.credential(organization_id=SYSTEM), await desk.credential()
    made = await desk.configuration(shared)
    assert (await desk.configurations.resolve(desk.ours.id, made.id)).access.api_key == CANARY
    with pytest.raises(InvalidFields) as refused:
        await desk.configuration(own, organization_id=SYSTEM)
    assert [fault.path for fault in refused.value.faults] == ["credentialId"]


async def test_a_foreign_credential_does_not_exist(desk: Desk, theirs: Theirs) -> None:
    made = await desk.configuration()
    told = []
    for credential_id in (theirs.credential.id, "mcr_none"):
        for attempt in (
            desk.configurations.create(desk.ours.id, ConfigurationDraft("Thief", "openai/gpt-4o", credential_id)),
            desk.configurations.update(desk.ours.id, made.id, drafted(made, credential_id=credential_id)),
        ):
            with pytest.raises(InvalidFields) as refused:
                await attempt
            told.append(refused.value.faults)
    assert all(faults == told[0] for faults in told)
    assert [(fault.path, fault.code) for fault in told[0]] == [("credentialId", "unknown_credential")]
    assert await desk.configurations.list(desk.ours.id) == ([made], 1)


@pytest.mark.parametrize(
    ("wrong", "paths"),
    [
        ({"definition_id": "openai/none"}, ["modelDefinitionId"]),
        ({"definition_id": "anthropic/claude-3-haiku"}, ["credentialId"]),
        ({"name": " "}, ["name"]),
        ({"name": "x" * 201, "description": "\0"}, ["name", "description"]),
        ({"default_temperature": 2.1, "default_max_tokens": 0}, ["defaultTemperature", "defaultMaxTokens"]),
        ({"default_max_tokens": 16_385}, ["defaultMaxTokens"]),
        ({"default_timeout_ms": 999, "priority": 10**7}, ["defaultTimeout", "priority"]),
        ({"model_id": "../x y"}, ["modelId"]),
    ],
)
async def test_faults_are_told_with_their_paths(desk: Desk, wrong: dict[str, Any], paths: list[str]) -> None:
    with pytest.raises(InvalidFields) as refused:
        await desk.configuration(**wrong)
    assert [fault.path for fault in refused.value.faults] == paths


async def test_where_nothing_is_said_an_answer_has_what_the_model_gives(desk: Desk) -> None:
    embedding = await desk.configuration(name="E", definition_id="openai/text-embedding-3-small")
    small = await desk.configuration(name="S", definition_id="openai/davinci-small")
    assert (embedding.default_max_tokens, small.default_max_tokens) == (4_096, 1_024)
    assert (embedding.category, small.category) == ("embedding", "chat")


async def test_one_is_the_default_of_its_scope_and_category(desk: Desk) -> None:
    first = await desk.configuration(name="A", is_default=True)
    embedding = await desk.configuration(name="E", definition_id="openai/text-embedding-3-small", is_default=True)
    shared = await desk.credential(organization_id=SYSTEM)
    of_all = await desk.configuration(shared, organization_id=SYSTEM, is_default=True)
    second = await desk.configuration(name="B", is_default=True, priority=500)
    listed, _ = await desk.configurations.list(desk.ours.id, include_system=True)
    assert {each.id: each.is_default for each in listed} == {
        first.id: False,
        embedding.id: True,
        of_all.id: True,
        second.id: True,
    }
    await desk.configurations.update(desk.ours.id, first.id, drafted(first, is_default=True))
    assert (await desk.configurations.default_of(desk.ours.id)).id == first.id
    assert (await desk.configurations.default_of(desk.ours.id, "embedding")).id == embedding.id


async def test_without_one_of_its_own_an_organization_uses_the_installations_default(desk: Desk) -> None:
    with pytest.raises(NotFound, match="create one"):
        await desk.configurations.default_of(desk.ours.id)
    shared = await desk.credential(organization_id=SYSTEM)
    await desk.configuration(shared, organization_id=SYSTEM, name="First", priority=1)
    chosen = await desk.configuration(shared, organization_id=SYSTEM, is_default=True)
    assert await desk.configurations.default_of(desk.ours.id) == chosen
    await desk.configuration(name="Hidden", is_visible=False)
    assert await desk.configurations.default_of(desk.ours.id) == chosen
    second = await desk.configuration(name="Second", priority=5)
    await desk.configuration(name="Third", priority=7)
    assert await desk.configurations.default_of(desk.ours.id) == second


async def test_of_several_made_default_at_once_one_is(desk: Desk) -> None:
    key = await desk.credential()
    wanted = [desk.configuration(key, name=f"Model {number}", is_default=True) for number in range(4)]
    await asyncio.gather(*wanted)
    listed, _ = await desk.configurations.list(desk.ours.id)
    assert sum(each.is_default for each in listed) == 1


async def test_lists_take_the_documented_filters(desk: Desk) -> None:
    shared = await desk.credential(organization_id=SYSTEM)
    of_all = await desk.configuration(shared, organization_id=SYSTEM)
    last = await desk.configuration(name="Last", priority=200)
    first = await desk.configuration(name="First", priority=1)
    hidden = await desk.configuration(name="Hidden", is_visible=False)
    embedding = await desk.configuration(name="E", definition_id="openai/text-embedding-3-small")
    store, ours = desk.configurations, desk.ours.id
    assert await store.list(ours) == ([first, embedding, last], 3)
    assert await store.list(ours, include_system=True) == ([first, of_all, embedding, last], 4)
    assert await store.list(ours, visible_only=False) == ([first, hidden, embedding, last], 4)
    assert await store.list(ours, scope="system") == ([of_all], 1)
    assert await store.list(ours, category="embedding") == ([embedding], 1)
    assert await store.list(ours, part=Part(1, 1)) == ([embedding], 3)
    assert await store.list("org_none") == ([], 0)


async def test_one_is_found_by_its_name_the_organizations_own_first(desk: Desk) -> None:
    shared = await desk.credential(organization_id=SYSTEM)
    of_all = await desk.configuration(shared, organization_id=SYSTEM, priority=1)
    assert await desk.configurations.find(desk.ours.id, "Model") == of_all
    own = await desk.configuration()
    assert await desk.configurations.find(desk.ours.id, "Model") == own
    assert await desk.configurations.find(desk.ours.id, of_all.id) == of_all
    with pytest.raises(NotFound):
        await desk.configurations.find(desk.ours.id, "model")


async def test_names_and_revisions(desk: Desk) -> None:
    made, other = await desk.configuration(), await desk.configuration(name="Other")
    with pytest.raises(Conflict, match="'Model'"):
        await desk.configuration()
    with pytest.raises(Conflict, match="'Model'"):
        await desk.configurations.update(desk.ours.id, other.id, drafted(other, name="Model"))
    desk.clock.ms += 5
    changed = await desk.configurations.update(desk.ours.id, made.id, drafted(made, priority=3), expected=1)
    assert changed == replace(made, priority=3, revision=2, updated_at=desk.clock.now_ms())
    assert await desk.configurations.get(desk.ours.id, made.id) == changed
    with pytest.raises(StaleRevision):
        await desk.configurations.update(desk.ours.id, made.id, drafted(made), expected=1)


async def test_nobody_sees_or_changes_what_is_anothers(desk: Desk, theirs: Theirs) -> None:
    store = desk.configurations
    own = await desk.credential()
    stolen = drafted(theirs.configuration, credential_id=own.id)
    for attempt in (
        store.get(desk.ours.id, theirs.configuration.id),
        store.find(desk.ours.id, theirs.configuration.id),
        store.find(desk.ours.id, "Model"),
        store.update(desk.ours.id, theirs.configuration.id, stolen),
        store.delete(desk.ours.id, theirs.configuration.id),
        store.resolve(SYSTEM, theirs.configuration.id),
    ):
        with pytest.raises(NotFound):
            await attempt


async def test_one_in_use_is_not_deleted(desk: Desk) -> None:
    made = await desk.configuration()
    template = await desk.template(configuration_id=made.id)
    with pytest.raises(Conflict, match="'Reply'"):
        await desk.configurations.delete(desk.ours.id, made.id)
    await desk.templates.delete(desk.ours.id, template.id)
    await desk.configurations.delete(desk.ours.id, made.id)
    with pytest.raises(NotFound):
        await desk.configurations.get(desk.ours.id, made.id)


async def test_users_of_the_installations_are_counted_and_not_named(desk: Desk) -> None:
    shared = await desk.credential(organization_id=SYSTEM)
    made = await desk.configuration(shared, organization_id=SYSTEM)
    await desk.template(configuration_id=made.id, name="Secret plan")
    with pytest.raises(Conflict, match="used by 'a prompt template'") as refused:
        await desk.configurations.delete(SYSTEM, made.id)
    assert "Secret plan" not in refused.value.message
