"""Stripe's HTTP API, as far as plans are sold by it (https://docs.stripe.com/api).

There is no library of Stripe's here: it opens connections of its own, and `egress` is the only way out of Pulse.

A POST carries an idempotency key, under which it is tried again where Stripe was not reached or was busy (409, 429,
5xx), unless Stripe says that this helps nothing (`Stripe-Should-Retry`). The key is made of what is asked for: the same
request within a day is the same object.
"""

import asyncio
import hashlib
import random
import re
import uuid
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import urlencode

import msgspec

from pulse.billing.selling import Bought, Notice, Order, Reason, StripeDown, StripeRefused, Unsigned
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
EVENTS: Mapping[str, Reason] = {
    "checkout.session.completed": "checkout_completed",
    "checkout.session.async_payment_succeeded": "checkout_completed",
    "customer.subscription.updated": "subscription_updated",
    "customer.subscription.paused": "subscription_updated",
    "customer.subscription.resumed": "subscription_updated",
    "customer.subscription.deleted": "subscription_deleted",
}
_KEY = re.compile(r"\b(sk|rk|pk|whsec)_[A-Za-z0-9_*]+")
T = TypeVar("T")


class _Made(msgspec.Struct):
    id: str


class _Page(msgspec.Struct):
    url: str


class _Price(msgspec.Struct):
    id: str


class _Item(msgspec.Struct):
    price: _Price


class _Items(msgspec.Struct):
    data: list[_Item]


class _Subscription(msgspec.Struct):
    id: str
    status: str
    created: int
    items: _Items
    metadata: dict[str, str] = {}


class _Subscriptions(msgspec.Struct):
    data: list[_Subscription]


class _Subject(msgspec.Struct):
    """The session or the subscription that an event is about."""

    object: str
    customer: str | None = None
    mode: str | None = None
    client_reference_id: str | None = None
    metadata: dict[str, str] | None = None


class _Data(msgspec.Struct):
    object: msgspec.Raw


class _Event(msgspec.Struct):
    type: str
    data: _Data


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

    async def customer(self, organization_id: str, name: str) -> str:
        fields = {"name": name, "metadata": {"organization_id": organization_id}}
        return (await self._post("/v1/customers", fields, f"customer:{organization_id}", _Made)).id

    async def checkout(self, order: Order) -> str:
        told = {"organization_id": order.organization_id, "plan_key": order.plan_key}
        fields = {
            "mode": "subscription",
            "customer": order.customer,
            "client_reference_id": order.organization_id,
            "line_items": [{"price": order.price, "quantity": 1}],
            "metadata": told,
            "subscription_data": {"metadata": told},
            "success_url": order.success_url,
            "cancel_url": order.cancel_url,
        }
        return (await self._post("/v1/checkout/sessions", fields, order.key, _Page)).url

    async def portal(self, customer: str, return_url: str) -> str:
        fields = {"customer": customer, "return_url": return_url}
        return (await self._post("/v1/billing_portal/sessions", fields, f"portal:{uuid.uuid4()}", _Page)).url

    async def subscriptions(self, customer: str) -> Sequence[Bought]:
        query = urlencode({"customer": customer, "status": "all", "limit": 100})
        found = await self._answer(Request("GET", f"{self._base_url}/v1/subscriptions?{query}"), _Subscriptions)
        return [_bought(each) for each in found.data]

    def notice(self, raw: bytes, signature: str, now_ms: int) -> Notice | None:
        fault = stripe_fault(signature, raw, self._webhook_secrets, now_ms)
        if fault is not None:
            raise Unsigned(fault)
        try:
            event = msgspec.json.decode(raw, type=_Event)
            reason = EVENTS.get(event.type)
            return None if reason is None else _notice(reason, msgspec.json.decode(event.data.object, type=_Subject))
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise InvalidInput("This is signed by Stripe, but it is no event as Stripe describes them.") from None

    async def _post(self, path: str, fields: Mapping[str, Any], key: str, shape: type[T]) -> T:
        body = urlencode(list(_flat(fields))).encode()
        headers = (
            ("content-type", "application/x-www-form-urlencoded"),
            ("idempotency-key", f"{key}:{hashlib.sha256(body).hexdigest()[:32]}"),
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
            if not again or attempt > RETRIES:
                raise failure
            await self._pause(backoff_ms(attempt, FIRST_PAUSE_MS, LONGEST_PAUSE_MS, self._draw()) / 1000)
            attempt += 1

    def _refused(self, reply: Reply) -> PulseError:
        if reply.status == 401:
            return StripeRefused("Stripe does not know the key in STRIPE_SECRET_KEY: set one that its dashboard shows.")
        if _is_busy(reply):
            return StripeDown(f"Stripe cannot answer now ({reply.status}). Try again shortly.")
        words = _KEY.sub("***", _words(reply).replace(self._secret_key, "***"))[:MAX_WORDS]
        return StripeRefused(f"Stripe refuses this ({reply.status}): {words}")


def _bought(found: _Subscription) -> Bought:
    prices = tuple(item.price.id for item in found.items.data)
    return Bought(found.id, found.status, prices, found.metadata.get("plan_key"), found.created)


def _notice(reason: Reason, subject: _Subject) -> Notice | None:
    """What is told by an event about a subscription, or about the checkout of one."""
    if subject.customer is None or (subject.object == "checkout.session" and subject.mode != "subscription"):
        return None
    # `client_reference_id` alone may come from whoever opens a payment link: only our key writes metadata.
    ours = subject.object == "checkout.session" and (subject.metadata or {}).get("organization_id")
    return Notice(reason, subject.customer, ours if ours and ours == subject.client_reference_id else None)


def _flat(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Nested fields as Stripe's forms have them: `line_items[0][price]`."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _flat(inner, f"{name}[{key}]" if name else key)
    elif isinstance(value, list):
        for at, inner in enumerate(value):
            yield from _flat(inner, f"{name}[{at}]")
    else:
        yield name, str(value)


def _is_busy(reply: Reply) -> bool:
    return reply.status in (409, 429) or reply.status >= 500


def _may_retry(reply: Reply) -> bool:
    said = reply.header("stripe-should-retry")
    return _is_busy(reply) if said is None else said == "true"


def _unreached(error: EgressError) -> PulseError:
    if error.retryable:
        return StripeDown(f"Stripe gave no answer: {error.message}")
    return StripeRefused(f"Stripe cannot be asked from here: {error.message}")


def _words(reply: Reply) -> str:
    """The message of Stripe's error object."""
    try:
        error = msgspec.json.decode(reply.body)["error"]
        return str(error["message"])
    except (msgspec.DecodeError, UnicodeDecodeError, KeyError, TypeError):
        return "it gives no reason."
