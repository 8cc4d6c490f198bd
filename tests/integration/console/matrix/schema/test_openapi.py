"""The generated description of the API, and that no operation is without its permission."""

import json
from typing import Any

from fastapi.routing import APIRoute, APIRouter

from pulse.console.app import MODULES, console_app
from pulse.console.routes import GuardedRoute, permissions
from pulse.tenancy.roles import PERMISSIONS
from tests.integration.receiver.installation import Installation, Tenant

ROUTERS: list[APIRouter] = [module.router for module in MODULES]
ROUTES = [route for router in ROUTERS for route in router.routes if isinstance(route, APIRoute)]
# What anybody may try: each of these proves in its own way who asks.
OPEN = {"session:create", "session:read", "session:reset", "invitations:accept", "stripe:notify"}
METHODS = {"get", "put", "post", "delete", "patch"}


def operations(document: dict[str, Any]) -> set[tuple[str, str]]:
    return {(path, method) for path, found in document["paths"].items() for method in METHODS & found.keys()}


def test_every_operation_has_exactly_one_permission() -> None:
    for route in ROUTES:
        named = {check.permission for check in permissions(route.dependant)}
        assert len(named) == 1, (route.path, named)
        resource, _, verb = named.pop().partition(":")
        assert resource
        assert verb


def test_every_route_is_guarded() -> None:
    assert all(isinstance(route, GuardedRoute) for route in ROUTES)


def test_the_document_describes_every_route() -> None:
    wanted = {(route.path, method.lower()) for route in ROUTES for method in route.methods or ()}
    assert operations(console_app().openapi()) == wanted
    assert len(wanted) >= 25


def test_reading_and_writing_are_apart() -> None:
    for route in ROUTES:
        verbs = {check.permission.partition(":")[2] for check in permissions(route.dependant)}
        assert ("read" in verbs) is (route.methods == {"GET"}), route.path


def test_the_permissions_are_those_of_the_table() -> None:
    named = {check.permission for route in ROUTES for check in permissions(route.dependant)}
    # Messages are sent to the receiver; anybody may try to sign in, and whoever is signed in has a profile.
    assert named | {"messages:create"} == set(PERMISSIONS) | OPEN | {"profile:read", "profile:write"}


def test_each_operation_says_which_permission_it_needs() -> None:
    document = console_app().openapi()
    for route in ROUTES:
        (wanted,) = {check.permission for check in permissions(route.dependant)}
        for method in route.methods or ():
            assert document["paths"][route.path][method.lower()]["x-permission"] == wanted


def test_each_operation_describes_its_problems() -> None:
    document = console_app().openapi()
    problem = {"application/json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    for path, method in operations(document):
        described = document["paths"][path][method]
        wanted = {"401", "403", "404", "422"} | ({"409", "412"} if method != "get" else set())
        wanted |= {"413", "415"} if "requestBody" in described else set()
        assert wanted <= described["responses"].keys(), (path, method)
        assert all(described["responses"][status]["content"] == problem for status in wanted), (path, method)
    assert document["components"]["schemas"]["Problem"]["required"] == ["code", "title", "detail"]
    assert "HTTPValidationError" not in json.dumps(document)


async def test_a_problem_is_as_described(pulse: Installation, acme: Tenant) -> None:
    schemas = console_app().openapi()["components"]["schemas"]
    known, of_faults = schemas["Problem"]["properties"], schemas["Problem"]["properties"]["errors"]["items"]
    nobody = await pulse.client.get("/api/workflows")
    faulty = await pulse.client.post("/api/workflows", json={"nme": 1}, headers=acme.headers)
    for answer in (nobody, faulty):
        assert set(schemas["Problem"]["required"]) <= answer.json().keys() <= known.keys()
    assert all(fault.keys() == of_faults["properties"].keys() for fault in faulty.json()["errors"])


def test_each_body_has_an_example_that_fits_its_schema() -> None:
    document = console_app().openapi()
    bodies = [(route, route.body_field) for route in ROUTES if route.body_field is not None]
    assert len(bodies) > 20
    for route, body in bodies:
        for method in route.methods or ():
            described = document["paths"][route.path][method.lower()]["requestBody"]["content"]["application/json"]
            _, faults = body.validate(described["example"], loc=("body",))
            assert not faults, f"{method} {route.path}: {described['example']}: {faults}"


def test_each_operation_of_an_organization_says_where() -> None:
    document = console_app().openapi()
    for path, method in operations(document):
        described = document["paths"][path][method]
        names = {each["name"] for each in described.get("parameters", ()) if each["in"] == "query"}
        is_somewhere = described["x-permission"] in PERMISSIONS
        assert ({"organizationId", "environmentId"} <= names) is is_somewhere, (path, method)


async def test_the_document_is_served_to_everyone(pulse: Installation) -> None:
    answer = await pulse.client.get("/api/openapi.json")
    assert answer.status_code == 200
    assert answer.json()["openapi"].startswith("3.")
    assert operations(answer.json()) == operations(console_app().openapi())


async def test_without_a_key_nothing_else_is(pulse: Installation) -> None:
    document = (await pulse.client.get("/api/openapi.json")).json()
    closed = {at for at in operations(document) if document["paths"][at[0]][at[1]]["x-permission"] not in OPEN}
    assert len(operations(document) - closed) < 15
    for path, method in sorted(closed):
        answer = await pulse.client.request(method.upper(), f"/api{path.replace('{', '').replace('}', '')}")
        assert answer.status_code == 401, (method, path)
