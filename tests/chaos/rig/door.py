"""A client's side of HTTP: one kept connection, and nothing assumed about the server behind it."""

import http.client
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

TIMEOUT_S = 30.0
# A server may close what has been idle for a while; careful clients do not use it again then.
IDLE_S = 2.0


@dataclass(frozen=True)
class Answer:
    """A whole answer."""

    status: int
    media: str
    body: bytes = field(repr=False)

    def json(self) -> Any:
        return json.loads(self.body)


class Door:
    """Speaks to 127.0.0.1:`port` with an API key. Where no whole answer comes, there is None, and nobody knows more."""

    def __init__(self, port: int, key: str = "", *, timeout: float = TIMEOUT_S) -> None:
        self.port = port
        self._key = key
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
        self._last_used = 0.0

    def send(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer | None:
        given = {"Authorization": f"Bearer {self._key}"} if self._key else {}
        if body is not None:
            given["Content-Type"] = "application/json"
        if time.monotonic() - self._last_used > IDLE_S:
            self.close()
        try:
            self._connection.request(method, path, body, {**given, **(headers or {})})
            response = self._connection.getresponse()
            answer = Answer(response.status, response.headers.get_content_type(), response.read())
            self._last_used = time.monotonic()
            return answer
        except (OSError, http.client.HTTPException):
            self.close()
            return None

    def get(self, path: str, **query: object) -> Any:
        """The JSON of a request that must succeed."""
        return self._sure("GET", f"{path}?{urlencode(query)}" if query else path, None)

    def post(self, path: str, body: object) -> Any:
        """The JSON of a request that must succeed."""
        return self._sure("POST", path, json.dumps(body).encode())

    def close(self) -> None:
        self._connection.close()

    def _sure(self, method: str, path: str, body: bytes | None) -> Any:
        answer = self.send(method, path, body)
        assert answer is not None, f"{method} {path}: no answer"
        assert answer.status < 300, f"{method} {path}: {answer.status} {answer.body[:500]!r}"
        return answer.json()
