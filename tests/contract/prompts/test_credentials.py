"""Model credentials: sealed, never shown, scoped, refused while in use; a second tenant has its own under one name."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from pulse.core.errors import Conflict, InvalidFields, NotFound, StaleRevision
from pulse.core.ids import is_id
from pulse.models.port import Access
from pulse.prompts.buckets import Limits
from pulse.prompts.credentials import CredentialInactive
from pulse.prompts.records import SYSTEM, Credential, CredentialDraft, Part
from pulse.prompts.secrets import Secrets
from tests.contract.prompts.conftest import CANARY, CATALOGUE, EVERYTHING, KEY, Desk, Theirs


async def access(desk: Desk, credential: Credential, organization_id: str = "") -> Access:
    return await desk.credentials.access_of(organization_id or desk.ours.id, credential.id)


async def test_a_credential_is_kept_and_shown_without_its_secrets(desk: Desk) -> None:
    limits = Limits(requests_per_minute=60, tokens_per_minute=90_000, tokens_per_day=1_000_000)
    made = await desk.credential(secrets=EVERYTHING, description="Of the team", limits=limits)
    now = desk.clock.now_ms()
    assert made == Credential(
        id=made.id,
        organization_id=desk.ours.id,
        provider="openai",
        name="Key",
        description="Of the team",
        auth_type="api_key",
        base_url=None,
        aws_region=None,
        limits=limits,
        is_active=True,
        has_api_key=True,
        has_service_account=True,
        has_access_keys=True,
        has_custom_headers=True,
        last_validated=None,
        validation_error=None,
        last_used_at=None,
        revision=1,
        created_at=now,
        updated_at=now,
    )
    assert is_id(made.id, "mcr")
    assert made.scope == "organization"
    assert await desk.credentials.get(desk.ours.id, made.id) == made


@pytest.mark.parametrize(
    ("provider", "auth_type", "used"),
    [
        ("openai", "api_key", ["api_key"]),
        ("google", "service_account", ["service_account"]),
        ("bedrock", "iam", ["access_key", "secret_key", "session_token"]),
        ("anthropic", "custom_headers", []),
    ],
)
async def test_a_request_gets_the_secrets_of_its_kind_of_access(
    desk: Desk, provider: str, auth_type: str, used: list[str]
) -> None:
    """The rest of what is stored stays where it is; headers go with every request."""
    made = await desk.credential(provider=provider, auth_type=auth_type, aws_region="us-east-2", secrets=EVERYTHING)
    found = await access(desk, made)
    names = ("api_key", "service_account", "access_key", "secret_key", "session_token")
    assert [name for name in names if getattr(found, name) is not None] == used
    assert all(getattr(found, name) == getattr(EVERYTHING, name) for name in used)
    assert (found.base_url, found.region) == (CATALOGUE.provider(provider).base_url, "us-east-2")
    assert found.headers == {"x-team": CANARY}


async def test_flags_say_what_is_there(desk: Desk) -> None:
    made = await desk.credential(auth_type="custom_headers", secrets=Secrets(headers={"authorization": "Basic x"}))
    flags = (made.has_api_key, made.has_service_account, made.has_access_keys, made.has_custom_headers)
    assert flags == (False, False, False, True)


async def test_a_stale_write_changes_nothing(desk: Desk) -> None:
    made = await desk.credential()
    await desk.credentials.update(desk.ours.id, made.id, KEY, expected=1)
    for expected in (1, 3, -1):
        with pytest.raises(StaleRevision) as refused:
            await desk.credentials.update(desk.ours.id, made.id, replace(KEY, name="Stale"), expected)
        assert refused.value.details == {"revision": 2}
    assert (await desk.credentials.get(desk.ours.id, made.id)).name == "Key"


async def test_a_name_is_taken_once_in_its_scope(desk: Desk) -> None:
    made = await desk.credential()
    other = await desk.credential(name="Other")
    await desk.credential(organization_id=SYSTEM)
    with pytest.raises(Conflict, match="'Key'"):
        await desk.credential()
    with pytest.raises(Conflict, match="'Key'"):
        await desk.credentials.update(desk.ours.id, other.id, KEY)
    assert await desk.credentials.list(desk.ours.id, scope="organization") == ([made, other], 2)


async def test_of_two_who_want_one_name_one_gets_it(desk: Desk) -> None:
    wanted = [desk.credentials.create(desk.ours.id, KEY) for _ in range(4)]
    answers = await asyncio.gather(*wanted, return_exceptions=True)
    assert sorted(type(answer).__name__ for answer in answers) == ["Conflict", "Conflict", "Conflict", "Credential"]


async def test_all_faults_are_told_at_once_and_none_repeats_a_secret(desk: Desk) -> None:
    draft = CredentialDraft(
        "",
        "nobody",
        "magic",
        base_url="ftp://x",
        aws_region="moon",
        limits=Limits(0, -1, 10**13),
        secrets=Secrets(api_key=CANARY + "\n", service_account=CANARY, headers={"host": CANARY, "x y": "v"}),
    )
    with pytest.raises(InvalidFields) as refused:
        await desk.credentials.create(desk.ours.id, draft)
    assert [fault.path for fault in refused.value.faults] == [
        "name",
        "baseUrl",
        "awsRegion",
        "requestsPerMinute",
        "tokensPerMinute",
        "tokensPerDay",
        "apiKey",
        "serviceAccountJson",
        "customHeaders.0",
        "customHeaders.1",
        "authType",
        "providerId",
    ]
    assert CANARY not in f"{refused.value!r} {refused.value} {refused.value.faults}"
    assert await desk.credentials.list(desk.ours.id) == ([], 0)


@pytest.mark.parametrize(
    ("provider", "auth_type", "more", "faults"),
    [
        ("bedrock", "api_key", {"aws_region": "us-east-2"}, ["authType"]),
        ("openai", "iam", {"aws_region": "us-east-2"}, ["accessKeyId", "secretAccessKey", "authType"]),
        ("bedrock", "iam", {}, ["awsRegion", "accessKeyId", "secretAccessKey"]),
        ("google", "service_account", {}, ["serviceAccountJson"]),
        ("anthropic", "custom_headers", {}, ["customHeaders"]),
        ("openai", "none", {}, ["baseUrl"]),
        ("openai", "none", {"base_url": "http://localhost:11434/v1"}, []),
    ],
)
async def test_each_kind_of_access_needs_its_own(
    desk: Desk, provider: str, auth_type: str, more: dict[str, Any], faults: Sequence[str]
) -> None:
    draft = CredentialDraft("Key", provider, auth_type, secrets=Secrets(api_key="sk-x"), **more)
    if not faults:
        assert (await desk.credentials.create(desk.ours.id, draft)).auth_type == auth_type
        return
    with pytest.raises(InvalidFields) as refused:
        await desk.credentials.create(desk.ours.id, draft)
    assert [fault.path for fault in refused.value.faults] == faults


async def test_only_the_installation_goes_by_the_role_of_its_machine(desk: Desk) -> None:
    draft = CredentialDraft("Role", "bedrock", "iam", aws_region="us-east-2")
    made = await desk.credentials.create(SYSTEM, draft)
    assert not made.has_access_keys
    assert await access(desk, made) == Access(None, region="us-east-2")
    with pytest.raises(InvalidFields):
        await desk.credentials.create(desk.ours.id, draft)


async def test_the_installations_credentials_are_seen_and_used_but_not_changed(desk: Desk) -> None:
    shared = await desk.credential(organization_id=SYSTEM)
    assert (shared.scope, shared.organization_id) == ("system", SYSTEM)
    assert await desk.credentials.get(desk.ours.id, shared.id) == shared
    assert (await access(desk, shared)).api_key == CANARY
    for attempt in (
        desk.credentials.update(desk.ours.id, shared.id, KEY),
        desk.credentials.delete(desk.ours.id, shared.id),
        desk.credentials.note_validation(desk.ours.id, shared.id, None),
    ):
        with pytest.raises(NotFound):
            await attempt
    assert await desk.credentials.get(SYSTEM, shared.id) == shared


async def test_lists_take_the_documented_filters(desk: Desk) -> None:
    shared = await desk.credential(organization_id=SYSTEM)
    first = await desk.credential()
    second = await desk.credential(name="Second", provider="anthropic")
    resting = await desk.credential(name="Resting", is_active=False)
    store, ours = desk.credentials, desk.ours.id
    assert await store.list(ours) == ([shared, first, second], 3)
    assert await store.list(ours, active_only=False) == ([shared, first, second, resting], 4)
    assert await store.list(ours, scope="system") == ([shared], 1)
    assert await store.list(ours, scope="organization") == ([first, second], 2)
    assert await store.list(ours, provider="openai") == ([shared, first], 2)
    assert await store.list(ours, part=Part(1, 1)) == ([first], 3)
    assert await store.list(SYSTEM) == ([shared], 1)
    assert await store.list("org_none", scope="organization") == ([], 0)


async def test_nobody_sees_changes_or_uses_what_is_anothers(desk: Desk, theirs: Theirs) -> None:
    mine = await desk.credential()
    store = desk.credentials
    for organization_id, credential_id in (
        (desk.ours.id, theirs.credential.id),
        (desk.theirs.id, mine.id),
        (SYSTEM, mine.id),
        (desk.ours.id, "mcr_none"),
    ):
        for attempt in (
            store.get(organization_id, credential_id),
            store.update(organization_id, credential_id, KEY),
            store.delete(organization_id, credential_id),
            store.access_of(organization_id, credential_id),
            store.note_validation(organization_id, credential_id, "stolen"),
        ):
            with pytest.raises(NotFound):
                await attempt
    with pytest.raises(NotFound):
        await store.create("org_none", KEY)
    assert await store.usage_counts(desk.ours.id, [theirs.credential.id]) == {}


async def test_a_credential_in_use_is_not_deleted(desk: Desk, theirs: Theirs) -> None:
    made = await desk.credential()
    for number in range(5):
        await desk.configuration(made, name=f"Model {number}")
    assert await desk.credentials.usage_counts(desk.ours.id, [made.id, theirs.credential.id]) == {made.id: 5}
    with pytest.raises(Conflict, match="'Model 0', 'Model 1', 'Model 2', 2 more"):
        await desk.credentials.delete(desk.ours.id, made.id)
    with pytest.raises(Conflict, match="with models of openai"):
        await desk.credentials.update(desk.ours.id, made.id, replace(KEY, provider="anthropic"))
    for configuration in (await desk.configurations.list(desk.ours.id))[0]:
        await desk.configurations.delete(desk.ours.id, configuration.id)
    await desk.credentials.delete(desk.ours.id, made.id)
    with pytest.raises(NotFound):
        await desk.credentials.get(desk.ours.id, made.id)


async def test_users_in_other_organizations_are_counted_and_not_named(desk: Desk) -> None:
    shared = await desk.credential(organization_id=SYSTEM)
    await desk.configuration(shared, name="Secret plan")
    with pytest.raises(Conflict, match="1 of organizations") as refused:
        await desk.credentials.delete(SYSTEM, shared.id)
    assert "Secret plan" not in refused.value.message


async def test_deleting_and_using_at_once_leaves_no_configuration_without_credential(desk: Desk) -> None:
    made = await desk.credential()
    answers = await asyncio.gather(
        *(desk.configuration(made, name=f"Model {number}") for number in range(3)),
        desk.credentials.delete(desk.ours.id, made.id),
        return_exceptions=True,
    )
    assert all(isinstance(answer, InvalidFields | Conflict) or not isinstance(answer, Exception) for answer in answers)
    configurations, total = await desk.configurations.list(desk.ours.id)
    _, left = await desk.credentials.list(desk.ours.id)
    assert (total == 0) or (left == 1 and {each.credential_id for each in configurations} == {made.id})


async def test_one_that_is_switched_off_is_not_used(desk: Desk) -> None:
    made = await desk.credential(is_active=False)
    with pytest.raises(CredentialInactive, match="'Key'"):
        await access(desk, made)
    await desk.credentials.update(desk.ours.id, made.id, KEY)
    assert (await access(desk, made)).api_key == CANARY


async def test_what_it_was_validated_as_is_kept_until_it_leads_elsewhere(desk: Desk) -> None:
    made = await desk.credential()
    desk.clock.ms += 7
    failed = await desk.credentials.note_validation(desk.ours.id, made.id, "x" * 1_000)
    assert (failed.last_validated, failed.validation_error) == (desk.clock.now_ms(), "x" * 300)
    assert failed.revision == made.revision
    renamed = await desk.credentials.update(desk.ours.id, made.id, CredentialDraft("Renamed", "openai"))
    assert renamed.validation_error == "x" * 300
    good = await desk.credentials.note_validation(desk.ours.id, made.id, None)
    assert (good.last_validated, good.validation_error) == (desk.clock.now_ms(), None)
    other = replace(KEY, secrets=Secrets(api_key="sk-other"))
    assert (await desk.credentials.update(desk.ours.id, made.id, other)).last_validated is None


async def test_changes_made_at_once_come_one_after_another(desk: Desk) -> None:
    made = await desk.credential()
    drafts = [replace(KEY, secrets=Secrets(api_key=f"sk-{number}")) for number in range(5)]
    writers = [desk.credentials.update(desk.ours.id, made.id, draft) for draft in drafts]
    await asyncio.gather(*writers)
    assert (await desk.credentials.get(desk.ours.id, made.id)).revision == 6
    assert (await access(desk, made)).api_key in {f"sk-{number}" for number in range(5)}
