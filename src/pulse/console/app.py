"""The console's API as one ASGI application, to be mounted at `/api`."""

from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from pulse.console import administration, entities, messages, variables, workflow_runs, workflows
from pulse.console.problems import on_failure, on_http_error, on_invalid_request, on_pulse_error
from pulse.core.errors import PulseError


def console_app(**parts: Any) -> FastAPI:
    """The application; `parts` are what its routes use, by name: authenticator, tenancy, workflows, and so on."""
    app = FastAPI(title="Pulse", version="1", docs_url=None, redoc_url=None, openapi_url="/openapi.json")
    app.add_exception_handler(PulseError, on_pulse_error)
    app.add_exception_handler(RequestValidationError, on_invalid_request)
    app.add_exception_handler(HTTPException, on_http_error)
    app.add_exception_handler(Exception, on_failure)
    for name, part in parts.items():
        setattr(app.state, name, part)
    for module in (administration, entities, workflows, workflow_runs, messages, variables):
        app.include_router(module.router)
    return app
