"""The contract of `Mailer`, on every adapter: outbox, SMTP, Amazon SES, SendGrid."""

import pytest

from pulse.mail.port import Mail, MailFailed
from tests.contract.conftest import SetClock
from tests.contract.mail.conftest import Post

REPORT = Mail(
    to=["Zoë Äpfelbaum <zoe@example.com>", "ops@bücher.example"],
    cc=['"Lovelace, Ada" <ada@example.com>'],
    bcc=["audit@example.com"],
    reply_to=["Support <support@example.com>"],
    subject="Bestellung 4711 — versandt ✅",
    text="Guten Tag,\nIhre Bestellung über 129,00 € ist unterwegs.\n.\nEin Punkt stand allein.",
    html="<p>Ihre Bestellung über <b>129,00&nbsp;€</b> ist unterwegs.</p>",
    key="msg_01jd0q4y9zc8v2m6t3n7p5r1xw:wf_01jd:3",
    headers=[("X-Order", "4711"), ("Auto-Submitted", "auto-generated")],
)
PLAIN = Mail(to=["ada@example.com"], subject="Hello", text="Hello, Ada.", key="msg_1:wf_1:1")


async def test_a_mail_arrives_as_it_was_meant(post: Post) -> None:
    sent = await post.mailer.send(REPORT)
    [received] = post.received()
    assert (received.sender, received.subject) == ("pulse@example.com", REPORT.subject)
    assert (received.text, received.html) == (REPORT.text, REPORT.html)
    assert received.to == (("Zoë Äpfelbaum", "zoe@example.com"), ("", "ops@xn--bcher-kva.example"))
    assert received.cc == (("Lovelace, Ada", "ada@example.com"),)
    assert received.reply_to == (("Support", "support@example.com"),)
    assert {("X-Order", "4711"), ("Auto-Submitted", "auto-generated")} <= received.headers
    everybody = ("zoe@example.com", "ops@xn--bcher-kva.example", "ada@example.com", "audit@example.com")
    assert received.recipients == set(everybody)
    assert (sent.accepted, sent.refused) == (everybody, ())


async def test_who_gets_a_blind_copy_is_shown_to_nobody(post: Post) -> None:
    await post.mailer.send(REPORT)
    [received] = post.received()
    assert received.bcc == ((("", "audit@example.com"),) if post.kind == "outbox" else ())
    assert "audit@example.com" in received.recipients


async def test_a_repeat_has_the_same_message_id_and_another_key_another(post: Post, clock: SetClock) -> None:
    first = await post.mailer.send(PLAIN)
    again = await post.mailer.send(PLAIN)
    clock.ms += 1
    other = await post.mailer.send(Mail(to=PLAIN.to, subject=PLAIN.subject, text=PLAIN.text, key="msg_1:wf_1:2"))
    assert first.message_id == again.message_id != other.message_id
    expected = [first.message_id, other.message_id]
    assert [each.message_id for each in post.received()] == (
        expected if post.kind == "outbox" else [expected[0], *expected]
    )
    assert first.message_id.endswith("@example.com>")


async def test_a_mail_may_name_its_sender(post: Post) -> None:
    mail = Mail(to=["ada@example.com"], subject="Alert", text="!", key="k", sender="Alerts <alerts@example.com>")
    await post.mailer.send(mail)
    assert [each.sender for each in post.received()] == ["alerts@example.com"]


@pytest.mark.parametrize(("text", "html"), [("only text", None), (None, "<p>only html</p>")])
async def test_one_body_is_enough(post: Post, text: str | None, html: str | None) -> None:
    await post.mailer.send(Mail(to=["ada@example.com"], subject="One", text=text, html=html, key="k"))
    [received] = post.received()
    assert (received.text if text else received.html) == (text or html)
    assert (received.html if text else received.text) is None


async def test_a_mailbox_that_is_named_twice_gets_one(post: Post) -> None:
    mail = Mail(to=["ada@example.com"], cc=["Ada@Example.com"], bcc=["ADA@example.com"], subject="s", text="t", key="k")
    sent = await post.mailer.send(mail)
    [received] = post.received()
    assert sent.accepted == ("ada@example.com",)
    assert received.recipients == {"ada@example.com"}
    assert received.cc == ()


async def test_a_long_mail_of_many_scripts_arrives_whole(post: Post) -> None:
    text = "\n".join(f"{n}: naïve — 日本語 — Ελληνικά — {'x' * (n * 7)}" for n in range(150))
    subject = "日本語のとても長い件名です。" * 20
    await post.mailer.send(Mail(to=["ada@example.com"], subject=subject, text=text, html=f"<pre>{text}</pre>", key="k"))
    [received] = post.received()
    assert (received.subject, received.text, received.html) == (subject, text, f"<pre>{text}</pre>")


async def test_many_recipients_with_long_names_stay_as_many(post: Post) -> None:
    # moto counts those twice that the message names too, and so refuses the fifty that SES takes.
    count = 25 if post.kind == "ses" else 50
    to = [f"Jürgen Größenwahn-Überfahrt, Abteilung №{n} <r{n}@example.com>" for n in range(count)]
    sent = await post.mailer.send(Mail(to=to, subject="All", text="t", key="k"))
    [received] = post.received()
    assert len(sent.accepted) == len(received.recipients) == count
    assert received.to[24] == ("Jürgen Größenwahn-Überfahrt, Abteilung №24", "r24@example.com")


async def test_what_looks_like_encoded_text_is_taken_as_it_stands(post: Post) -> None:
    await post.mailer.send(Mail(to=["ada@example.com"], subject="=?utf-8?q?Cc=3A?=", text="t", key="k"))
    [received] = post.received()
    assert received.subject == "=?utf-8?q?Cc=3A?="


async def test_a_check_sends_nothing(post: Post) -> None:
    await post.mailer.check()
    assert post.received() == []


async def test_an_address_with_a_foreign_local_part_is_sent_or_refused_in_words(post: Post) -> None:
    mail = Mail(to=["用户@例子.example"], subject="Grüße", text="t", key="k")
    if post.kind in ("outbox", "smtp"):
        assert (await post.mailer.send(mail)).accepted == ("用户@xn--fsqu00a.example",)
        return
    with pytest.raises(MailFailed, match="beyond ASCII") as failed:
        await post.mailer.send(mail)
    assert (failed.value.reason, failed.value.retryable, post.received()) == ("invalid_address", False, [])


async def test_closing_twice_is_no_error(post: Post) -> None:
    await post.mailer.send(PLAIN)
    await post.mailer.close()
    await post.mailer.close()
