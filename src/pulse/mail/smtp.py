"""Mail by SMTP: a connection a mail, by TLS unless the address says otherwise.

The address is `smtp://user:password@host:587` (STARTTLS, which the server must offer) or `smtps://user:password@host`
(TLS from the first byte, port 465), with special characters percent-encoded. `?tls=none` leaves TLS out and
`?tls=auto` takes it where it is offered; both send a password to this machine only. `?ca=/path/to/ca.pem` trusts that
authority instead of the system's.
"""

import asyncio
import ipaddress
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from aiosmtplib import (
    SMTP,
    SMTPAuthenticationError,
    SMTPException,
    SMTPNotSupported,
    SMTPRecipientsRefused,
    SMTPResponseException,
    SMTPSenderRefused,
    SMTPTimeoutError,
)

from pulse.core.clock import Clock
from pulse.core.errors import Misconfigured
from pulse.mail.compose import Envelope, compose, envelope
from pulse.mail.port import Mail, MailFailed, Sent

_TLS = {"starttls": True, "auto": None, "none": False}


@dataclass(frozen=True)
class Server:
    """Where a server is and how it is spoken to. `start_tls`: True it must, None it may, False it must not."""

    host: str
    port: int
    use_tls: bool
    start_tls: bool | None
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    ca_file: str | None = None


def parse_server(url: str) -> Server:
    """Raises Misconfigured, in words that repeat nothing of the address."""
    try:
        split = urlsplit(url)
        options = dict(parse_qsl(split.query, strict_parsing=True) if split.query else [])
        implicit = {"smtp": False, "smtps": True}[split.scheme]
        start_tls = False if implicit else _TLS[options.pop("tls", "starttls")]
        server = _server(split, implicit, start_tls, options.pop("ca", None))
    except (ValueError, KeyError):
        raise Misconfigured(_EXPECTED) from None
    if options or not server.host or (server.username is None) != (server.password is None):
        raise Misconfigured(_EXPECTED)
    if server.password and not implicit and not start_tls and not _is_this_machine(server.host):
        raise Misconfigured("PULSE_MAIL_URL would send its password in the clear: leave out tls=none and tls=auto.")
    return server


class SmtpMailer:
    """Mail by way of one server; implements `Mailer`. `timeout_s` bounds a whole exchange, connecting included.

    A mail that is taken for some of its recipients is sent; the others are in `Sent.refused`.
    """

    def __init__(self, url: str, clock: Clock, *, sender: str | None = None, timeout_s: float = 30.0) -> None:
        self._server = parse_server(url)
        self._clock = clock
        self._sender = sender
        self._timeout_s = timeout_s
        self._tls = _tls_context(self._server)

    async def send(self, mail: Mail) -> Sent:
        parties = envelope(mail, self._sender)
        data = compose(mail, parties, self._clock.now_ms())
        async with self._session() as client:
            refused = await _deliver(client, parties, data)
        accepted = tuple(each for each in parties.recipients if each not in refused)
        return Sent(parties.message_id, accepted, tuple(refused))

    async def check(self) -> None:
        async with self._session() as client:
            await client.noop()

    async def close(self) -> None:
        """No connection outlives its mail."""

    @asynccontextmanager
    async def _session(self) -> AsyncIterator[SMTP]:
        server = self._server
        client = SMTP(
            hostname=server.host,
            port=server.port,
            username=server.username,
            password=server.password,
            use_tls=server.use_tls,
            start_tls=server.start_tls,
            tls_context=self._tls,
            timeout=self._timeout_s,
        )
        try:
            async with asyncio.timeout(self._timeout_s):
                await client.connect()
                yield client
                await _part(client)
        except (SMTPException, OSError) as error:
            raise _translated(error) from error
        finally:
            client.close()


async def _deliver(client: SMTP, parties: Envelope, data: bytes) -> dict[str, object]:
    """Sends it; returns the mailboxes that were refused though others were taken."""
    options = []
    if parties.international:
        # Asked for here, since the library asks after it has begun.
        if not client.supports_extension("smtputf8"):
            words = "The mail server takes no address with letters beyond ASCII before the @."
            raise MailFailed("invalid_address", words)
        options = ["SMTPUTF8", "BODY=8BITMIME"]
    refused, _ = await client.sendmail(parties.sender.mailbox, parties.recipients, data, mail_options=options)
    return dict(refused)


async def _part(client: SMTP) -> None:
    """Says goodbye. The mail is taken by now, whatever the server makes of that."""
    try:
        await client.quit()
    except (SMTPException, OSError):
        client.close()


def _server(split: SplitResult, implicit: bool, start_tls: bool | None, ca_file: str | None) -> Server:  # noqa: FBT001 - one call
    port = split.port or (465 if implicit else 587 if start_tls else 25)
    username = None if split.username is None else unquote(split.username)
    password = None if split.password is None else unquote(split.password)
    return Server(split.hostname or "", port, implicit, start_tls, username, password, ca_file)


def _tls_context(server: Server) -> ssl.SSLContext | None:
    if not server.use_tls and server.start_tls is False:
        return None
    try:
        return ssl.create_default_context(cafile=server.ca_file)
    except (OSError, ssl.SSLError):
        raise Misconfigured(f"PULSE_MAIL_URL names an authority that cannot be read: {server.ca_file}") from None


def _is_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _translated(error: SMTPException | OSError) -> MailFailed:
    if isinstance(error, SMTPTimeoutError | TimeoutError):
        return MailFailed("timeout", "The mail server did not answer in time.")
    if isinstance(error, SMTPRecipientsRefused):
        return _none_wanted(error)
    if isinstance(error, SMTPResponseException):
        return MailFailed(_reason(error), f"The mail server said no: {error.code} {_words(error.message)}")
    if _certificate_of(error) is not None:
        return MailFailed("not_configured", "The mail server's certificate is not trusted: see to it, or give its ca.")
    if isinstance(error, SMTPNotSupported) or type(error) is SMTPException:
        return MailFailed("not_configured", f"The mail server cannot be used so: {_words(str(error))}")
    return MailFailed("unreachable", f"The mail server cannot be reached, or hung up: {_words(str(error))}")


def _none_wanted(error: SMTPRecipientsRefused) -> MailFailed:
    """Nobody's mailbox was taken. Where one may be later, so may the mail."""
    first = error.recipients[0]
    later = any(400 <= each.code < 500 for each in error.recipients)
    words = f"The mail server wants none of the recipients: {first.code} {_words(first.message)}"
    return MailFailed("rate_limited" if later else "invalid_address", words)


def _reason(error: SMTPResponseException) -> str:
    if 400 <= error.code < 500:
        return "rate_limited"
    if isinstance(error, SMTPAuthenticationError) or error.code in (530, 535):
        return "unauthorized"
    if error.code == 552:
        return "too_large"
    return "invalid_address" if isinstance(error, SMTPSenderRefused) and error.code in (501, 553) else "rejected"


def _certificate_of(error: BaseException | None) -> ssl.SSLCertVerificationError | None:
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return error
        error = error.__cause__ or error.__context__
    return None


def _words(text: str) -> str:
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())[:300]


_EXPECTED = (
    "PULSE_MAIL_URL must be like smtp://user:password@host:587 or smtps://user:password@host, with special characters "
    "percent-encoded; options: tls=starttls, auto or none (smtp only), ca=/path/to/ca.pem."
)
