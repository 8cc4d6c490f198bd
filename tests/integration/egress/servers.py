"""Servers that tests start: one that answers as it is told, and one that must hear nothing."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

HOME = "127.9.8.7"
"""Where servers are that a test lets be reached: no form of an address leads there that is to be refused."""

Answering = Callable[["Heard", asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass(frozen=True)
class Heard:
    """One request as it arrived: names of headers in lower case."""

    method: str
    path: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    connection: int

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key == name), None)


@dataclass
class Server:
    """A listener on one address; `ended` counts the connections that have come to their end, on either side."""

    host: str
    port: int = 0
    connections: int = 0
    ended: int = 0
    requests: list[Heard] = field(default_factory=list)
    server_names: list[str] = field(default_factory=list)
    change: asyncio.Condition = field(default_factory=asyncio.Condition)

    @property
    def authority(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def url(self, path: str = "/", *, host: str | None = None, scheme: str = "http") -> str:
        return f"{scheme}://{self.authority if host is None else f'{host}:{self.port}'}{path}"

    async def until(self, met: Callable[[], bool]) -> None:
        """Waits until something that the server sees is so."""
        async with asyncio.timeout(10), self.change:
            await self.change.wait_for(met)

    async def until_all_ended(self) -> None:
        await self.until(lambda: self.connections == self.ended)

    async def tell(self) -> None:
        async with self.change:
            self.change.notify_all()


def reply(status: int = 200, *headers: str, body: bytes = b"") -> Answering:
    """A whole answer with its length."""
    return raw(head(status, *headers, f"Content-Length: {len(body)}") + body)


def head(status: int, *headers: str) -> bytes:
    return "\r\n".join((f"HTTP/1.1 {status} Status", *headers, "", "")).encode()


def raw(answer: bytes) -> Answering:
    async def answering(heard: Heard, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        await writer.drain()

    return answering


def redirect(location: str, status: int = 302) -> Answering:
    return reply(status, f"Location: {location}", body=b"moved")


def by_path(**answers: Answering) -> Answering:
    """The answer named by the path: `/a` is answered by `a`."""

    async def answering(heard: Heard, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await answers[heard.path.strip("/").partition("?")[0]](heard, reader, writer)

    return answering


async def silence(heard: Heard, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Says nothing until the client has gone."""
    await reader.read()


def dripping(beginning: bytes, drop: bytes) -> Answering:
    """Never ends: a drop every few milliseconds."""

    async def answering(heard: Heard, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(beginning)
        while not reader.at_eof() and not writer.is_closing():
            writer.write(drop)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(reader.read(1), 0.005)

    return answering


@asynccontextmanager
async def serving(
    answering: Answering, host: str = "127.0.0.1", *, tls: ssl.SSLContext | None = None
) -> AsyncIterator[Server]:
    """A server that answers every request so, over connections that are kept."""
    server = Server(host)
    if tls is not None:
        tls.sni_callback = lambda _, name, __: server.server_names.append(name or "")

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        number = server.connections
        while (heard := await _request(reader, number)) is not None:
            server.requests.append(heard)
            await server.tell()
            await answering(heard, reader, writer)

    async with listening(server, talk, tls=tls):
        yield server


@asynccontextmanager
async def canary() -> AsyncIterator[Server]:
    """A listener on every address of this machine, whose connections are counted."""
    server = Server("")

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(head(200, "Content-Length: 5") + b"heard")

    async with listening(server, talk):
        yield server


@asynccontextmanager
async def listening(
    server: Server,
    talk: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
    *,
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[None]:
    tasks: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server.connections += 1
        await server.tell()
        tasks.add(task := asyncio.ensure_future(_talked(talk(reader, writer), writer)))
        await asyncio.wait([task])
        server.ended += 1
        await server.tell()

    listener = await asyncio.start_server(connected, sock=_bound(server.host), ssl=tls)
    server.port = listener.sockets[0].getsockname()[1]
    try:
        yield
    finally:
        listener.close()
        for task in tasks:
            task.cancel()
        await server.until_all_ended()


def _bound(host: str) -> socket.socket:
    """A socket on that address; for the empty string on every address of this machine, of both families."""
    if host or not socket.has_dualstack_ipv6():
        return socket.create_server((host, 0), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    return socket.create_server(("", 0), family=socket.AF_INET6, dualstack_ipv6=True)


async def _talked(talking: Awaitable[None], writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError, asyncio.CancelledError, asyncio.IncompleteReadError):
        await talking
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


async def _request(reader: asyncio.StreamReader, number: int) -> Heard | None:
    try:
        top = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = top.split("\r\n")[:-2]
    method, path, _ = first.split(" ")
    headers = tuple((name.lower(), value) for name, _, value in (line.partition(": ") for line in lines))
    length = next((int(value) for name, value in headers if name == "content-length"), 0)
    return Heard(method, path, headers, await reader.readexactly(length), number)
