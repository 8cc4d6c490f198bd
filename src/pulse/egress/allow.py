"""EGRESS_ALLOW: what may be reached although its address is not public.

Entries are separated by commas: `ollama.internal`, `ollama.internal:11434`, `10.20.0.0/16`, `10.20.0.5:8080`,
`10.20.0.0/16:8080`, `[fd00::5]:8080`, `[fd00::/64]:8080`. A host allows whatever it resolves to, when it is asked for
by that name; a network allows its addresses under any name. An entry with a port allows that port alone, and allows it
even where it is one of the ports that are otherwise closed.
"""

import re
from dataclasses import dataclass
from ipaddress import ip_address, ip_network

from pulse.core.errors import Misconfigured
from pulse.egress.addresses import Address, Network, plain
from pulse.egress.target import ascii_host

_BRACKETED = re.compile(r"\[(?P<inner>[^\[\]]+)\](?::(?P<port>[^:]*))?")
_WITH_PORT = re.compile(r"(?P<inner>[^:]+):(?P<port>[^:]*)")
_NUMERIC = re.compile(r"[0-9.]+|[0-9.]*/.*|0x.*", re.IGNORECASE)


@dataclass(frozen=True)
class Entry:
    """`place`: a network, or a host in lower case and IDNA; `port` None: any."""

    place: Network | str
    port: int | None

    def covers(self, host: str, address: Address, port: int) -> bool:
        if self.port not in {None, port}:
            return False
        return host == self.place if isinstance(self.place, str) else plain(address) in self.place


@dataclass(frozen=True)
class Allowed:
    """The exceptions an operator has made."""

    entries: tuple[Entry, ...] = ()

    def permits(self, host: str, address: Address, port: int) -> bool:
        """Whether that address may be reached under that name, public or not."""
        return any(entry.covers(host, address, port) for entry in self.entries)

    def opens(self, host: str, address: Address, port: int) -> bool:
        """Whether an entry names that very port."""
        return any(entry.port is not None and entry.covers(host, address, port) for entry in self.entries)


class _Unusable(ValueError):
    """What is wrong with an entry, as the rest of a sentence that begins with it."""


def parse_allowed(text: str) -> Allowed:
    """The value of EGRESS_ALLOW. Raises Misconfigured, with a sentence for each entry that cannot be read."""
    entries, faults = [], []
    for word in filter(None, map(str.strip, text.split(","))):
        try:
            entries.append(_entry(word))
        except _Unusable as error:
            faults.append(f"{word!r} {error}")
    if faults:
        raise Misconfigured(f"EGRESS_ALLOW has entries that cannot be used: {'; '.join(faults)}.")
    return Allowed(tuple(entries))


def _entry(word: str) -> Entry:
    if "://" in word:
        raise _Unusable("is a URL: write only its host, like api.internal or api.internal:8080")
    form = _BRACKETED.fullmatch(word) or _WITH_PORT.fullmatch(word)
    if form is None:
        return Entry(_place(word), None)
    return Entry(_place(form["inner"]), _port(form["port"]))


def _port(text: str | None) -> int | None:
    if text is None:
        return None
    if not re.fullmatch(r"[0-9]{1,5}", text, re.ASCII) or not 1 <= int(text) <= 65_535:
        raise _Unusable("has no port from 1 to 65535 after its colon")
    return int(text)


def _place(text: str) -> Network | str:
    if "*" in text:
        raise _Unusable("has a star: list each host, or the network that their addresses are in")
    if ":" in text or _NUMERIC.fullmatch(text):
        return _network(text)
    host = ascii_host(text)
    if host is None:
        raise _Unusable("is neither a host, an IP address nor a network like 10.0.0.0/8")
    return host


def _network(text: str) -> Network:
    try:
        network = ip_network(text, strict=False)
    except ValueError:
        raise _Unusable(
            "is like an IP address or a network, but is none: write 10.0.0.5, 10.0.0.0/8 or fd00::/8"
        ) from None
    if network.network_address != ip_address(text.partition("/")[0]):
        raise _Unusable(f"is not the beginning of a network: write {network}, or the address without its slash")
    return network
