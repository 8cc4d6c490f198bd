"""Organizations and environments are renamed and deleted through the API, by whom, and what is there afterwards."""

from typing import Any

import httpx2
import pytest
from sqlalchemy import func, select

from pulse.bootstrap.announcements import Changes
from pulse.core.errors import Unauthenticated
from pulse.memory.tables import memory_tables
from pulse.memory.vectors.port import Document, Indexed, Known, Piece, Space
from pulse.prompts.tables import prompt_tables
from pulse.tenancy.access import Authenticator
from pulse.tenancy.sources import SourceStore
from pulse.tenancy.tables import tenancy_tables
from pulse.workflows.tables import workflow_tables
from tests.integration.console.documents import create, workflow
from tests.integration.console.people.rooms import Browser, browser
from tests.integration.receiver.installation import Installation, Tenant

ORGANIZATIONS, ENVIRONMENTS = "/api/organizations", "/api/environments"


async def ask(pulse: Installation, method: str, path: str, body: Any = None, **headers: str) -> httpx2.Response:
    """What the operator's request is answered."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    content = {} if body is None else {"json": body}
    return await pulse.client.request(method, path, headers={**pulse.operator, **named}, **content)


def at(tenant: Tenant, **query: str) -> str:
    """The address of an environment, for the operator."""
    more = "".join(f"&{name}={value}" for name, value in query.items())
    return f"{ENVIRONMENTS}/{tenant.environment_id}?organizationId={tenant.organization_id}{more}"


async def filled(pulse: Installation, tenant: Tenant) -> dict[str, Any]:
    """Gives an environment one thing of each kind; its source."""
    await workflow(pulse, tenant)
    await create(pulse, tenant, "/api/variables", {"name": "KEY", "value": "a secret"})
    template = {"name": "Greeting", "text": "Hello {{name}}."}
    made = await create(pulse, tenant, "/api/prompt-templates", template)
    sets = f"/api/prompt-templates/{made['id']}/variable-sets"
    await create(pulse, tenant, sets, {"name": "Ada", "values": {"name": "Ada"}})
    document = Indexed(Document("d1", "text", "title", {}), [Piece(0, "some words")], Known("digest", None, None))
    await pulse.parts.models.index.put(Space(tenant.organization_id, tenant.environment_id), [document])
    return await create(pulse, tenant, "/api/sources", {"name": "hub", "kind": "none"})


async def left(pulse: Installation, tenant: Tenant) -> dict[str, int]:
    """How many rows of each table name the environment; those of tables that count none are left out."""
    found: dict[str, int] = {}
    makers = (tenancy_tables, workflow_tables, prompt_tables, memory_tables)
    async with pulse.parts.database.read() as connection:
        for table in [each for make in makers for each in make("pulse_").metadata.sorted_tables]:
            if "environment_id" in table.c and "audit" not in table.name:
                mine = table.c.environment_id == tenant.environment_id
                found[table.name] = await connection.scalar(select(func.count()).select_from(table).where(mine)) or 0
    return {name: count for name, count in found.items() if count}


async def test_an_admin_renames(pulse: Installation, acme: Tenant) -> None:
    admin = await browser(pulse, acme, "Admin")
    path = f"{ORGANIZATIONS}/{acme.organization_id}"
    answer = await admin.send("GET", path)
    assert (answer.json()["name"], answer.headers["etag"]) == (acme.organization.name, '"1"')
    new = f"{acme.organization.name} and Sons"
    answer = await admin.send("PUT", path, {"name": new}, if_match='"1"')
    assert (answer.status_code, answer.json()["name"], answer.headers["etag"]) == (200, new, '"2"')
    assert (await admin.send("PUT", path, {"name": "x"}, if_match='"1"')).status_code == 412
    path = f"{ENVIRONMENTS}/{acme.environment_id}"
    answer = await admin.send("PUT", path, {"name": "live"}, if_match='"1"')
    assert (answer.status_code, answer.json()["name"], answer.json()["revision"]) == (200, "live", 2)
    assert (await admin.send("GET", path)).json() == answer.json()
    assert (await admin.send("PUT", path, {"name": "other"}, if_match='"1"')).status_code == 412
    # The old name is nobody's, the new one leads there, and so does the id.
    for name, status in ((new, 200), (acme.organization.name, 404), (acme.organization_id, 200)):
        assert (await ask(pulse, "GET", f"{ENVIRONMENTS}?organizationId={name}")).status_code == status, name
    assert (await ask(pulse, "GET", f"{ORGANIZATIONS}/{new}")).json()["id"] == acme.organization_id


@pytest.mark.parametrize("body", [{"name": ""}, {"name": "x" * 201}, {}, {"name": "x", "id": "y"}, {"name": "a\0"}])
async def test_names_that_are_none(pulse: Installation, acme: Tenant, body: Any) -> None:
    for path in (f"{ORGANIZATIONS}/{acme.organization_id}", at(acme)):
        assert (await ask(pulse, "PUT", path, body)).status_code == 422
    # Whoever is looked for by id must not be taken for somebody else.
    named = {"name": (await pulse.tenant("Other")).organization_id}
    for method, path, more in (
        ("PUT", f"{ORGANIZATIONS}/{acme.organization_id}", {}),
        ("PUT", at(acme), {}),
        ("POST", ORGANIZATIONS, {}),
        ("POST", ENVIRONMENTS, {"organizationId": acme.organization_id}),
    ):
        answer = await ask(pulse, method, path, {**named, **more})
        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, "looks_like_an_id")


async def test_who_may_not(pulse: Installation, acme: Tenant) -> None:
    other = await pulse.tenant("Other")
    people = [await browser(pulse, acme, role) for role in ("User", "Guest")]
    changes = (("PUT", {"name": "x"}), ("DELETE", {"confirm": acme.organization.name}))
    for method, body in changes:
        for person in people:
            for path in (f"{ORGANIZATIONS}/{acme.organization_id}", f"{ENVIRONMENTS}/{acme.environment_id}"):
                assert (await person.send(method, path, body)).status_code == 403, (method, path)
        for path in (f"{ORGANIZATIONS}/{acme.organization_id}", f"{ENVIRONMENTS}/{acme.environment_id}"):
            answer = await pulse.client.request(method, path, json=body, headers=acme.headers)
            assert answer.status_code == 403, (method, path)
    admin = await browser(pulse, acme, "Admin")
    path = f"{ORGANIZATIONS}/{acme.organization_id}"
    assert (await admin.send("DELETE", path, {"confirm": acme.organization.name})).status_code == 403
    answer = await admin.send("DELETE", f"{ENVIRONMENTS}/{acme.environment_id}?force=true")
    assert (answer.status_code, "operator" in answer.json()["detail"]) == (403, True)
    # What is another's is not there.
    asked: tuple[tuple[str, Any], ...] = (
        ("GET", None),
        ("PUT", {"name": "x"}),
        ("DELETE", {"confirm": other.organization.name}),
    )
    for method, body in asked:
        for name in (other.organization_id, other.organization.name, "org_none"):
            assert (await admin.send(method, f"{ORGANIZATIONS}/{name}", body)).status_code == 404, (method, name)
        sent = body if method == "PUT" else None
        answer = await admin.send(method, f"{ENVIRONMENTS}/{other.environment_id}", sent)
        assert answer.status_code == 404, method
        mixed = f"{ORGANIZATIONS}/{acme.organization_id}?organizationId={other.organization_id}"
        assert (await admin.send(method, mixed, body)).status_code in (403, 404), method
    assert (await ask(pulse, "GET", f"{ORGANIZATIONS}/{other.organization_id}")).json()["revision"] == 1


async def test_an_admin_deletes_an_environment_that_is_empty(pulse: Installation, acme: Tenant) -> None:
    admin, staging = await browser(pulse, acme, "Admin"), await pulse.another_environment(acme, "staging")
    entity = await create(pulse, staging, "/api/workflow-entities", {"name": "An event", "entityType": "event"})
    path = f"{ENVIRONMENTS}/{staging.environment_id}"
    answer = await admin.send("DELETE", path)
    assert (answer.status_code, answer.json()["code"]) == (409, "not_empty")
    assert "1 workflow entities" in answer.json()["detail"]
    gone = await pulse.client.delete(f"/api/workflow-entities/{entity['id']}", headers=staging.headers)
    assert gone.status_code == 204
    assert (await admin.send("DELETE", path)).status_code == 204
    assert [(await admin.send(method, path)).status_code for method in ("GET", "DELETE")] == [404, 404]
    names = [row["name"] for row in (await admin.send("GET", ENVIRONMENTS)).json()["data"]]
    assert names == ["development"]


async def test_keys_and_sources_end_at_once_in_every_process(pulse: Installation, acme: Tenant) -> None:
    staging = await pulse.another_environment(acme, "staging")
    source = await create(pulse, staging, "/api/sources", {"name": "hub", "kind": "none"})
    parts, header = pulse.parts, staging.headers["Authorization"]
    # Another process, which has both in its memory.
    elsewhere, sources = (
        Authenticator(parts.tenancy),
        SourceStore(parts.database, tenancy_tables("pulse_"), parts.sources._keys._vault, parts.clock),
    )
    Changes(parts.bus, [elsewhere, sources])
    await parts.bus.start()
    assert (await elsewhere.authenticate(header)).environment_id == staging.environment_id
    assert await sources.find(source["id"]) is not None
    assert (await pulse.post(source["path"], b'{"a": 1}')).status_code == 202
    refused = await ask(pulse, "DELETE", at(staging, force="true"))
    assert (refused.status_code, "1 messages that have no outcome" in refused.json()["detail"]) == (409, True)
    await pulse.end()
    assert (await ask(pulse, "DELETE", at(staging))).status_code == 204
    with pytest.raises(Unauthenticated):
        await elsewhere.authenticate(header)
    assert await sources.find(source["id"]) is None
    assert (await pulse.post(source["path"], b'{"a": 1}')).status_code == 404
    assert (await pulse.send(staging, {"type": "x"})).status_code == 401
    assert (await pulse.client.get("/api/messages", headers=staging.headers)).status_code == 401
    assert (await pulse.send(acme, {"type": "x"})).status_code == 202
    await pulse.end()


async def test_the_operator_deletes_an_environment_with_all_that_is_in_it(pulse: Installation, acme: Tenant) -> None:
    staging, other = await pulse.another_environment(acme, "staging"), await pulse.tenant("Other")
    for each in (staging, acme, other):
        await filled(pulse, each)
    bystanders = [await left(pulse, each) for each in (acme, other)]
    assert len(bystanders[0]) >= 9
    answer = await ask(pulse, "DELETE", at(staging))
    assert (answer.status_code, answer.json()["code"]) == (409, "not_empty")
    for words in ("1 variables", "1 workflows", "1 workflow entities", "1 prompt templates", "1 documents in memory"):
        assert words in answer.json()["detail"]
    assert (await ask(pulse, "DELETE", at(staging, force="true"))).status_code == 204
    assert await left(pulse, staging) == {}
    assert [await left(pulse, each) for each in (acme, other)] == bystanders
    assert await pulse.parts.workflows.workflows(staging.organization_id, staging.environment_id) == ([], 0)
    assert dict((await pulse.parts.variables.values(*staging.place.values())).values) == {}
    assert dict((await pulse.parts.variables.values(*acme.place.values())).values) == {"KEY": "a secret"}


async def test_the_operator_deletes_an_organization(alone: Installation) -> None:
    acme, other = await alone.tenant(), await alone.tenant("Other")
    for each in (acme, other):
        await filled(alone, each)
        credential = {"name": "mock", "providerId": "mock", "authType": "none"}
        await ask(alone, "POST", f"/api/model-credentials?organizationId={each.organization_id}", credential)
    ada, eve = await browser(alone, acme, "Admin"), await browser(alone, other, "Admin")
    before, path = await left(alone, other), f"{ORGANIZATIONS}/{acme.organization_id}"
    for body in (None, {"confirm": "Acme"}):
        answer = await ask(alone, "DELETE", path, body)
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_fields")
    answer = await ask(alone, "DELETE", path, {"confirm": acme.organization.name})
    assert (answer.status_code, answer.json()["code"]) == (409, "not_empty")
    assert "1 environments, 1 other members" in answer.json()["detail"]
    answer = await ask(alone, "DELETE", f"{path}?force=true", {"confirm": acme.organization.name})
    assert (answer.status_code, answer.content) == (204, b"")
    assert [row["id"] for row in (await ask(alone, "GET", ORGANIZATIONS)).json()["data"]] == [other.organization_id]
    assert (await left(alone, acme), await left(alone, other)) == ({}, before)
    assert (await alone.send(acme, {"type": "x"})).status_code == 401
    assert (await ada.send("GET", "/api/workflows")).status_code == 422
    assert (await ada.send("GET", f"{path}")).status_code == 404
    session = await ada.send("GET", "/api/session")
    assert (session.status_code, session.json()["organizations"]) == (200, [])
    assert await names_of(eve) == ["development"]
    assert (await alone.send(other, {"type": "x"})).status_code == 202


async def names_of(person: Browser) -> list[str]:
    return [row["name"] for row in (await person.send("GET", ENVIRONMENTS)).json()["data"]]
