"""Stripe, as its public reference describes the few routes that Pulse uses; what it does not know it refuses.

What a customer does on Stripe's own pages is done here by calls: `pay`, `change`. Each returns the event that Stripe
would send, and sends nothing itself.
"""

import hashlib
import hmac
import json
import re
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from typing import Any
from urllib.parse import parse_qsl, urlsplit

KEY = "sk_test_0123456789abcdefghijklmn"
SECRET = "whsec_0123456789abcdefghijklmnopqrstuv"
VERSION = "2025-03-31.basil"
PRICES = {"price_individual": 4_900, "price_team": 9_900, "price_old": 1_900}
_URL = re.compile(r"https?://[^\s]+")
_ORGANIZATION, _PLAN = re.compile(r"[A-Za-z0-9_]{1,200}"), re.compile(r"[a-z_]{1,100}")
_CUSTOMER, _NUMBER = re.compile(r"cus_[0-9]+"), re.compile(r"[1-9][0-9]*")
# The fields of each form, and what they look like; all are needed.
_FORMS: dict[str, dict[str, re.Pattern[str]]] = {
    "/v1/customers": {"name": re.compile(r".{1,256}", re.DOTALL), "metadata[organization_id]": _ORGANIZATION},
    "/v1/checkout/sessions": {
        "mode": re.compile("subscription"),
        "customer": _CUSTOMER,
        "client_reference_id": _ORGANIZATION,
        "line_items[0][price]": re.compile(r"price_[a-z]+"),
        "line_items[0][quantity]": _NUMBER,
        "metadata[organization_id]": _ORGANIZATION,
        "metadata[plan_key]": _PLAN,
        "subscription_data[metadata][organization_id]": _ORGANIZATION,
        "subscription_data[metadata][plan_key]": _PLAN,
        "success_url": _URL,
        "cancel_url": _URL,
    },
    "/v1/billing_portal/sessions": {"customer": _CUSTOMER, "return_url": _URL},
}
_QUERY = {"customer": _CUSTOMER, "status": re.compile("all|active|canceled|ended"), "limit": _NUMBER}
Answer = tuple[int, Mapping[str, Any] | bytes, Mapping[str, str]]


@dataclass
class FakeStripe:
    """`asked` are the requests, as (method, path). `instead` are answers to give first, whatever is asked."""

    url: str
    asked: list[tuple[str, str]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    instead: list[Answer] = field(default_factory=list)
    customers: dict[str, dict[str, str]] = field(default_factory=dict)
    sessions: dict[str, dict[str, str]] = field(default_factory=dict)
    held: dict[str, dict[str, Any]] = field(default_factory=dict)
    _done: dict[str, tuple[str, Answer]] = field(default_factory=dict)
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def pay(self, url: str, status: str = "active", price: str | None = None) -> bytes:
        """A customer pays on the page of a session: the event of its completion."""
        session = self.sessions[url.rpartition("/")[2]]
        told = {name: session[f"subscription_data[metadata][{name}]"] for name in ("organization_id", "plan_key")}
        made = self.subscribe(session["customer"], price or session["line_items[0][price]"], status, told)
        subject = {
            "id": url.rpartition("/")[2],
            "object": "checkout.session",
            "mode": session["mode"],
            "customer": session["customer"],
            "subscription": made["id"],
            "client_reference_id": session["client_reference_id"],
            "metadata": {name: session[f"metadata[{name}]"] for name in ("organization_id", "plan_key")},
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
            return _refusal(401, f"Invalid API Key provided: {headers.get('authorization', '')[7:]}")
        if headers.get("stripe-version") != VERSION:
            return _refusal(400, f"Invalid Stripe API version: {headers.get('stripe-version')}")
        if method == "GET":
            return self._listed(path, body)
        return self._posted(path, headers, body) if method == "POST" else _unknown(method, path)

    def _listed(self, path: str, body: bytes) -> Answer:
        split = urlsplit(path)
        query = dict(parse_qsl(split.query, keep_blank_values=True, strict_parsing=True))
        if split.path != "/v1/subscriptions" or body:
            return _unknown("GET", path)
        for name, value in query.items():
            if name not in _QUERY or not _QUERY[name].fullmatch(value):
                return _refusal(400, f"Received unknown parameter: {name}", name)
        if query.get("customer") not in self.customers:
            return _refusal(400, f"No such customer: '{query.get('customer')}'", "customer")
        theirs = [each for each in self.held.values() if each["customer"] == query["customer"]]
        shown = [each for each in reversed(theirs) if query.get("status") == "all" or each["status"] != "canceled"]
        listed = {"object": "list", "url": "/v1/subscriptions", "data": shown[: int(query.get("limit", 10))]}
        return 200, {**listed, "has_more": False}, {}

    def _posted(self, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        key = headers.get("idempotency-key", "")
        if not 1 <= len(key) <= 255:
            return _refusal(400, "Idempotency-Key is needed here, of at most 255 characters")
        if key in self._done:
            said, answer = self._done[key]
            words = "Keys for idempotent requests can only be used with the same parameters they were first used with."
            return answer if said == f"{path} {body!r}" else _refusal(400, words, kind="idempotency_error")
        if headers.get("content-type") != "application/x-www-form-urlencoded":
            return _refusal(400, "Request bodies are forms")
        answer = self._made(path, body)
        if answer[0] == 200:
            self._done[key] = (f"{path} {body!r}", answer)
        return answer

    def _made(self, path: str, body: bytes) -> Answer:
        if path not in _FORMS:
            return _unknown("POST", path)
        pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, strict_parsing=True)
        form = dict(pairs)
        for name in [*_FORMS[path].keys() - form.keys()]:
            return _refusal(400, f"Missing required param: {name}.", name)
        for name, value in pairs:
            if name not in _FORMS[path] or len(form) != len(pairs):
                return _refusal(400, f"Received unknown parameter: {name}", name)
            if not _FORMS[path][name].fullmatch(value):
                return _refusal(400, f"Invalid {name}: {value}", name)
        if form.get("customer", next(iter(self.customers), "")) not in self.customers and path != "/v1/customers":
            return _refusal(400, f"No such customer: '{form.get('customer')}'", "customer")
        return self._create(path, form)

    def _create(self, path: str, form: dict[str, str]) -> Answer:
        number = next(self._numbers)
        if path == "/v1/customers":
            self.customers[f"cus_{number}"] = form
            return 200, {"id": f"cus_{number}", "object": "customer", "name": form["name"]}, {}
        if path == "/v1/billing_portal/sessions":
            url = f"https://billing.stripe.test/p/session/bps_{number}"
            return 200, {"id": f"bps_{number}", "object": "billing_portal.session", "url": url}, {}
        price = form["line_items[0][price]"]
        if price not in PRICES:
            return _refusal(400, f"No such price: '{price}'", "line_items[0][price]")
        self.sessions[f"cs_{number}"] = form
        url = f"https://checkout.stripe.test/c/pay/cs_{number}"
        return 200, {"id": f"cs_{number}", "object": "checkout.session", "url": url, "status": "open"}, {}


def signed(raw: bytes, secret: str = SECRET, at: int | None = None) -> str:
    """The value of Stripe-Signature."""
    seconds = int(time.time()) if at is None else at
    digest = hmac.new(secret.encode(), f"{seconds}.".encode() + raw, hashlib.sha256).hexdigest()
    return f"t={seconds},v1={digest},v0={'0' * 64}"


@contextmanager
def running() -> Iterator[FakeStripe]:
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"] or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            with lock:
                status, answer, more = fake.answer(self.command, self.path, headers, body)
            raw = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            self.send_response(status)
            for name, value in {"Content-Type": "application/json", **more}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def do_GET(self) -> None:
            self.do_POST()

        def log_message(self, *_args: object) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    fake = FakeStripe(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield fake
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _item(price: str, number: int) -> dict[str, Any]:
    amount = {"id": price, "object": "price", "unit_amount": PRICES.get(price, 0), "currency": "usd"}
    return {"id": f"si_{number}", "object": "subscription_item", "quantity": 1, "price": amount}


def _refusal(status: int, message: str, param: str | None = None, kind: str = "invalid_request_error") -> Answer:
    return status, {"error": {"type": kind, "message": message, "param": param}}, {}


def _unknown(method: str, path: str) -> Answer:
    return _refusal(404, f"Unrecognized request URL ({method}: {path}).")
