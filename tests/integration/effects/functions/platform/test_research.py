"""`executeResearchPlan` and `validateAssistantContext`, on a whole installation."""

import json
from typing import Any

import pytest

from tests.integration.effects.functions.bench import CANARY, Bench, Ran
from tests.integration.effects.functions.platform.places import of
from tests.integration.receiver.installation import Installation, Tenant

PLAN = {
    "researchPlan": [
        {"id": "flows", "method": "GET", "path": "/api/workflows"},
        {"id": "gone", "method": "GET", "path": "/api/workflows/wf_nowhere"},
        {"id": "write", "method": "DELETE", "path": "/api/workflows/wf_1"},
        {"id": "variables", "path": "/api/variables", "params": {"limit": 1}},
    ],
    "intent": "look_around",
    "navigationSuggestion": "/workflows",
    "reasoning": "The user asks what there is.",
}


def answered(text: Any) -> dict[str, Any]:
    return {"promptResponse_1": text}


async def researched(assistant: Bench, answer: Any, script: str = "") -> Ran:
    return await assistant.tried(f"await executeResearchPlan(){script}", message=answered(answer))


@pytest.mark.parametrize(
    "wrap",
    [
        "{}",
        "```json\n{}\n```",
        "```\n{}\n```",
        "  ```JSON\n{}\n```  ",
        "Here is the plan:\n\n```json\n{}\n```\n\nTell me if you need more.",
        "Sure! {} Done.",
    ],
)
async def test_a_plan_is_run_however_the_model_wraps_it(assistant: Bench, ours: Tenant, wrap: str) -> None:
    ran = await researched(assistant, wrap.replace("{}", json.dumps(PLAN, indent=1)))
    results = ran.result["researchResults"]
    assert list(results) == ["flows", "gone", "write", "variables"]
    assert [result["success"] for result in results.values()] == [True, False, False, True]
    assert results["flows"]["data"]["data"] == []
    assert results["gone"]["error"].startswith("not_found: ")
    assert results["write"]["error"].startswith("method: GET or POST")
    assert ran.result["reasoning"] == PLAN["reasoning"]


async def test_the_four_globals_are_set(assistant: Bench) -> None:
    ran = await researched(assistant, json.dumps(PLAN))
    assert {name: ran.globals[name] for name in ran.result} == ran.result
    assert set(ran.result) == {"researchResults", "intent", "navigationSuggestion", "reasoning"}
    assert ran.entry == {"type": "api", "service": "admin", "calls": 4, "failed": 2, "success": False}


async def test_a_plan_that_was_parsed_already(assistant: Bench) -> None:
    ran = await researched(assistant, PLAN)
    assert ran.result["intent"] == "look_around"
    assert ran.result["researchResults"]["variables"]["success"] is True


async def test_a_plan_without_calls(assistant: Bench) -> None:
    ran = await researched(assistant, json.dumps({"intent": "smalltalk"}))
    assert ran.result == {
        "researchResults": {},
        "intent": "smalltalk",
        "navigationSuggestion": None,
        "reasoning": None,
    }
    assert (ran.entry["calls"], ran.entry["success"]) == (0, True)


@pytest.mark.parametrize(
    "answer",
    [
        "I cannot help with that.",
        "",
        "[]",
        5,
        None,
        '{"researchPlan": "none"}',
        '{"researchPlan": [{"id": "a"}]}',
        '{"researchPlan": [{"id": "a", "path": "/api/a"}, {"id": "a", "path": "/api/b"}]}',
        json.dumps({"researchPlan": [{"id": str(n), "path": "/api/workflows"} for n in range(21)]}),
        '{"researchPlan": [{"id": "a", "path": "/api/a", "params": [1]}]}',
        '```json\n{"researchPlan": [\n```',
    ],
)
async def test_what_is_no_plan(assistant: Bench, answer: Any) -> None:
    ran = await researched(assistant, answer)
    assert (ran.failure.code, ran.failure.effect) == ("invalid_plan", "executeResearchPlan")
    assert "researchResults" not in ran.globals


async def test_the_plan_comes_from_the_latest_answer(assistant: Bench) -> None:
    message = {"promptResponse_1": "no plan", "promptResponse_2": json.dumps({"intent": "second"})}
    assert (await assistant.tried("await executeResearchPlan()", message=message)).result["intent"] == "second"
    assert (await assistant.tried("await executeResearchPlan()")).failure.code == "invalid_plan"


async def test_a_repeated_plan_has_the_same_keys(assistant: Bench, pulse: Installation) -> None:
    """Each call of the plan has a key of its own, the same at each repeat."""
    admin, keys = pulse.parts.admin, []

    class Listening:
        async def ask(self, *given: Any) -> Any:
            keys.append(given[-1])
            return await admin.ask(*given)

    bench, message = assistant.reaching(admin=Listening()), answered(json.dumps(PLAN))
    first = await bench.tried("await executeResearchPlan()", message=message)
    await bench.tried("await executeResearchPlan()", message=message, like=first, past=first.cut_off())
    assert keys == [f"{first.message_id}:wf_1:1:{place}" for place in (0, 1, 3)] * 2


async def test_a_secret_in_a_plan_is_shown_to_nobody(assistant: Bench) -> None:
    plan = {"researchPlan": [{"id": "x", "path": f"/api/workflows/{CANARY}"}], "reasoning": CANARY}
    ran = await assistant.tried(
        "await executeResearchPlan()", message=answered(json.dumps(plan)), variables={"KEY": CANARY}
    )
    assert ran.result["reasoning"] == "***"
    # The message itself is as it was sent: it may hold what a variable holds.
    assert CANARY not in json.dumps(ran.log) + json.dumps(ran.result)


# ---- validateAssistantContext ------------------------------------------------------------------------------------

CLIENT = {"clientOrganizationId": "org_client", "clientEnvironmentId": "env_client"}


@pytest.mark.parametrize(
    "message", [CLIENT, {"payload": CLIENT}, {**CLIENT, "payload": {"clientOrganizationId": "no"}}]
)
async def test_the_assistant_is_told_for_whom_it_speaks(assistant: Bench, message: Any) -> None:
    ran = await assistant.tried("await validateAssistantContext()", message=message)
    assert ran.result == CLIENT
    assert [entry.state for entry in ran.entries.values()] == ["done"]


async def test_nobody_else_is(assistant: Bench, pulse: Installation, ours: Tenant) -> None:
    for place in (await pulse.tenant("Theirs"), await pulse.another_environment(ours)):
        failure = (await of(assistant, place).tried("await validateAssistantContext()", message=CLIENT)).failure
        assert failure.code == "forbidden"
    nowhere = assistant.reaching(assistant_home=None)
    assert (await nowhere.tried("await validateAssistantContext()", message=CLIENT)).failure.code == "forbidden"


@pytest.mark.parametrize("name", list(CLIENT))
@pytest.mark.parametrize("value", [None, "", 5, {}])
async def test_both_ids_are_needed(assistant: Bench, name: str, value: Any) -> None:
    ran = await assistant.tried("await validateAssistantContext()", message={**CLIENT, name: value})
    assert (ran.failure.code, ran.failure.message) == ("invalid_context", f"The message has no {name}.")
