"""The generated description of the API, and that no operation is without its permission."""

from typing import Any

from fastapi.routing import APIRoute, APIRouter

from pulse.console import administration, entities, messages, variables, workflow_runs, workflows
from pulse.console.app import console_app
from pulse.console.routes import GuardedRoute, permissions
from pulse.tenancy.access import SYSTEM_ACTIONS
from tests.integration.receiver.installation import Installation

MODULES = (administration, entities, messages, variables, workflow_runs, workflows)
ROUTERS: list[APIRouter] = [module.router for module in MODULES]
ROUTES = [route for router in ROUTERS for route in router.routes if isinstance(route, APIRoute)]
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


def test_what_only_the_operator_may_do_is_in_use() -> None:
    named = {check.permission for route in ROUTES for check in permissions(route.dependant)}
    assert named >= SYSTEM_ACTIONS


async def test_the_document_is_served_to_everyone(pulse: Installation) -> None:
    answer = await pulse.client.get("/api/openapi.json")
    assert answer.status_code == 200
    assert answer.json()["openapi"].startswith("3.")
    assert operations(answer.json()) == operations(console_app().openapi())


async def test_without_a_key_nothing_else_is(pulse: Installation) -> None:
    document = (await pulse.client.get("/api/openapi.json")).json()
    for path, method in sorted(operations(document)):
        answer = await pulse.client.request(method.upper(), f"/api{path.replace('{', '').replace('}', '')}")
        assert answer.status_code == 401, (method, path)
