"""One request on its way: what is sent, and what a redirect makes of it (RFC 9110, 15.4)."""

import re
from dataclasses import dataclass, replace

from pulse.egress.port import EgressError, Request
from pulse.egress.target import Target, join, parse

Headers = tuple[tuple[str, str], ...]

REDIRECTS = frozenset((301, 302, 303, 307, 308))
SECRETS = frozenset(("authorization", "cookie", "proxy-authorization"))
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}", re.ASCII)
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_METHODS_NOT_SENT = frozenset(("CONNECT", "TRACE", "TRACK"))
_WITH_BODY = frozenset(("POST", "PUT", "PATCH"))
# What frames the message, or concerns the connection alone, is ours to say.
_OURS = frozenset(
    (
        *("connection", "content-length", "expect", "host", "keep-alive", "proxy-connection", "te", "trailer"),
        *("transfer-encoding", "upgrade"),
    )
)
_OF_THE_BODY = frozenset(("content-encoding", "content-language", "content-location", "content-type", "digest"))
_OF_THE_CONNECTION = ("negotiate", "ntlm")


@dataclass(frozen=True)
class Hop:
    """A request as it goes to one server."""

    method: str
    target: Target
    headers: Headers
    body: bytes
    credentials: frozenset[str]

    def redirected(self, status: int, location: str | None) -> "Hop | None":
        """The request that a redirect asks for; None: the answer is no redirect. Raises InvalidAddress."""
        if status not in REDIRECTS or location is None:
            return None
        target = join(self.target, _utf8(location))
        headers = self._headers_for(target)
        if not self._becomes_get(status):
            return replace(self, target=target, headers=headers)
        without_body = tuple((name, value) for name, value in headers if name not in _OF_THE_BODY)
        return replace(self, method="GET", target=target, headers=without_body, body=b"")

    def wire_headers(self) -> list[tuple[bytes, bytes]]:
        """All that is sent, with what a server expects of any client."""
        given = {name for name, _ in self.headers}
        ours = [("accept", "*/*"), ("accept-encoding", "gzip, deflate"), ("user-agent", "Pulse")]
        headers = [("host", self.target.authority), *self.headers]
        headers += [(name, value) for name, value in ours if name not in given]
        headers += self._framing()
        return [(name.encode(), value.encode("latin-1")) for name, value in headers]

    def _framing(self) -> Headers:
        length = (("content-length", str(len(self.body))),) if self.body or self.method in _WITH_BODY else ()
        # These prove who asks once for a whole connection, which the next request must not inherit.
        signed = any(
            name == "authorization" and value.lower().startswith(_OF_THE_CONNECTION) for name, value in self.headers
        )
        return (*length, ("connection", "close")) if signed else length

    def _headers_for(self, target: Target) -> Headers:
        if target.origin == self.target.origin:
            return self.headers
        return tuple((name, value) for name, value in self.headers if name not in self.credentials)

    def _becomes_get(self, status: int) -> bool:
        if status == 303:
            return self.method not in {"GET", "HEAD"}
        return status in {301, 302} and self.method == "POST"


def first_hop(request: Request) -> Hop:
    """A request as it goes to the first server. Raises EgressError where it cannot be sent as it is."""
    method = request.method.upper()
    if not _TOKEN.fullmatch(method) or method in _METHODS_NOT_SENT:
        raise EgressError("That method cannot be sent: use GET, POST, PUT, PATCH, DELETE, HEAD or OPTIONS.")
    for position, (name, value) in enumerate(request.headers, 1):
        if not _TOKEN.fullmatch(name) or not _VALUE.fullmatch(value):
            raise EgressError(f"Header {position} has characters that no header may have: encode its value.")
    headers = tuple((name.lower(), value.strip(" \t")) for name, value in request.headers)
    sent = tuple((name, value) for name, value in headers if name not in _OURS)
    credentials = SECRETS | {name.lower() for name in request.credentials}
    return Hop(method, parse(request.url), sent, request.body, credentials)


def _utf8(value: str) -> str:
    """A header is read byte by byte; those who write more than ASCII into an address write UTF-8."""
    try:
        return value.encode("latin-1").decode()
    except UnicodeDecodeError:
        return value
