"""A mailer as the rest of Pulse sees it."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from pulse.core.errors import PulseError
from pulse.mail.addresses import parse_address, unprintable

MAX_RECIPIENTS = 50
MAX_SUBJECT = 500
MAX_BODY = 2 * 1024 * 1024
MAX_KEY = 512
MAX_HEADERS = 20
MAX_HEADER = 900
MAX_REPLY_TO = 10

REASONS = frozenset(
    (
        "unauthorized",
        "invalid_address",
        "rejected",
        "rate_limited",
        "too_large",
        "unreachable",
        "timeout",
        "not_configured",
    )
)
RETRYABLE = frozenset(("rate_limited", "unreachable", "timeout"))
_HEADER_NAME = re.compile(r"X-[A-Za-z0-9-]{1,70}", re.IGNORECASE)
_OTHER_HEADERS = frozenset(
    (
        "auto-submitted",
        "importance",
        "in-reply-to",
        "list-id",
        "list-unsubscribe",
        "list-unsubscribe-post",
        "references",
    )
)
# By these a provider is told whom to send to, in whose name, and at whose cost.
_PROVIDERS_OWN = ("x-ses-", "x-smtpapi", "x-sg-", "x-mailgun-", "x-mc-", "x-msys-", "x-pm-", "x-pulse-", "x-mj-")


class MailFailed(PulseError):
    """The mail was not taken. `reason` is one of REASONS; `retryable`: the same mail may be taken later.

    After `timeout` and `unreachable` it is not known whether the server took it; a repeat has the same Message-ID.
    """

    code = "mail_failed"

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason

    @property
    def retryable(self) -> bool:
        return self.reason in RETRYABLE


@dataclass(frozen=True)
class Mail:
    """One mail. Addresses are `ada@example.com` or `Ada Lovelace <ada@example.com>`; at least one in `to`, at most 50
    in `to`, `cc` and `bcc` together (each mailbox counts and gets it once).

    `text` or `html` or both, each at most 2 MiB; `subject` at most 500 characters. `sender` is the mailer's own where
    it is None. `headers` are pairs, at most 20: names that begin with `X-` and tell no provider anything, and a few of
    the standard ones. `key` is the idempotency key: mails of one key are the same mail. From it comes the Message-ID.

    Raises MailFailed: `invalid_address`, `too_large`, or `rejected` for anything else that no mailer would take.
    """

    to: Sequence[str]
    subject: str
    key: str
    text: str | None = field(default=None, repr=False)
    html: str | None = field(default=None, repr=False)
    cc: Sequence[str] = ()
    bcc: Sequence[str] = ()
    reply_to: Sequence[str] = ()
    sender: str | None = None
    headers: Sequence[tuple[str, str]] = ()

    def __post_init__(self) -> None:
        for reason, message in _faults(self):
            raise MailFailed(reason, message)


@dataclass(frozen=True)
class Sent:
    """A mail that was taken. `message_id` comes from the mail's key and sender, and `provider_id` from the provider.

    `accepted` are the mailboxes that were taken, `refused` those that the server did not want though it took others.
    """

    message_id: str
    accepted: tuple[str, ...]
    refused: tuple[str, ...] = ()
    provider_id: str | None = None


class Mailer(Protocol):
    """Hands mail over to whoever delivers it. Every method but `close` raises MailFailed, and nothing else."""

    async def send(self, mail: Mail) -> Sent:
        """Hands one mail over, in one attempt: trying again is for the caller, with the same key.

        Taken is not delivered. Only the outbox knows a repeat of a key; for a server it is the Message-ID that is the
        same, by which the recipient's programs can tell.
        """
        ...

    async def check(self) -> None:
        """Whether mail can be handed over now, without sending any."""
        ...

    async def close(self) -> None:
        """Ends what is open. May be called twice."""
        ...


def _faults(mail: Mail) -> Iterator[tuple[str, str]]:
    yield from _address_faults(mail)
    if not 1 <= len(mail.key) <= MAX_KEY or unprintable(mail.key):
        yield "rejected", f"A key has 1 to {MAX_KEY} characters, and no control characters."
    if len(mail.subject) > MAX_SUBJECT:
        yield "too_large", f"A subject has at most {MAX_SUBJECT} characters; this one has {len(mail.subject)}."
    if not mail.subject.strip() or unprintable(mail.subject):
        yield "rejected", "A subject is one line of text: leave out line breaks and other control characters."
    yield from _body_faults(mail)
    yield from _header_faults(mail.headers)


def _address_faults(mail: Mail) -> Iterator[tuple[str, str]]:
    fields = {"to": mail.to, "cc": mail.cc, "bcc": mail.bcc, "reply_to": mail.reply_to}
    fields["sender"] = () if mail.sender is None else (mail.sender,)
    for name, texts in fields.items():
        if isinstance(texts, str):
            yield "invalid_address", f"`{name}` is a list of addresses: write [{texts[:80]!r}]."
            return
        for text in texts:
            try:
                parse_address(text)
            except ValueError as error:
                yield "invalid_address", f"{name}: {error}"
    if not mail.to:
        yield "invalid_address", "A mail is sent `to` at least one address."
    if (count := len(mail.to) + len(mail.cc) + len(mail.bcc)) > MAX_RECIPIENTS:
        yield "too_large", f"A mail goes to at most {MAX_RECIPIENTS} addresses in all, not {count}: send several."
    if len(mail.reply_to) > MAX_REPLY_TO:
        yield "too_large", f"A mail has at most {MAX_REPLY_TO} addresses to reply to."


def _body_faults(mail: Mail) -> Iterator[tuple[str, str]]:
    if not mail.text and not mail.html:
        yield "rejected", "A mail has a `text` or an `html`, or both."
    for name, body in (("text", mail.text or ""), ("html", mail.html or "")):
        if "\0" in body or not _is_unicode(body):
            yield "rejected", f"`{name}` is Unicode text without NUL characters."
        elif len(body.encode()) > MAX_BODY:
            yield "too_large", f"`{name}` has at most {MAX_BODY:,} bytes; this one has {len(body.encode()):,}."


def _header_faults(headers: Sequence[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    if len(headers) > MAX_HEADERS:
        yield "too_large", f"A mail has at most {MAX_HEADERS} headers of your own."
    for name, value in headers:
        lower = name.lower()
        if not (_HEADER_NAME.fullmatch(name) or lower in _OTHER_HEADERS) or lower.startswith(_PROVIDERS_OWN):
            yield "rejected", f"The header {name[:80]!r} cannot be set: use a name of your own that begins with X-."
        if len(value) > MAX_HEADER:
            yield "too_large", f"The header {name[:80]} has at most {MAX_HEADER} characters."
        if not value.strip() or unprintable(value):
            yield "rejected", f"The header {name[:80]!r} is one line of text, without control characters."


def _is_unicode(text: str) -> bool:
    """Whether there is no half of a surrogate pair in it."""
    return not any("\ud800" <= letter <= "\udfff" for letter in text)
