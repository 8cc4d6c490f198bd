"""`/api/prompt-templates`: every save is a version, versions can be compared, and sets of values go with a template."""

from typing import Any

import pytest

from pulse.core.ids import is_id
from tests.integration.console.documents import create
from tests.integration.console.models.documents import TEMPLATES, ask, configuration, faults, template
from tests.integration.receiver.installation import Installation, Tenant


async def test_create_read_change_delete(pulse: Installation, acme: Tenant) -> None:
    model = await configuration(pulse, acme)
    body = {
        "name": "Summary",
        "description": "For the weekly mail",
        "system": "You write for {{reader}}.",
        "text": "Summarise {{issue.title}} for {{reader}}.",
        "modelConfigurationId": model["id"],
    }
    made = await create(pulse, acme, TEMPLATES, body)
    assert is_id(made["id"], "tpl")
    assert made == {
        "id": made["id"],
        **acme.place,
        **body,
        "variables": ["reader", "issue.title"],
        "version": 1,
        "createdAt": made["createdAt"],
        "updatedAt": made["createdAt"],
    }
    path = f"{TEMPLATES}/{made['id']}"
    read = await ask(pulse, acme, "GET", path)
    assert (read.status_code, read.json(), read.headers["etag"]) == (200, made, '"1"')
    changed = await ask(pulse, acme, "PUT", path, {"name": "Summary", "text": "Shorter."}, '"1"')
    assert (changed.status_code, changed.headers["etag"]) == (200, '"2"')
    wanted: dict[str, Any] = {"system": None, "modelConfigurationId": None, "variables": [], "version": 2}
    assert changed.json().items() >= wanted.items()
    assert (await ask(pulse, acme, "DELETE", path)).status_code == 204
    for method, given in (("GET", None), ("PUT", body), ("DELETE", None)):
        assert (await ask(pulse, acme, method, path, given)).status_code == 404


async def test_lists_have_pages(pulse: Installation, acme: Tenant) -> None:
    made = [await template(pulse, acme, name=f"Summary {at}") for at in range(3)]
    answer = (await ask(pulse, acme, "GET", f"{TEMPLATES}?limit=2&page=2")).json()
    assert answer == {"data": made[2:], "pagination": {"page": 2, "limit": 2, "total": 3, "totalPages": 2}}


async def test_a_name_is_taken_once_in_an_environment(pulse: Installation, acme: Tenant) -> None:
    await template(pulse, acme)
    taken = await ask(pulse, acme, "POST", TEMPLATES, {"name": "Summary", "text": "x"})
    assert (taken.status_code, taken.json()["code"]) == (409, "conflict")
    production = await pulse.another_environment(acme)
    assert (await template(pulse, production))["environmentId"] == production.environment_id


async def test_every_save_is_a_version(pulse: Installation, acme: Tenant) -> None:
    made = await template(pulse, acme, text="one\ntwo\nthree {{a}}\n")
    path = f"{TEMPLATES}/{made['id']}"
    await ask(pulse, acme, "PUT", path, {"name": "Short", "text": "one\n2\nthree {{b}}\n"})
    shown = (await ask(pulse, acme, "GET", f"{path}/versions")).json()
    assert shown["pagination"]["total"] == 2
    assert [(row["version"], row["isCurrent"], row["name"]) for row in shown["data"]] == [
        (2, True, "Short"),
        (1, False, "Summary"),
    ]
    first = await ask(pulse, acme, "GET", f"{path}/versions/1")
    assert (first.status_code, first.json()) == (200, shown["data"][1])
    assert first.json().items() >= {"id": "1", "templateId": made["id"], "variables": ["a"]}.items()
    assert (await ask(pulse, acme, "GET", f"{path}/versions?limit=1&page=2")).json()["data"] == [first.json()]


@pytest.mark.parametrize("version", ["0", "2", "9" * 30, "x", "1x", "-1", "١"])
async def test_a_version_that_is_not_there(pulse: Installation, acme: Tenant, version: str) -> None:
    made = await template(pulse, acme)
    answer = await ask(pulse, acme, "GET", f"{TEMPLATES}/{made['id']}/versions/{version}")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


async def test_versions_can_be_compared(pulse: Installation, acme: Tenant) -> None:
    made = await template(pulse, acme, text="one\ntwo\n")
    path = f"{TEMPLATES}/{made['id']}"
    for text in ("one\n2\n", "one\n2\nthree\n"):
        await ask(pulse, acme, "PUT", path, {"name": "Summary", "text": text})
    newest = (await ask(pulse, acme, "GET", f"{path}/diff?from=1")).json()
    assert (newest["templateId"], newest["from"], newest["to"]) == (made["id"], 1, 3)
    assert newest["diff"].splitlines() == [
        "--- text (version 1)",
        "+++ text (version 3)",
        "@@ -1,2 +1,3 @@",
        " one",
        "-two",
        "+2",
        "+three",
    ]
    back = (await ask(pulse, acme, "GET", f"{path}/diff?from=2&to=1")).json()
    assert ("-2" in back["diff"], "+two" in back["diff"]) == (True, True)
    assert (await ask(pulse, acme, "GET", f"{path}/diff?from=2&to=2")).json()["diff"] == ""
    for query, status in (("", 422), ("?from=x", 422), ("?from=0", 422), ("?from=4", 404), ("?from=1&to=4", 404)):
        assert (await ask(pulse, acme, "GET", f"{path}/diff{query}")).status_code == status


async def test_refusals_come_in_order(pulse: Installation, acme: Tenant) -> None:
    made = await template(pulse, acme)
    good = {"name": "Summary", "text": "x"}
    reader = await pulse.another_key(acme, "prompts:read")
    nobody = Tenant(acme.organization, acme.environment, "pk_none")
    path, none, wrong = f"{TEMPLATES}/{made['id']}", f"{TEMPLATES}/tpl_none", {**good, "text": ""}
    assert (await ask(pulse, nobody, "PUT", none, wrong, '"9"')).status_code == 401
    assert (await ask(pulse, reader, "PUT", none, wrong, '"9"')).status_code == 403
    assert (await ask(pulse, acme, "PUT", none, wrong, '"9"')).status_code == 404
    assert (await ask(pulse, acme, "PUT", path, wrong, '"9"')).status_code == 422
    assert (await ask(pulse, acme, "PUT", path, good, '"9"')).status_code == 412
    assert (await ask(pulse, acme, "PUT", path, good, '"1"')).status_code == 200


WRONG: list[tuple[dict[str, Any], list[tuple[str, str]]]] = [
    ({"text": ""}, [("text", "invalid_length")]),
    ({"text": "x" * 200_001}, [("text", "invalid_length")]),
    ({"text": 1}, [("text", "string_type")]),
    ({"name": " "}, [("name", "invalid_length")]),
    ({"name": ""}, [("name", "string_too_short")]),
    ({"system": "x" * 200_001}, [("system", "invalid_length")]),
    ({"text": "".join(f"{{{{a{at}}}}}" for at in range(201))}, [("text", "too_many")]),
    ({"modelConfigurationId": "mcf_none"}, [("modelConfigurationId", "unknown_configuration")]),
    ({"variables": ["a"]}, [("variables", "extra_forbidden")]),
]


@pytest.mark.parametrize(("more", "wanted"), WRONG, ids=range(len(WRONG)))
async def test_every_fault_has_its_path(
    pulse: Installation, acme: Tenant, more: dict[str, Any], wanted: list[tuple[str, str]]
) -> None:
    body = {"name": "Summary", "text": "x", **more}
    assert faults(await ask(pulse, acme, "POST", TEMPLATES, body)) == wanted
    assert (await ask(pulse, acme, "GET", TEMPLATES)).json()["data"] == []


async def test_sets_of_values(pulse: Installation, acme: Tenant) -> None:
    made = await template(pulse, acme)
    sets = f"{TEMPLATES}/{made['id']}/variable-sets"
    body = {"name": "A crash", "values": {"issue": {"title": "Crash on start"}, "reader": "Kim", "n": 1.5}}
    first = await create(pulse, acme, sets, body)
    assert is_id(first["id"], "vst")
    times = {name: first[name] for name in ("createdAt", "updatedAt")}
    assert first == {"id": first["id"], "templateId": made["id"], **body, "revision": 1, **times}
    second = await create(pulse, acme, sets, {"name": "Empty"})
    listed = (await ask(pulse, acme, "GET", sets)).json()
    assert listed["data"] == [first, second]
    assert listed["pagination"] == {"page": 1, "limit": 1000, "total": 2, "totalPages": 1}
    path = f"{sets}/{first['id']}"
    assert (await ask(pulse, acme, "GET", path)).headers["etag"] == '"1"'
    changed = await ask(pulse, acme, "PUT", path, {"name": "A crash", "values": {}}, '"1"')
    assert (changed.status_code, changed.json()["values"], changed.headers["etag"]) == (200, {}, '"2"')
    assert (await ask(pulse, acme, "PUT", path, body, '"1"')).status_code == 412
    assert (await ask(pulse, acme, "POST", sets, {"name": "Empty"})).status_code == 409
    assert faults(await ask(pulse, acme, "PUT", path, {"name": "", "values": {}}, '"1"')) == [
        ("name", "string_too_short")
    ]
    assert (await ask(pulse, acme, "DELETE", path)).status_code == 204
    assert (await ask(pulse, acme, "GET", path)).status_code == 404


async def test_a_set_of_another_template_is_not_there(pulse: Installation, acme: Tenant) -> None:
    one, other = await template(pulse, acme), await template(pulse, acme, name="Other")
    made = await create(pulse, acme, f"{TEMPLATES}/{one['id']}/variable-sets", {"name": "A"})
    path = f"{TEMPLATES}/{other['id']}/variable-sets/{made['id']}"
    for method, body in (("GET", None), ("PUT", {"name": "B"}), ("DELETE", None)):
        assert (await ask(pulse, acme, method, path, body)).status_code == 404
    assert (await ask(pulse, acme, "GET", path.replace(other["id"], one["id"]))).json() == made


def nested(depth: int) -> Any:
    return [nested(depth - 1)] if depth else 1


@pytest.mark.parametrize(
    ("values", "code"),
    [([], "dict_type"), ({"a": "x" * 300_000}, "too_large"), ({"a": nested(40)}, "too_deep")],
    ids=["no object", "too large", "too deep"],
)
async def test_values_that_cannot_be(pulse: Installation, acme: Tenant, values: Any, code: str) -> None:
    made = await template(pulse, acme)
    path = f"{TEMPLATES}/{made['id']}/variable-sets"
    found = faults(await ask(pulse, acme, "POST", path, {"name": "A", "values": values}))
    assert [(where.partition(".")[0], what) for where, what in found] == [("values", code)]
    assert (await ask(pulse, acme, "GET", path)).json()["data"] == []


async def test_scopes(pulse: Installation, acme: Tenant) -> None:
    made = await template(pulse, acme)
    path = f"{TEMPLATES}/{made['id']}"
    requests: list[tuple[str, str, str, Any]] = [
        ("read", "GET", TEMPLATES, None),
        ("read", "GET", path, None),
        ("read", "GET", f"{path}/versions", None),
        ("read", "GET", f"{path}/versions/1", None),
        ("read", "GET", f"{path}/diff?from=1", None),
        ("read", "GET", f"{path}/variable-sets", None),
        ("read", "GET", f"{path}/runs", None),
        ("write", "POST", TEMPLATES, {"name": "Other", "text": "x"}),
        ("write", "PUT", path, {"name": "Summary", "text": "x"}),
        ("write", "POST", f"{path}/variable-sets", {"name": "A"}),
        ("run", "POST", f"{path}/runs", {"sentiment": None, "variants": [{"modelConfigurationId": "?"}]}),
        ("write", "DELETE", path, None),
    ]
    for verb in ("read", "run", "write"):
        key = await pulse.another_key(acme, f"prompts:{verb}")
        for needed, method, where, body in requests:
            answer = await ask(pulse, key, method, where, body)
            assert (answer.status_code != 403) is (needed == verb), (verb, method, where, answer.text)
