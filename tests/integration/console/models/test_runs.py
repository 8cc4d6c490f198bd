"""`/api/prompt-templates/{id}/runs`: what a run runs, its cells as they are filled, canceled and tried again."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from pulse.bootstrap.parts.prompting import build_prompt_worker
from pulse.bootstrap.wiring import build_trials
from pulse.core.ids import is_id
from tests.integration.console.documents import create
from tests.integration.console.models.documents import TEMPLATES, ask, configuration, faults, template
from tests.integration.receiver.installation import Installation, Tenant

PIXEL = "data:image/png;base64,iVBORw0KGgo="


@asynccontextmanager
async def at_work(pulse: Installation, *, sandbox: bool = False) -> AsyncIterator[None]:
    """The worker of runs, as `pulse up` has it; the sandbox is started only where scripts are to be evaluated."""
    parts = pulse.parts
    trials, processes = build_trials(parts.settings)
    worker = build_prompt_worker(parts.prompts, parts.models, parts.outside.egress, trials)
    if sandbox:
        await processes.start()
    await worker.start()
    try:
        yield
    finally:
        await worker.stop()
        await processes.stop()


async def over(pulse: Installation, tenant: Tenant, path: str) -> dict[str, Any]:
    """The run once nothing of it waits or runs."""
    async with asyncio.timeout(30):
        while (found := (await ask(pulse, tenant, "GET", path)).json())["status"] == "running":
            pass
    return dict(found)


async def begun(pulse: Installation, tenant: Tenant, body: dict[str, Any], **fields: Any) -> tuple[str, dict[str, Any]]:
    """The address of a new run of a new template, and the run as it was answered."""
    made = await template(pulse, tenant, **fields)
    path = f"{TEMPLATES}/{made['id']}/runs"
    started = await create(pulse, tenant, path, body)
    return f"{path}/{started['id']}", started


async def test_a_run_waits_until_it_is_worked_off(pulse: Installation, acme: Tenant) -> None:
    model = await configuration(pulse, acme, isDefault=True)
    rows = [{"name": "Kim", "values": {"reader": "Kim"}}, {"values": {"issue": {"title": "Crash"}}, "images": [PIXEL]}]
    path, started = await begun(pulse, acme, {"rows": rows}, text="{{issue.title}} for {{reader}}", system="Be short.")
    assert is_id(started["id"], "prun")
    columns = [{"modelConfigurationId": model["id"], "version": 1, "temperature": None, "maxTokens": None}]
    texts = {"text": "{{issue.title}} for {{reader}}", "system": "Be short."}
    cells = started.pop("cells")
    assert started == {
        "id": started["id"],
        **acme.place,
        "templateId": path.split("/")[3],
        "status": "running",
        "counts": {"waiting": 2},
        "costMicros": 0,
        "variants": [{**columns[0], **texts}],
        "rows": [
            {"name": "Kim", "values": {"reader": "Kim"}, "images": []},
            {"name": "row 2", "values": {"issue": {"title": "Crash"}}, "images": [PIXEL]},
        ],
        "assertions": [],
        "sentiment": "lexicon",
        "schema": None,
        "createdAt": started["createdAt"],
        "canceledAt": None,
    }
    empty = {"state": "waiting", "result": None, "completedAt": None}
    assert cells == [{"id": cells[at]["id"], "row": at, "variant": 0, **empty} for at in range(2)]
    assert (await ask(pulse, acme, "GET", path)).json() == {**started, "cells": cells}
    listed = (await ask(pulse, acme, "GET", path.rpartition("/")[0])).json()
    outline = {name: started[name] for name in ("id", "templateId", "status", "counts", "createdAt", "canceledAt")}
    assert listed == {"data": [outline], "pagination": {"page": 1, "limit": 10, "total": 1, "totalPages": 1}}


async def test_a_run_is_filled(alone: Installation) -> None:
    acme = await alone.tenant()
    small = await configuration(alone, acme)
    large = await configuration(alone, acme, name="Large", modelDefinitionId="mock/mock-large")
    body = {
        "variants": [{"modelConfigurationId": small["id"]}, {"modelConfigurationId": large["id"], "maxTokens": 5}],
        "rows": [{"name": name, "values": {"issue": {"title": name}}} for name in ("Crash", "Typo")],
        "assertions": [{"type": "contains", "value": "Crash"}],
    }
    path, started = await begun(alone, acme, body, modelConfigurationId=small["id"])
    async with at_work(alone):
        found = await over(alone, acme, path)
    assert (found["status"], found["counts"]) == ("done", {"done": 4})
    results = [cell["result"] for cell in found["cells"]]
    assert [(cell["row"], cell["variant"]) for cell in found["cells"]] == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert [result["passed"] for result in results] == [True, False, False, False]
    assert [result["stop"] for result in results] == ["end", "length", "end", "length"]
    assert "Summarise Crash for ." in results[0]["response"]
    assert all(result["missing"] == ["reader"] and result["provider"] == "mock" for result in results)
    assert found["costMicros"] == sum(result["costMicros"] for result in results)
    assert all(cell["completedAt"] >= started["createdAt"] for cell in found["cells"])


async def test_javascript_looks_at_the_response_and_reaches_nothing(alone: Installation) -> None:
    acme = await alone.tenant()
    await configuration(alone, acme)
    scripts = [
        "return response.includes(values.reader)",
        "return {passed: response.length < 3, message: `${response.length > 3}`}",
        "const answer = await httpRequest({url: 'https://example.com'}); return true",
        "return nowhere.at.all",
        "await new Promise(() => {}); return true",
        "return 'yes'",
    ]
    body = {
        "rows": [{"values": {"reader": "Kim"}}],
        "assertions": [{"type": "javascript", "script": script} for script in scripts],
    }
    path, _ = await begun(alone, acme, body)
    async with at_work(alone, sandbox=True):
        found = (await over(alone, acme, path))["cells"][0]["result"]
    verdicts = found["assertions"]
    assert [verdict["passed"] for verdict in verdicts] == [True, False, False, False, False, False]
    assert (verdicts[0].get("error"), verdicts[1]["message"]) == (None, "true")
    assert "cannot call this" in verdicts[2]["error"]
    assert "ReferenceError" in verdicts[3]["error"]
    assert verdicts[4]["error"]
    assert "neither true, false nor {passed}" in verdicts[5]["error"]


async def test_pictures_go_with_the_text_and_a_bad_one_fails_its_cell(alone: Installation) -> None:
    acme = await alone.tenant()
    await configuration(alone, acme)
    bad = ["data:image/png;base64,AAAA", "http://127.0.0.1:9/x.png"]
    rows = [{"images": [address]} for address in (PIXEL, *bad)]
    path, _ = await begun(alone, acme, {"rows": rows})
    async with at_work(alone):
        found = await over(alone, acme, path)
    assert [cell["state"] for cell in found["cells"]] == ["done", "failed", "failed"]
    assert "It came with 1 image." in found["cells"][0]["result"]["response"]
    assert [cell["result"]["error"]["code"] for cell in found["cells"][1:]] == ["invalid_image"] * 2
    again = await ask(alone, acme, "POST", f"{path}/retry")
    assert (again.status_code, again.json()["counts"]) == (200, {"done": 1, "waiting": 2})


async def test_what_waits_can_be_canceled_and_tried_again(pulse: Installation, acme: Tenant) -> None:
    await configuration(pulse, acme)
    path, _ = await begun(pulse, acme, {})
    too_early = await ask(pulse, acme, "POST", f"{path}/retry")
    assert (too_early.status_code, too_early.json()["code"]) == (409, "conflict")
    assert (await ask(pulse, acme, "DELETE", path)).status_code == 409
    canceled = await ask(pulse, acme, "POST", f"{path}/cancel")
    assert (canceled.status_code, canceled.json()["status"]) == (200, "canceled")
    assert canceled.json()["canceledAt"] >= canceled.json()["createdAt"]
    assert (await ask(pulse, acme, "POST", f"{path}/cancel")).status_code == 409
    again = await ask(pulse, acme, "POST", f"{path}/retry")
    assert (again.json()["status"], again.json()["canceledAt"]) == ("running", None)
    await ask(pulse, acme, "POST", f"{path}/cancel")
    assert (await ask(pulse, acme, "DELETE", path)).status_code == 204
    assert (await ask(pulse, acme, "GET", path)).status_code == 404


async def test_a_run_outlives_its_template_and_what_it_ran(pulse: Installation, acme: Tenant) -> None:
    await configuration(pulse, acme)
    made = await template(pulse, acme)
    where = f"{TEMPLATES}/{made['id']}"
    values = await create(pulse, acme, f"{where}/variable-sets", {"name": "A crash", "values": {"reader": "Kim"}})
    started = await create(pulse, acme, f"{where}/runs", {"setIds": [values["id"]]})
    await ask(pulse, acme, "PUT", where, {"name": "Summary", "text": "Something else."})
    assert (await ask(pulse, acme, "DELETE", where)).status_code == 204
    found = (await ask(pulse, acme, "GET", f"{where}/runs/{started['id']}")).json()
    assert found == started
    assert found["rows"] == [{"name": "A crash", "values": {"reader": "Kim"}, "images": []}]
    assert found["variants"][0]["text"] == made["text"]
    assert (await ask(pulse, acme, "GET", f"{where}/runs")).status_code == 404


async def test_without_any_model_there_is_nothing_to_run(pulse: Installation, acme: Tenant) -> None:
    made = await template(pulse, acme)
    answer = await ask(pulse, acme, "POST", f"{TEMPLATES}/{made['id']}/runs", {})
    assert faults(answer) == [("variants", "missing")]


WRONG: list[tuple[dict[str, Any], list[tuple[str, str]]]] = [
    (
        {"variants": [{"modelConfigurationId": "mcf_none"}]},
        [("variants.0.modelConfigurationId", "unknown_configuration")],
    ),
    ({"variants": [{}]}, [("variants.0.modelConfigurationId", "missing")]),
    ({"setIds": ["vst_none"]}, [("setIds.0", "unknown_set")]),
    ({"rows": [{"values": []}]}, [("rows.0.values", "dict_type")]),
    ({"rows": [{"images": ["file:///etc/passwd"]}]}, [("rows.0.images.0", "invalid_url")]),
    ({"rows": [{}] * 1_001}, [("rows", "too_many")]),
    ({"assertions": [{"type": "magic"}]}, [("assertions.0.type", "unknown_assertion")]),
    ({"assertions": ["x"]}, [("assertions.0", "not_an_object")]),
    ({"assertions": [{"type": "regex", "pattern": "("}]}, [("assertions.0.pattern", "invalid_pattern")]),
    ({"sentiment": "mcf_none"}, [("sentiment", "unknown_configuration")]),
    ({"schema": []}, [("schema", "dict_type")]),
    ({"schema": {"type": "magic"}}, [("schema.type", "invalid_keyword")]),
    ({"cells": []}, [("cells", "extra_forbidden")]),
]


@pytest.mark.parametrize(("body", "wanted"), WRONG, ids=range(len(WRONG)))
async def test_every_fault_has_its_path(
    pulse: Installation, acme: Tenant, body: dict[str, Any], wanted: list[tuple[str, str]]
) -> None:
    await configuration(pulse, acme)
    made = await template(pulse, acme)
    path = f"{TEMPLATES}/{made['id']}/runs"
    assert faults(await ask(pulse, acme, "POST", path, body)) == wanted
    assert (await ask(pulse, acme, "GET", path)).json()["data"] == []


@pytest.mark.parametrize("version", [0, -1, 2, 10**30])
async def test_a_version_that_is_not_there(pulse: Installation, acme: Tenant, version: int) -> None:
    model, made = await configuration(pulse, acme), await template(pulse, acme)
    body = {"variants": [{"modelConfigurationId": model["id"], "version": version, "temperature": 0.5}]}
    answer = await ask(pulse, acme, "POST", f"{TEMPLATES}/{made['id']}/runs", body)
    assert [path for path, _ in faults(answer)] == ["variants.0.version"]


async def test_a_run_of_another_template_is_not_there(pulse: Installation, acme: Tenant) -> None:
    await configuration(pulse, acme)
    path, started = await begun(pulse, acme, {})
    other = await template(pulse, acme, name="Other")
    foreign = f"{TEMPLATES}/{other['id']}/runs/{started['id']}"
    for method, where in (("GET", foreign), ("POST", f"{foreign}/cancel"), ("POST", f"{foreign}/retry")):
        assert (await ask(pulse, acme, method, where)).status_code == 404
    assert (await ask(pulse, acme, "DELETE", foreign)).status_code == 404
    assert (await ask(pulse, acme, "GET", path)).json() == started


async def test_running_needs_its_own_right(pulse: Installation, acme: Tenant) -> None:
    await configuration(pulse, acme)
    path, _ = await begun(pulse, acme, {})
    for scope, statuses in (
        ("prompts:read", (200, 403, 403, 403, 403)),
        ("prompts:write", (403, 403, 403, 403, 403)),
        ("prompts:run", (403, 201, 200, 200, 409)),
    ):
        key = await pulse.another_key(acme, scope)
        answers = [
            await ask(pulse, key, "GET", path),
            await ask(pulse, key, "POST", path.rpartition("/")[0], {}),
            await ask(pulse, key, "POST", f"{path}/cancel"),
            await ask(pulse, key, "POST", f"{path}/retry"),
            await ask(pulse, key, "DELETE", path),
        ]
        assert tuple(answer.status_code for answer in answers) == statuses
