"""What a mail may be: nothing that ends a line, nothing that tells a provider anything, nothing without bounds."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulse.mail.addresses import parse_address
from pulse.mail.port import MAX_BODY, Mail, MailFailed

GOOD: dict[str, Any] = {"to": ["ada@example.com"], "subject": "Hello", "text": "Hello.", "key": "msg_1:wf_1:1"}


def reason(**changes: Any) -> str:
    with pytest.raises(MailFailed) as failed:
        Mail(**{**GOOD, **changes})
    return failed.value.reason


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n", "\0", "\x0b", "\x85", "\u2028", "\x7f", "\ud800"])
def test_nothing_can_end_a_header(end: str) -> None:
    evil = f"x{end}Bcc: eve@example.com"
    assert reason(subject=evil) == "rejected"
    assert reason(key=evil) == "rejected"
    assert reason(headers=[("X-Note", evil)]) == "rejected"
    assert reason(headers=[(f"X-{evil}", "note")]) == "rejected"
    for name in ("to", "cc", "bcc", "reply_to"):
        assert reason(**{name: [f"Ada{end}Bcc: eve@example.com <ada@example.com>"]}) == "invalid_address"
        assert reason(**{name: [f"ada@example.com{end}"]}) == "invalid_address"
    assert reason(sender=f"ada{end}@example.com") == "invalid_address"


@pytest.mark.parametrize(
    "name",
    ["Bcc", "bcc", "To", "From", "Sender", "Subject", "Message-ID", "Content-Type", "Return-Path", "Received", "X-", "",
     "X-A:", "X A", "X-SES-SOURCE-ARN", "X-SMTPAPI", "x-smtpapi", "X-SG-EID", "X-Mailgun-Variables", "X-MC-BccAddress",
     "X-Pulse-Message-ID", "X-PM-Tag", "X-Ünicode"],
)  # fmt: skip
def test_headers_that_are_not_the_senders_are_refused(name: str) -> None:
    assert reason(headers=[(name, "value")]) == "rejected"


def test_headers_of_ones_own_are_taken() -> None:
    headers = [("X-Order", "4711"), ("List-Unsubscribe", "<https://example.com/u>"), ("in-reply-to", "<a@b.example>")]
    assert Mail(**GOOD, headers=headers).headers == headers


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"to": []}, "invalid_address"),
        ({"to": "ada@example.com"}, "invalid_address"),
        ({"to": ["ada@example.com"] * 51}, "too_large"),
        ({"cc": ["ada@example.com"] * 50}, "too_large"),
        ({"reply_to": ["ada@example.com"] * 11}, "too_large"),
        ({"subject": "x" * 501}, "too_large"),
        ({"subject": ""}, "rejected"),
        ({"subject": "  "}, "rejected"),
        ({"text": None}, "rejected"),
        ({"text": ""}, "rejected"),
        ({"text": "nul\0"}, "rejected"),
        ({"html": "half \udc00"}, "rejected"),
        ({"text": "ü" * (MAX_BODY // 2 + 1)}, "too_large"),
        ({"key": ""}, "rejected"),
        ({"key": "x" * 513}, "rejected"),
        ({"headers": [(f"X-{n}", "v") for n in range(21)]}, "too_large"),
        ({"headers": [("X-Long", "v" * 901)]}, "too_large"),
        ({"headers": [("X-Empty", " ")]}, "rejected"),
    ],
    ids=str,
)
def test_what_is_out_of_bounds_is_refused(changes: dict[str, Any], expected: str) -> None:
    assert reason(**changes) == expected


@pytest.mark.parametrize(
    ("text", "mailbox", "name"),
    [
        ("ada@example.com", "ada@example.com", ""),
        ("Ada.Lovelace+tag@EXAMPLE.com", "Ada.Lovelace+tag@example.com", ""),
        (" Ada Lovelace <ada@example.com> ", "ada@example.com", "Ada Lovelace"),
        ('"Lovelace, \\"Ada\\"" <ada@example.com>', "ada@example.com", 'Lovelace, "Ada"'),
        ("<ada@example.com>", "ada@example.com", ""),
        ("a@b <ada@example.com>", "ada@example.com", "a@b"),
        ("root@localhost", "root@localhost", ""),
        ("info@Bücher.example", "info@xn--bcher-kva.example", ""),
        ("info@straße.example", "info@xn--strae-oqa.example", ""),
        ("用户@例子.example", "用户@xn--fsqu00a.example", ""),
    ],
)
def test_addresses_are_read(text: str, mailbox: str, name: str) -> None:
    address = parse_address(text)
    assert (address.mailbox, address.name) == (mailbox, name)
    assert address.is_ascii == mailbox.isascii()


@pytest.mark.parametrize(
    "text",
    ["", "ada", "@example.com", "ada@", "ada@@example.com", "a b@example.com", "ada@exa mple.com", ".ada@example.com",
     "ada.@example.com", "a..b@example.com", "ada@-example.com", "ada@example-.com", "ada@example..com",
     "ada@example.com.", "ada@[127.0.0.1]", '"a b"@example.com', "ada@example.com, eve@example.com",
     "<ada@example.com> <eve@example.com>", "ada@example.com>", "ada@exam_ple.com", f"{'x' * 65}@example.com",
     f"ada@{'x' * 64}.com", f"ada@{'x.' * 130}com", "ada@\u200d.example", f"{'n' * 201} <ada@example.com>",
     "ada\u00a0b@example.com,"],
)  # fmt: skip
def test_what_is_no_address_is_refused_in_words(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        parse_address(text)
    assert reason(to=[text]) == "invalid_address"


@given(st.text(max_size=60))
def test_whatever_passes_as_an_address_is_one_line_with_one_mailbox(text: str) -> None:
    try:
        address = parse_address(text)
    except ValueError:
        return
    assert address.mailbox.count("@") == 1
    assert len((address.mailbox + address.name).splitlines()) == 1
    assert not set(' <>,;:\\"') & set(address.mailbox)
    assert address.domain.isascii()


def test_bodies_do_not_show_in_what_is_printed() -> None:
    assert "Hello." not in repr(Mail(**GOOD))
