"""Legacy models: a prompt's `modelId` and `promptCallUniversal` ask their address with the secrets that are stored."""

import base64
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from pulse.bootstrap.platform import OpenData
from pulse.models.mock import MockModels
from pulse.prompts.records import SYSTEM, LegacyDraft, LegacyModel
from pulse.prompts.secrets import Secrets
from pulse.workflows.plan import compile_plan
from pulse.workflows.records import Entity, Workflow
from tests.integration.effects.functions.bench import CANARY, Bench, Ran, hides
from tests.integration.effects.functions.models.offices import Office
from tests.integration.effects.functions.models.test_older_models import TEXT, Model
from tests.integration.effects.functions.models.test_prompts import ask
from tests.integration.effects.functions.peers import running

TOKEN = Secrets(api_key=CANARY)
KEYS = Secrets(access_key="client-of-ours", secret_key=CANARY)
BASIC = base64.b64encode(f"client-of-ours:{CANARY}".encode()).decode()
both_ways = pytest.mark.parametrize(
    ("secrets", "authorization"), [(TOKEN, f"Bearer {CANARY}"), (KEYS, f"Basic {BASIC}")], ids=["token", "keys"]
)


@pytest.fixture
async def model() -> AsyncIterator[Model]:
    async with running(Model()) as peer:
        yield peer


async def stored(
    office: Office, url: str, secrets: Secrets = TOKEN, name: str = "Older", owner: str = ""
) -> LegacyModel:
    legacy = office.parts.models.legacy
    return await legacy.create(owner or office.tenant.organization_id, LegacyDraft(name, url, secrets))


def hidden(ran: Ran) -> None:
    hides(ran, CANARY, BASIC, "client-of-ours")


@both_ways
async def test_a_script_asks_by_id_or_name(
    scripts: Bench, office: Office, model: Model, secrets: Secrets, authorization: str
) -> None:
    model.authorization = authorization
    made = await stored(office, f"{model.url}/generate?api-version=2", secrets)
    runs = [await scripts.tried(ask(wanted, "Hi")) for wanted in (made.id, {"id": made.id}, {"name": "Older"}, "Older")]
    for ran in runs:
        assert (ran.result, ran.globals["promptResponse_1"]) == (TEXT, TEXT)
        hidden(ran)
    assert [heard.path for heard in model.heard] == ["/generate?api-version=2"] * 4
    assert model.heard[-1].header("idempotency-key") == f"{runs[-1].message_id}:wf_1:1"
    entry = dict(runs[-1].entry)
    assert entry.pop("durationMs") >= 0
    assert entry == {"type": "api", "service": "llm", "model": "Older", "status": 200, "success": True}
    assert office.models.asked == []


async def test_a_prompt_asks_the_model_of_its_model_id(scripts: Bench, office: Office, model: Model) -> None:
    """The entity as it is stored, through the plan that the sandbox walks."""
    made, place = await stored(office, model.url), (office.tenant.organization_id, office.tenant.environment_id)
    fields = {"prompt": "{{greeting}}", "modelId": made.id}
    entities = [
        Entity("event", *place, "event", "event", fields={}),
        Entity("prompt", *place, "prompt", "prompt", fields=fields),
    ]
    children = [{"entityId": "prompt", "entityType": "prompt", "children": []}]
    data = {"root": {"entityId": "event", "entityType": "event", "children": children}}
    plan = compile_plan(Workflow("wf_1", *place, "Older", data, version=1), {each.id: each for each in entities})
    assert plan is not None
    ran = await scripts.run(json.loads(plan.text)["nodes"], message={"greeting": "Hi"})
    assert ran.globals["promptResponse_1"] == TEXT
    assert [entry.function for entry in ran.entries.values()] == ["executePromptWithModel"]
    assert (len(model.heard), ran.log[0]["model"], ran.log[0]["entityId"]) == (1, "Older", "prompt")
    hidden(ran)


@both_ways
async def test_a_server_that_repeats_the_secrets_does_not_tell_them(
    scripts: Bench, office: Office, model: Model, secrets: Secrets, authorization: str
) -> None:
    model.authorization = authorization
    await stored(office, model.url, secrets)
    for says in ({"text": f"You are {authorization}"}, {"odd": [authorization, {CANARY: 1}]}):
        model.says = says
        ran = await scripts.tried(ask("Older", "Hi"))
        assert "***" in json.dumps(ran.result)
        hidden(ran)
        assert all(CANARY.encode() not in entry.answer for entry in ran.entries.values())
        assert all(BASIC.encode() not in entry.answer for entry in ran.entries.values())


@both_ways
@pytest.mark.parametrize(("status", "code"), [(401, "unauthorized"), (429, "rate_limited"), (500, "provider_error")])
async def test_failures(
    scripts: Bench, office: Office, model: Model, secrets: Secrets, authorization: str, status: int, code: str
) -> None:
    model.instead = (status, {"error": f"You said {authorization}"})
    await stored(office, model.url, secrets)
    ran = await scripts.tried(ask("Older", "Hi"))
    assert (ran.failure.code, ran.failure.retryable) == (code, status != 401)
    assert (ran.entry["model"], ran.entry["code"], ran.entry["status"]) == ("Older", code, status)
    assert ran.failure.effect == "promptCallUniversal"
    hidden(ran)


async def test_a_server_that_may_not_be_reached(scripts: Bench, office: Office) -> None:
    await stored(office, "http://127.0.0.1:9/generate?key=1")
    ran = await scripts.tried(ask("Older", "Hi"))
    assert (ran.failure.code, ran.entry["model"], ran.entry["success"]) == ("address_refused", "Older", False)
    hides(ran, CANARY, "key=1")


async def test_bedrock_is_asked_with_the_installations_own_rights(scripts: Bench, office: Office) -> None:
    await stored(office, "bedrock://mock-small")
    ran = await scripts.reaching(bedrock=MockModels()).tried(ask("Older", "Hi"))
    assert ran.result.startswith("You asked: “Hi”.")
    assert (ran.entry["provider"], ran.entry["model"], ran.entry["success"]) == ("bedrock", "mock-small", True)
    hidden(ran)
    assert (await scripts.tried(ask("Older", "Hi"))).failure.code == "not_configured"


@pytest.mark.parametrize(
    ("more", "named"),
    [
        ({"schema": {"type": "object"}}, "schema"),
        ({"system": "Be brief."}, "system"),
        ({"temperature": 0}, "temperature"),
        ({"maxTokens": 3}, "maxTokens"),
        ({"timeoutMs": 3}, "timeoutMs"),
        ({"system": "Be brief.", "schema": {}}, "system, schema"),
    ],
)
async def test_what_only_configurations_can_do(
    scripts: Bench, office: Office, model: Model, more: dict[str, Any], named: str
) -> None:
    await stored(office, model.url)
    ran = await scripts.tried(ask({"name": "Older", **more}, "Hi"))
    assert (ran.failure.code, ran.failure.retryable) == ("invalid_arguments", False)
    assert ran.failure.message == (
        "'Older' is a legacy model, which is sent the prompt's text and nothing else: "
        f"use a model configuration, or leave out {named}."
    )
    assert (ran.entry["model"], ran.entry["success"], model.heard) == ("Older", False, [])


async def test_pictures_are_for_configurations(scripts: Bench, office: Office, model: Model) -> None:
    await stored(office, model.url)
    failure = (await scripts.tried(ask("Older", "Hi", [model.url]))).failure
    assert (failure.code, "leave out pictures" in failure.message, model.heard) == ("invalid_arguments", True, [])
    assert (await scripts.tried(ask("Older", "Hi", "[]"))).result == TEXT


async def test_a_configuration_goes_first(scripts: Bench, office: Office, model: Model) -> None:
    await stored(office, model.url, name="Large")
    await scripts.tried(ask("Large", "Hi"))
    assert ([prompt.model for prompt in office.models.asked], model.heard) == (["mock-large"], [])


async def test_another_organizations_model_is_none(
    scripts: Bench, office: Office, data: OpenData, model: Model
) -> None:
    theirs = await data.parts.tenancy.create_organization(f"Theirs {data.parts.ids.new('test')}")
    foreign = await stored(office, model.url, name="Foreign", owner=theirs.id)
    for wanted in (foreign.id, "Foreign"):
        ran = await scripts.tried(ask(wanted, "Hi"))
        assert (ran.failure.code, ran.entry["model"]) == ("unknown_model", wanted)
    assert model.heard == []


async def test_the_installations_model_is_asked_by_all(scripts: Bench, office: Office, model: Model) -> None:
    shared = await stored(office, model.url, name=f"Of all {office.tenant.organization_id}", owner=SYSTEM)
    assert (await scripts.tried(ask(shared.id, "Hi"))).result == TEXT
    await stored(office, "http://127.0.0.1:9/", name=shared.name)
    assert (await scripts.tried(ask(shared.id, "Hi"))).result == TEXT
    # One's own goes before it, once what was kept of the name is forgotten.
    assert (await office.reached_by(scripts).tried(ask(shared.name, "Hi"))).failure.code == "address_refused"


@both_ways
async def test_a_call_that_was_cut_off_has_the_same_key(
    scripts: Bench, office: Office, model: Model, secrets: Secrets, authorization: str
) -> None:
    model.authorization = authorization
    await stored(office, model.url, secrets)
    first = await scripts.tried(ask("Older", "Hi"))
    await scripts.tried(ask("Older", "Hi"), like=first, past=first.cut_off())
    assert [heard.header("idempotency-key") for heard in model.heard] == [f"{first.message_id}:wf_1:1"] * 2
