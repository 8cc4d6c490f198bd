"""A provider on loopback: a real server that checks what it is sent, and that can be told to misbehave."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

T = TypeVar("T")

WIRE = Path(__file__).parents[1] / "wire"
ANSWER: tuple[str, ...] = ("Paris", " is the capital", " of France.")
JSON_ANSWER: tuple[str, ...] = ('{"city": "Paris", ', '"inhabitants": 2103000, ', '"note": "Île-de-France"}')
PIECE = 61  # bytes: no event of a stream arrives whole
LARGE = 1 << 20


@dataclass(frozen=True)
class Received:
    """A request as it came."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Answer:
    """What a provider answers."""

    body: bytes
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)

    @staticmethod
    def of(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> "Answer":
        if isinstance(value, str):
            return Answer(value.encode(), status, {"content-type": "text/plain", **(headers or {})})
        return Answer(json.dumps(value).encode(), status, {"content-type": "application/json", **(headers or {})})


class Refused(Exception):
    """The request is not as the provider's reference says; the peer makes an error of its own format of it."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


@dataclass
class Behaviour:
    """What the next answers are like. `reason`: an error of the fixtures; `stop`: why the answer ends."""

    reason: str | None = None
    stop: str | None = None
    raw: Answer | None = None
    cut_after: int | None = None
    stall_after: int | None = None
    silent: bool = False
    error_in_stream: bool = False


class Peer:
    """One provider. Its class says what it checks and how it answers."""

    url: str

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.does = Behaviour()
        self.released = asyncio.Event()

    def handle(self, received: Received) -> Answer:
        """The answer to a request that is as it should be. Raises Refused."""
        raise NotImplementedError

    def refusal(self, status: int, message: str) -> Answer:
        """An error in the provider's own format."""
        raise NotImplementedError

    def error(self, reason: str) -> Answer:
        """An error of the fixtures."""
        raise NotImplementedError

    @property
    def last(self) -> Any:
        """The body of the last request."""
        return self.received[-1].json

    async def serve(self, request: Request) -> Response:
        headers = dict(request.headers)
        path = request.scope["raw_path"].decode()
        received = Received(request.method, path, request.url.query, headers, await request.body())
        self.received.append(received)
        does = self.does if self.concerned(received) else Behaviour()
        if does.silent:
            await self.released.wait()
        answer = self._answer(received, does)
        return StreamingResponse(self._sent(answer, does), answer.status, answer.headers)

    def concerned(self, received: Received) -> bool:
        """Whether it misbehaves, when told to, at this request."""
        return True

    def _answer(self, received: Received, does: Behaviour) -> Answer:
        try:
            good = self.handle(received)
        except Refused as refused:
            return self.refusal(refused.status, refused.message)
        if does.reason is not None:
            return self.error(does.reason)
        return does.raw or good

    async def _sent(self, answer: Answer, does: Behaviour) -> AsyncIterator[bytes]:
        most = next((n for n in (does.cut_after, does.stall_after) if n is not None), len(answer.body))
        step = PIECE if most < LARGE else LARGE
        for start in range(0, most, step):
            yield answer.body[start : min(start + step, most)]
        if does.stall_after is not None:
            await self.released.wait()
        if does.cut_after is not None:
            raise ConnectionAbortedError("cut off, as the test asked for")


@asynccontextmanager
async def running(peer: Peer) -> AsyncIterator[None]:
    """Serves the peer on a free port."""
    methods = ["GET", "POST", "PUT", "DELETE", "PATCH"]
    app = Starlette(routes=[Route("/{path:path}", peer.serve, methods=methods)])
    config = uvicorn.Config(app, log_config=None, log_level="critical", access_log=False, lifespan="off", ws="none")
    config.load()
    server = uvicorn.Server(config)
    server.lifespan = config.lifespan_class(config)
    listener = socket.create_server(("127.0.0.1", 0))
    peer.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    await server.startup(sockets=[listener])
    try:
        yield
    finally:
        peer.released.set()
        await _stopped(server)


async def _stopped(server: uvicorn.Server) -> None:
    """As `Server.shutdown`, which looks every tenth of a second whether all is done."""
    for listening in server.servers:
        listening.close()
    for connection in list(server.server_state.connections):
        connection.shutdown()
    await asyncio.gather(*server.server_state.tasks, return_exceptions=True)
    for listening in server.servers:
        await listening.wait_closed()


def fixture(name: str) -> Any:
    return json.loads((WIRE / f"{name}.json").read_text(encoding="utf-8"))


def filled(template: Any, **values: Any) -> Any:
    """The template with `$NAME` replaced, whole or within a text."""
    if isinstance(template, dict):
        return {name: filled(value, **values) for name, value in template.items()}
    if isinstance(template, list):
        return [filled(value, **values) for value in template]
    if not isinstance(template, str) or "$" not in template:
        return template
    for name, value in values.items():
        if template == f"${name}":
            return value
        template = template.replace(f"${name}", str(value))
    return template


def checked(received: Received, shape: type[T]) -> T:
    """The body as `shape`, which forbids unknown fields. Raises Refused."""
    require(received.headers.get("content-type") == "application/json", 415, "Content-Type must be application/json")
    try:
        return msgspec.json.decode(received.body, type=shape)
    except msgspec.DecodeError as error:
        raise Refused(400, str(error)) from None


def sse(events: Sequence[tuple[str | None, str]]) -> Answer:
    """Server-sent events: (type or None, data)."""
    lines = [(f"event: {kind}\n" if kind else "") + f"data: {data}\n\n" for kind, data in events]
    return Answer("".join(lines).encode(), headers={"content-type": "text/event-stream; charset=utf-8"})


def pieces(texts: Sequence[str], template: Any) -> Iterator[Any]:
    for text in texts:
        yield filled(template, TEXT=text)


def vector(text: str, length: int = 4) -> list[float]:
    """What every peer makes of a text."""
    return [float(len(text)), *[text.count(letter) / 8 for letter in "aeiouy"[: length - 1]]]


def require(met: bool, status: int, message: str) -> None:
    if not met:
        raise Refused(status, message)


def require_header(received: Received, name: str, value: str, status: int, message: str) -> None:
    require(received.headers.get(name) == value, status, message)
