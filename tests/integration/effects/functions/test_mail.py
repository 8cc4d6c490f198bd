"""`sendEmail` by the outbox and by a mail server, `sendGridSend` by SendGrid's API."""

import asyncio
import email
import email.policy
import json
from collections.abc import AsyncIterator, Iterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from pulse.mail.outbox import OutboxMailer
from pulse.mail.sendgrid import SendGridMailer
from pulse.mail.smtp import SmtpMailer
from tests.contract.conftest import SetClock
from tests.contract.mail import fake_sendgrid
from tests.contract.mail.fake_sendgrid import FakeSendGrid
from tests.contract.mail.smtp_server import MailServer, mail_server
from tests.integration.effects.functions.bench import CANARY, Bench, Ran, hides
from tests.integration.effects.functions.conftest import WaysOut
from tests.integration.egress.servers import Server, listening

SENDER = "Pulse <pulse@example.com>"
HELLO = {"to": "Ada Lovelace <ada@example.com>, bob@example.com", "subject": "Grüße", "text": "Hello.", "html": "<p>Hi"}


def send(**given: Any) -> str:
    return f"await sendEmail({json.dumps({**HELLO, **given})})"


def by_key(**given: Any) -> str:
    return f"await sendGridSend({json.dumps({**HELLO, 'from': SENDER, **given})})"


def entry(ran: Ran) -> dict[str, Any]:
    return {name: value for name, value in ran.entry.items() if name != "messageId"}


# ---- the outbox --------------------------------------------------------------------------------------------------


@pytest.fixture
def outbox(bench: Bench, tmp_path: Path) -> Bench:
    return bench.reaching(mailer=OutboxMailer(tmp_path / "outbox", SetClock(), sender=SENDER))


def written(folder: Path) -> list[EmailMessage]:
    """The mails of the outbox."""
    files = sorted((folder / "outbox").glob("*.eml"))
    parser = email.policy.default
    return [email.message_from_bytes(file.read_bytes(), policy=parser) for file in files]


async def test_a_mail_is_in_the_outbox(outbox: Bench, tmp_path: Path) -> None:
    ran = await outbox.tried(send(cc="cc@example.com", bcc=["bcc@example.com"], replyTo="desk@example.com"))
    (mail,) = written(tmp_path)
    assert (mail["Subject"], mail["From"], mail["Reply-To"]) == ("Grüße", SENDER, "desk@example.com")
    assert mail["To"] == "Ada Lovelace <ada@example.com>, bob@example.com"
    accepted = ["ada@example.com", "bob@example.com", "cc@example.com", "bcc@example.com"]
    assert ran.result == {"messageId": mail["Message-ID"], "accepted": accepted, "refused": []}
    assert entry(ran) == {"type": "api", "service": "mail", "subject": "Grüße", "to": 2, "success": True}
    assert ran.entry["messageId"] == mail["Message-ID"]


async def test_a_repeat_is_the_same_mail(outbox: Bench, tmp_path: Path) -> None:
    first = await outbox.tried(send())
    again = await outbox.tried(send(), like=first, past=first.cut_off())
    assert (again.result, len(written(tmp_path))) == (first.result, 1)
    other = await outbox.tried(send())
    assert other.result["messageId"] != first.result["messageId"]
    assert len(written(tmp_path)) == 2


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"to": "nobody"}, "invalid_address"),
        ({"to": ""}, "invalid_address"),
        ({"to": []}, "invalid_address"),
        ({"from": "ada@example.com\r\nBcc: eve@example.com"}, "invalid_address"),
        ({"cc": "@"}, "invalid_address"),
        ({"subject": ""}, "rejected"),
        ({"subject": "Hello\r\nBcc: eve@example.com"}, "rejected"),
        ({"subject": "x" * 501}, "too_large"),
        ({"to": [f"a{n}@example.com" for n in range(51)]}, "too_large"),
        ({"text": None, "html": None}, "rejected"),
        ({"headers": {"Bcc": "eve@example.com"}}, "rejected"),
        ({"headers": {"X-Priority": "1\r\nBcc: eve@example.com"}}, "rejected"),
    ],
)
async def test_what_no_mail_may_be(outbox: Bench, tmp_path: Path, given: dict[str, Any], code: str) -> None:
    ran = await outbox.tried(send(**given))
    assert (ran.failure.code, ran.failure.retryable) == (code, False)
    assert (ran.entry["success"], ran.entry["code"]) == (False, code)
    assert written(tmp_path) == []


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (send(to=5), "mail.to: Expected `str | array`, got `int`."),
        (send(subject=None), "mail.subject: Expected `str`, got `null`."),
        (send(body="x"), "mail: Object contains unknown field `body`."),
        (send(headers={"X-A": 1}), "mail.headers[...]: Expected `str`, got `int`."),
        ("await sendEmail({ subject: 'x', text: 'y' })", "mail: Object missing required field `to`."),
        ("await sendEmail('ada@example.com', 'Hello')", "mail: Expected `object`, got `str`."),
        ("await sendEmail()", "Call it as await sendEmail({to, subject, text?"),
    ],
)
async def test_faults_of_arguments(outbox: Bench, tmp_path: Path, call: str, words: str) -> None:
    ran = await outbox.tried(call)
    assert ran.failure.code == "invalid_arguments"
    assert words in ran.failure.message
    assert written(tmp_path) == []


async def test_there_may_be_no_mailer(bench: Bench) -> None:
    failure = (await bench.tried(send())).failure
    assert (failure.code, "PULSE_MAIL_URL" in failure.message) == ("not_configured", True)


async def test_a_secret_in_a_mail_is_in_the_mail_alone(outbox: Bench, tmp_path: Path) -> None:
    call = "await sendEmail({ to: 'ada@example.com', subject: 'Your key: ' + KEY, text: KEY })"
    ran = await outbox.tried(call, variables={"KEY": CANARY})
    assert written(tmp_path)[0].get_content().strip() == CANARY
    assert ran.entry["subject"] == "Your key: ***"
    hides(ran)


# ---- a mail server -----------------------------------------------------------------------------------------------


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[MailServer]:
    async with mail_server(tmp_path, "starttls") as running:
        yield running


@pytest.fixture
async def smtp(bench: Bench, server: MailServer) -> AsyncIterator[Bench]:
    mailer = SmtpMailer(server.url(), SetClock(), sender=SENDER)
    yield bench.reaching(mailer=mailer)
    await mailer.close()


async def test_the_mail_server_takes_it(smtp: Bench, server: MailServer) -> None:
    ran = await smtp.tried(send())
    (taken,) = server.taken
    assert (taken.mail_from, taken.rcpt_tos) == ("pulse@example.com", ["ada@example.com", "bob@example.com"])
    content = taken.content
    assert isinstance(content, bytes)
    assert f"Message-ID: {ran.result['messageId']}".encode() in content
    assert server.sessions_with_tls == [True]


async def test_a_repeat_has_the_same_message_id(smtp: Bench, server: MailServer) -> None:
    first = await smtp.tried(send())
    again = await smtp.tried(send(), like=first, past=first.cut_off())
    assert (again.result["messageId"], len(server.taken)) == (first.result["messageId"], 2)


async def test_whom_the_server_does_not_want_is_told(smtp: Bench, server: MailServer) -> None:
    server.answers["bob@example.com"] = "550 5.1.1 No such user"
    ran = await smtp.tried(send())
    assert (ran.result["accepted"], ran.result["refused"]) == (["ada@example.com"], ["bob@example.com"])


@pytest.mark.parametrize(
    ("command", "answer", "code", "retryable"),
    [
        ("DATA", "554 5.7.1 Spam", "rejected", False),
        ("DATA", "552 5.3.4 Message too big", "too_large", False),
        ("DATA", "451 4.3.0 Try again later", "rate_limited", True),
        ("MAIL", "450 4.7.1 Slow down", "rate_limited", True),
    ],
)
async def test_what_the_server_refuses(
    smtp: Bench, server: MailServer, command: str, answer: str, code: str, *, retryable: bool
) -> None:
    server.answers[command] = answer
    ran = await smtp.tried(send())
    assert (ran.failure.code, ran.failure.retryable) == (code, retryable), ran.failure
    assert (ran.entry["success"], ran.entry["code"]) == (False, code)


async def test_a_server_that_is_not_there(bench: Bench) -> None:
    mailer = SmtpMailer(f"smtp://user:{CANARY}@127.0.0.1:1", SetClock(), sender=SENDER)
    ran = await bench.reaching(mailer=mailer).tried(send())
    assert (ran.failure.code, ran.failure.retryable) == ("unreachable", True)
    hides(ran)


async def test_a_password_that_the_server_does_not_take(bench: Bench, server: MailServer) -> None:
    mailer = SmtpMailer(server.url(credentials=f"pulse:{CANARY}@"), SetClock(), sender=SENDER)
    ran = await bench.reaching(mailer=mailer).tried(send())
    assert (ran.failure.code, ran.failure.retryable) == ("unauthorized", False)
    hides(ran)


async def test_a_server_that_says_nothing(bench: Bench) -> None:
    silent = Server("127.0.0.1")

    async def listen(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with listening(silent, listen):
        mailer = SmtpMailer(f"smtp://{silent.authority}", SetClock(), sender=SENDER, timeout_s=0.1)
        ran = await bench.reaching(mailer=mailer).tried(send())
    assert (ran.failure.code, ran.failure.retryable, ran.entry["code"]) == ("timeout", True, "timeout")


# ---- SendGrid ----------------------------------------------------------------------------------------------------

KNOWN = {"SENDGRID_API_KEY": fake_sendgrid.KEY}


@pytest.fixture
def sendgrid() -> Iterator[FakeSendGrid]:
    with fake_sendgrid.running() as server:
        yield server


@pytest.fixture
def grid(bench: Bench, sendgrid: FakeSendGrid, ways_out: WaysOut) -> Bench:
    egress = ways_out(sendgrid.url.removeprefix("http://"))
    return bench.reaching(
        mailer_of_key=lambda key, sender: SendGridMailer(key, egress, sender=sender, base_url=sendgrid.url)
    )


async def test_sendgrid_takes_it(grid: Bench, sendgrid: FakeSendGrid) -> None:
    ran = await grid.tried(by_key(), variables=KNOWN)
    (taken,) = sendgrid.taken
    assert taken["from"] == {"email": "pulse@example.com", "name": "Pulse"}
    assert taken["headers"]["Message-ID"] == ran.result["messageId"]
    assert ran.result["accepted"] == ["ada@example.com", "bob@example.com"]
    assert entry(ran) == {"type": "api", "service": "mail", "subject": "Grüße", "to": 2, "success": True}
    hides(ran, fake_sendgrid.KEY)


async def test_the_sender_may_be_a_variable(grid: Bench, sendgrid: FakeSendGrid) -> None:
    call = f"await sendGridSend({json.dumps(HELLO)})"
    ran = await grid.tried(call, variables=KNOWN)
    assert (ran.failure.code, "SENDGRID_FROM" in ran.failure.message) == ("not_configured", True)
    ran = await grid.tried(call, variables={**KNOWN, "SENDGRID_FROM": "desk@example.com"})
    assert (ran.result["refused"], sendgrid.taken[0]["from"]) == ([], {"email": "desk@example.com"})


async def test_a_repeat_has_the_same_id_and_the_same_key(grid: Bench, sendgrid: FakeSendGrid) -> None:
    first = await grid.tried(by_key(), variables=KNOWN)
    await grid.tried(by_key(), variables=KNOWN, like=first, past=first.cut_off())
    one, other = sendgrid.taken
    assert (one["headers"], one["custom_args"]) == (other["headers"], other["custom_args"])


async def test_without_a_key_nothing_is_sent(grid: Bench, sendgrid: FakeSendGrid) -> None:
    failure = (await grid.tried(by_key())).failure
    assert (failure.code, "SENDGRID_API_KEY" in failure.message) == ("not_configured", True)
    assert sendgrid.taken == []


@pytest.mark.parametrize(
    ("status", "code", "retryable"),
    [
        (400, "rejected", False),
        (401, "unauthorized", False),
        (403, "unauthorized", False),
        (413, "too_large", False),
        (429, "rate_limited", True),
        (500, "unreachable", True),
    ],
)
async def test_what_sendgrid_refuses(
    grid: Bench, sendgrid: FakeSendGrid, status: int, code: str, *, retryable: bool
) -> None:
    sendgrid.instead = (status, b'{"errors": [{"message": "No.", "field": null}]}')
    ran = await grid.tried(by_key(), variables={"SENDGRID_API_KEY": CANARY})
    assert (ran.failure.code, ran.failure.retryable, ran.failure.effect) == (code, retryable, "sendGridSend")
    assert (ran.entry["success"], ran.entry["code"]) == (False, code)
    hides(ran)


async def test_an_address_that_sendgrid_does_not_take(grid: Bench) -> None:
    failure = (await grid.tried(by_key(to="eve@blocked.example"), variables=KNOWN)).failure
    assert failure.code == "invalid_address"


async def test_without_the_exception_sendgrid_is_out_of_bounds(
    bench: Bench, sendgrid: FakeSendGrid, ways_out: WaysOut
) -> None:
    egress = ways_out()
    grid = bench.reaching(
        mailer_of_key=lambda key, sender: SendGridMailer(key, egress, sender=sender, base_url=sendgrid.url)
    )
    assert (await grid.tried(by_key(), variables=KNOWN)).failure.code == "not_configured"
    assert sendgrid.taken == []
