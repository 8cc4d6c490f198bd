"""Mail by SendGrid's Web API (v3, `mail/send`), as its public description has it."""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from pulse.egress.port import AddressRefused, Egress, EgressError, InvalidAddress, Reply, Request, TimedOut
from pulse.mail.addresses import Address
from pulse.mail.compose import Envelope, envelope, key_digest, require_ascii
from pulse.mail.port import Mail, MailFailed, Sent

BASE_URL = "https://api.sendgrid.com"
_REASONS = {400: "rejected", 401: "unauthorized", 403: "unauthorized", 413: "too_large", 429: "rate_limited"}


class SendGridMailer:
    """Mail by way of SendGrid; implements `Mailer`.

    SendGrid knows no idempotency keys: a repeat is told by its Message-ID, and by the argument `pulse_key` of its
    events. `base_url` is `https://api.eu.sendgrid.com` for an account in the EU.
    """

    def __init__(
        self,
        api_key: str,
        egress: Egress,
        *,
        sender: str | None = None,
        base_url: str = BASE_URL,
        timeout_ms: int = 30_000,
    ) -> None:
        self._api_key = api_key
        self._egress = egress
        self._sender = sender
        self._base_url = base_url.rstrip("/")
        self._timeout_ms = timeout_ms

    async def send(self, mail: Mail) -> Sent:
        parties = envelope(mail, self._sender)
        require_ascii(parties, "SendGrid")
        reply = await self._ask("POST", "/v3/mail/send", msgspec.json.encode(_body(mail, parties)))
        return Sent(parties.message_id, parties.recipients, provider_id=reply.header("x-message-id"))

    async def check(self) -> None:
        reply = await self._ask("GET", "/v3/scopes")
        if "mail.send" not in _field(reply, "scopes"):
            raise MailFailed("unauthorized", "SendGrid's key may not send mail: give it the permission Mail Send.")

    async def close(self) -> None:
        """The way out is closed by who made it."""

    async def _ask(self, method: str, path: str, body: bytes = b"") -> Reply:
        headers = [("authorization", f"Bearer {self._api_key}"), ("accept", "application/json")]
        if body:
            headers.append(("content-type", "application/json"))
        request = Request(
            method,
            self._base_url + path,
            headers=headers,
            body=body,
            timeout_ms=self._timeout_ms,
            follow_redirects=False,
        )
        try:
            reply = await self._egress.send(request)
        except EgressError as error:
            raise _unsent(error) from error
        if reply.status not in (200, 202):
            raise _refused(reply)
        return reply


def _body(mail: Mail, parties: Envelope) -> dict[str, Any]:
    headers = {"Message-ID": parties.message_id, **dict(mail.headers)}
    texts = (("text/plain", mail.text), ("text/html", mail.html))
    body: dict[str, Any] = {
        "personalizations": [_recipients(parties)],
        "from": _party(parties.sender),
        "subject": mail.subject,
        "content": [{"type": kind, "value": text} for kind, text in texts if text],
        "headers": headers,
        "custom_args": {"pulse_key": key_digest(mail.key)},
    }
    if parties.reply_to:
        body["reply_to_list"] = _listed(parties.reply_to)
    return body


def _recipients(parties: Envelope) -> Mapping[str, Any]:
    fields = {"to": parties.to, "cc": parties.cc, "bcc": parties.bcc}
    return {name: _listed(addresses) for name, addresses in fields.items() if addresses}


def _listed(addresses: Iterable[Address]) -> list[dict[str, str]]:
    return [_party(each) for each in addresses]


def _party(address: Address) -> dict[str, str]:
    named = {"name": address.name} if address.name else {}
    return {"email": address.mailbox, **named}


def _unsent(error: EgressError) -> MailFailed:
    if isinstance(error, AddressRefused | InvalidAddress):
        return MailFailed("not_configured", f"SendGrid's address may not be used: {error.message}")
    reason = "timeout" if isinstance(error, TimedOut) else "unreachable"
    return MailFailed(reason, f"SendGrid gave no answer: {error.message}")


def _refused(reply: Reply) -> MailFailed:
    """SendGrid's `errors` say which field is wrong; they repeat addresses, never the key."""
    errors = [each for each in _field(reply, "errors") if isinstance(each, dict)]
    words = "; ".join(str(each.get("message", "")) for each in errors)[:300] or "it gives no reason"
    reason = _REASONS.get(reply.status, "rejected" if reply.status < 500 else "unreachable")
    if reply.status == 400 and any(_is_about_an_address(each) for each in errors):
        reason = "invalid_address"
    return MailFailed(reason, f"SendGrid did not take it ({reply.status}): {words}")


def _is_about_an_address(error: Mapping[str, Any]) -> bool:
    """Their `field` is a path such as `personalizations.0.to.0.email` or `from.email`."""
    return str(error.get("field") or "").endswith(".email")


def _field(reply: Reply, name: str) -> list[Any]:
    try:
        answer = msgspec.json.decode(reply.body)
    except msgspec.DecodeError:
        return []
    found = answer.get(name) if isinstance(answer, dict) else None
    return found if isinstance(found, list) else []
