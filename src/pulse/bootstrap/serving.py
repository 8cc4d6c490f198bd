"""Serves the platform over HTTP until a signal ends it, and tells other commands where it is."""

import asyncio
import contextlib
import gc
import ipaddress
import json
import os
import signal
import socket
from collections.abc import Awaitable, Callable, Iterator

import structlog
import uvicorn

from pulse.bootstrap.demo import Demo, make_demo
from pulse.bootstrap.joining.application import load_application
from pulse.bootstrap.platform import OpenData, Platform
from pulse.bootstrap.running import RUN_FILE
from pulse.bootstrap.settings import Settings
from pulse.bootstrap.wiring import write_private
from pulse.core.errors import Misconfigured
from pulse.engine.engine import Engine

log = structlog.get_logger(__name__)
CREDENTIALS_FILE = "credentials.json"
GRACE_S = 20


Announce = Callable[[Settings, str, Demo | None], Awaitable[None]]


async def serve(settings: Settings, host: str, port: int, *, demo: bool, announce: Announce) -> None:
    """Runs the platform on `host:port` until SIGTERM or SIGINT. `announce` is called once it is ready."""
    application = None if settings.app is None else load_application(settings.app)
    with contextlib.closing(_listen(host, port)) as listener:
        url = url_of(host, listener.getsockname()[1])
        data = OpenData(settings, url)
        data.parts.outside.listeners.append((host, listener.getsockname()[1]))
        try:
            await data.prepare()
            made = await make_demo(data.parts, settings.data / CREDENTIALS_FILE, url, with_workflows=demo)
            await _run(data, application, listener, lambda: announce(settings, url, made))
        finally:
            (settings.data / RUN_FILE).unlink(missing_ok=True)
            await data.close()


async def _run(
    data: OpenData, application: Engine | None, listener: socket.socket, ready: Callable[[], Awaitable[None]]
) -> None:
    platform, proxies = Platform(data, application), trusted_proxies(data.settings.trusted_proxies or "")
    config = uvicorn.Config(
        platform.app(),
        log_config=None,
        access_log=False,
        lifespan="off",
        proxy_headers=bool(proxies),
        forwarded_allow_ips=proxies,
        timeout_graceful_shutdown=GRACE_S,
        server_header=False,
    )
    server = _Server(config)
    try:
        await platform.start()
        serving = asyncio.create_task(server.serve(sockets=[listener]), name="http")
        while not server.started and not serving.done():  # noqa: ASYNC110 - uvicorn has no event for it
            await asyncio.sleep(0.01)
        if not serving.done():
            spare_the_collector()
            _leave_word(data)
            await ready()
        await serving
    finally:
        await platform.stop()


def trusted_proxies(text: str) -> list[str]:
    """The addresses and networks whose word on where a request comes from is believed. Raises Misconfigured."""
    found = [item.strip() for item in text.split(",") if item.strip()]
    for item in found:
        try:
            ipaddress.ip_network(item)
        except ValueError:
            words = f"PULSE_TRUSTED_PROXIES: {item!r} is neither an address nor a network such as 10.0.0.0/8."
            raise Misconfigured(f"{words} Name the proxies in front of Pulse, separated by commas.") from None
    return found


class _Server(uvicorn.Server):
    """Uvicorn, which a signal only asks to stop: it would raise the signal again before Pulse has stopped."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        yield


def spare_the_collector() -> None:
    """What was made until now stays: the garbage collector need not look at it again, and looks less often."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


def _leave_word(data: OpenData) -> None:
    word = {"url": data.url, "token": data.local_token, "pid": os.getpid()}
    write_private(data.settings.data / RUN_FILE, json.dumps(word))


def url_of(host: str, port: int) -> str:
    """Where this machine reaches what listens there."""
    name = "127.0.0.1" if host in ("0.0.0.0", "::") else host  # noqa: S104
    return f"http://[{name}]:{port}" if ":" in name else f"http://{name}:{port}"


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        with contextlib.suppress(OSError):
            listener.close()
        raise Misconfigured(f"{host}:{port} cannot be used: {error.strerror}. Choose another with --port.") from None
    listener.listen(1024)
    listener.setblocking(False)
    return listener
