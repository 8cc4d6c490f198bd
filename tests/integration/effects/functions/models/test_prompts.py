"""`promptCallUniversal`, `executePromptWithModel` and what their answers become, with the mock provider's models."""

import json
from typing import Any

import pytest

from pulse.bootstrap.platform import OpenData
from pulse.core.templates import cut
from pulse.models.port import FAILURES, RETRYABLE
from pulse.prompts.records import CredentialDraft
from pulse.sandbox.port import Tenant
from tests.integration.effects.functions.bench import CANARY, Bench, hides
from tests.integration.effects.functions.models.offices import Office
from tests.sandbox_support import action, event


def ask(model: Any, text: str = "Which day is it?", *more: Any) -> str:
    return f"await promptCallUniversal({', '.join(json.dumps(each) for each in (model, text, *more))})"


# ---- which model, and what it is asked ---------------------------------------------------------------------------


async def test_the_default_model_answers(scripts: Bench, office: Office) -> None:
    ran = await scripts.tried(ask(None))
    assert ran.result.startswith("You asked: “Which day is it?”.")
    (asked,) = office.models.asked
    assert (asked.model, asked.text, asked.temperature, asked.key) == (
        "mock-small",
        "Which day is it?",
        0.7,
        f"{ran.message_id}:wf_1:1",
    )
    entry = dict(ran.entry)
    assert entry.pop("durationMs") >= 0
    assert entry.pop("outputTokens") > 0
    assert entry == {
        "type": "api",
        "service": "llm",
        "model": "mock-small",
        "provider": "mock",
        "success": True,
        "inputTokens": 5,
        "costUsd": 0,
        "retries": 0,
        "stop": "end",
    }
    hides(ran)


@pytest.mark.parametrize("form", ["{id}", "Large", {"id": "{id}"}, {"name": "Large"}, {"id": "{id}", "note": "mine"}])
async def test_a_model_by_id_or_name(scripts: Bench, office: Office, form: Any) -> None:
    configurations = office.parts.models.configurations
    found = await configurations.find(office.tenant.organization_id, "Large")
    model = json.loads(json.dumps(form).replace("{id}", found.id))
    await scripts.tried(ask(model))
    assert [prompt.model for prompt in office.models.asked] == ["mock-large"]


@pytest.mark.parametrize("none", ["null", "undefined", "{}"])
async def test_no_model_is_the_default_one(scripts: Bench, office: Office, none: str) -> None:
    await scripts.tried(f"await promptCallUniversal({none}, 'Hi')")
    assert [prompt.model for prompt in office.models.asked] == ["mock-small"]


async def test_what_a_script_asks_otherwise(scripts: Bench, office: Office) -> None:
    model = {"name": "Usual", "system": "Be brief.", "temperature": 0, "maxTokens": 3, "timeoutMs": 2000}
    ran = await scripts.tried(ask(model))
    (asked,) = office.models.asked
    assert (asked.system, asked.temperature, asked.max_tokens) == ("Be brief.", 0, 3)
    assert 0 < asked.timeout_ms <= 2000
    assert (ran.entry["stop"], ran.entry["outputTokens"]) == ("length", 3)


async def test_another_organizations_model_is_none(scripts: Bench, office: Office, data: OpenData) -> None:
    theirs = await data.parts.tenancy.create_organization(f"Theirs {data.parts.ids.new('test')}")
    model = await office.configuration("Theirs", theirs.id)
    for wanted in (model.id, "Theirs"):
        ran = await scripts.tried(ask(wanted))
        assert (ran.failure.code, ran.failure.retryable) == ("unknown_model", False)
        assert (ran.entry["model"], ran.entry["success"]) == (wanted, False)
    assert office.models.asked == []


async def test_there_may_be_no_default(bench: Bench, data: OpenData) -> None:
    bare = await data.parts.tenancy.create_organization(f"Bare {data.parts.ids.new('test')}")
    scripts = Office(data.parts, Tenant(bare.id, "env")).reached_by(bench)
    assert (await scripts.tried(ask(None))).failure.code == "unknown_model"


async def test_there_may_be_no_models_at_all(bench: Bench) -> None:
    assert (await bench.tried(ask(None))).failure.code == "not_available"


# ---- a schema ----------------------------------------------------------------------------------------------------

SCHEMA = {
    "type": "object",
    "properties": {"mood": {"enum": ["good", "bad"]}, "score": {"type": "integer"}},
    "required": ["mood", "score"],
    "additionalProperties": False,
}


async def test_a_schema_makes_the_answer_a_value(scripts: Bench, office: Office) -> None:
    ran = await scripts.tried(ask({"schema": SCHEMA}))
    assert ran.result["mood"] in ("good", "bad")
    assert isinstance(ran.result["score"], int)
    assert office.models.asked[0].schema == SCHEMA
    assert ran.globals["promptResponse_1"] == ran.result


@pytest.mark.parametrize(
    "text", ['{"mood": "good"}', '```json\n{"mood": "good"}\n```', '\n```\n{"mood": "good"}\n```\n']
)
async def test_a_fence_around_it_does_no_harm(scripts: Bench, office: Office, text: str) -> None:
    office.models.says = [text]
    assert (await scripts.tried(ask({"schema": SCHEMA}))).result == {"mood": "good"}


@pytest.mark.parametrize(("text", "stop", "words"), [("Good.", "end", "not the JSON"), ('{"mo', "length", "maxTokens")])
async def test_what_is_no_json(scripts: Bench, office: Office, text: str, stop: str, words: str) -> None:
    office.models.says, office.models.stop = [text], stop
    ran = await scripts.tried(ask({"schema": SCHEMA}))
    assert (ran.failure.code, words in ran.failure.message) == ("bad_answer", True)
    # It was paid for.
    assert (ran.entry["success"], ran.entry["code"], ran.entry["outputTokens"]) == (False, "bad_answer", 7)


# ---- failures ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reason", sorted(FAILURES))
async def test_failures_of_the_model_are_codes(scripts: Bench, office: Office, reason: str) -> None:
    await office.configuration("Failing", model_id=f"mock-fail-{reason}")
    ran = await scripts.tried(ask("Failing"))
    assert (ran.failure.code, ran.failure.retryable, ran.failure.effect) == (
        reason,
        reason in RETRYABLE,
        "promptCallUniversal",
    )
    assert (ran.entry["success"], ran.entry["code"]) == (False, reason)
    assert ran.entry["retries"] == len(office.models.asked) - 1
    hides(ran)


async def test_a_script_goes_on_with_another_model(scripts: Bench, office: Office) -> None:
    await office.configuration("Failing", model_id="mock-fail-quota_exceeded")
    ran = await scripts.run(
        """try { await promptCallUniversal('Failing', 'Hi') } catch (e) { first = e.code }
        ___result___ = await promptCallUniversal('Large', 'Hi')"""
    )
    assert (ran.globals["first"], ran.globals["promptResponse_1"]) == ("quota_exceeded", ran.result)
    assert "promptResponse_2" not in ran.globals


async def test_a_credential_that_was_turned_off(scripts: Bench, office: Office) -> None:
    found = await office.configuration("Off")
    credentials, owner = office.parts.models.credentials, office.tenant.organization_id
    await credentials.update(owner, found.credential_id, CredentialDraft("Off", "mock", "none", is_active=False))
    ran = await scripts.tried(ask("Off"))
    assert (ran.failure.code, office.models.asked) == ("invalid_request", [])


@pytest.mark.parametrize(
    ("call", "code", "words"),
    [
        ("promptCallUniversal(null, '')", "invalid_arguments", "promptText: say what to ask."),
        ("promptCallUniversal(null, ' \\n')", "invalid_arguments", "promptText: say what to ask."),
        ("promptCallUniversal(null, 5)", "invalid_arguments", "Expected `str`, got `int`."),
        ("promptCallUniversal(5, 'Hi')", "invalid_arguments", "got `int`."),
        ("promptCallUniversal({ temperature: 'hot' }, 'Hi')", "invalid_arguments", ".temperature: Expected"),
        ("promptCallUniversal()", "invalid_arguments", "Call it as await promptCallUniversal(modelConfiguration"),
        ("promptCallUniversal({ temperature: 3 }, 'Hi')", "invalid_request", "A temperature is a number from 0 to 2."),
        ("promptCallUniversal({ maxTokens: 0 }, 'Hi')", "invalid_request", "raise it"),
        ("promptCallUniversal({ timeoutMs: 0 }, 'Hi')", "invalid_request", "raise it"),
    ],
)
async def test_faults_of_arguments(scripts: Bench, office: Office, call: str, code: str, words: str) -> None:
    failure = (await scripts.tried(f"await {call}")).failure
    assert (failure.code, words in failure.message) == (code, True), failure
    assert office.models.asked == []


# ---- answers and their numbers -----------------------------------------------------------------------------------


async def test_answers_are_counted_on_from_those_that_came_along(scripts: Bench, office: Office) -> None:
    office.models.says = ["four", "five"]
    ran = await scripts.run(
        """const before = latestPromptResponse();
        await promptCallUniversal(null, 'a'); await promptCallUniversal(null, 'b');
        ___result___ = [before, latestPromptResponse(), getPromptResponse(4), getPromptResponse(1)];
        ___result___.push(await latestPromptResponse())""",
        message={"promptResponse_1": "one", "promptResponse_3": "three"},
    )
    assert ran.result == ["three", "five", "four", "one", "five"]
    assert ran.globals["promptResponse_5"] == "five"


async def test_answers_of_branches_are_numbered_as_they_come(scripts: Bench, office: Office) -> None:
    script = "___result___ = await Promise.all(['a', 'b', 'c'].map((text) => promptCallUniversal(null, text)))"
    ran = await scripts.run(script)
    again = await scripts.run(script, like=ran, past=ran.recorded())
    answers = [ran.globals[f"promptResponse_{number}"] for number in (1, 2, 3)]
    assert sorted(answers) == sorted(ran.result)
    assert [again.globals[f"promptResponse_{number}"] for number in (1, 2, 3)] == answers
    assert len(office.models.asked) == 3


async def test_a_call_that_was_cut_off_has_the_same_key(scripts: Bench, office: Office) -> None:
    first = await scripts.tried(ask(None))
    await scripts.tried(ask(None), like=first, past=first.cut_off())
    assert office.keys == [f"{first.message_id}:wf_1:1"] * 2


# ---- a Prompt's own step -----------------------------------------------------------------------------------------


def prompt(text: str, post: str | None = None, **fields: Any) -> dict[str, Any]:
    node = {"kind": "prompt", "entityId": "p", "name": "Prompt", "type": "Prompt", "arguments": []}
    return {
        **node,
        "promptParts": cut(text),
        "asks": post is None,
        **({} if post is None else {"post": post}),
        **fields,
    }


MESSAGE = {"customer": {"name": "Ada"}, "items": ["a", {"n": 1}], "promptResponse_1": "old"}
TEXT = "Greet {{customer.name}} about {{items}}, {{items.1.n}} and {{nothing}}."


async def test_a_prompt_asks_with_its_placeholders_filled(scripts: Bench, office: Office) -> None:
    office.models.says = ["Hello Ada"]
    nodes = [event(), prompt(TEXT, model="Large"), action("___result___ = latestPromptResponse()")]
    ran = await scripts.run(nodes, message=MESSAGE)
    (asked,) = office.models.asked
    assert (asked.model, asked.text) == ("mock-large", 'Greet Ada about ["a",{"n":1}], 1 and .')
    assert (ran.result, ran.globals["promptResponse_2"]) == ("Hello Ada", "Hello Ada")
    assert [entry.function for entry in ran.entries.values()] == ["executePromptWithModel"]
    assert ran.log[0]["entityId"] == "p"


async def test_a_script_may_do_it_itself(scripts: Bench, office: Office) -> None:
    office.models.says = ["first", "second"]
    post = """const text = await executePromptWithModel();
        ___result___ = [text, modelConfiguration, __promptText__, await executePromptWithModel()]"""
    ran = await scripts.run([event(), prompt("Greet {{customer.name}}.", post, model="Large")], message=MESSAGE)
    assert ran.result == ["first", {"id": "Large"}, "Greet Ada.", "second"]
    assert ran.globals["promptResponse_3"] == "second"


async def test_without_a_model_the_default_one_is_asked(scripts: Bench, office: Office) -> None:
    await scripts.run([event(), prompt("Hi")])
    assert [asked.model for asked in office.models.asked] == ["mock-small"]


async def test_a_prompt_that_fails_ends_the_message(scripts: Bench, office: Office) -> None:
    await office.configuration("Failing", model_id="mock-fail-content_filtered")
    ran = await scripts.run([event(), prompt("Hi", model="Failing"), action("___result___ = 'not reached'")])
    assert (ran.verdict.status, ran.verdict.error_type) == ("fail", "EffectError")
    assert ran.entry["code"] == "content_filtered"


async def test_outside_of_a_prompt_there_is_nothing_to_ask(scripts: Bench, office: Office) -> None:
    failure = (await scripts.tried("await executePromptWithModel()")).failure
    assert (failure.code, failure.effect) == ("invalid_arguments", "executePromptWithModel")
    assert office.models.asked == []


# ---- what is kept ------------------------------------------------------------------------------------------------


async def test_a_secret_in_a_prompt_is_shown_to_nobody(scripts: Bench, office: Office) -> None:
    ran = await scripts.tried(
        "await promptCallUniversal({ system: KEY }, 'The key is ' + KEY)", variables={"KEY": CANARY}
    )
    assert CANARY in office.models.asked[0].text
    assert "***" in ran.result
    hides(ran)
    assert office.models.accesses[0].headers == {"x-team": CANARY}
