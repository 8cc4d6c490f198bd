"""Which addresses are refused: the list of known forms, and every form of every refused range."""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pulse.egress.addresses import carried, parsed, plain, refusal
from tests.unit.egress.forms import ADDRESSES, PUBLIC

# A busy machine is no fault.
unhurried = settings(deadline=None)

REFUSED_RANGES = (
    *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "168.63.129.16/32", "169.254.0.0/16"),
    *("172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15"),
    *("198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4"),
)


def inside(network: IPv4Network) -> st.SearchStrategy[IPv4Address]:
    return st.integers(int(network[0]), int(network[-1])).map(IPv4Address)


def outside(address: IPv4Address) -> bool:
    return not any(address in IPv4Network(network) for network in REFUSED_RANGES)


inner = st.sampled_from(REFUSED_RANGES).map(IPv4Network).flatmap(inside)
any_ipv4 = st.integers(0, 2**32 - 1).map(IPv4Address)
any_ipv6 = st.integers(0, 2**128 - 1).map(IPv6Address)
public = any_ipv4.filter(outside)
prefix = st.integers(0x2A00_0000_0000_0000, 0x2A0F_FFFF_FFFF_FFFF)


def low(address: IPv4Address, high: int) -> IPv6Address:
    return IPv6Address(high << 32 | int(address))


def embedded(address: IPv4Address, host_prefix: int) -> dict[str, IPv6Address]:
    """Every way to write an IPv4 address inside an IPv6 address that a router or a kernel may undo."""
    number = int(address)
    first, last = number >> 16, number & 0xFFFF
    return {
        "mapped": low(address, 0xFFFF),
        "compatible": low(address, 0),
        "translated": low(address, 0xFFFF << 16),
        "NAT64": low(address, 0x0064_FF9B << 64),
        "local NAT64, /96": low(address, 0x0064_FF9B_0001 << 48),
        "local NAT64, /48": IPv6Address(0x0064_FF9B_0001 << 80 | first << 64 | last << 40),
        "local NAT64, /56": IPv6Address(0x0064_FF9B_0001_AB << 72 | number >> 24 << 64 | (number & 0xFFFFFF) << 32),
        "local NAT64, /64": IPv6Address(0x0064_FF9B_0001_ABCD << 64 | number << 24),
        "6to4": IPv6Address(0x2002 << 112 | number << 80 | 1),
        "Teredo server": IPv6Address(0x2001 << 112 | number << 64 | 0x8000 << 48 | 0xF7F7_F7F7),
        "Teredo client": IPv6Address(0x2001 << 112 | 0x4136_E378 << 64 | 0x8000 << 48 | number ^ 0xFFFFFFFF),
        "ISATAP": IPv6Address(host_prefix << 64 | 0x0000_5EFE << 32 | number),
        "ISATAP, universal": IPv6Address(host_prefix << 64 | 0x0200_5EFE << 32 | number),
    }


@pytest.mark.parametrize("text", ADDRESSES)
def test_an_inner_address_is_refused(text: str) -> None:
    assert refusal(ip_address(text)) is not None


@pytest.mark.parametrize("text", PUBLIC)
def test_a_public_address_is_not_refused(text: str) -> None:
    assert refusal(ip_address(text)) is None


def test_the_lists_are_as_long_as_they_should_be() -> None:
    assert len(set(ADDRESSES)) >= 100
    assert len(set(PUBLIC)) >= 40


@unhurried
@given(inner)
def test_every_address_of_an_inner_range_is_refused(address: IPv4Address) -> None:
    assert refusal(address) is not None


@unhurried
@given(inner, prefix)
def test_every_address_of_an_inner_range_is_refused_in_every_form_of_ipv6(
    address: IPv4Address, host_prefix: int
) -> None:
    forms = embedded(address, host_prefix)
    assert {name for name, form in forms.items() if refusal(form) is None} == set()


@unhurried
@given(any_ipv4, prefix)
def test_what_a_form_of_ipv6_carries_is_found(address: IPv4Address, host_prefix: int) -> None:
    forms = embedded(address, host_prefix)
    assert {name for name, form in forms.items() if address not in carried(form)} == set()


@unhurried
@given(public, prefix)
def test_a_public_address_passes_in_the_forms_by_which_servers_are_reached(
    address: IPv4Address, host_prefix: int
) -> None:
    forms = embedded(address, host_prefix)
    assert refusal(address) is None
    assert {name for name, form in forms.items() if refusal(form) is None} == {
        *("mapped", "NAT64", "ISATAP", "ISATAP, universal")
    }


@unhurried
@given(any_ipv6)
def test_whatever_the_library_says_is_not_global_is_refused(address: IPv6Address) -> None:
    carries = any(address in network for network in map(IPv6Network, ("::ffff:0:0/96", "64:ff9b::/96")))
    assert address.is_global or carries or refusal(address) is not None


@unhurried
@given(any_ipv4)
def test_whatever_the_library_says_is_not_global_is_refused_in_ipv4(address: IPv4Address) -> None:
    assert address.is_global or refusal(address) is not None


@unhurried
@given(any_ipv4)
def test_mapped_addresses_are_what_they_mean(address: IPv4Address) -> None:
    assert plain(low(address, 0xFFFF)) == plain(address) == address


def test_an_address_with_a_scope_is_refused_whatever_it_is() -> None:
    assert refusal(ip_address("2a00:1450:4001:800::200e%eth0")) == "scoped"


@pytest.mark.parametrize("text", ["", "example.com", "127.1", "0177.0.0.1", "1.2.3.4.5", "[::1]", "1.2.3.4/8"])
def test_what_is_no_address_is_none(text: str) -> None:
    assert parsed(text) is None
