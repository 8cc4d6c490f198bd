"""`/api/model-credentials`: made, listed, changed, deleted; what is wrong is said at its path."""

from typing import Any

import pytest

from pulse.core.ids import is_id
from tests.integration.console.documents import create
from tests.integration.console.models.documents import (
    CREDENTIALS,
    ask,
    configuration,
    credential,
    faults,
    mock,
    openai,
)
from tests.integration.receiver.installation import Installation, Tenant

NO_HEADERS = {"hasApiKey": True, "hasServiceAccount": False, "hasAccessKeys": False, "hasCustomHeaders": False}


async def test_create_read_change_delete(pulse: Installation, acme: Tenant) -> None:
    made = await create(pulse, acme, CREDENTIALS, openai(description="Ours", tokensPerMinute=90_000))
    assert is_id(made["id"], "mcr")
    assert made == {
        "id": made["id"],
        "scope": "organization",
        "organizationId": acme.organization_id,
        "providerId": "openai",
        "name": "OpenAI",
        "description": "Ours",
        "authType": "api_key",
        "baseUrl": None,
        "awsRegion": None,
        "requestsPerMinute": None,
        "tokensPerMinute": 90_000,
        "tokensPerDay": None,
        "isActive": True,
        **NO_HEADERS,
        "lastValidated": None,
        "validationError": None,
        "lastUsedAt": None,
        "provider": {"id": "openai", "slug": "openai", "name": "OpenAI"},
        "organization": {"id": acme.organization_id, "name": acme.organization.name},
        "_count": {"modelConfigs": 0},
        "revision": 1,
        "createdAt": made["createdAt"],
        "updatedAt": made["createdAt"],
    }
    path = f"{CREDENTIALS}/{made['id']}"
    read = await ask(pulse, acme, "GET", path)
    assert (read.status_code, read.json(), read.headers["etag"]) == (200, made, '"1"')
    # Without a key it keeps the one that it has.
    changed = await ask(pulse, acme, "PUT", path, {"name": "Renamed", "providerId": "openai"})
    assert (changed.status_code, changed.headers["etag"]) == (200, '"2"')
    assert changed.json().items() >= {"name": "Renamed", "description": None, "tokensPerMinute": None}.items()
    assert changed.json().items() >= NO_HEADERS.items()
    gone = await ask(pulse, acme, "DELETE", path)
    assert (gone.status_code, gone.content) == (204, b"")
    for method, body in (("GET", None), ("PUT", openai()), ("DELETE", None)):
        assert (await ask(pulse, acme, method, path, body)).status_code == 404


async def test_every_kind_of_access_can_be_stored(pulse: Installation, acme: Tenant) -> None:
    account = '{"client_email": "pulse@acme.iam.gserviceaccount.com", "private_key": "-----BEGIN"}'
    keys = {"accessKeyId": "AKIAEXAMPLE", "secretAccessKey": "abc", "sessionToken": "def", "awsRegion": "us-east-2"}
    kinds: list[tuple[dict[str, Any], str, str]] = [
        ({"providerId": "google", "authType": "service_account", "serviceAccountJson": account}, "google", "Service"),
        ({"providerId": "bedrock", **keys}, "bedrock", "AccessKeys"),
        ({"providerId": "openai", "authType": "custom_headers", "customHeaders": {"x-k": "v"}}, "openai", "Custom"),
        ({"providerId": "openai", "authType": "none", "baseUrl": "https://models.acme.example/v1"}, "openai", "?"),
        ({"providerId": "anthropic", "apiKey": "sk-ant"}, "anthropic", "ApiKey"),
    ]
    for number, (fields, provider, has) in enumerate(kinds):
        made = await create(pulse, acme, CREDENTIALS, {"name": f"Kind {number}", **fields})
        flags = [name for name in made if name.startswith("has") and made[name]]
        assert made["provider"]["slug"] == provider
        assert [has in flag for flag in flags] == ([] if has == "?" else [True])


async def test_lists_have_pages_and_filters(pulse: Installation, acme: Tenant) -> None:
    made = [await credential(pulse, acme, name=f"Mock {at}") for at in range(2)]
    made.append(await create(pulse, acme, CREDENTIALS, openai(isActive=False)))
    own = "scope=organization"
    answer = (await ask(pulse, acme, "GET", f"{CREDENTIALS}?{own}&limit=1&page=2")).json()
    assert answer == {"data": made[1:2], "pagination": {"page": 2, "limit": 1, "total": 2, "totalPages": 2}}
    for query, wanted in (
        (f"{own}&activeOnly=false", made),
        (f"{own}&providerId=mock", made[:2]),
        (f"{own}&providerId=openai", []),
        (f"{own}&providerId=openai&activeOnly=false", made[2:]),
        (f"{own}&providerId=nobody", []),
    ):
        assert (await ask(pulse, acme, "GET", f"{CREDENTIALS}?{query}")).json()["data"] == wanted


async def test_configurations_are_counted_and_keep_their_credential(pulse: Installation, acme: Tenant) -> None:
    used = await credential(pulse, acme)
    await configuration(pulse, acme, name="Support", credentialId=used["id"])
    path = f"{CREDENTIALS}/{used['id']}"
    assert (await ask(pulse, acme, "GET", path)).json()["_count"] == {"modelConfigs": 1}
    refused = await ask(pulse, acme, "DELETE", path)
    assert (refused.status_code, refused.json()["code"]) == (409, "conflict")
    assert "'Support'" in refused.json()["detail"]
    moved = await ask(pulse, acme, "PUT", path, openai())
    assert (moved.status_code, moved.json()["code"]) == (409, "conflict")


async def test_a_name_is_taken_once_in_an_organization(pulse: Installation, acme: Tenant) -> None:
    await credential(pulse, acme)
    taken = await ask(pulse, acme, "POST", CREDENTIALS, mock())
    assert (taken.status_code, taken.json()["code"]) == (409, "conflict")
    other = await pulse.tenant()
    assert (await credential(pulse, other))["organizationId"] == other.organization_id
    # Credentials belong to the organization: its other environment sees the same.
    production = await pulse.another_environment(acme)
    assert (await ask(pulse, production, "POST", CREDENTIALS, mock())).status_code == 409


async def test_a_stale_write_changes_nothing(pulse: Installation, acme: Tenant) -> None:
    made = await credential(pulse, acme)
    path = f"{CREDENTIALS}/{made['id']}"
    bodies = [mock(name=name) for name in ("second", "third", "third")]
    answers = [await ask(pulse, acme, "PUT", path, body, '"1"') for body in bodies]
    answers.append(await ask(pulse, acme, "PUT", path, mock(name="fourth"), '"x"'))
    assert [answer.status_code for answer in answers] == [200, 412, 412, 412]
    assert answers[1].json()["code"] == "stale_revision"
    assert (await ask(pulse, acme, "GET", path)).json()["name"] == "second"


async def test_refusals_come_in_order(pulse: Installation, acme: Tenant) -> None:
    """A request with every fault at once, from which one after another is taken away."""
    made = await credential(pulse, acme)
    reader = await pulse.another_key(acme, "credentials:read")
    nobody = Tenant(acme.organization, acme.environment, "pk_none")
    path, none = f"{CREDENTIALS}/{made['id']}", f"{CREDENTIALS}/mcr_none"
    wrong = {**mock(), "more": 1}
    assert (await ask(pulse, nobody, "PUT", none, wrong, '"9"')).status_code == 401
    assert (await ask(pulse, reader, "PUT", none, wrong, '"9"')).status_code == 403
    assert (await ask(pulse, acme, "PUT", none, wrong, '"9"')).status_code == 404
    assert (await ask(pulse, acme, "PUT", path, wrong, '"9"')).status_code == 422
    assert (await ask(pulse, acme, "PUT", path, mock(), '"9"')).status_code == 412
    assert (await ask(pulse, acme, "PUT", path, mock(), '"1"')).status_code == 200


async def test_scopes(pulse: Installation, acme: Tenant) -> None:
    made = await credential(pulse, acme)
    path = f"{CREDENTIALS}/{made['id']}"
    requests: list[tuple[str, str, str, Any]] = [
        ("read", "GET", CREDENTIALS, None),
        ("read", "GET", path, None),
        ("create", "POST", CREDENTIALS, mock(name="Other")),
        ("update", "PUT", path, mock()),
        ("validate", "POST", f"{path}/validate", None),
        ("delete", "DELETE", path, None),
    ]
    for verb in ("read", "create", "update", "validate", "delete"):
        key = await pulse.another_key(acme, f"credentials:{verb}")
        for needed, method, where, body in requests:
            answer = await ask(pulse, key, method, where, body)
            assert (answer.status_code < 300) is (needed == verb), (verb, method, where, answer.text)
            assert answer.status_code < 300 or answer.status_code == 403


WRONG: list[tuple[dict[str, Any], list[tuple[str, str]]]] = [
    (openai(apiKey=None), [("apiKey", "missing")]),
    (openai(apiKey=""), [("apiKey", "missing")]),
    (openai(apiKey="two\nlines"), [("apiKey", "invalid_secret")]),
    (openai(apiKey=["x"]), [("apiKey", "string_type")]),
    (openai(name=""), [("name", "string_too_short")]),
    (openai(name="  "), [("name", "invalid_length")]),
    (openai(providerId="nobody"), [("providerId", "unknown_provider")]),
    (openai(authType="magic"), [("authType", "unknown_auth_type")]),
    (
        openai(authType="iam"),
        [
            ("awsRegion", "missing"),
            ("accessKeyId", "missing"),
            ("secretAccessKey", "missing"),
            ("authType", "wrong_auth_type"),
        ],
    ),
    (openai(authType="none"), [("baseUrl", "missing")]),
    (openai(baseUrl="ftp://x"), [("baseUrl", "invalid_url")]),
    (openai(baseUrl="https://user:pw@x.example"), [("baseUrl", "invalid_url")]),
    (openai(awsRegion="here"), [("awsRegion", "invalid_region")]),
    (openai(requestsPerMinute=0), [("requestsPerMinute", "out_of_range")]),
    (openai(tokensPerDay=10**30), [("tokensPerDay", "out_of_range")]),
    (openai(customHeaders={"host": "x"}), [("customHeaders.0", "invalid_header")]),
    (openai(customHeaders={"x-a": "b\nc"}), [("customHeaders.x-a", "invalid_header")]),
    (openai(serviceAccountJson="{}"), [("serviceAccountJson", "invalid_service_account")]),
    (openai(scope="everyone"), [("scope", "literal_error")]),
    (openai(hasApiKey=True), [("hasApiKey", "extra_forbidden")]),
    ({"name": "x"}, [("providerId", "missing")]),
]


@pytest.mark.parametrize(("body", "wanted"), WRONG, ids=range(len(WRONG)))
async def test_every_fault_has_its_path(
    pulse: Installation, acme: Tenant, body: dict[str, Any], wanted: list[tuple[str, str]]
) -> None:
    assert faults(await ask(pulse, acme, "POST", CREDENTIALS, body)) == wanted
    assert (await ask(pulse, acme, "GET", f"{CREDENTIALS}?scope=organization")).json()["data"] == []


async def test_its_owner_cannot_be_changed(pulse: Installation, acme: Tenant) -> None:
    made, other = await credential(pulse, acme), await pulse.tenant()
    path = f"{CREDENTIALS}/{made['id']}"
    assert faults(await ask(pulse, acme, "PUT", path, mock(scope="system"))) == [("scope", "cannot_change")]
    foreign = mock(organizationId=other.organization_id)
    assert (await ask(pulse, acme, "PUT", path, foreign)).status_code == 404
    assert (await ask(pulse, acme, "POST", CREDENTIALS, foreign)).status_code == 404
    same = mock(scope="organization", organizationId=acme.organization_id)
    assert (await ask(pulse, acme, "PUT", path, same)).status_code == 200
