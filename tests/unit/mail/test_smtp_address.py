"""Addresses of mail servers: what they may be, and that nothing of a wrong one is repeated."""

import pytest

from pulse.core.errors import Misconfigured
from pulse.mail.smtp import Server, parse_server


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("smtp://mail.example.com", Server("mail.example.com", 587, use_tls=False, start_tls=True)),
        ("smtp://mail.example.com:2525?tls=starttls", Server("mail.example.com", 2525, use_tls=False, start_tls=True)),
        ("smtp://127.0.0.1?tls=none", Server("127.0.0.1", 25, use_tls=False, start_tls=False)),
        ("smtp://[::1]:1025?tls=auto", Server("::1", 1025, use_tls=False, start_tls=None)),
        (
            "smtps://a%40b.example:p%3A%2F@mail.example.com?ca=/etc/ca.pem",
            Server("mail.example.com", 465, True, False, "a@b.example", "p:/", "/etc/ca.pem"),
        ),
        ("smtp://u:p@localhost:1025?tls=none", Server("localhost", 1025, False, False, "u", "p")),
    ],
)  # fmt: skip
def test_an_address_says_how_a_server_is_spoken_to(url: str, expected: Server) -> None:
    assert parse_server(url) == expected


@pytest.mark.parametrize(
    "url",
    ["smtp://", "http://mail.example.com", "smtp://u@mail.example.com", "smtp://mail.example.com:port",
     "smtp://s3cret:s3cret@mail.example.com?tls=maybe", "smtps://s3cret:s3cret@mail.example.com?tls=none",
     "smtp://s3cret:s3cret@mail.example.com?colour=blue", "smtp://s3cret:s3cret@mail.example.com?tls=none",
     "smtp://s3cret:s3cret@192.0.2.1?tls=auto", "smtp://s3cret:s3/cret@mail.example.com", "", "smtp://[::1"],
)  # fmt: skip
def test_a_wrong_address_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(Misconfigured, match="PULSE_MAIL_URL") as refused:
        parse_server(url)
    assert "s3cret" not in str(refused.value)


def test_a_password_is_not_shown() -> None:
    assert "s3cret" not in repr(parse_server("smtp://u:s3cret@mail.example.com"))
