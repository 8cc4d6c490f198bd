"""A server on loopback, for whoever stands in for somebody else's HTTP API."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    """Answers POST and GET alike, in `answered`, and says nothing of it."""

    def body(self) -> bytes:
        return self.rfile.read(int(self.headers["content-length"] or 0))

    def reply(self, status: int, raw: bytes, headers: Mapping[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def answered(self) -> None:
        """Replies to the request."""
        raise NotImplementedError

    def do_POST(self) -> None:
        self.answered()

    def do_GET(self) -> None:
        self.answered()

    def log_message(self, *_args: object) -> None:
        """Says nothing."""


@contextmanager
def served(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """The server's address, while the block lasts."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
