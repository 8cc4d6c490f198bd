"""The console's API as one ASGI application, to be mounted at `/api`."""

from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from pulse.console import entities, messages, workflow_runs, workflows
from pulse.console.models import configurations, credentials, legacy, providers, runs, sets, templates
from pulse.console.people import invitations, oidc, reset, second_factor, session, users
from pulse.console.problems import STATUS, on_failure, on_http_error, on_invalid_request, on_pulse_error
from pulse.console.routes import PLACE, permissions
from pulse.console.tenancy import audit, billing, keys, organizations, sources, stripe, teams, variable_uses, variables
from pulse.core.errors import PulseError
from pulse.tenancy.roles import PERMISSIONS

MODULES = (
    session,
    reset,
    oidc,
    second_factor,
    users,
    invitations,
    organizations,
    audit,
    keys,
    sources,
    teams,
    entities,
    workflows,
    workflow_runs,
    messages,
    variable_uses,
    variables,
    billing,
    stripe,
    providers,
    credentials,
    configurations,
    legacy,
    templates,
    sets,
    runs,
)

Json = dict[str, Any]
EVERYWHERE, OF_CHANGES, OF_BODIES = (401, 403, 404, 422, 503), (409, 412, 429), (413, 415)
TITLES = {status: title for _, status, title in STATUS}
FAULT: Json = {"type": "object", "required": ["path", "code", "message"], "additionalProperties": False}
FAULT["properties"] = {name: {"type": "string"} for name in FAULT["required"]}
PROBLEM: Json = {"type": "object", "required": ["code", "title", "detail"], "additionalProperties": False}
PROBLEM["properties"] = {
    **{name: {"type": "string"} for name in PROBLEM["required"]},
    "errors": {"type": "array", "items": FAULT},
}
OF_KINDS: Json = {"string": "text", "integer": 1, "number": 1, "boolean": True, "array": [], "object": {}, "null": None}
OF_FORMATS: Json = {"date-time": "2030-01-31T12:00:00Z", "password": "correct horse battery"}
# What a field of this name may hold, where its kind says too little.
OF_NAMES: Json = {
    "name": "Orders",
    "email": "ada@example.com",
    "role": "User",
    "newPassword": "another good one",
    "organizationId": "Acme",
    "providerId": "openai",
    "modelDefinitionId": "mock/mock-small",
    "credentialId": "mcr_01j3x2s6zk8v4q0t7m5n9r1c2d",
    "modelUrl": "https://models.example.com/v1/generate",
    "text": "Summarise {{issue.title}} for {{reader}}.",
    "message": {"type": "order.created", "payload": {"number": 7}},
}


class Console(FastAPI):
    """The application, which describes itself in full."""

    def openapi(self) -> Json:
        return self.openapi_schema or described(super().openapi())


def console_app(**parts: Any) -> Console:
    """The application; `parts` are what its routes use, by name: authenticator, tenancy, workflows, and so on."""
    app = Console(title="Pulse", version="1", docs_url=None, redoc_url=None, openapi_url="/openapi.json")
    app.add_exception_handler(PulseError, on_pulse_error)
    app.add_exception_handler(RequestValidationError, on_invalid_request)
    app.add_exception_handler(HTTPException, on_http_error)
    app.add_exception_handler(Exception, on_failure)
    for name, part in parts.items():
        setattr(app.state, name, part)
    for module in MODULES:
        # As they are: `include_router` would look through all of them once more, at the first request of each process.
        app.router.routes.extend(module.router.routes)
    return app


def described(document: Json) -> Json:
    """The document with what FastAPI does not know: each operation's permission, place and problems, and an example."""
    schemas = document["components"]["schemas"]
    routes = [route for module in MODULES for route in module.router.routes if isinstance(route, APIRoute)]
    for route in filter(lambda each: each.include_in_schema, routes):
        (right,) = {check.permission for check in permissions(route.dependant)}
        for method in route.methods or ():
            _complete(document["paths"][route.path][method.lower()], method, right, schemas)
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    schemas["Problem"] = PROBLEM
    return document


def _complete(operation: Json, method: str, right: str, schemas: Json) -> None:
    operation["x-permission"] = right
    body = operation.get("requestBody")
    statuses = [*EVERYWHERE, *(OF_CHANGES if method != "GET" else ()), *(OF_BODIES if body else ())]
    problem = {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Problem"}}}}
    operation["responses"] |= {str(status): {"description": TITLES[status], **problem} for status in sorted(statuses)}
    if right in PERMISSIONS:
        known = operation.setdefault("parameters", [])
        known += [_place(name) for name in sorted(PLACE - {each["name"] for each in known})]
    if body:
        content = body["content"]["application/json"]
        content["example"] = example(content["schema"], schemas)


def _place(name: str) -> Json:
    words = f"Which {name.removesuffix('Id')}, by id or name, where whoever asks may speak for several."
    return {"name": name, "in": "query", "required": False, "description": words, "schema": {"type": "string"}}


def example(schema: Json, schemas: Json) -> Any:
    """A value as the schema wants it: the example that it gives itself, or else what is needed of it and no more."""
    if "examples" in schema:
        return schema["examples"][0]
    if "$ref" in schema:
        return example(schemas[schema["$ref"].rpartition("/")[2]], schemas)
    if "anyOf" in schema:
        return example(schema["anyOf"][0], schemas)
    for name in ("const", "default"):
        if name in schema:
            return schema[name]
    if "enum" in schema:
        return schema["enum"][0]
    return _of_kind(schema, schemas)


def _of_kind(schema: Json, schemas: Json) -> Any:
    kind = schema.get("type", "object")
    if kind == "object":
        fields = schema.get("properties", {})
        needed = schema.get("required", ())
        return {name: OF_NAMES.get(name) or example(fields[name], schemas) for name in needed}
    if kind == "array" and schema.get("minItems"):
        return [example(schema["items"], schemas)]
    if kind == "integer":
        return int(schema.get("minimum") or OF_KINDS[kind])
    return OF_FORMATS.get(schema.get("format", ""), schema.get("minimum", OF_KINDS[kind]))
