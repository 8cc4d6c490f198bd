"""A server that takes mail as SendGrid's public description of `POST /v3/mail/send` says, and refuses the rest."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

from tests.contract.serving import Handler, served

KEY = "SG.pulse-test-key"
_FIELDS = {"personalizations", "from", "subject", "content", "headers", "custom_args", "reply_to_list"}
_RESERVED = {
    *("x-sg-id", "x-sg-eid", "received", "dkim-signature", "content-type", "content-transfer-encoding"),
    *("to", "from", "subject", "reply-to", "cc", "bcc"),
}
_MAILBOX = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[a-z0-9.-]+")


@dataclass
class FakeSendGrid:
    """`taken` are the bodies of mails that were accepted. `instead` is an answer to give without a look."""

    url: str
    taken: list[dict[str, Any]] = field(default_factory=list)
    scopes: list[str] = field(default_factory=lambda: ["mail.send", "user.profile.read"])
    instead: tuple[int, bytes] | None = None

    def answer(self, handler: BaseHTTPRequestHandler, body: bytes) -> tuple[int, Any]:
        if handler.headers["authorization"] != f"Bearer {KEY}":
            return 401, _errors(("", "The provided authorization grant is invalid, expired, or revoked"))
        if (handler.command, handler.path) == ("GET", "/v3/scopes"):
            return 200, {"scopes": self.scopes}
        if (handler.command, handler.path) != ("POST", "/v3/mail/send"):
            return 404, _errors(("", "not found"))
        if handler.headers["content-type"] != "application/json":
            return 415, _errors(("", "Content-Type should be application/json."))
        mail = json.loads(body)
        if faults := list(_faults(mail)):
            return 400, _errors(*faults)
        self.taken.append(mail)
        return 202, None


@contextmanager
def running() -> Iterator[FakeSendGrid]:
    class Here(Handler):
        def answered(self) -> None:
            status, answer = fake.answer(self, self.body())
            raw = b"" if answer is None else json.dumps(answer).encode()
            if fake.instead is not None:
                status, raw = fake.instead
            self.reply(status, raw, {"X-Message-Id": f"sg-{len(fake.taken)}"} if status == 202 else None)

    with served(Here) as address:
        fake = FakeSendGrid(address)
        yield fake


def _errors(*faults: tuple[str, str]) -> dict[str, Any]:
    return {"errors": [{"message": message, "field": field or None, "help": None} for field, message in faults]}


def _faults(mail: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for name in mail.keys() - _FIELDS:
        yield name, "Bad Request"
    yield from _party_faults("from", mail["from"])
    for place, to in enumerate(mail.get("reply_to_list", [])):
        yield from _party_faults(f"reply_to_list.{place}", to)
    yield from _recipient_faults(mail["personalizations"])
    if not isinstance(mail["subject"], str) or not mail["subject"]:
        yield "subject", "The subject is required."
    yield from _content_faults(mail["content"])
    for name, value in {**mail.get("headers", {}), **mail.get("custom_args", {})}.items():
        if name.lower() in _RESERVED or not isinstance(value, str):
            yield f"headers.{name}", "This header is reserved, or its value is no string."


def _recipient_faults(personalizations: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    if len(personalizations) != 1 or not personalizations[0].get("to"):
        yield "personalizations", "The to array is required for all personalization objects."
        return
    seen = set()
    for name, listed in personalizations[0].items():
        if name not in ("to", "cc", "bcc") or not listed:
            yield f"personalizations.0.{name}", "Bad Request"
        for place, party in enumerate(listed):
            where = f"personalizations.0.{name}.{place}"
            yield from _party_faults(where, party)
            if party["email"].lower() in seen:
                yield where, "Each email address in the personalization block should be unique between to, cc, and bcc."
            seen.add(party["email"].lower())


def _party_faults(where: str, party: dict[str, str]) -> Iterator[tuple[str, str]]:
    if party.keys() - {"email", "name"} or not _MAILBOX.fullmatch(party["email"]) or party.get("name") == "":
        yield f"{where}.email", "Does not contain a valid address."
    if party["email"].endswith("@blocked.example"):
        yield f"{where}.email", "Does not contain a valid address."


def _content_faults(content: list[dict[str, str]]) -> Iterator[tuple[str, str]]:
    kinds = [each["type"] for each in content]
    if kinds not in (["text/plain"], ["text/html"], ["text/plain", "text/html"]):
        yield "content", "If present, text/plain must be first, followed by text/html."
    if not all(each["value"] for each in content):
        yield "content.0.value", "The content value must be a string at least one character in length."
