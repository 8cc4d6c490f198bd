"""`/api/variables`: values go in, and no answer, error or file shows them again."""

import json
from pathlib import Path
from typing import Any

import httpx2
import pytest

from pulse.core.ids import is_id
from tests.integration.console.documents import ENTITIES, WORKFLOWS, create, drawn, entity
from tests.integration.receiver.installation import Installation, Tenant

VARIABLES = "/api/variables"
CANARY = "canary-of-a-secret"
RESERVED = """
    message type payload organizationId environmentId print URL await let Array Temporal WebAssembly constructor
    toString console globalThis __proto__ __variables__ undefined
"""


async def post(pulse: Installation, tenant: Tenant, **body: Any) -> httpx2.Response:
    return await pulse.client.post(VARIABLES, json=body, headers=tenant.headers)


async def put(pulse: Installation, tenant: Tenant, variable_id: str, body: Any, match: str = "*") -> httpx2.Response:
    headers = {**tenant.headers, "If-Match": match}
    return await pulse.client.put(f"{VARIABLES}/{variable_id}", json=body, headers=headers)


async def known(pulse: Installation, tenant: Tenant) -> dict[str, str]:
    """What scripts of the environment get from this process now."""
    return dict((await pulse.parts.variables.values(*tenant.place.values())).values)


async def faults(answer: httpx2.Response) -> list[tuple[str, str]]:
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_fields"), answer.text
    return [(fault["path"], fault["code"]) for fault in answer.json()["errors"]]


async def test_create_read_change_delete(pulse: Installation, acme: Tenant) -> None:
    made = await create(pulse, acme, VARIABLES, {"name": "API_KEY", "value": CANARY})
    assert is_id(made["id"], "var")
    assert made == {
        "id": made["id"],
        **acme.place,
        "name": "API_KEY",
        "organization": {"name": acme.organization.name},
        "environment": {"name": "development"},
        "version": 1,
        "createdAt": made["createdAt"],
        "updatedAt": made["createdAt"],
        "lastUsedAt": None,
    }
    path = f"{VARIABLES}/{made['id']}"
    read = await pulse.client.get(path, headers=acme.headers)
    assert (read.status_code, read.json(), read.headers["etag"]) == (200, made, '"1"')
    changed = await put(pulse, acme, made["id"], {"value": CANARY[::-1]})
    assert (changed.status_code, changed.json()["version"], changed.headers["etag"]) == (200, 2, '"2"')
    assert changed.json().items() >= {"id": made["id"], "name": "API_KEY", "createdAt": made["createdAt"]}.items()
    gone = await pulse.client.delete(path, headers=acme.headers)
    assert (gone.status_code, gone.content) == (204, b"")
    for method, body in (("GET", None), ("PUT", {"value": "x"}), ("DELETE", None)):
        assert (await pulse.client.request(method, path, json=body, headers=acme.headers)).status_code == 404


async def test_when_it_was_used_last(pulse: Installation, acme: Tenant) -> None:
    made = [await create(pulse, acme, VARIABLES, {"name": name, "value": CANARY}) for name in ("USED", "UNUSED")]
    script = await create(pulse, acme, ENTITIES, entity("action", postScript="___result___ = USED.length"))
    data = drawn({"entityId": script["id"], "entityType": "action"})
    await create(pulse, acme, WORKFLOWS, {"name": "Uses it", "workflowData": data})
    (listing,) = (await pulse.parts.catalog.plans(*acme.place.values())).listings
    assert listing.plan is not None
    variables = await pulse.parts.variables.values(*acme.place.values())
    pulse.parts.last_uses.variables.note(listing.plan, variables, 1_700_000_000_000)
    await pulse.parts.last_uses.write()
    shown = [(await pulse.client.get(f"{VARIABLES}/{each['id']}", headers=acme.headers)).json() for each in made]
    assert [each["lastUsedAt"] for each in shown] == ["2023-11-14T22:13:20.000Z", None]
    assert shown[0]["updatedAt"] == made[0]["updatedAt"]


async def test_lists_have_pages_and_no_values(pulse: Installation, acme: Tenant) -> None:
    made = [await create(pulse, acme, VARIABLES, {"name": f"KEY_{at}", "value": f"{CANARY} {at}"}) for at in range(3)]
    answer = await pulse.client.get(VARIABLES, params={"limit": 2, **acme.place}, headers=acme.headers)
    wanted = {"page": 1, "limit": 2, "total": 3, "totalPages": 2}
    assert answer.json() == {"data": made[:2], "pagination": wanted}
    second = await pulse.client.get(VARIABLES, params={"limit": 2, "page": 2}, headers=acme.headers)
    assert second.json()["data"] == made[2:]


async def test_a_change_is_in_force_before_its_answer(pulse: Installation, acme: Tenant) -> None:
    assert await known(pulse, acme) == {}
    made = await create(pulse, acme, VARIABLES, {"name": "API_KEY", "value": "first"})
    assert await known(pulse, acme) == {"API_KEY": "first"}
    await put(pulse, acme, made["id"], {"value": "second"})
    assert await known(pulse, acme) == {"API_KEY": "second"}
    await pulse.client.delete(f"{VARIABLES}/{made['id']}", headers=acme.headers)
    assert await known(pulse, acme) == {}


async def test_the_same_value_again_is_no_new_version(pulse: Installation, acme: Tenant) -> None:
    made = await create(pulse, acme, VARIABLES, {"name": "API_KEY", "value": "first"})
    again = await put(pulse, acme, made["id"], {"value": "first"})
    assert (again.status_code, again.json()) == (200, made)


async def test_a_name_is_taken_once_in_an_environment(pulse: Installation, acme: Tenant) -> None:
    made = await create(pulse, acme, VARIABLES, {"name": "API_KEY", "value": "first"})
    taken = await post(pulse, acme, name="API_KEY", value=CANARY)
    assert (taken.status_code, taken.json()["code"]) == (409, "conflict")
    assert "API_KEY" in taken.json()["detail"]
    for other in (await pulse.tenant(), await pulse.another_environment(acme)):
        theirs = await create(pulse, other, VARIABLES, {"name": "API_KEY", "value": "theirs", **other.place})
        assert theirs["id"] != made["id"]
        assert await known(pulse, other) == {"API_KEY": "theirs"}
    assert await known(pulse, acme) == {"API_KEY": "first"}


async def test_a_stale_write_changes_nothing(pulse: Installation, acme: Tenant) -> None:
    made = await create(pulse, acme, VARIABLES, {"name": "API_KEY", "value": "first"})
    answers = [await put(pulse, acme, made["id"], {"value": value}, '"1"') for value in ("second", CANARY, "second")]
    answers.append(await put(pulse, acme, made["id"], {"value": CANARY}, '"x"'))
    assert [answer.status_code for answer in answers] == [200, 412, 412, 412]
    assert answers[1].json()["code"] == "stale_revision"
    assert await known(pulse, acme) == {"API_KEY": "second"}


async def test_refusals_come_in_order(pulse: Installation, acme: Tenant) -> None:
    """A request with every fault at once, from which one after another is taken away."""
    made = await create(pulse, acme, VARIABLES, {"name": "API_KEY", "value": "first"})
    reader = await pulse.another_key(acme, "variables:read")
    nobody = Tenant(acme.organization, acme.environment, "pk_none")
    wrong = {"value": "", "more": 1}
    assert (await put(pulse, nobody, "var_none", wrong, '"9"')).status_code == 401
    assert (await put(pulse, reader, "var_none", wrong, '"9"')).status_code == 403
    assert (await put(pulse, acme, "var_none", wrong, '"9"')).status_code == 404
    assert (await put(pulse, acme, made["id"], wrong, '"9"')).status_code == 422
    assert (await put(pulse, acme, made["id"], {"value": ""}, '"9"')).status_code == 422
    assert (await put(pulse, acme, made["id"], {"value": "x"}, '"9"')).status_code == 412
    assert (await put(pulse, acme, made["id"], {"value": "x"}, '"1"')).status_code == 200


async def test_scopes(pulse: Installation, acme: Tenant) -> None:
    made = await create(pulse, acme, VARIABLES, {"name": "API_KEY", "value": "first"})
    for scope, statuses in (("read", (200, 200, 403, 403, 403)), ("write", (403, 403, 201, 200, 204))):
        key = await pulse.another_key(acme, f"variables:{scope}")
        answers = [
            await pulse.client.get(VARIABLES, headers=key.headers),
            await pulse.client.get(f"{VARIABLES}/{made['id']}", headers=key.headers),
            await post(pulse, key, name="OTHER", value="x"),
            await put(pulse, key, made["id"], {"value": "x"}),
            await pulse.client.delete(f"{VARIABLES}/{made['id']}", headers=key.headers),
        ]
        assert tuple(answer.status_code for answer in answers) == statuses


@pytest.mark.parametrize("name", ["", "1A", "a-b", "a b", "é", "a$", "x" * 65, "x" * 100_000, "a\n"], ids=range(9))
async def test_names_that_are_none(pulse: Installation, acme: Tenant, name: str) -> None:
    answer = await post(pulse, acme, name=name, value=CANARY)
    assert await faults(answer) == [("name", "invalid_name")]
    assert len(answer.text) < 1_000


@pytest.mark.parametrize("name", RESERVED.split())
async def test_names_that_are_reserved(pulse: Installation, acme: Tenant, name: str) -> None:
    assert await faults(await post(pulse, acme, name=name, value=CANARY)) == [("name", "reserved_name")]
    assert await known(pulse, acme) == {}


@pytest.mark.parametrize("size", [1, 65_536])
async def test_as_long_as_a_value_may_be(pulse: Installation, acme: Tenant, size: int) -> None:
    await create(pulse, acme, VARIABLES, {"name": "LONG", "value": "€" * size})
    assert await known(pulse, acme) == {"LONG": "€" * size}


WRONG: list[tuple[Any, list[tuple[str, str]]]] = [
    ({"name": "A", "value": ""}, [("value", "invalid_value")]),
    ({"name": "A", "value": CANARY * 10_000}, [("value", "invalid_value")]),
    ({"name": "message", "value": ""}, [("name", "reserved_name"), ("value", "invalid_value")]),
    ({"name": "A", "value": [CANARY]}, [("value", "string_type")]),
    ({"name": "A", "value": {"a": CANARY}}, [("value", "string_type")]),
    ({"name": "A", "value": 12345678901}, [("value", "string_type")]),
    ({"name": "A", "value": None}, [("value", "string_type")]),
    ({"name": "A"}, [("value", "missing")]),
    ({"value": CANARY}, [("name", "missing")]),
    ({"name": 7, "value": CANARY}, [("name", "string_type")]),
    ({"name": "A", "value": CANARY, "description": CANARY}, [("description", "extra_forbidden")]),
    ([CANARY], [("", "model_attributes_type")]),
    (CANARY, [("", "model_attributes_type")]),
]


@pytest.mark.parametrize(("body", "wanted"), WRONG, ids=range(len(WRONG)))
async def test_no_fault_repeats_the_value(
    pulse: Installation, acme: Tenant, body: Any, wanted: list[tuple[str, str]]
) -> None:
    answer = await pulse.client.post(VARIABLES, json=body, headers=acme.headers)
    assert await faults(answer) == wanted
    assert CANARY not in answer.text
    assert "12345678901" not in answer.text
    assert await known(pulse, acme) == {}


@pytest.mark.parametrize(
    "text",
    ['{"name": "A", "value": "%s', '{"name": "A", "value": "%s\\u0000"}', '{"name": "A", "value": "%s\\ud800"}'],
    ids=["cut off", "NUL", "a lone surrogate"],
)
async def test_no_fault_of_json_repeats_the_value(pulse: Installation, acme: Tenant, text: str) -> None:
    body = (text % CANARY).encode()
    answer = await pulse.post(VARIABLES, body, authorization=acme.headers["Authorization"])
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_json")
    assert CANARY not in answer.text


async def test_a_name_cannot_be_changed(pulse: Installation, acme: Tenant) -> None:
    made = await create(pulse, acme, VARIABLES, {"name": "API_KEY", "value": "first"})
    answer = await put(pulse, acme, made["id"], {"name": "OTHER", "value": CANARY})
    assert await faults(answer) == [("name", "extra_forbidden")]
    assert await known(pulse, acme) == {"API_KEY": "first"}


async def test_the_operator_says_where(pulse: Installation, acme: Tenant) -> None:
    body = {"name": "API_KEY", "value": "first"}
    made = await pulse.client.post(VARIABLES, params=acme.place, json=body, headers=pulse.operator)
    assert (made.status_code, made.json()["environmentId"]) == (201, acme.environment_id)
    assert (await pulse.client.post(VARIABLES, json=body, headers=pulse.operator)).status_code == 422


def on_disk(folder: Path) -> bytes:
    """Every byte of the data folder, and the names of its files."""
    files = [file for file in folder.rglob("*") if file.is_file()]
    return b"".join(str(file).encode() + file.read_bytes() for file in files)


async def test_a_value_is_in_no_answer_and_no_file(alone: Installation, capfd: pytest.CaptureFixture[str]) -> None:
    acme = await alone.tenant()
    made = await create(alone, acme, VARIABLES, {"name": "API_KEY", "value": CANARY})
    path = f"{VARIABLES}/{made['id']}"
    answers = [
        await put(alone, acme, made["id"], {"value": CANARY[::-1]}),
        await put(alone, acme, made["id"], {"value": CANARY}, '"1"'),
        await post(alone, acme, name="API_KEY", value=CANARY),
        *[await alone.client.get(address, headers=acme.headers) for address in (VARIABLES, path, "/metrics")],
    ]
    told = json.dumps(made) + "".join(answer.text for answer in answers) + "".join(capfd.readouterr())
    written = on_disk(alone.data.settings.data)
    assert made["id"].encode() in written
    for secret in (CANARY, CANARY[::-1]):
        assert secret not in told
        assert secret.encode() not in written


async def test_a_failure_of_ours_tells_nothing(
    alone: Installation, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    acme = await alone.tenant()

    async def fails(*_: object) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr(alone.parts.variables, "_add_value", fails)
    answer = await post(alone, acme, name="API_KEY", value=CANARY)
    assert answer.status_code == 500
    assert CANARY not in answer.text + "".join(capfd.readouterr())
