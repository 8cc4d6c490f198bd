"""Which IP addresses are other people's servers, and which may not be reached from here.

IPv4 is open but for the ranges below. IPv6 is the other way round: closed but for global unicast (2000::/3) without
the ranges below, for IPv4 written as IPv6, and for what NAT64 makes of IPv4: a form nobody has thought of is closed.

`ipaddress.is_global` is not enough: it lets the address through at which Azure answers every machine with its secrets,
and knows nothing of what IPv6 addresses carry. 6to4, Teredo, IPv4-compatible and IPv4-translated addresses are closed
whatever they carry, since no server is reached by them today.

An inner server with a global address of its own looks like any other here: that is for a firewall.
Sources: the IANA special-purpose registries (RFC 6890), RFC 4291, 4380, 5214, 6052, 8215, and the clouds' manuals.
"""

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_IPV4 = {
    IPv4Network(network): reason
    for network, reason in (
        ("0.0.0.0/8", "unspecified"),
        ("10.0.0.0/8", "private"),
        ("100.64.0.0/10", "carrier-grade NAT"),  # and Alibaba's metadata at 100.100.100.200
        ("127.0.0.0/8", "loopback"),
        ("168.63.129.16/32", "metadata"),  # Azure, out of a public range
        ("169.254.0.0/16", "link-local"),  # and most clouds' metadata at 169.254.169.254
        ("172.16.0.0/12", "private"),
        ("192.0.0.0/24", "reserved"),  # and Oracle's metadata at 192.0.0.192
        ("192.0.2.0/24", "documentation"),
        ("192.88.99.0/24", "reserved"),
        ("192.168.0.0/16", "private"),
        ("198.18.0.0/15", "benchmarking"),
        ("198.51.100.0/24", "documentation"),
        ("203.0.113.0/24", "documentation"),
        ("224.0.0.0/4", "multicast"),
        ("240.0.0.0/4", "reserved"),  # and broadcast
    )
}
_IPV6_OPEN = IPv6Network("2000::/3")
_IPV6 = {
    IPv6Network(network): reason
    for network, reason in (
        ("2001::/32", "Teredo"),
        ("2001::/23", "reserved"),  # and benchmarking
        ("2001:db8::/32", "documentation"),
        ("2002::/16", "6to4"),
        ("3fff::/20", "documentation"),
    )
}
_MAPPED = IPv6Network("::ffff:0:0/96")
_COMPATIBLE = IPv6Network("::/96")
_TRANSLATED = IPv6Network("::ffff:0:0:0/96")
_NAT64 = IPv6Network("64:ff9b::/96")
_LOCAL_NAT64 = IPv6Network("64:ff9b:1::/48")
_TEREDO = IPv6Network("2001::/32")
_6TO4 = IPv6Network("2002::/16")
_ISATAP = (b"\x00\x00\x5e\xfe", b"\x02\x00\x5e\xfe")


def refusal(address: Address) -> str | None:
    """Why an address may not be reached, in a word or two for the log; None: it is public."""
    if isinstance(address, IPv4Address):
        return _among(_IPV4, address)
    if address.scope_id is not None:
        return "scoped"
    if address in _MAPPED or address in _NAT64:
        return _refused_within(address)
    if address not in _IPV6_OPEN:
        return "not global"
    return _among(_IPV6, address) or _refused_within(address)


def carried(address: Address) -> Iterator[IPv4Address]:
    """Every IPv4 address that an IPv6 address may be read to carry; nothing for IPv4."""
    if isinstance(address, IPv4Address):
        return
    packed = address.packed
    if any(address in network for network in (_MAPPED, _COMPATIBLE, _TRANSLATED, _NAT64)):
        yield IPv4Address(packed[12:])
    if address in _LOCAL_NAT64:
        yield from _by_prefix_length(packed)
    if address in _6TO4:
        yield IPv4Address(packed[2:6])
    if address in _TEREDO:
        yield IPv4Address(packed[4:8])
        yield IPv4Address(bytes(byte ^ 0xFF for byte in packed[12:]))
    if packed[8:12] in _ISATAP:
        yield IPv4Address(packed[12:])


def plain(address: Address) -> Address:
    """The address itself; IPv4 written as IPv6 (::ffff:192.0.2.1) becomes the IPv4 address it means."""
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def parsed(text: str) -> Address | None:
    """The address that a resolver gave as text; None where it is no such thing."""
    try:
        return ip_address(text)
    except ValueError:
        return None


def _among(networks: dict[IPv4Network, str] | dict[IPv6Network, str], address: Address) -> str | None:
    return next((reason for network, reason in networks.items() if address in network), None)


def _refused_within(address: IPv6Address) -> str | None:
    return next((reason for inner in carried(address) if (reason := refusal(inner))), None)


def _by_prefix_length(packed: bytes) -> Iterator[IPv4Address]:
    """RFC 6052, 2.2: the byte between bits 64 and 71 is none of the IPv4 address."""
    yield IPv4Address(packed[6:8] + packed[9:11])
    yield IPv4Address(packed[7:8] + packed[9:12])
    yield IPv4Address(packed[9:13])
    yield IPv4Address(packed[12:16])
