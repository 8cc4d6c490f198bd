"""SMTP apart: TLS and passwords, what servers refuse, and how a server that fails is told."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from pulse.core.errors import Misconfigured
from pulse.mail.port import Mail, MailFailed
from pulse.mail.smtp import SmtpMailer
from tests.contract.conftest import SetClock
from tests.contract.mail.conftest import SENDER
from tests.contract.mail.smtp_server import URL_USER, MailServer, mail_server

MAIL = Mail(to=["ada@example.com", "bob@example.com"], subject="Hello", text="Hello.", key="msg_1:wf_1:1")


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[MailServer]:
    async with mail_server(tmp_path, "starttls") as server:
        yield server


def mailer(url: str, timeout_s: float = 10.0) -> SmtpMailer:
    return SmtpMailer(url, SetClock(), sender=SENDER, timeout_s=timeout_s)


async def failure(mailer: SmtpMailer) -> MailFailed:
    with pytest.raises(MailFailed) as failed:
        await mailer.send(MAIL)
    return failed.value


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
async def test_mail_and_password_go_by_tls(tmp_path: Path, tls: str) -> None:
    async with mail_server(tmp_path, tls) as server:
        await mailer(server.url()).send(MAIL)
        assert (server.sessions_with_tls, server.logins) == ([True], 1)


async def test_a_server_without_tls_gets_mail_only_where_the_address_says_so(tmp_path: Path) -> None:
    async with mail_server(tmp_path, "none") as server:
        failed = await failure(mailer(server.url(credentials="")))
        assert (failed.reason, failed.retryable) == ("not_configured", False)
        assert server.taken == []
        for options in ("tls=none", "tls=auto"):
            await mailer(server.url(options, credentials="")).send(MAIL)
        assert server.sessions_with_tls == [False, False]


async def test_tls_is_taken_where_it_may_be(server: MailServer) -> None:
    await mailer(server.url("tls=auto")).send(MAIL)
    assert server.sessions_with_tls == [True]


async def test_a_certificate_that_nobody_vouches_for_ends_it(server: MailServer) -> None:
    server.ca_file = None
    failed = await failure(mailer(server.url()))
    assert (failed.reason, failed.retryable) == ("not_configured", False)
    assert "certificate" in failed.message
    assert server.taken == []


async def test_a_wrong_password_is_told_without_repeating_it(server: MailServer) -> None:
    with pytest.raises(MailFailed) as failed:
        await mailer(server.url(credentials=f"{URL_USER}:s3cret-pw@")).check()
    assert (failed.value.reason, failed.value.retryable) == ("unauthorized", False)
    assert "s3cret-pw" not in str(failed.value)


@pytest.mark.parametrize(
    ("command", "answer", "reason"),
    [
        ("MAIL", "451 4.3.0 Try again later", "rate_limited"),
        ("MAIL", "552 5.3.4 Message size exceeds fixed limit", "too_large"),
        ("MAIL", "553 5.1.8 Sender address rejected", "invalid_address"),
        ("MAIL", "550 5.7.1 Not on behalf of that domain", "rejected"),
        ("DATA", "554 5.7.1 Spam message rejected", "rejected"),
        ("DATA", "552 5.3.4 Too large", "too_large"),
        ("DATA", "452 4.3.1 Insufficient system storage", "rate_limited"),
    ],
)
async def test_what_the_server_says_becomes_a_reason(
    server: MailServer, command: str, answer: str, reason: str
) -> None:
    server.answers[command] = answer
    failed = await failure(mailer(server.url()))
    assert failed.reason == reason
    assert answer[4:] in failed.message
    assert failed.retryable == (answer[0] == "4")


async def test_a_mail_that_some_recipients_get_is_sent(server: MailServer) -> None:
    server.answers["bob@example.com"] = "550 5.1.1 No such user"
    sent = await mailer(server.url()).send(MAIL)
    assert (sent.accepted, sent.refused) == (("ada@example.com",), ("bob@example.com",))
    assert [each.rcpt_tos for each in server.taken] == [["ada@example.com"]]


@pytest.mark.parametrize(
    ("second", "reason"), [("550 5.1.1 No such user", "invalid_address"), ("450 4.2.0 Greylisted", "rate_limited")]
)
async def test_a_mail_that_nobody_gets_has_failed(server: MailServer, second: str, reason: str) -> None:
    server.answers |= {"ada@example.com": "550 5.1.1 No such user", "bob@example.com": second}
    assert (await failure(mailer(server.url()))).reason == reason


async def test_a_mail_over_the_servers_limit_is_too_large(tmp_path: Path) -> None:
    async with mail_server(tmp_path, "starttls", data_size_limit=1000) as server:
        with pytest.raises(MailFailed) as failed:
            await mailer(server.url()).send(Mail(to=["ada@example.com"], subject="s", text="x" * 2000, key="k"))
        assert failed.value.reason == "too_large"


async def test_a_server_without_smtputf8_is_asked_for_nothing_it_cannot_do(tmp_path: Path) -> None:
    async with mail_server(tmp_path, "starttls", enable_SMTPUTF8=False) as server:
        with pytest.raises(MailFailed) as failed:
            await mailer(server.url()).send(Mail(to=["用户@example.com"], subject="s", text="t", key="k"))
        assert failed.value.reason == "invalid_address"
        await mailer(server.url()).send(Mail(to=["Zoë <zoe@bücher.example>"], subject="ü", text="ü", key="k"))
        assert [each.rcpt_tos for each in server.taken] == [["zoe@xn--bcher-kva.example"]]


async def test_a_port_where_nobody_listens_is_unreachable() -> None:
    listener = await asyncio.start_server(lambda _r, _w: None, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    listener.close()
    failed = await failure(mailer(f"smtp://127.0.0.1:{port}?tls=none"))
    assert (failed.reason, failed.retryable) == ("unreachable", True)


async def test_a_server_that_says_nothing_runs_out_of_time() -> None:
    held: list[asyncio.StreamWriter] = []
    listener = await asyncio.start_server(lambda _r, writer: held.append(writer), "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    failed = await failure(mailer(f"smtp://127.0.0.1:{port}?tls=none", timeout_s=1.0))
    assert (failed.reason, failed.retryable) == ("timeout", True)
    for writer in held:
        writer.close()
    listener.close()


async def test_a_server_that_hangs_up_is_unreachable() -> None:
    listener = await asyncio.start_server(lambda _r, writer: writer.close(), "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    assert (await failure(mailer(f"smtp://127.0.0.1:{port}?tls=none"))).reason == "unreachable"
    listener.close()


async def test_a_mail_that_is_cancelled_leaves_no_connection(server: MailServer) -> None:
    asked = asyncio.Event()
    forever = asyncio.Event()

    async def hold(*_args: object) -> str:
        asked.set()
        await forever.wait()
        return "250 OK"

    server.handle_DATA = hold  # type: ignore[method-assign,assignment]
    sending = asyncio.create_task(mailer(server.url()).send(MAIL))
    await asked.wait()
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    forever.set()


def test_an_address_without_its_authoritys_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=r"ca\.pem"):
        mailer(f"smtp://127.0.0.1?ca={tmp_path}/ca.pem")
