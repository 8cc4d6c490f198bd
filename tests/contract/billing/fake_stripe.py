"""Stripe, as its public reference describes the few routes that Pulse uses; what it does not know it refuses.

What a customer does on Stripe's own pages is done here by calls: `pay`, `change`. Each returns the event that Stripe
would send, and sends nothing itself.
"""

import hashlib
import hmac
import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any
from urllib.parse import urlsplit

from tests.contract.billing.stripe_rules import (
    SESSION,
    Answer,
    expires,
    no_customer,
    read_form,
    read_query,
    refusal,
    unknown,
)
from tests.contract.serving import Handler, served

KEY = "sk_test_0123456789abcdefghijklmn"
SECRET = "whsec_0123456789abcdefghijklmnopqrstuv"
VERSION = "2025-03-31.basil"
PRICES = {"price_individual": 4_900, "price_team": 9_900, "price_old": 1_900}


@dataclass
class FakeStripe:
    """`asked` are the requests, as (method, path). `instead` are answers to give first, whatever is asked.

    `failing` are failures of what was begun: Stripe keeps them, like successes, for whoever asks under the same key.
    """

    url: str
    asked: list[tuple[str, str]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    instead: list[Answer] = field(default_factory=list)
    failing: list[Answer] = field(default_factory=list)
    customers: dict[str, dict[str, str]] = field(default_factory=dict)
    sessions: dict[str, dict[str, str]] = field(default_factory=dict)
    ended: dict[str, str] = field(default_factory=dict)
    held: dict[str, dict[str, Any]] = field(default_factory=dict)
    _done: dict[str, tuple[str, Answer]] = field(default_factory=dict)
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def pay(self, url: str, status: str = "active", price: str | None = None) -> bytes:
        """A customer pays on the page of a session: the event of its completion. Raises NotOpen."""
        session = self.sessions[url.rpartition("/")[2]]
        if url.rpartition("/")[2] in self.ended:
            raise NotOpen
        self.ended[url.rpartition("/")[2]] = "complete"
        told = {name: session[f"subscription_data[metadata][{name}]"] for name in ("organization_id", "plan_key")}
        made = self.subscribe(session["customer"], price or session["line_items[0][price]"], status, told)
        subject = {
            "id": url.rpartition("/")[2],
            "object": "checkout.session",
            "mode": session["mode"],
            "customer": session["customer"],
            "subscription": made["id"],
            "client_reference_id": session["client_reference_id"],
            "metadata": {name: session[f"metadata[{name}]"] for name in ("organization_id", "plan_key", "price")},
            "payment_status": "paid",
        }
        return self.event("checkout.session.completed", subject)

    def subscribe(
        self, customer: str, price: str, status: str = "active", metadata: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        """A subscription that is simply there."""
        number = next(self._numbers)
        made: dict[str, Any] = {
            "id": f"sub_{number}",
            "object": "subscription",
            "status": status,
            "customer": customer,
            "created": 1_700_000_000 + number,
            "cancel_at_period_end": False,
            "items": {"object": "list", "data": [_item(price, number)], "has_more": False},
            "metadata": dict(metadata or {}),
        }
        self.held[made["id"]] = made
        return made

    def change(self, customer: str, status: str | None = None, price: str | None = None) -> bytes:
        """The newest subscription of the customer changes: the event that says so."""
        found = [each for each in self.held.values() if each["customer"] == customer][-1]
        if status is not None:
            found["status"] = status
        if price is not None:
            found["items"]["data"] = [_item(price, found["created"])]
        return self.event(f"customer.subscription.{'deleted' if status == 'canceled' else 'updated'}", found)

    def delete(self, customer: str) -> list[bytes]:
        """Somebody deletes a customer in the dashboard: the events. What the customer had ends."""
        theirs = [each for each in self.held.values() if each["customer"] == customer]
        for each in theirs:
            each["status"] = "canceled"
        told = self.customers.pop(customer)
        gone = {"id": customer, "object": "customer", "name": told["name"]}
        ends = [self.event("customer.subscription.deleted", each) for each in theirs]
        return [*ends, self.event("customer.deleted", gone)]

    def open_pages(self) -> list[str]:
        """The sessions that can be paid."""
        return [each for each in self.sessions if each not in self.ended]

    def event(self, kind: str, subject: Mapping[str, Any]) -> bytes:
        number = next(self._numbers)
        event = {"id": f"evt_{number}", "object": "event", "type": kind, "api_version": VERSION, "livemode": False}
        return json.dumps({**event, "created": number, "pending_webhooks": 1, "data": {"object": subject}}).encode()

    def answer(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        self.asked.append((method, urlsplit(path).path))
        if headers.get("idempotency-key"):
            self.keys.append(headers["idempotency-key"])
        if self.instead:
            return self.instead.pop(0)
        if headers.get("authorization") != f"Bearer {KEY}":
            return refusal(401, f"Invalid API Key provided: {headers.get('authorization', '')[7:]}")
        if headers.get("stripe-version") != VERSION:
            return refusal(400, f"Invalid Stripe API version: {headers.get('stripe-version')}")
        if method == "GET":
            return self._listed(path, body)
        return self._posted(path, headers, body) if method == "POST" else unknown(method, path)

    def _listed(self, path: str, body: bytes) -> Answer:
        split = urlsplit(path)
        found = SESSION.fullmatch(split.path)
        if found is not None and found[1] in self.sessions and not (found[2] or split.query or body):
            return 200, self._session(found[1]), {}
        query = unknown("GET", path) if body else read_query(split.path, split.query)
        if isinstance(query, tuple):
            return query
        if query.get("customer") not in self.customers:
            return no_customer(query.get("customer"))
        everything = list(self.held.values()) if split.path == "/v1/subscriptions" else self._sessions()
        theirs = [each for each in reversed(everything) if each["customer"] == query["customer"]]
        shown = [each for each in theirs if query.get("status", "all") in ("all", each["status"])]
        listed = {"object": "list", "url": split.path, "data": shown[: int(query.get("limit", 10))]}
        return 200, {**listed, "has_more": False}, {}

    def _sessions(self) -> list[dict[str, Any]]:
        return [self._session(each) for each in self.sessions]

    def _session(self, session_id: str) -> dict[str, Any]:
        form, status = self.sessions[session_id], self.ended.get(session_id, "open")
        url = f"https://checkout.stripe.test/c/pay/{session_id}" if status == "open" else None
        told = {name.removeprefix("metadata[")[:-1]: form[name] for name in form if name.startswith("metadata[")}
        same = ("mode", "customer", "client_reference_id", "success_url", "cancel_url")
        shown = {"id": session_id, "object": "checkout.session", "status": status, "url": url, "metadata": told}
        return {**shown, **{name: form[name] for name in same}, "created": 1_700_000_000}

    def _posted(self, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        key = headers.get("idempotency-key", "")
        if not 1 <= len(key) <= 255:
            return refusal(400, "Idempotency-Key is needed here, of at most 255 characters")
        if key in self._done:
            said, (status, kept, more) = self._done[key]
            words = "Keys for idempotent requests can only be used with the same parameters they were first used with."
            if said != f"{path} {body!r}":
                return refusal(400, words, kind="idempotency_error")
            return status, kept, {**more, "Idempotent-Replayed": "true"}
        if headers.get("content-type") != "application/x-www-form-urlencoded":
            return refusal(400, "Request bodies are forms")
        form = read_form(path, body)
        if isinstance(form, tuple):
            # What is refused for its form alone was not begun, and is not kept.
            return form
        answer = self.failing.pop(0) if self.failing else self._create(path, form)
        self._done[key] = (f"{path} {body!r}", answer)
        return answer

    def _create(self, path: str, form: dict[str, str]) -> Answer:
        if "customer" in form and form["customer"] not in self.customers:
            return no_customer(form["customer"])
        if session_id := expires(path):
            return self._expired(session_id) if session_id in self.sessions else unknown("POST", path)
        number = next(self._numbers)
        if path == "/v1/customers":
            self.customers[f"cus_{number}"] = form
            return 200, {"id": f"cus_{number}", "object": "customer", "name": form["name"]}, {}
        if path == "/v1/billing_portal/sessions":
            url = f"https://billing.stripe.test/p/session/bps_{number}"
            return 200, {"id": f"bps_{number}", "object": "billing_portal.session", "url": url}, {}
        price = form["line_items[0][price]"]
        if price not in PRICES:
            return refusal(400, f"No such price: '{price}'", "line_items[0][price]", code="resource_missing")
        self.sessions[f"cs_{number}"] = form
        return 200, self._session(f"cs_{number}"), {}

    def _expired(self, session_id: str) -> Answer:
        if session_id in self.ended:
            words = 'Only Checkout Sessions with a status in ["open"] can be expired.'
            return refusal(400, f"{words} This Checkout Session has a status of `{self.ended[session_id]}`.")
        self.ended[session_id] = "expired"
        return 200, self._session(session_id), {}


class NotOpen(Exception):
    """You are all done here: this page has ended, or was paid."""


def signed(raw: bytes, secret: str = SECRET, at: int | None = None) -> str:
    """The value of Stripe-Signature."""
    seconds = int(time.time()) if at is None else at
    digest = hmac.new(secret.encode(), f"{seconds}.".encode() + raw, hashlib.sha256).hexdigest()
    return f"t={seconds},v1={digest},v0={'0' * 64}"


@contextmanager
def running() -> Iterator[FakeStripe]:
    lock = threading.Lock()

    class Here(Handler):
        def answered(self) -> None:
            body, headers = self.body(), {name.lower(): value for name, value in self.headers.items()}
            with lock:
                status, answer, more = fake.answer(self.command, self.path, headers, body)
            raw = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            self.reply(status, raw, {"Content-Type": "application/json", **more})

    with served(Here) as address:
        fake = FakeStripe(address)
        yield fake


def _item(price: str, number: int) -> dict[str, Any]:
    amount = {"id": price, "object": "price", "unit_amount": PRICES.get(price, 0), "currency": "usd"}
    return {"id": f"si_{number}", "object": "subscription_item", "quantity": 1, "price": amount}
