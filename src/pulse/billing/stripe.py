"""Stripe's HTTP API, as far as plans are sold by it (https://docs.stripe.com/api).

There is no library of Stripe's here: it opens connections of its own, and `egress` is the only way out of Pulse.

A POST carries an idempotency key, under which it is tried again where Stripe was not reached or was busy (409, 429,
5xx), unless Stripe says that this helps nothing (`Stripe-Should-Retry`). The key is made of what is asked for: the same
request within a day is the same object. But Stripe keeps a failure for that day as well, and says so when it repeats it
("Advanced error handling": `Idempotent-Replayed`). A failure that is only repeated is no answer to this request, which
is then made under a key of its own.
"""

import asyncio
import hashlib
import random
import re
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

import msgspec

from pulse.billing.payments import Bought, CustomerGone, Notice, Order, Page, StripeDown, StripeRefused, Unsigned
from pulse.billing.stripe_objects import (
    Made,
    Portal,
    Session,
    Sessions,
    Subscriptions,
    bought_of,
    error_of,
    flat,
    notice_of,
    page_of,
    session_form,
)
from pulse.core.errors import InvalidInput, PulseError
from pulse.core.retry import backoff_ms
from pulse.core.signatures import stripe_fault
from pulse.egress.port import Egress, EgressError, Reply, Request

BASE_URL = "https://api.stripe.com"
VERSION = "2025-03-31.basil"
TIMEOUT_MS = 20_000
ANSWER_BYTES = 4 << 20
RETRIES = 3
FIRST_PAUSE_MS = 500
LONGEST_PAUSE_MS = 4_000
MAX_WORDS = 300
_IDEMPOTENCY_KEY = "idempotency-key"
_SECRET = re.compile(r"\b(sk|rk|pk|whsec)_[A-Za-z0-9_*]+")
T = TypeVar("T")


class StripeApi:
    """Stripe over the network; implements `Payments`. `webhook_secrets`: each may have signed an event.

    `draw` (0 to 1) is the share of a pause between two tries that is waited, by `pause` (in seconds).
    """

    def __init__(
        self,
        egress: Egress,
        secret_key: str,
        webhook_secrets: Sequence[str],
        *,
        base_url: str = BASE_URL,
        draw: Callable[[], float] = random.random,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._egress = egress
        self._secret_key = secret_key
        self._webhook_secrets = webhook_secrets
        self._base_url = base_url.rstrip("/")
        self._draw = draw
        self._pause = pause

    async def customer(self, organization_id: str, name: str, key: str) -> str:
        fields = {"name": name, "metadata": {"organization_id": organization_id}}
        return (await self._post("/v1/customers", fields, key, Made)).id

    async def checkout(self, order: Order, key: str) -> Page:
        made = await self._post("/v1/checkout/sessions", session_form(order), key, Session)
        if made.url is None:
            raise StripeDown("Stripe made a page to pay on and gave no address of it. Try again shortly.")
        return Page(made.id, order, made.url)

    async def pages(self, customer: str) -> Sequence[Page]:
        found = await self._get("/v1/checkout/sessions", {"customer": customer, "limit": 100}, Sessions)
        pages = [page_of(each) for each in found.data]
        return [page for page in pages if page is not None]

    async def close(self, page_id: str) -> None:
        path = f"/v1/checkout/sessions/{quote(page_id, safe='')}"
        try:
            await self._post(f"{path}/expire", {}, f"expire:{page_id}", Session)
        except StripeRefused:
            if (await self._get(path, {}, Session)).status == "open":
                raise

    async def portal(self, customer: str, return_url: str) -> str:
        fields = {"customer": customer, "return_url": return_url}
        return (await self._post("/v1/billing_portal/sessions", fields, f"portal:{uuid.uuid4()}", Portal)).url

    async def subscriptions(self, customer: str) -> Sequence[Bought]:
        query = {"customer": customer, "status": "all", "limit": 100}
        return bought_of(await self._get("/v1/subscriptions", query, Subscriptions))

    def notice(self, raw: bytes, signature: str, now_ms: int) -> Notice | None:
        fault = stripe_fault(signature, raw, self._webhook_secrets, now_ms)
        if fault is not None:
            raise Unsigned(fault)
        try:
            return notice_of(raw)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise InvalidInput("This is signed by Stripe, but it is no event as Stripe describes them.") from None

    async def _get(self, path: str, query: Mapping[str, Any], shape: type[T]) -> T:
        return await self._answer(Request("GET", f"{self._base_url}{path}?{urlencode(query)}".rstrip("?")), shape)

    async def _post(self, path: str, fields: Mapping[str, Any], key: str, shape: type[T]) -> T:
        body = urlencode(list(flat(fields))).encode()
        headers = (
            ("content-type", "application/x-www-form-urlencoded"),
            (_IDEMPOTENCY_KEY, f"{key}:{hashlib.sha256(body).hexdigest()[:32]}"),
        )
        return await self._answer(Request("POST", self._base_url + path, headers, body), shape)

    async def _answer(self, request: Request, shape: type[T]) -> T:
        own = (("authorization", f"Bearer {self._secret_key}"), ("stripe-version", VERSION))
        body = await self._tried(
            Request(
                request.method,
                request.url,
                (*own, *request.headers),
                request.body,
                timeout_ms=TIMEOUT_MS,
                max_bytes=ANSWER_BYTES,
                follow_redirects=False,
            )
        )
        try:
            return msgspec.json.decode(body, type=shape)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise StripeDown("Stripe answered with something else than its documentation says.") from None

    async def _tried(self, request: Request) -> bytes:
        attempt = 1
        while True:
            failure: PulseError
            try:
                reply = await self._egress.send(request)
            except EgressError as error:
                failure, again = _unreached(error), error.retryable
            else:
                if reply.status == 200:
                    return reply.body
                failure, again = self._refused(reply), _may_retry(reply)
                if _is_replayed(reply):
                    request, again = _under_another_key(request), True
            if not again or attempt > RETRIES:
                raise failure
            await self._pause(backoff_ms(attempt, FIRST_PAUSE_MS, LONGEST_PAUSE_MS, self._draw()) / 1000)
            attempt += 1

    def _refused(self, reply: Reply) -> PulseError:
        if reply.status == 401:
            return StripeRefused("Stripe does not know the key in STRIPE_SECRET_KEY: set one that its dashboard shows.")
        if _is_busy(reply):
            return StripeDown(f"Stripe cannot answer now ({reply.status}). Try again shortly.")
        message, customer_is_gone = error_of(reply.body)
        if customer_is_gone:
            return CustomerGone()
        words = _SECRET.sub("***", message.replace(self._secret_key, "***"))[:MAX_WORDS]
        return StripeRefused(f"Stripe refuses this ({reply.status}): {words}")


def _is_busy(reply: Reply) -> bool:
    return reply.status in (409, 429) or reply.status >= 500


def _may_retry(reply: Reply) -> bool:
    said = reply.header("stripe-should-retry")
    return _is_busy(reply) if said is None else said == "true"


def _is_replayed(reply: Reply) -> bool:
    return reply.header("idempotent-replayed") == "true"


def _under_another_key(request: Request) -> Request:
    others = tuple((name, value) for name, value in request.headers if name != _IDEMPOTENCY_KEY)
    return replace(request, headers=(*others, (_IDEMPOTENCY_KEY, str(uuid.uuid4()))))


def _unreached(error: EgressError) -> PulseError:
    if error.retryable:
        return StripeDown(f"Stripe gave no answer: {error.message}")
    return StripeRefused(f"Stripe cannot be asked from here: {error.message}")
