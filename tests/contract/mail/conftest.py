"""Each mailer with the server it speaks to, and what came of it there, told in one way."""

import email
import email.policy
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.utils import getaddresses, parseaddr
from pathlib import Path
from typing import Any

import pytest
from moto.server import ThreadedMotoServer
from moto.ses.models import ses_backends

from pulse.mail.outbox import OutboxMailer
from pulse.mail.port import Mailer
from pulse.mail.sendgrid import SendGridMailer
from pulse.mail.ses import SesMailer
from pulse.mail.smtp import SmtpMailer
from tests.contract.conftest import SetClock
from tests.contract.mail import fake_sendgrid
from tests.contract.mail.smtp_server import mail_server
from tests.contract.mail.way_out import UncheckedEgress

SENDER = "Pulse <pulse@example.com>"
REGION = "us-east-2"


@dataclass(frozen=True)
class Received:
    """A mail as it came in. `recipients` are whom it goes to, `bcc` too; the rest is what they are shown."""

    sender: str
    recipients: frozenset[str]
    subject: str
    text: str | None
    html: str | None
    message_id: str
    to: tuple[tuple[str, str], ...]
    cc: tuple[tuple[str, str], ...] = ()
    bcc: tuple[tuple[str, str], ...] = ()
    reply_to: tuple[tuple[str, str], ...] = ()
    headers: frozenset[tuple[str, str]] = frozenset()


@dataclass(frozen=True)
class Post:
    """A mailer, and what has arrived where it hands its mail over."""

    kind: str
    mailer: Mailer
    received: Callable[[], list[Received]]


def from_bytes(raw: bytes, sender: str | None, recipients: list[str] | None) -> Received:
    """What a reader makes of a message; who gets it is what its headers say where nothing else does."""
    message = email.message_from_bytes(raw, policy=email.policy.default)
    # The library's newer parser puts spaces into names of several encoded words.
    plain = email.message_from_bytes(raw)
    shown = {name: _parties(plain.get(name)) for name in ("From", "To", "Cc", "Bcc", "Reply-To")}
    everybody = [mailbox for name in ("To", "Cc", "Bcc") for _, mailbox in shown[name]]
    return Received(
        sender=sender or shown["From"][0][1],
        recipients=frozenset(everybody if recipients is None else recipients),
        subject=str(message["Subject"]),
        text=_body(message, "plain"),
        html=_body(message, "html"),
        message_id=str(message.get("X-Pulse-Message-ID", message["Message-ID"])),
        to=shown["To"],
        cc=shown["Cc"],
        bcc=shown["Bcc"],
        reply_to=shown["Reply-To"],
        headers=frozenset((name, str(value)) for name, value in message.items()),
    )


def _parties(header: Any) -> tuple[tuple[str, str], ...]:
    text = "" if header is None else str(header).replace("\r\n", "").replace("\n", "")
    return tuple((str(make_header(decode_header(name))), mailbox) for name, mailbox in getaddresses([text]) if mailbox)


def _body(message: EmailMessage, kind: str) -> str | None:
    part = message.get_body((kind,))
    return None if part is None else str(part.get_content()).replace("\r\n", "\n").removesuffix("\n")


def from_sendgrid(mail: dict[str, Any]) -> Received:
    def listed(parties: list[dict[str, str]] | None) -> tuple[tuple[str, str], ...]:
        return tuple((each.get("name", ""), each["email"]) for each in parties or [])

    [to] = mail["personalizations"]
    bodies = {each["type"]: each["value"] for each in mail["content"]}
    return Received(
        sender=mail["from"]["email"],
        recipients=frozenset(mailbox for parties in to.values() for _, mailbox in listed(parties)),
        subject=mail["subject"],
        text=bodies.get("text/plain"),
        html=bodies.get("text/html"),
        message_id=mail["headers"]["Message-ID"],
        to=listed(to["to"]),
        cc=listed(to.get("cc")),
        reply_to=listed(mail.get("reply_to_list")),
        headers=frozenset(mail["headers"].items()),
    )


@pytest.fixture(scope="session")
def moto_url() -> Iterator[str]:
    """A server that stands in for AWS."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@asynccontextmanager
async def outbox_post(request: pytest.FixtureRequest, tmp_path: Path, clock: SetClock) -> AsyncIterator[Post]:
    folder = tmp_path / "data" / "outbox"

    def received() -> list[Received]:
        return [from_bytes(path.read_bytes(), None, None) for path in sorted(folder.glob("*"))]

    yield Post("outbox", OutboxMailer(folder, clock, sender=SENDER), received)


@asynccontextmanager
async def smtp_post(request: pytest.FixtureRequest, tmp_path: Path, clock: SetClock) -> AsyncIterator[Post]:
    async with mail_server(tmp_path, "starttls") as server:

        def received() -> list[Received]:
            return [from_bytes(each.original_content or b"", each.mail_from, each.rcpt_tos) for each in server.taken]

        yield Post("smtp", SmtpMailer(server.url(), clock, sender=SENDER), received)


@asynccontextmanager
async def ses_post(request: pytest.FixtureRequest, tmp_path: Path, clock: SetClock) -> AsyncIterator[Post]:
    backend = ses_backends["123456789012"][REGION]
    backend.reset()
    mailer = SesMailer(
        clock,
        sender=SENDER,
        region=REGION,
        endpoint_url=request.getfixturevalue("moto_url"),
        access_key="AKIAPULSETEST",
        secret_key="secret",
    )
    client = await mailer._opened()
    for identity in ("pulse@example.com", "alerts@example.com"):
        await client.create_email_identity(EmailIdentity=identity)

    def received() -> list[Received]:
        return [
            from_bytes(each.raw_data.encode(), each.source, _mailboxes(each.destinations))
            for each in backend.sent_messages
        ]

    yield Post("ses", mailer, received)


def _mailboxes(destinations: list[str]) -> list[str]:
    """moto adds those that the message's headers name, with their names."""
    return [parseaddr(each)[1] for each in destinations]


@asynccontextmanager
async def sendgrid_post(request: pytest.FixtureRequest, tmp_path: Path, clock: SetClock) -> AsyncIterator[Post]:
    with fake_sendgrid.running() as server:
        egress = UncheckedEgress()
        mailer = SendGridMailer(fake_sendgrid.KEY, egress, sender=SENDER, base_url=server.url)
        yield Post("sendgrid", mailer, lambda: list(map(from_sendgrid, server.taken)))
        await egress.close()


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture(params=[outbox_post, smtp_post, ses_post, sendgrid_post], ids=["outbox", "smtp", "ses", "sendgrid"])
async def post(request: pytest.FixtureRequest, tmp_path: Path, clock: SetClock) -> AsyncIterator[Post]:
    async with AsyncExitStack() as stack:
        post: Post = await stack.enter_async_context(request.param(request, tmp_path, clock))
        yield post
        await post.mailer.close()
