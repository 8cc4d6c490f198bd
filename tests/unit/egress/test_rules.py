"""The rules for all the addresses of a name at once."""

from ipaddress import ip_address

import pytest
from structlog.testing import capture_logs

from pulse.egress.allow import parse_allowed
from pulse.egress.port import AddressRefused, Unreachable
from pulse.egress.rules import CLOSED_PORTS, Rules
from tests.unit.egress.forms import ADDRESSES, NAMES, PUBLIC

INNER = "10.1.2.3"


def rules(allow: str = "", *own: tuple[str, int]) -> Rules:
    return Rules(parse_allowed(allow), lambda: own)


@pytest.mark.parametrize("answers", NAMES.values(), ids=NAMES)
def test_one_bad_address_among_good_ones_is_enough(answers: tuple[str, ...]) -> None:
    with pytest.raises(AddressRefused):
        rules().checked("asked.example", 443, answers)


@pytest.mark.parametrize("text", [*ADDRESSES, "fe80::1%eth0", "2a00::1%lo"])
def test_the_error_tells_the_name_and_nothing_of_what_is_behind_it(text: str) -> None:
    with pytest.raises(AddressRefused) as caught:
        rules().checked("asked.example", 443, [text])
    assert caught.value.message == (
        "asked.example may not be reached from here: requests go to public addresses, and to what EGRESS_ALLOW lists."
    )


def test_the_log_tells_the_reason() -> None:
    with capture_logs() as logs, pytest.raises(AddressRefused):
        rules().checked("asked.example", 443, ["169.254.169.254"])
    assert [(entry["host"], entry["port"], entry["reason"]) for entry in logs] == [("asked.example", 443, "link-local")]


def test_public_addresses_are_given_once_each_and_in_order() -> None:
    answers = [*PUBLIC, *PUBLIC]
    assert rules().checked("asked.example", 443, answers) == list(map(ip_address, PUBLIC))


def test_a_name_without_addresses_is_unreachable() -> None:
    with pytest.raises(Unreachable, match=r"asked\.example has no address"):
        rules("0.0.0.0/0").checked("asked.example", 443, [])


def test_what_cannot_be_read_is_refused_whatever_is_allowed() -> None:
    with pytest.raises(AddressRefused):
        rules("asked.example,0.0.0.0/0,::/0").checked("asked.example", 443, ["8.8.8.8", "nonsense"])


@pytest.mark.parametrize("port", [22, 25, 465, 587, 3306, 5432, 6379, 11211])
def test_ports_of_other_protocols_are_closed_even_at_public_addresses(port: int) -> None:
    assert port in CLOSED_PORTS
    with pytest.raises(AddressRefused, match=f"Port {port} of asked.example"):
        rules("asked.example").checked("asked.example", port, ["8.8.8.8"])


@pytest.mark.parametrize("port", [80, 443, 3000, 4000, 5000, 8000, 8080, 8443, 9200, 11434, 65535])
def test_ports_of_http_are_open(port: int) -> None:
    assert rules().checked("asked.example", port, ["8.8.8.8"])


def test_an_entry_with_a_port_opens_it() -> None:
    assert rules("10.1.2.3:6379").checked("cache.internal", 6379, [INNER])
    assert rules("cache.internal:6379").checked("cache.internal", 6379, [INNER])


def test_every_address_must_be_allowed() -> None:
    with pytest.raises(AddressRefused):
        rules("10.1.2.3").checked("asked.example", 8080, [INNER, "10.1.2.4"])
    assert rules("10.1.2.0/24").checked("asked.example", 8080, [INNER, "10.1.2.4"])


@pytest.mark.parametrize("allow", ["127.0.0.1", "127.0.0.1:8443", "0.0.0.0/0", "asked.example", "asked.example:8443"])
def test_an_own_listener_is_refused_whatever_is_allowed(allow: str) -> None:
    with pytest.raises(AddressRefused):
        rules(allow, ("0.0.0.0", 8443)).checked("asked.example", 8443, ["127.0.0.1"])


def test_an_address_with_a_scope_is_refused_whatever_is_allowed() -> None:
    with pytest.raises(AddressRefused):
        rules("asked.example,::/0").checked("asked.example", 8443, ["fe80::1%eth0"])


def test_own_listeners_are_asked_for_each_time() -> None:
    own: list[tuple[str, int]] = []
    now = Rules(parse_allowed("127.0.0.1"), lambda: own)
    assert now.checked("asked.example", 8443, ["127.0.0.1"])
    own.append(("127.0.0.1", 8443))
    with pytest.raises(AddressRefused):
        now.checked("asked.example", 8443, ["127.0.0.1"])
