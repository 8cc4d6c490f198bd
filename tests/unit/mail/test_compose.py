"""What is put on the wire: ASCII, short lines, the same bytes for the same mail, and headers that read back."""

import email
import email.policy
from email.header import decode_header, make_header

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulse.mail.compose import compose, envelope, key_digest
from pulse.mail.port import Mail, MailFailed

SENDER = "Pulse <pulse@example.com>"
NOW = 1_700_000_000_000
LETTERS = st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp", "Zs"], exclude_characters='"<>\\')
WORDS = st.lists(st.text(LETTERS, min_size=1, max_size=40), min_size=1, max_size=8).map(" ".join)


def composed(mail: Mail, now_ms: int = NOW) -> bytes:
    return compose(mail, envelope(mail, SENDER), now_ms)


def shown(raw: bytes, header: str) -> str:
    return str(make_header(decode_header(email.message_from_bytes(raw)[header])))


@given(WORDS, WORDS, WORDS)
def test_whatever_a_header_says_reads_back(subject: str, name: str, note: str) -> None:
    mail = Mail(
        to=[f'"{name}" <ada@example.com>'], subject=subject[:500], text="t", key="k", headers=[("X-Note", note[:900])]
    )
    raw = composed(mail)
    assert raw.isascii()
    assert shown(raw, "Subject") == mail.subject
    assert shown(raw, "X-Note") == note[:900]
    assert " ".join(shown(raw, "To").replace('"', "").split()) == f"{name} <ada@example.com>"
    expected = ["From", "To", "Subject", "Date", "Message-ID", "X-Note"]
    assert email.message_from_bytes(raw).keys()[:6] == expected


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=400))
def test_whatever_a_body_says_reads_back(text: str) -> None:
    raw = composed(Mail(to=["ada@example.com"], subject="s", text=text, html=text, key="k"))
    assert raw.isascii()
    assert max(map(len, raw.split(b"\r\n"))) <= 998
    assert b"\n" not in raw.replace(b"\r\n", b"")
    message = email.message_from_bytes(raw, policy=email.policy.default)
    for kind in ("plain", "html"):
        part = message.get_body((kind,))
        assert part is not None
        lines = part.get_content().replace("\r\n", "\n").replace("\r", "\n").removesuffix("\n")
        assert lines == text.replace("\r\n", "\n").replace("\r", "\n").removesuffix("\n")


def test_the_same_mail_is_the_same_bytes() -> None:
    mail = Mail(to=["ada@example.com"], subject="s", text="t", html="<p>h</p>", key="k")
    assert composed(mail) == composed(mail)
    later = composed(mail, NOW + 1000)
    assert [line for line in later.split(b"\r\n") if line not in composed(mail).split(b"\r\n")] == [
        b"Date: Tue, 14 Nov 2023 22:13:21 +0000"
    ]


def test_the_message_id_comes_of_key_and_sender() -> None:
    mail = Mail(to=["ada@example.com"], subject="s", text="t", key="msg_1:wf_1:1")
    assert envelope(mail, SENDER).message_id == f"<{key_digest('msg_1:wf_1:1')}@example.com>"
    assert envelope(mail, "pulse@other.example").message_id == f"<{key_digest('msg_1:wf_1:1')}@other.example>"
    assert key_digest("msg_1:wf_1:1") != key_digest("msg_1:wf_1:2")


def test_a_mail_without_a_sender_goes_nowhere() -> None:
    with pytest.raises(MailFailed) as failed:
        envelope(Mail(to=["ada@example.com"], subject="s", text="t", key="k"), None)
    assert failed.value.reason == "not_configured"


def test_only_who_keeps_a_mail_sees_the_blind_copies() -> None:
    mail = Mail(to=["ada@example.com"], bcc=["audit@example.com"], subject="s", text="t", key="k")
    parties = envelope(mail, SENDER)
    assert b"audit" not in compose(mail, parties, NOW)
    assert b"\r\nBcc: audit@example.com\r\n" in compose(mail, parties, NOW, with_bcc=True)


def test_an_international_mail_has_its_addresses_in_utf8() -> None:
    mail = Mail(to=["张三 <用户@例子.example>"], subject="Grüße", text="t", key="k")
    raw = composed(mail)
    assert 'To: "张三" <用户@xn--fsqu00a.example>\r\n'.encode() in raw
    assert shown(raw, "Subject") == "Grüße"
