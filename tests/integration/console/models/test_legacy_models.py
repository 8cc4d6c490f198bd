"""`/api/models`: legacy models made, listed, changed, deleted; what is wrong is said at its path."""

import json
from typing import Any

import httpx2
import pytest

from pulse.core.errors import NotFound
from pulse.core.ids import is_id
from pulse.prompts.records import LegacyAccess
from pulse.prompts.secrets import Secrets
from tests.integration.console.documents import ENTITIES, create, entity
from tests.integration.console.models.documents import (
    CANARY,
    CONFIGURATIONS,
    MODELS,
    as_operator,
    ask,
    configuration,
    faults,
    older,
)
from tests.integration.console.models.test_credential_secrets import on_disk
from tests.integration.receiver.installation import Installation, Tenant

KEYS = {"token": None, "clientKey": "client", "secretKey": CANARY}
BEDROCK = "bedrock://amazon.nova-pro-v1:0"


async def test_create_read_change_delete(pulse: Installation, acme: Tenant) -> None:
    made = await create(pulse, acme, MODELS, older())
    assert is_id(made["id"], "mdl")
    assert made == {
        "id": made["id"],
        "organizationId": acme.organization_id,
        "name": "Older",
        "modelUrl": "https://models.example.com/v1/generate",
        "modelType": "user",
        "hasToken": True,
        "hasKeys": False,
        "revision": 1,
        "createdAt": made["createdAt"],
        "updatedAt": made["createdAt"],
    }
    path = f"{MODELS}/{made['id']}"
    read = await ask(pulse, acme, "GET", path)
    assert (read.status_code, read.json(), read.headers["etag"]) == (200, made, '"1"')
    # Without a token it keeps the one that it has.
    changed = await ask(pulse, acme, "PUT", path, older(name="Renamed", token=None))
    assert (changed.status_code, changed.headers["etag"]) == (200, '"2"')
    assert changed.json() == {**made, "name": "Renamed", "revision": 2, "updatedAt": changed.json()["updatedAt"]}
    gone = await ask(pulse, acme, "DELETE", path)
    assert (gone.status_code, gone.content) == (204, b"")
    for method, body in (("GET", None), ("PUT", older()), ("DELETE", None)):
        assert (await ask(pulse, acme, method, path, body)).status_code == 404


async def test_every_kind_of_secret_can_be_stored(pulse: Installation, acme: Tenant) -> None:
    for name, fields, flags in (
        ("Token", {}, (True, False)),
        ("Keys", KEYS, (False, True)),
        ("Bedrock", {"modelUrl": BEDROCK, "token": None}, (False, False)),
    ):
        made = await create(pulse, acme, MODELS, older(name=name, **fields))
        assert (made["hasToken"], made["hasKeys"]) == flags
    # Bedrock passes a token over.
    passed_over = await create(pulse, acme, MODELS, older(modelUrl=BEDROCK))
    removed = await ask(pulse, acme, "PUT", f"{MODELS}/{passed_over['id']}", older(modelUrl=BEDROCK, token=""))
    assert (passed_over["hasToken"], removed.json()["hasToken"]) == (True, False)


async def test_one_kind_replaces_the_other(pulse: Installation, acme: Tenant) -> None:
    path = f"{MODELS}/{(await create(pulse, acme, MODELS, older()))['id']}"
    for fields, flags in ((KEYS, (False, True)), ({"token": None}, (False, True)), ({}, (True, False))):
        answer = (await ask(pulse, acme, "PUT", path, older(**fields))).json()
        assert (answer["hasToken"], answer["hasKeys"]) == flags


WRONG: list[tuple[dict[str, Any], list[tuple[str, str]]]] = [
    (older(token=None), [("token", "missing")]),
    (older(token=""), [("token", "missing")]),
    (older(token="two\nlines"), [("token", "invalid_secret")]),
    (older(token=[CANARY]), [("token", "string_type")]),
    (older(**{**KEYS, "token": CANARY}), [("token", "both_kinds")]),
    (older(clientKey="client"), [("token", "both_kinds")]),
    (older(**{**KEYS, "clientKey": None}), [("clientKey", "missing")]),
    (older(**{**KEYS, "secretKey": None}), [("secretKey", "missing")]),
    (older(**{**KEYS, "secretKey": f"{CANARY}\n"}), [("secretKey", "invalid_secret")]),
    (older(**KEYS, modelUrl=BEDROCK), [("clientKey", "not_allowed")]),
    (older(modelUrl="models.example.com"), [("modelUrl", "invalid_url")]),
    (older(modelUrl="ftp://models.example.com"), [("modelUrl", "invalid_url")]),
    (older(modelUrl=f"https://user:{CANARY}@models.example.com"), [("modelUrl", "invalid_url")]),
    (older(modelUrl="bedrock://"), [("modelUrl", "invalid_url")]),
    (older(modelUrl=None), [("modelUrl", "string_type")]),
    (older(name=""), [("name", "string_too_short")]),
    (older(name="  "), [("name", "invalid_length")]),
    (older(modelType="team"), [("modelType", "literal_error")]),
    (older(hasToken=True), [("hasToken", "extra_forbidden")]),
    ({"token": CANARY}, [("name", "missing"), ("modelUrl", "missing")]),
    (
        older(name=" ", modelUrl="x", token=None),
        [("name", "invalid_length"), ("modelUrl", "invalid_url"), ("token", "missing")],
    ),
]


@pytest.mark.parametrize(("body", "wanted"), WRONG, ids=range(len(WRONG)))
async def test_every_fault_has_its_path(
    pulse: Installation, acme: Tenant, body: dict[str, Any], wanted: list[tuple[str, str]]
) -> None:
    answer = await ask(pulse, acme, "POST", MODELS, body)
    assert faults(answer) == wanted
    assert CANARY not in answer.text
    assert (await ask(pulse, acme, "GET", MODELS)).json()["data"] == []


async def test_a_token_goes_to_no_other_place_by_itself(pulse: Installation, acme: Tenant) -> None:
    path = f"{MODELS}/{(await create(pulse, acme, MODELS, older()))['id']}"
    elsewhere = older(modelUrl="https://models.evil.example", token=None)
    assert faults(await ask(pulse, acme, "PUT", path, elsewhere)) == [("modelUrl", "secret_needed")]
    assert (await ask(pulse, acme, "PUT", path, {**elsewhere, "token": "new"})).status_code == 200


async def test_a_secret_is_in_no_answer_and_no_file(alone: Installation, capfd: pytest.CaptureFixture[str]) -> None:
    acme = await alone.tenant()
    answers = [
        await ask(alone, acme, "POST", MODELS, older(name=name, **more)) for name, more in (("A", {}), ("B", KEYS))
    ]
    path = f"{MODELS}/{answers[0].json()['id']}"
    answers += [
        await ask(alone, acme, "GET", path),
        await ask(alone, acme, "GET", MODELS),
        await ask(alone, acme, "PUT", path, older(name="A")),
        await ask(alone, acme, "PUT", path, older(name="A"), '"1"'),
        await ask(alone, acme, "PUT", path, older(name="B")),
        await ask(alone, acme, "POST", MODELS, older(name="A")),
        await ask(alone, acme, "DELETE", path),
    ]
    assert [answer.status_code for answer in answers] == [201, 201, 200, 200, 200, 412, 409, 409, 204]
    assert CANARY not in "".join(answer.text for answer in answers) + "".join(capfd.readouterr())
    written = on_disk(alone.data.settings.data)
    assert answers[1].json()["id"].encode() in written
    assert CANARY.encode() not in written


async def test_lists_have_pages_and_filters(pulse: Installation, acme: Tenant) -> None:
    made = [await create(pulse, acme, MODELS, older(name=f"Older {at}")) for at in range(12)]
    first = (await ask(pulse, acme, "GET", MODELS)).json()
    assert first == {"data": made[:10], "pagination": {"page": 1, "limit": 10, "total": 12, "totalPages": 2}}
    second = (await ask(pulse, acme, "GET", f"{MODELS}?modelType=user&limit=5&page=3")).json()
    assert second == {"data": made[10:], "pagination": {"page": 3, "limit": 5, "total": 12, "totalPages": 3}}
    wrong = await ask(pulse, acme, "GET", f"{MODELS}?modelType=team&page=0&limit=x&more=1")
    assert faults(wrong) == [("more", "unknown_parameter")]
    assert [path for path, _ in faults(await ask(pulse, acme, "GET", f"{MODELS}?modelType=team&page=0&limit=x"))] == [
        "modelType",
        "page",
        "limit",
    ]


async def test_a_change_is_in_force_before_its_answer(pulse: Installation, acme: Tenant) -> None:
    kept, place = pulse.parts.models.kept, acme.organization_id
    path = f"{MODELS}/{(await create(pulse, acme, MODELS, older()))['id']}"
    assert isinstance(await kept.choose(place, "Older"), LegacyAccess)
    await ask(pulse, acme, "PUT", path, older(token="second"))
    assert await kept.choose(place, "Older") == LegacyAccess("Older", older()["modelUrl"], Secrets(api_key="second"))
    model = await configuration(pulse, acme, name="Older")
    assert await kept.choose(place, "Older") == model["id"]
    await ask(pulse, acme, "DELETE", f"{CONFIGURATIONS}/{model['id']}")
    await ask(pulse, acme, "DELETE", path)
    with pytest.raises(NotFound):
        await kept.choose(place, "Older")


async def test_a_stale_write_changes_nothing(pulse: Installation, acme: Tenant) -> None:
    path = f"{MODELS}/{(await create(pulse, acme, MODELS, older()))['id']}"
    answers = [await ask(pulse, acme, "PUT", path, older(name=name), '"1"') for name in ("second", "third")]
    assert [answer.status_code for answer in answers] == [200, 412]
    assert answers[1].json()["code"] == "stale_revision"
    assert (await ask(pulse, acme, "GET", path)).json()["name"] == "second"


async def test_refusals_come_in_order(pulse: Installation, acme: Tenant) -> None:
    """A request with every fault at once, from which one after another is taken away."""
    path, none = f"{MODELS}/{(await create(pulse, acme, MODELS, older()))['id']}", f"{MODELS}/mdl_none"
    reader, nobody = (
        await pulse.another_key(acme, "models:read"),
        Tenant(acme.organization, acme.environment, "pk_none"),
    )
    for tenant, where, body, match, status in (
        (nobody, none, older(more=1), '"9"', 401),
        (reader, none, older(more=1), '"9"', 403),
        (acme, none, older(more=1), '"9"', 404),
        (acme, path, older(more=1), '"9"', 422),
        (acme, path, older(), '"9"', 412),
        (acme, path, older(), '"1"', 200),
    ):
        assert (await ask(pulse, tenant, "PUT", where, body, match)).status_code == status


async def test_scopes(pulse: Installation, acme: Tenant) -> None:
    path = f"{MODELS}/{(await create(pulse, acme, MODELS, older()))['id']}"
    requests: list[tuple[str, str, str, Any]] = [
        ("models:read", "GET", MODELS, None),
        ("models:read", "GET", path, None),
        ("models:write", "POST", MODELS, older(name="Other")),
        ("models:write", "PUT", path, older()),
        ("models:write", "DELETE", path, None),
    ]
    for scope in ("models:read", "models:write", "credentials:create"):
        key = await pulse.another_key(acme, scope)
        for needed, method, where, body in requests:
            answer = await ask(pulse, key, method, where, body)
            assert (answer.status_code < 300) is (needed == scope), (scope, method, where, answer.text)
            assert answer.status_code < 300 or answer.status_code == 403


# ---- whose they are ----------------------------------------------------------------------------------------------


async def test_the_installations_are_used_by_all_and_changed_by_its_operator(alone: Installation) -> None:
    acme = await alone.tenant()
    made = await as_operator(alone, "POST", MODELS, older(name="Of all", modelType="system", organizationId=None))
    shared, own = made.json(), await create(alone, acme, MODELS, older(modelType="user"))
    assert (made.status_code, shared["modelType"], shared["organizationId"]) == (201, "system", None)
    path = f"{MODELS}/{shared['id']}"
    assert (await ask(alone, acme, "GET", path)).json() == shared
    for query, wanted in (
        ("", [own]),
        ("?includeSystem=true", [shared, own]),
        ("?modelType=system", [shared]),
        ("?modelType=user&includeSystem=true", [own]),
        (f"?organizationId={acme.organization_id}", [own]),
    ):
        assert (await ask(alone, acme, "GET", f"{MODELS}{query}")).json()["data"] == wanted, query
    for method, where, body in (
        ("PUT", path, older()),
        ("DELETE", path, None),
        ("POST", MODELS, older(name="mine", modelType="system")),
    ):
        answer = await ask(alone, acme, method, where, body)
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
        assert "operator" in answer.json()["detail"]
    assert (await ask(alone, acme, "GET", path)).json() == shared
    assert (await as_operator(alone, "GET", MODELS)).json()["data"] == [shared]
    assert (await as_operator(alone, "GET", MODELS, **acme.place)).json()["data"] == [own]
    assert faults(await as_operator(alone, "GET", MODELS, modelType="user")) == [("organizationId", "missing")]
    assert (await as_operator(alone, "PUT", path, older(name="Renamed"), **acme.place)).json()["name"] == "Renamed"
    assert (await as_operator(alone, "DELETE", path)).status_code == 204


async def test_the_operator_says_for_whom(alone: Installation) -> None:
    acme = await alone.tenant()
    made = await as_operator(alone, "POST", MODELS, older(organizationId=acme.organization_id))
    assert (made.status_code, made.json()["organizationId"]) == (201, acme.organization_id)
    named = older(modelType="system", organizationId=acme.organization_id)
    assert faults(await as_operator(alone, "POST", MODELS, named)) == [("organizationId", "not_allowed")]
    assert faults(await as_operator(alone, "POST", MODELS, older(modelType="user"))) == [("organizationId", "missing")]


async def test_its_owner_cannot_be_changed(pulse: Installation, acme: Tenant) -> None:
    path, other = f"{MODELS}/{(await create(pulse, acme, MODELS, older()))['id']}", await pulse.tenant()
    assert faults(await ask(pulse, acme, "PUT", path, older(modelType="system"))) == [("modelType", "cannot_change")]
    foreign = older(organizationId=other.organization_id)
    assert (await ask(pulse, acme, "PUT", path, foreign)).status_code == 404
    same = older(modelType="user", organizationId=acme.organization_id)
    assert (await ask(pulse, acme, "PUT", path, same)).status_code == 200


async def test_a_name_is_taken_once_in_an_organization(pulse: Installation, acme: Tenant) -> None:
    await create(pulse, acme, MODELS, older())
    taken = await ask(pulse, await pulse.another_environment(acme), "POST", MODELS, older())
    assert (taken.status_code, taken.json()["code"]) == (409, "conflict")
    assert (await create(pulse, await pulse.tenant(), MODELS, older()))["name"] == "Older"


async def test_one_that_a_prompt_asks_is_not_deleted(pulse: Installation, acme: Tenant) -> None:
    path = f"{MODELS}/{(model := await create(pulse, acme, MODELS, older()))['id']}"
    used = await create(pulse, acme, ENTITIES, entity("prompt", prompt="?", modelId=model["id"], name="Support"))
    refused: httpx2.Response = await ask(pulse, acme, "DELETE", path)
    assert (refused.status_code, "'Support'" in json.dumps(refused.json())) == (409, True)
    assert (await ask(pulse, acme, "DELETE", f"{ENTITIES}/{used['id']}")).status_code == 204
    assert (await ask(pulse, acme, "DELETE", path)).status_code == 204
