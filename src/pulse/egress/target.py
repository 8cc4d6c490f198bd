"""Addresses of http and https, read strictly: what two parsers could read differently is refused."""

import re
from dataclasses import dataclass
from urllib.parse import urljoin

import httpx2

from pulse.egress.port import InvalidAddress

MAX_CHARACTERS = 8192
_FORBIDDEN = re.compile(r"[\x00-\x20\x7f-\xa0\\]")
_SHAPE = re.compile(r"https?://(?P<authority>[^/?#]+)", re.IGNORECASE)
_AUTHORITY = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[^\[\]:@%]{1,255})(?::(?P<port>[0-9]{1,5}))?", re.ASCII)
_NAME = re.compile(r"(?=.{1,253}\Z)[a-z0-9_]([a-z0-9_-]{0,62})(\.[a-z0-9_][a-z0-9_-]{0,62})*", re.ASCII)
_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class Target:
    """Where a request goes: `host` in lower case and IDNA, an IPv6 address without brackets; `path` with its query."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def origin(self) -> tuple[str, str, int]:
        return self.scheme, self.host, self.port

    @property
    def authority(self) -> str:
        """As in the Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.authority}{self.path}"


def parse(url: str) -> Target:
    """Where a URL leads; its fragment is left out. Raises InvalidAddress, in words that do not repeat the URL."""
    if len(url) > MAX_CHARACTERS:
        raise InvalidAddress(f"An address has at most {MAX_CHARACTERS:,} characters: send long values in the body.")
    if _FORBIDDEN.search(url):
        raise InvalidAddress("An address has no spaces, control characters or backslashes: percent-encode them.")
    host, port = _host_and_port(url)
    try:
        parsed = httpx2.URL(url)
        path = parsed.raw_path.decode()
        named = parsed.raw_host.decode()
    except (httpx2.InvalidURL, ValueError):
        raise InvalidAddress(f"The address cannot be read: {_hint(host)}") from None
    return Target(parsed.scheme, _checked_host(named), port or _DEFAULT_PORTS[parsed.scheme], path)


def join(target: Target, location: str) -> Target:
    """Where a redirect leads. Raises InvalidAddress."""
    if len(location) > MAX_CHARACTERS or _FORBIDDEN.search(location):
        raise InvalidAddress(f"{target.host} redirected to something that is no address of http or https.")
    try:
        return parse(urljoin(target.url, location))
    except ValueError:
        raise InvalidAddress(f"{target.host} redirected to something that is no address of http or https.") from None


def ascii_host(host: str) -> str | None:
    """A host as it is looked up: lower case, IDNA, without the dot at its end; None where it is none."""
    try:
        encoded = httpx2.URL(scheme="http", host=host).raw_host.decode()
    except (httpx2.InvalidURL, ValueError):
        return None
    name = encoded.removesuffix(".")
    return name if ":" in name or _NAME.fullmatch(name) else None


def _host_and_port(url: str) -> tuple[str, int | None]:
    shape = _SHAPE.match(url)
    if shape is None:
        raise InvalidAddress("An address begins with http:// or https:// and a host, like https://api.example.com/v1.")
    if "@" in shape["authority"]:
        raise InvalidAddress("An address holds no name or password: send them in an Authorization header.")
    authority = _AUTHORITY.fullmatch(shape["authority"].removesuffix(":"))
    if authority is None:
        raise InvalidAddress("After http:// or https:// comes a host, and perhaps a colon and a port, nothing else.")
    port = int(authority["port"]) if authority["port"] else None
    if port is not None and not 1 <= port <= 65_535:
        raise InvalidAddress("A port is a number from 1 to 65535.")
    return authority["host"], port


def _checked_host(encoded: str) -> str:
    name = encoded.removesuffix(".")
    if ":" not in name and not _NAME.fullmatch(name):
        raise InvalidAddress(f"The address cannot be read: {_hint(name)}")
    return name


def _hint(host: str) -> str:
    if host.startswith("[") or host.replace(".", "").isdigit():
        return "its host is like an IP address, but is none."
    return "a host is made of letters, digits, hyphens and dots."
