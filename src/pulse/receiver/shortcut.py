"""The way in that is taken most, `POST /v1/messages`, without the framework's layers, which cost as much as the work.

The route is the same function as in app.py, and errors are answered in the same way; only the path to it is shorter.
"""

import structlog
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.types import Receive, Scope, Send

from pulse.core.errors import PulseError
from pulse.receiver.app import on_failure, post_message
from pulse.receiver.problems import on_pulse_error

log = structlog.get_logger(__name__)


class Shortcut:
    """An ASGI application: answers `POST /v1/messages` itself and leaves everything else to `app`."""

    def __init__(self, app: Starlette) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != "/v1/messages" or scope["method"] != "POST":
            return await self._app(scope, receive, send)
        scope["app"] = self._app
        request = Request(scope, receive)
        try:
            response = await post_message(request)
        except PulseError as error:
            response = await on_pulse_error(request, error)
        except ClientDisconnect:
            return
        except Exception as error:
            log.exception("request_failed", path=scope["path"])
            response = await on_failure(request, error)
        await response(scope, receive, send)
