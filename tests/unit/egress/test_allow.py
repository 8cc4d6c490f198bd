"""EGRESS_ALLOW is read as an operator means it, or refused in words that say what to write."""

from ipaddress import ip_address

import pytest

from pulse.core.errors import Misconfigured
from pulse.egress.allow import Allowed, parse_allowed


def permits(text: str, host: str, address: str, port: int = 8080) -> bool:
    return parse_allowed(text).permits(host, ip_address(address), port)


@pytest.mark.parametrize(
    ("text", "host", "address", "port"),
    [
        ("ollama.internal", "ollama.internal", "10.0.0.5", 11434),
        ("OLLAMA.Internal.", "ollama.internal", "10.0.0.5", 11434),
        ("ollama.internal:11434", "ollama.internal", "fd00::5", 11434),
        ("bücher.internal", "xn--bcher-kva.internal", "10.0.0.5", 80),
        ("my_service", "my_service", "10.0.0.5", 80),
        ("10.0.0.5", "10.0.0.5", "10.0.0.5", 1),
        ("10.0.0.5", "any.example", "10.0.0.5", 1),
        ("10.0.0.5:8080", "any.example", "10.0.0.5", 8080),
        ("10.0.0.0/8", "any.example", "10.255.0.1", 1),
        ("10.0.0.0/8", "any.example", "::ffff:10.255.0.1", 1),
        ("10.0.0.0/255.0.0.0", "any.example", "10.255.0.1", 1),
        ("10.0.0.0/8:8080", "any.example", "10.255.0.1", 8080),
        ("::1", "localhost", "::1", 1),
        ("[::1]", "localhost", "::1", 1),
        ("[::1]:8080", "localhost", "::1", 8080),
        ("fd00::/8", "any.example", "fdab::1", 1),
        ("[fd00::/8]:8080", "any.example", "fdab::1", 8080),
        (" , 10.0.0.5 ,, localhost:9000 ,", "localhost", "127.0.0.1", 9000),
        ("0.0.0.0/0", "any.example", "127.0.0.1", 1),
    ],
)
def test_an_entry_permits_what_it_names(text: str, host: str, address: str, port: int) -> None:
    assert permits(text, host, address, port)


@pytest.mark.parametrize(
    ("text", "host", "address", "port"),
    [
        ("", "localhost", "127.0.0.1", 80),
        ("ollama.internal", "evil.ollama.internal", "10.0.0.5", 80),
        ("ollama.internal", "ollama.internal.example", "10.0.0.5", 80),
        ("ollama.internal", "10.0.0.5", "10.0.0.5", 80),
        ("ollama.internal:11434", "ollama.internal", "10.0.0.5", 80),
        ("10.0.0.5", "10.0.0.5", "10.0.0.6", 80),
        ("10.0.0.5:8080", "10.0.0.5", "10.0.0.5", 8081),
        ("10.0.0.0/8:8080", "10.0.0.5", "10.0.0.5", 80),
        ("10.0.0.0/8", "any.example", "11.0.0.1", 80),
        ("127.0.0.1", "localhost", "::1", 80),
        ("0.0.0.0/0", "any.example", "::1", 80),
        ("::/0", "any.example", "127.0.0.1", 80),
        ("10.0.0.0/8", "any.example", "64:ff9b::10.0.0.1", 80),
    ],
)
def test_an_entry_permits_nothing_else(text: str, host: str, address: str, port: int) -> None:
    assert not permits(text, host, address, port)


def test_only_an_entry_with_a_port_opens_it() -> None:
    address = ip_address("10.0.0.5")
    assert not parse_allowed("10.0.0.5").opens("redis.internal", address, 6379)
    assert not parse_allowed("10.0.0.5:6380").opens("redis.internal", address, 6379)
    assert parse_allowed("10.0.0.5:6379").opens("redis.internal", address, 6379)
    assert parse_allowed("redis.internal:6379").opens("redis.internal", address, 6379)


def test_nothing_is_allowed_by_default() -> None:
    assert parse_allowed("") == parse_allowed(" , ") == Allowed()


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ("http://api.internal", "write only its host"),
        ("*.internal", "has a star"),
        ("10.0.0.5/8", "write 10.0.0.0/8"),
        ("fd00::1/8", "write fd00::/8"),
        ("10.0.0.0/33", "write 10.0.0.5, 10.0.0.0/8"),
        ("10.0.0", "write 10.0.0.5, 10.0.0.0/8"),
        ("127.1", "write 10.0.0.5, 10.0.0.0/8"),
        ("0x7f000001", "write 10.0.0.5, 10.0.0.0/8"),
        ("2130706433", "write 10.0.0.5, 10.0.0.0/8"),
        ("300.1.1.1", "write 10.0.0.5, 10.0.0.0/8"),
        ("fd00:::1", "write 10.0.0.5, 10.0.0.0/8"),
        ("[::1", "write 10.0.0.5, 10.0.0.0/8"),
        ("localhost:", "no port from 1 to 65535"),
        ("localhost:0", "no port from 1 to 65535"),
        ("localhost:65536", "no port from 1 to 65535"),
        ("localhost:http", "no port from 1 to 65535"),
        ("localhost:８０", "no port from 1 to 65535"),
        ("[::1]:", "no port from 1 to 65535"),
        ("user@host", "is neither a host"),
        ("local host", "is neither a host"),
        ("host/path", "is neither a host"),
        ("-", "is neither a host"),
        ("a..b", "is neither a host"),
    ],
)
def test_an_entry_that_cannot_be_read_is_named_with_what_to_write(entry: str, says: str) -> None:
    with pytest.raises(Misconfigured) as caught:
        parse_allowed(f"localhost, {entry}, 10.0.0.0/8")
    assert caught.value.message.startswith(f"EGRESS_ALLOW has entries that cannot be used: {entry!r} ")
    assert says in caught.value.message


def test_every_entry_that_cannot_be_read_is_named() -> None:
    with pytest.raises(Misconfigured, match=r"'a b'.*'10\.0\.0\.1/8'"):
        parse_allowed("a b,10.0.0.1/8")
