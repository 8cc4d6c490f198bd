"""Pulse's own listeners are recognised however they are bound and however they are asked for."""

import socket
from ipaddress import ip_address

import pytest

from pulse.egress.listeners import is_own

PORT = 8443


def own(address: str, *hosts: str) -> bool:
    return is_own(ip_address(address), PORT, [(host, PORT) for host in hosts])


def machine_address() -> str:
    """An address of this machine that is not loopback, or loopback where there is none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return "127.0.0.1"
        return str(probe.getsockname()[0])


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "localhost", "pulse.internal"])
@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "127.0.0.9", "0.0.0.0", "::", "::1", "::ffff:127.0.0.1", "::127.0.0.1", "64:ff9b::7f00:1"),
        *("2002:7f00:1::", "2a00:1450::5efe:7f00:1"),
    ],
)
def test_a_listener_on_every_address_is_reached_at_each_of_this_machine(address: str, host: str) -> None:
    assert own(address, host)


def test_a_listener_on_every_address_is_reached_at_the_machines_address() -> None:
    address = machine_address()
    assert own(address, "0.0.0.0")
    assert own(f"::ffff:{address}", "::")


@pytest.mark.parametrize("address", ["127.0.0.1", "::ffff:127.0.0.1", "0.0.0.0", "::", "64:ff9b::127.0.0.1"])
def test_a_listener_on_loopback_is_reached_there(address: str) -> None:
    assert own(address, "127.0.0.1")


@pytest.mark.parametrize("address", ["127.0.0.2", "::1", "8.8.8.8", "10.0.0.1"])
def test_a_listener_on_one_address_is_not_reached_at_another(address: str) -> None:
    assert not own(address, "127.0.0.1")


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700:4700::1111", "198.51.100.77", "64:ff9b::8.8.8.8"])
def test_other_machines_are_not_this_one(address: str) -> None:
    assert not own(address, "0.0.0.0", "::")


def test_another_port_is_another_listener() -> None:
    assert not is_own(ip_address("127.0.0.1"), PORT + 1, [("0.0.0.0", PORT), ("127.0.0.1", PORT)])
    assert not is_own(ip_address("127.0.0.1"), PORT, [])
