"""`mcpCall`: the admin API with the rights of the message's organization and environment, and no others."""

import json
from typing import Any

import pytest

from tests.integration.effects.functions.bench import CANARY, Bench, hides
from tests.integration.effects.functions.platform.places import call, drawn, of
from tests.integration.receiver.installation import Installation, Tenant


async def test_the_admin_api_answers(assistant: Bench) -> None:
    ran = await assistant.tried(call("POST", "/api/variables", {"name": "REGION", "value": "eu"}))
    assert ran.result["name"] == "REGION"
    assert ran.entry == {
        "type": "api",
        "service": "admin",
        "method": "POST",
        "path": "/api/variables",
        "success": True,
    }
    ran = await assistant.tried(call("get", "/api/variables", {"page": 1, "limit": 5}))
    assert [each["name"] for each in ran.result["data"]] == ["REGION"]
    assert ran.result["pagination"]["total"] == 1


@pytest.mark.parametrize("path", ["/api/workflows", "/api/workflows/", "/api/workflows//"])
async def test_a_slash_at_the_end_does_no_harm(assistant: Bench, path: str) -> None:
    assert (await assistant.tried(call("GET", path))).result["data"] == []


async def test_it_sees_its_own_organization_and_environment_only(
    assistant: Bench, pulse: Installation, ours: Tenant
) -> None:
    theirs, elsewhere = await pulse.tenant("Theirs"), await pulse.another_environment(ours)
    for place in (theirs, elsewhere):
        await drawn(pulse, place, "Theirs")
        await of(assistant, place).tried(call("POST", "/api/variables", {"name": "THEIRS", "value": "secret"}))
    mine = await drawn(pulse, ours, "Mine")
    listed = (await assistant.tried(call("GET", "/api/workflows"))).result["data"]
    assert [each["id"] for each in listed] == [mine.id]
    assert (await assistant.tried(call("GET", "/api/variables"))).result["data"] == []
    assert (await assistant.tried(call("GET", f"/api/workflows/{mine.id}"))).result["name"] == "Mine"


async def test_it_cannot_speak_for_another(assistant: Bench, pulse: Installation, ours: Tenant) -> None:
    theirs, elsewhere = await pulse.tenant("Theirs"), await pulse.another_environment(ours)
    for place in (theirs, elsewhere):
        workflow = await drawn(pulse, place, "Theirs")
        failure = (await assistant.tried(call("GET", f"/api/workflows/{workflow.id}"))).failure
        assert failure.code == "refused"
        assert "Theirs" not in failure.message
        for path in ("/api/workflows", "/api/variables", "/api/messages"):
            ran = await assistant.tried(call("GET", path, place.place))
            assert ran.verdict.status == "success"
            assert "Theirs" not in json.dumps(ran.result), path
        body = {"name": "MINE", "value": "x", **place.place}
        await assistant.tried(call("POST", "/api/variables", body))
        assert (await of(assistant, place).tried(call("GET", "/api/variables"))).result["data"] == []


@pytest.mark.parametrize("path", ["/api/organizations", "/api/plans"])
async def test_it_is_no_operator(assistant: Bench, path: str) -> None:
    assert (await assistant.tried(call("POST", path, {"name": "Mine"}))).failure.code == "refused"


async def test_an_error_of_the_api_is_told_in_its_words(assistant: Bench) -> None:
    ran = await assistant.tried(call("GET", "/api/workflows/wf_nowhere"))
    assert (ran.failure.code, ran.failure.retryable, ran.failure.effect) == ("refused", False, "mcpCall")
    assert ran.failure.message.startswith("not_found: ")
    assert (ran.entry["success"], ran.entry["status"], ran.entry["code"]) == (False, 404, "not_found")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (("DELETE", "/api/workflows/x"), "method: GET or POST, not 'DELETE'."),
        (("PUT", "/api/workflows/x", {}), "method: GET or POST"),
        (("GET", "/v1/messages"), "path: one of the admin API"),
        (("GET", "https://example.com/api/"), "path: one of the admin API"),
        (("GET", "//example.com/api/workflows"), "path: one of the admin API"),
        (("GET", "/api/../v1/messages"), "path: one of the admin API"),
        (("GET", "/api/workflows?page=2"), "path: one of the admin API"),
        (("GET", ""), "path: one of the admin API"),
        (("GET", "/api/"), "path: one of the admin API"),
        (("GET", "/api/workflows#top"), "path: one of the admin API"),
        (("GET", "/api/workflows/\0"), "path: one of the admin API"),
        (("GET", "/api/workflows/\r\nX-Evil: 1"), "path: one of the admin API"),
        (("GET", f"/api/{'x' * 1001}"), "path: one of the admin API"),
        (("GET", 5), "path: Expected `str`, got `int`."),
        ((5, "/api/workflows"), "method: Expected `str`, got `int`."),
        (("GET", "/api/workflows", [1]), "params: Expected `object`, got `array`."),
    ],
)
async def test_faults_of_arguments(assistant: Bench, given: tuple[Any, ...], words: str) -> None:
    failure = (await assistant.tried(call(*given))).failure
    assert failure.code == "invalid_arguments"
    assert words in failure.message


@pytest.mark.parametrize("path", ["/api/%2e%2e/v1/messages", "/api/workflows%2f..%2fmetrics", "/api/\\..\\metrics"])
async def test_no_escape_leads_out_of_the_api(assistant: Bench, path: str) -> None:
    assert (await assistant.tried(call("GET", path))).failure.code in ("refused", "invalid_arguments")


async def test_a_process_may_have_no_admin_api(bench: Bench) -> None:
    assert (await bench.tried(call("GET", "/api/workflows"))).failure.code == "not_available"


async def test_a_secret_in_a_body_is_shown_to_nobody(assistant: Bench) -> None:
    ran = await assistant.tried(
        "await mcpCall('POST', '/api/variables', { name: 'COPY', value: KEY })", variables={"KEY": CANARY}
    )
    assert ran.result["name"] == "COPY"
    hides(ran)
