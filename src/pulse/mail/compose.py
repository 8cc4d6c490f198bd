"""What goes over the wire: who gets a mail, and its text as RFC 5322 and MIME want it.

Everything is ASCII, so that no server need know 8BITMIME; letters beyond it are encoded, in headers by RFC 2047. Only
the local part of an address cannot be: a mail with such an address is `international`, has its headers in UTF-8
(RFC 6532), and goes to servers with SMTPUTF8 only.

Bodies are made by EmailMessage. Headers are folded here: as late as 3.11 the library's own folding loses the space
between two encoded words of a name, and encodes the comma between two addresses.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.header import Header
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from pulse.mail.addresses import Address, parse_address
from pulse.mail.port import Mail, MailFailed

_ASCII_ONLY = SMTP.clone(cte_type="7bit")
_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~\- ]*")
MAX_LINE = 78
CRLF = "\r\n"


@dataclass(frozen=True)
class Envelope:
    """Who sends a mail and who gets it, each mailbox once: in `to` before `cc` before `bcc`."""

    sender: Address
    to: tuple[Address, ...]
    cc: tuple[Address, ...]
    bcc: tuple[Address, ...]
    reply_to: tuple[Address, ...]
    message_id: str

    @property
    def recipients(self) -> tuple[str, ...]:
        return tuple(each.mailbox for each in (*self.to, *self.cc, *self.bcc))

    @property
    def international(self) -> bool:
        """Whether it needs a server that takes local parts beyond ASCII."""
        return not all(each.is_ascii for each in (self.sender, *self.to, *self.cc, *self.bcc, *self.reply_to))


def envelope(mail: Mail, default_sender: str | None) -> Envelope:
    """Raises MailFailed (`not_configured`) where nobody says who sends."""
    if (text := mail.sender or default_sender) is None:
        raise MailFailed("not_configured", "A mail needs a sender: give it one, or set one for the mailer.")
    sender, seen = parse_address(text), set[str]()
    to, cc, bcc = (tuple(_unseen(texts, seen)) for texts in (mail.to, mail.cc, mail.bcc))
    reply_to = tuple(_unseen(mail.reply_to, set()))
    return Envelope(sender, to, cc, bcc, reply_to, f"<{key_digest(mail.key)}@{sender.domain}>")


def key_digest(key: str) -> str:
    """32 hexadecimal digits that stand for a mail's key where anybody may see them."""
    return hashlib.sha256(b"mail\0" + key.encode()).hexdigest()[:32]


def compose(mail: Mail, parties: Envelope, now_ms: int, *, with_bcc: bool = False) -> bytes:
    """The mail as it is sent, lines ended by CRLF. The same mail at the same time is the same bytes.

    `with_bcc`: for who keeps it rather than sends it on.
    """
    headers = "".join(f"{line}{CRLF}" for line in _headers(mail, parties, now_ms, with_bcc=with_bcc))
    return headers.encode() + _body(mail).as_bytes(policy=_ASCII_ONLY)


def require_ascii(parties: Envelope, provider: str) -> None:
    """Raises MailFailed where a mailbox is one that the provider does not take."""
    if parties.international:
        words = f"{provider} takes no address with letters beyond ASCII before the @; after it any name will do."
        raise MailFailed("invalid_address", words)


def _unseen(texts: Iterable[str], seen: set[str]) -> Iterator[Address]:
    for address in map(parse_address, texts):
        if address.mailbox.lower() not in seen:
            seen.add(address.mailbox.lower())
            yield address


def _headers(mail: Mail, parties: Envelope, now_ms: int, *, with_bcc: bool) -> Iterator[str]:
    utf8 = parties.international
    yield _addresses("From", (parties.sender,), utf8=utf8)
    yield _addresses("To", parties.to, utf8=utf8)
    others = (("Cc", parties.cc), ("Bcc", parties.bcc if with_bcc else ()), ("Reply-To", parties.reply_to))
    for name, listed in others:
        if listed:
            yield _addresses(name, listed, utf8=utf8)
    yield _unstructured("Subject", mail.subject)
    yield f"Date: {format_datetime(datetime.fromtimestamp(now_ms // 1000, UTC))}"
    yield f"Message-ID: {parties.message_id}"
    for name, value in mail.headers:
        yield _unstructured(name, value)


def _addresses(name: str, listed: Sequence[Address], *, utf8: bool) -> str:
    return f"{name}: " + f",{CRLF} ".join(_shown(each, utf8=utf8) for each in listed)


def _shown(address: Address, *, utf8: bool) -> str:
    if not address.name:
        return address.mailbox
    name = _shown_name(address.name, utf8=utf8)
    fold = CRLF if len(name) + len(address.mailbox) > MAX_LINE - 14 else ""
    return f"{name}{fold} <{address.mailbox}>"


def _shown_name(name: str, *, utf8: bool) -> str:
    if not utf8 and not _is_plain(name):
        return Header(name, "utf-8", maxlinelen=MAX_LINE - 8).encode(linesep=CRLF)
    return name if _ATOMS.fullmatch(name) else '"' + re.sub(r'(["\\])', r"\\\1", name) + '"'


def _unstructured(name: str, value: str) -> str:
    charset = "us-ascii" if _is_plain(value) else "utf-8"
    return f"{name}: {Header(value, charset, maxlinelen=MAX_LINE, header_name=name).encode(linesep=CRLF)}"


def _is_plain(text: str) -> bool:
    """Whether it can stand as it is: what looks like an encoded word would be decoded by whoever reads it."""
    return text.isascii() and "=?" not in text


def _body(mail: Mail) -> EmailMessage:
    body = EmailMessage(policy=_ASCII_ONLY)
    if mail.text:
        body.set_content(mail.text)
    if mail.html:
        add = body.add_alternative if mail.text else body.set_content
        add(mail.html, subtype="html")
    if body.is_multipart():
        told = f"{mail.key}\0{mail.text}\0{mail.html}".encode()
        # No body has it in it: neither encoding leaves `=_` standing, and nobody can write what depends on all of it.
        body.set_boundary(f"=_{hashlib.sha256(told).hexdigest()[:32]}")
    return body
