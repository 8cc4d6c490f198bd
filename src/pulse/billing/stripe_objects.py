"""Stripe's objects, as far as Pulse reads them, in Pulse's own words; and the forms that Stripe is sent.

What is no such object raises msgspec.DecodeError or UnicodeDecodeError.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from pulse.billing.payments import Bought, Notice, Order, Page, Reason

EVENTS: Mapping[str, Reason] = {
    "checkout.session.completed": "checkout_completed",
    "checkout.session.async_payment_succeeded": "checkout_completed",
    "customer.subscription.updated": "subscription_updated",
    "customer.subscription.paused": "subscription_updated",
    "customer.subscription.resumed": "subscription_updated",
    "customer.subscription.deleted": "subscription_deleted",
}


class Made(msgspec.Struct):
    id: str


class Portal(msgspec.Struct):
    url: str


class Session(msgspec.Struct):
    """A checkout session; only an open one has a `url`."""

    id: str
    status: str | None = None
    url: str | None = None
    mode: str | None = None
    customer: str | None = None
    client_reference_id: str | None = None
    success_url: str | None = None
    cancel_url: str | None = None
    metadata: dict[str, str] | None = None


class Sessions(msgspec.Struct):
    data: list[Session]


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


class Subscriptions(msgspec.Struct):
    data: list[_Subscription]


class _Error(msgspec.Struct):
    message: str = "it gives no reason."
    code: str | None = None
    param: str | None = None


class _Failed(msgspec.Struct):
    error: _Error


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


def bought_of(found: Subscriptions) -> Sequence[Bought]:
    return [
        Bought(
            each.id,
            each.status,
            tuple(item.price.id for item in each.items.data),
            each.metadata.get("plan_key"),
            each.created,
        )
        for each in found.data
    ]


def session_form(order: Order) -> dict[str, Any]:
    """The form of a checkout session, whose own metadata say what it is for (see `page_of`)."""
    told = {"organization_id": order.organization_id, "plan_key": order.plan_key}
    return {
        "mode": "subscription",
        "customer": order.customer,
        "client_reference_id": order.organization_id,
        "line_items": [{"price": order.price, "quantity": 1}],
        "metadata": {**told, "price": order.price},
        "subscription_data": {"metadata": told},
        "success_url": order.success_url,
        "cancel_url": order.cancel_url,
    }


def page_of(session: Session) -> Page | None:
    """A session that was made by `session_form`; None where it is another's."""
    told = session.metadata or {}
    organization_id = told.get("organization_id")
    if session.mode != "subscription" or not organization_id or organization_id != session.client_reference_id:
        return None
    order = Order(
        organization_id,
        session.customer or "",
        told.get("plan_key", ""),
        told.get("price", ""),
        session.success_url or "",
        session.cancel_url or "",
    )
    return Page(session.id, order, session.url if session.status == "open" else None)


def notice_of(raw: bytes) -> Notice | None:
    """What an event says: about a subscription, or about the checkout of one."""
    event = msgspec.json.decode(raw, type=_Event)
    reason = EVENTS.get(event.type)
    if reason is None:
        return None
    subject = msgspec.json.decode(event.data.object, type=_Subject)
    if subject.customer is None or (subject.object == "checkout.session" and subject.mode != "subscription"):
        return None
    # `client_reference_id` alone may come from whoever opens a payment link: only our key writes metadata.
    ours = subject.object == "checkout.session" and (subject.metadata or {}).get("organization_id")
    return Notice(reason, subject.customer, ours if ours and ours == subject.client_reference_id else None)


def error_of(body: bytes) -> tuple[str, bool]:
    """The message of Stripe's error object, and whether it says that the customer of the request is gone.

    One whom only the other mode knows is gone for live money; with a key of test mode, it is the key that is wrong.
    """
    try:
        error = msgspec.json.decode(body, type=_Failed).error
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _Error().message, False
    is_gone = (error.code, error.param) == ("resource_missing", "customer")
    return error.message, is_gone and "exists in live mode" not in error.message


def flat(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Nested fields as Stripe's forms have them: `line_items[0][price]`."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from flat(inner, f"{name}[{key}]" if name else key)
    elif isinstance(value, list):
        for at, inner in enumerate(value):
            yield from flat(inner, f"{name}[{at}]")
    else:
        yield name, str(value)
