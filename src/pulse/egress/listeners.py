"""Whether an address and a port are one of Pulse's own listeners, however they are written."""

import contextlib
import socket
from collections.abc import Iterable
from ipaddress import ip_address

from pulse.egress.addresses import Address, carried, parsed, plain

Listener = tuple[str, int]
_DISCARD = 9


def is_own(address: Address, port: int, listeners: Iterable[Listener]) -> bool:
    """Whether a connection to that address and port may arrive at one of `listeners`.

    A listener on a wildcard (`0.0.0.0`, `::`, the empty string) or a name is reached at every address of this machine;
    one on an address at that address, and at the unspecified one. What an IPv6 address carries counts, too.
    """
    hosts = [host for host, number in listeners if number == port]
    forms = {plain(address), *carried(address)} if hosts else set()
    return any(_reaches(form, host) for form in forms for host in hosts)


def _reaches(address: Address, host: str) -> bool:
    bound = parsed(host)
    if bound is None or bound.is_unspecified:
        return _of_this_machine(address)
    return plain(bound) == address or (address.is_unspecified and _of_this_machine(bound))


def _of_this_machine(address: Address) -> bool:
    """The kernel is asked which source it would use: its own address when it is the destination. Nothing is sent."""
    if address.is_loopback or address.is_unspecified:
        return True
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
        probe.connect((str(address), _DISCARD))
        return ip_address(probe.getsockname()[0]) == address
    return False
