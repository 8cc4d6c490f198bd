"""SES and SendGrid apart: how what they refuse is told, and what `check` finds out."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

from pulse.egress.port import AddressRefused, Egress, InvalidAddress, Reply, Request
from pulse.mail.port import Mail, Mailer, MailFailed
from pulse.mail.sendgrid import SendGridMailer
from pulse.mail.ses import SesMailer
from tests.contract.conftest import SetClock
from tests.contract.mail import fake_sendgrid
from tests.contract.mail.conftest import REGION, SENDER
from tests.contract.mail.fake_sendgrid import FakeSendGrid
from tests.contract.mail.way_out import UncheckedEgress

MAIL = Mail(to=["ada@example.com"], subject="Hello", text="Hello.", key="msg_1:wf_1:1")


async def failure(mailer: Mailer) -> tuple[str, str]:
    with pytest.raises(MailFailed) as failed:
        await mailer.send(MAIL)
    return failed.value.reason, failed.value.message


# ---- SendGrid ------------------------------------------------------------------------------------------------


@pytest.fixture
def server() -> Iterator[FakeSendGrid]:
    with fake_sendgrid.running() as server:
        yield server


@pytest.fixture
async def egress() -> AsyncIterator[Egress]:
    egress = UncheckedEgress()
    yield egress
    await egress.close()


@pytest.fixture
def mailer(server: FakeSendGrid, egress: Egress) -> SendGridMailer:
    return SendGridMailer(fake_sendgrid.KEY, egress, sender=SENDER, base_url=server.url)


@pytest.mark.parametrize(
    ("status", "reason", "retryable"),
    [
        (400, "rejected", False),
        (403, "unauthorized", False),
        (413, "too_large", False),
        (429, "rate_limited", True),
        (500, "unreachable", True),
        (302, "rejected", False),
    ],
)
async def test_sendgrids_status_becomes_a_reason(
    server: FakeSendGrid, mailer: SendGridMailer, status: int, reason: str, retryable: bool
) -> None:
    server.instead = (status, b'{"errors": [{"message": "in its words", "field": null, "help": null}]}')
    with pytest.raises(MailFailed, match="in its words") as failed:
        await mailer.send(MAIL)
    assert (failed.value.reason, failed.value.retryable) == (reason, retryable)


async def test_an_address_that_sendgrid_does_not_take_is_named(mailer: SendGridMailer) -> None:
    with pytest.raises(MailFailed, match="valid address") as failed:
        await mailer.send(Mail(to=["ada@blocked.example"], subject="s", text="t", key="k"))
    assert failed.value.reason == "invalid_address"


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"errors": "none"}', b'{"errors": [1]}', b"\xff"])
async def test_an_answer_that_is_no_answer_is_borne(server: FakeSendGrid, mailer: SendGridMailer, body: bytes) -> None:
    server.instead = (502, body)
    assert (await failure(mailer))[0] == "unreachable"


async def test_a_wrong_key_is_told_without_repeating_it(server: FakeSendGrid, egress: Egress) -> None:
    wrong = SendGridMailer("SG.s3cret", egress, sender=SENDER, base_url=server.url + "/")
    reason, message = await failure(wrong)
    assert reason == "unauthorized"
    assert "s3cret" not in message
    with pytest.raises(MailFailed):
        await wrong.check()


async def test_a_key_that_may_not_send_is_found_out(server: FakeSendGrid, mailer: SendGridMailer) -> None:
    server.scopes.remove("mail.send")
    with pytest.raises(MailFailed, match="Mail Send") as failed:
        await mailer.check()
    assert failed.value.reason == "unauthorized"


async def test_a_mail_can_be_found_again_by_its_key(server: FakeSendGrid, mailer: SendGridMailer) -> None:
    first, again = await mailer.send(MAIL), await mailer.send(MAIL)
    assert (first.provider_id, again.provider_id) == ("sg-1", "sg-2")
    assert len({str(each["custom_args"]) for each in server.taken}) == 1


async def test_sendgrid_out_of_reach_is_told(egress: Egress) -> None:
    with fake_sendgrid.running() as gone:
        url = gone.url
    reason, _ = await failure(SendGridMailer(fake_sendgrid.KEY, egress, sender=SENDER, base_url=url))
    assert reason == "unreachable"


@pytest.mark.parametrize("error", [AddressRefused, InvalidAddress])
async def test_an_address_that_egress_refuses_is_a_setting_to_mend(error: type[Exception]) -> None:
    class Refusing(UncheckedEgress):
        async def send(self, request: Request) -> Reply:
            raise error

    refusing = Refusing()
    assert (await failure(SendGridMailer("key", refusing, sender=SENDER)))[0] == "not_configured"
    await refusing.close()


async def test_who_sends_must_be_known(egress: Egress, server: FakeSendGrid) -> None:
    assert (await failure(SendGridMailer("key", egress, base_url=server.url)))[0] == "not_configured"


# ---- SES -----------------------------------------------------------------------------------------------------


def ses(endpoint_url: str, *, sender: str | None = "nobody@unknown.example", timeout_s: float = 10.0) -> SesMailer:
    keys = {"access_key": "AKIAPULSETEST", "secret_key": "s3cret"}
    return SesMailer(SetClock(), sender=sender, region=REGION, endpoint_url=endpoint_url, timeout_s=timeout_s, **keys)


async def test_a_sender_that_ses_does_not_know_is_found_out(moto_url: str) -> None:
    mailer = ses(moto_url)
    assert (await failure(mailer))[0] == "rejected"
    with pytest.raises(MailFailed) as failed:
        await mailer.check()
    assert failed.value.reason == "not_configured"
    await mailer.close()


async def test_ses_is_checked_by_the_senders_domain_too(moto_url: str) -> None:
    mailer = ses(moto_url, sender="Pulse <pulse@whole-domain.example>")
    await (await mailer._opened()).create_email_identity(EmailIdentity="whole-domain.example")
    await mailer.check()
    await mailer.close()


async def test_ses_without_a_sender_cannot_be_checked(moto_url: str) -> None:
    with pytest.raises(MailFailed, match="sender") as failed:
        await ses(moto_url, sender=None).check()
    assert failed.value.reason == "not_configured"


async def answering(status: int, code: str, message: str) -> tuple[asyncio.Server, str]:
    """A server that gives every request this error, in the form that AWS gives it."""
    body = f'{{"message": "{message}"}}'.encode()
    head = (
        f"HTTP/1.1 {status} X\r\nx-amzn-ErrorType: {code}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        length = next(line for line in request.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        await reader.readexactly(int(length.partition(b":")[2]))
        writer.write(head.encode() + body)
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    return server, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


@pytest.mark.parametrize(
    ("status", "code", "message", "reason", "retryable"),
    [
        (400, "MessageRejected", "Email address is not verified.", "not_configured", False),
        (400, "MessageRejected", "Message contains a virus", "rejected", False),
        (429, "TooManyRequestsException", "Maximum sending rate exceeded.", "rate_limited", True),
        (400, "LimitExceededException", "Daily message quota exceeded.", "rate_limited", True),
        (403, "AccessDeniedException", "not authorized to perform ses:SendEmail", "unauthorized", False),
        (403, "InvalidSignatureException", "The request signature does not match", "unauthorized", False),
        (403, "ExpiredTokenException", "The security token is expired", "unauthorized", False),
        (400, "AccountSuspendedException", "suspended", "unauthorized", False),
        (400, "MailFromDomainNotVerifiedException", "domain", "not_configured", False),
        (500, "InternalFailure", "oops", "unreachable", True),
    ],
)
async def test_what_ses_says_becomes_a_reason(
    status: int, code: str, message: str, reason: str, retryable: bool
) -> None:
    server, url = await answering(status, code, message)
    mailer = ses(url)
    with pytest.raises(MailFailed) as failed:
        await mailer.send(MAIL)
    assert (failed.value.reason, failed.value.retryable) == (reason, retryable)
    assert message in failed.value.message
    await mailer.close()
    server.close()


async def test_ses_out_of_reach_or_silent_is_told() -> None:
    server, url = await answering(200, "", "")
    server.close()
    gone = ses(url)
    assert (await failure(gone))[0] == "unreachable"
    await gone.close()
    held: list[asyncio.StreamWriter] = []
    silent = await asyncio.start_server(lambda _r, writer: held.append(writer), "127.0.0.1", 0)
    waiting = ses(f"http://127.0.0.1:{silent.sockets[0].getsockname()[1]}", timeout_s=2.0)
    await waiting._opened()
    assert (await failure(waiting))[0] == "timeout"
    await waiting.close()
    for writer in held:
        writer.close()
    silent.close()
