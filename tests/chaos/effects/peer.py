"""Somebody else's server on loopback: it notes every request before it answers, after a while that chance decides.

It is as careless as a server can be: a repeat is a request like any other, and gets a receipt of its own. So whatever
scripts go on with must be what was recorded of the first answer that was.
"""

import contextlib
import json
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from random import Random
from typing import Any, Self

from tests.chaos.rig.process import free_port
from tests.chaos.rig.until import until

SLOWEST_S = 0.08


@dataclass(frozen=True)
class Request:
    """A request as it came in at `at_ns` (since 1970): its Idempotency-Key, its body, and the receipt it was given."""

    at_ns: int
    key: str
    body: str
    receipt: str

    @property
    def said(self) -> Any:
        """The body, read."""
        return json.loads(self.body)


class Peer:
    """Serves while the block does; the ledger is a file, a line for each request."""

    def __init__(self, ledger: Path, seed: int) -> None:
        self.ledger = ledger
        self.count = 0
        self._chance = Random(seed)
        self._lock = threading.Lock()
        self._file = os.open(ledger, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self._answers = threading.Event()
        self._answers.set()
        self._server = _Server(("127.0.0.1", free_port()), self)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_details: object) -> None:
        self._answers.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        os.close(self._file)

    @contextlib.contextmanager
    def silent(self) -> Iterator[None]:
        """Requests are noted, and answered when the block has ended."""
        self._answers.clear()
        try:
            yield
        finally:
            self._answers.set()

    def wait_for(self, count: int, seconds: float = 60.0) -> None:
        """Returns as soon as there were so many requests in all."""
        until(lambda: self.count >= count, seconds, f"{count} requests, after {self.count}", every=0.002)

    def answer(self, key: str, body: str) -> str:
        """Notes the request; its receipt, when it is time to answer."""
        with self._lock:
            self.count += 1
            noted = Request(time.time_ns(), key, body, f"r{self.count}-{self._chance.randrange(1 << 32):x}")
            os.write(self._file, (json.dumps(asdict(noted)) + "\n").encode())
            seconds = self._chance.uniform(0, SLOWEST_S)
        # An event that nobody sets: a pause.
        threading.Event().wait(seconds)
        self._answers.wait()
        return noted.receipt


def read_requests(ledger: Path) -> list[Request]:
    """What the ledger says."""
    return [Request(**json.loads(line)) for line in ledger.read_text().splitlines()]


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], peer: Peer) -> None:
        super().__init__(address, _Handler)
        self.peer = peer

    def handle_error(self, request: object, client_address: object) -> None:
        """Whoever asked was killed meanwhile."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server
    timeout = 30

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        body = self.rfile.read(length)
        if len(body) < length:
            # Whoever asks was killed before it had said everything: nothing was asked.
            self.close_connection = True
            return
        receipt = self.server.peer.answer(self.headers.get("Idempotency-Key", ""), body.decode())
        content = json.dumps({"receipt": receipt}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name that it has there
        """The ledger is enough."""
