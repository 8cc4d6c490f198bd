"""Mail: `sendEmail` by the installation's mailer, `sendGridSend` with a key of the environment's own."""

from collections.abc import Callable
from typing import Any

import msgspec

from pulse.effects.calls import Call, Effect, EffectFailed, Told
from pulse.mail.port import Mail, Mailer, MailFailed

KEY, SENDER = "SENDGRID_API_KEY", "SENDGRID_FROM"
Addresses = str | list[str]
OfKey = Callable[[str, str], Mailer]
ERRORS = {
    "invalid_arguments": "a field is missing, unknown, or not as it must be",
    "invalid_address": "an address is not one",
    "rejected": "something else of the mail is not as it must be; the message says what",
    "too_large": "too long, or too many addresses",
    "unauthorized": "the mail server does not take our credentials",
    "rate_limited": "too many mails; retryable",
    "unreachable": "the mail server does not answer; retryable",
    "timeout": "the mail server does not answer in time; retryable",
    "not_configured": "no mail server is configured",
}


class Content(msgspec.Struct, rename="camel", forbid_unknown_fields=True, frozen=True):
    to: Addresses
    subject: str
    text: str | None = None
    html: str | None = None
    cc: Addresses = ""
    bcc: Addresses = ""
    reply_to: Addresses = ""
    sender: str | None = msgspec.field(default=None, name="from")
    headers: dict[str, str] = {}


class Arguments(msgspec.Struct, array_like=True, frozen=True):
    mail: Content


class Mailing:
    """Mail that scripts send. `of_key` makes a mailer of a SendGrid key and the sender's address."""

    def __init__(self, mailer: Mailer | None, of_key: OfKey | None) -> None:
        self._mailer = mailer
        self._of_key = of_key

    def effects(self) -> list[Effect[Any]]:
        shape = "{to, subject, text?, html?, cc?, bcc?, replyTo?, from?, headers?}"
        answers = "{messageId, accepted, refused}"
        return [
            Effect(
                "sendEmail",
                f"await sendEmail({shape})",
                "Sends a mail by the installation's mail server (PULSE_MAIL_URL). Addresses are a text or a "
                "list. A repeat "
                "has the same Message-ID.",
                Arguments,
                self.send,
                answers=answers,
                errors=ERRORS,
            ),
            Effect(
                "sendGridSend",
                f"await sendGridSend({shape})",
                f"Sends a mail by SendGrid, with the variables {KEY} and, where the mail has no `from`, {SENDER}.",
                Arguments,
                self.send_by_key,
                answers=answers,
                errors={**ERRORS, "not_configured": f"the variable {KEY} is not set, or nobody is the sender"},
            ),
        ]

    async def send(self, call: Call, given: Arguments) -> Told:
        if self._mailer is None:
            raise EffectFailed("not_configured", "No mail server is configured: set PULSE_MAIL_URL.")
        return await _sent(self._mailer, call, given.mail)

    async def send_by_key(self, call: Call, given: Arguments) -> Told:
        key, sender = call.variables.get(KEY), given.mail.sender or call.variables.get(SENDER)
        if key is None or self._of_key is None:
            raise EffectFailed("not_configured", f"Set the variable {KEY} in this environment.")
        if sender is None:
            raise EffectFailed("not_configured", f"Say who sends it: {{from}}, or the variable {SENDER}.")
        mailer = self._of_key(key, sender)
        try:
            return await _sent(mailer, call, given.mail)
        finally:
            await mailer.close()


async def _sent(mailer: Mailer, call: Call, content: Content) -> Told:
    told = {"type": "api", "service": "mail", "subject": content.subject[:100], "to": len(_listed(content.to))}
    try:
        sent = await mailer.send(_mail(call, content))
    except MailFailed as error:
        raise EffectFailed(
            error.reason, error.message, retryable=error.retryable, log={**told, "success": False, "code": error.reason}
        ) from None
    answer = {"messageId": sent.message_id, "accepted": list(sent.accepted), "refused": list(sent.refused)}
    return Told(answer, {**told, "success": True, "messageId": sent.message_id})


def _mail(call: Call, content: Content) -> Mail:
    return Mail(
        to=_listed(content.to),
        subject=content.subject,
        key=call.key,
        text=content.text,
        html=content.html,
        cc=_listed(content.cc),
        bcc=_listed(content.bcc),
        reply_to=_listed(content.reply_to),
        sender=content.sender,
        headers=tuple(content.headers.items()),
    )


def _listed(addresses: Addresses) -> list[str]:
    """A text holds one address, or several with commas between them (a name with a comma stands in a list)."""
    if isinstance(addresses, list):
        return addresses
    return [part.strip() for part in addresses.split(",") if part.strip()]
