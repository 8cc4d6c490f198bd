"""Stripe's API as Pulse speaks it: what is sent, what is tried again, and what is said where it fails."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from pulse.billing.payments import CustomerGone, Notice, Order, StripeDown, StripeRefused, Unsigned
from pulse.billing.stripe import RETRIES, StripeApi
from pulse.core.errors import InvalidInput, PulseError
from pulse.egress.port import AddressRefused, EgressError, Reply, Request, TimedOut, Unreachable
from tests.contract.billing.fake_stripe import KEY, SECRET, FakeStripe, signed
from tests.contract.mail.way_out import UncheckedEgress

NOW_S = 1_795_000_000
KEY_1 = "this:order:1"
PAUSES: list[float] = []


@pytest.fixture
async def egress() -> AsyncIterator[UncheckedEgress]:
    made = UncheckedEgress()
    yield made
    await made.close()


@pytest.fixture
def api(stripe: FakeStripe, egress: UncheckedEgress) -> StripeApi:
    PAUSES.clear()
    return api_of(stripe, egress)


def api_of(stripe: FakeStripe, egress: Any, key: str = KEY) -> StripeApi:
    async def pause(seconds: float) -> None:
        PAUSES.append(seconds)

    return StripeApi(egress, key, (SECRET, "whsec_older"), base_url=stripe.url + "/", draw=lambda: 1.0, pause=pause)


def order(customer: str, **changed: str) -> Order:
    fields = {
        "organization_id": "org_1",
        "customer": customer,
        "plan_key": "team",
        "price": "price_team",
        "success_url": "https://pulse.test/billing?session={CHECKOUT_SESSION_ID}&ok=1",
        "cancel_url": "https://pulse.test/?a=b&c[d]=e#f",
    }
    return Order(**{**fields, **changed})


async def test_all_that_is_asked_is_taken_by_stripe(stripe: FakeStripe, api: StripeApi) -> None:
    customer = await api.customer("org_1", "Ärger & Söhne = 100 % [x]", KEY_1)
    page = await api.checkout(order(customer), KEY_1)
    assert await api.subscriptions(customer) == []
    assert await api.pages(customer) == [page]
    stripe.pay(str(page.url))
    assert await api.pages(customer) == [replace(page, url=None)]
    assert (await api.portal(customer, "https://pulse.test/")).startswith("https://billing.stripe.test/")
    (found,) = await api.subscriptions(customer)
    assert (found.status, found.prices, found.plan_key) == ("active", ("price_team",), "team")
    assert stripe.customers[customer]["name"] == "Ärger & Söhne = 100 % [x]"
    session = stripe.sessions[page.id]
    assert session["success_url"] == "https://pulse.test/billing?session={CHECKOUT_SESSION_ID}&ok=1"
    assert session["cancel_url"] == "https://pulse.test/?a=b&c[d]=e#f"
    assert (session["client_reference_id"], session["metadata[plan_key]"]) == ("org_1", "team")
    assert PAUSES == []


async def test_the_same_asked_twice_is_made_once(stripe: FakeStripe, api: StripeApi) -> None:
    customer = await api.customer("org_1", "Acme", KEY_1)
    assert await api.customer("org_1", "Acme", KEY_1) == customer
    assert await api.checkout(order(customer), KEY_1) == await api.checkout(order(customer), KEY_1)
    assert await api.checkout(order(customer, price="price_individual"), KEY_1) != await api.checkout(
        order(customer), KEY_1
    )
    assert await api.customer("org_2", "Acme", KEY_1) != customer
    assert await api.customer("org_1", "Acme", "this:order:2") != customer
    assert await api.portal(customer, "https://a.test/") != await api.portal(customer, "https://a.test/")


@pytest.mark.parametrize("status", [409, 429, 500, 502, 503])
async def test_what_may_pass_is_tried_again_under_the_same_key(stripe: FakeStripe, api: StripeApi, status: int) -> None:
    stripe.instead = [(status, {"error": {"message": "busy"}}, {})] * RETRIES
    customer = await api.customer("org_1", "Acme", KEY_1)
    assert list(stripe.customers) == [customer]
    assert len(stripe.keys) == RETRIES + 1
    assert len(set(stripe.keys)) == 1
    assert PAUSES == [0.5, 1.0, 2.0]


async def test_a_failure_that_stripe_keeps_is_not_taken_for_an_answer(stripe: FakeStripe, api: StripeApi) -> None:
    """Under the same key Stripe repeats it for a day, whatever has changed meanwhile."""
    stripe.failing = [(400, {"error": {"message": "Set up your account first."}}, {})]
    with pytest.raises(StripeRefused, match="Set up your account"):
        await api.customer("org_1", "Acme", KEY_1)
    assert len(stripe.keys) == 1
    customer = await api.customer("org_1", "Acme", KEY_1)
    assert list(stripe.customers) == [customer]
    assert stripe.keys[0] == stripe.keys[1] != stripe.keys[2]


async def test_a_broken_server_that_works_again_is_asked_anew(stripe: FakeStripe, api: StripeApi) -> None:
    stripe.failing = [(500, {"error": {"message": "oops"}}, {"Stripe-Should-Retry": "false"})]
    with pytest.raises(StripeDown):
        await api.customer("org_1", "Acme", KEY_1)
    assert await api.customer("org_1", "Acme", KEY_1) in stripe.customers


async def test_a_failure_that_stays_is_given_up(stripe: FakeStripe, api: StripeApi) -> None:
    stripe.failing = [(500, {"error": {"message": "oops"}}, {})] * (RETRIES + 1)
    with pytest.raises(StripeDown):
        await api.customer("org_1", "Acme", KEY_1)
    assert len(stripe.asked) == RETRIES + 1


async def test_what_was_made_while_the_answer_was_lost_is_not_made_twice(
    stripe: FakeStripe, egress: UncheckedEgress
) -> None:
    made = await api_of(stripe, _Lossy(egress)).customer("org_1", "Acme", KEY_1)
    assert list(stripe.customers) == [made]
    assert (len(stripe.keys), len(set(stripe.keys))) == (2, 1)


class _Lossy:
    """A way out that loses the first answer."""

    def __init__(self, egress: UncheckedEgress) -> None:
        self._egress, self._has_lost = egress, False

    async def send(self, request: Request) -> Reply:
        reply = await self._egress.send(request)
        if not self._has_lost:
            self._has_lost = True
            raise TimedOut
        return reply


async def test_a_customer_who_is_gone_is_told_from_a_wrong_key(stripe: FakeStripe, api: StripeApi) -> None:
    customer = await api.customer("org_1", "Acme", KEY_1)
    stripe.delete(customer)
    for asked in (
        api.subscriptions(customer),
        api.pages(customer),
        api.portal(customer, "https://pulse.test/"),
        api.checkout(order(customer), KEY_1),
    ):
        with pytest.raises(CustomerGone):
            await asked
    words = f"No such customer: '{customer}'; a similar object exists in {{}} mode, but a {{}} mode key was used."
    for (there, here), kind in (("test", "live"), CustomerGone), (("live", "test"), StripeRefused):
        told = {"code": "resource_missing", "param": "customer", "message": words.format(there, here)}
        stripe.instead = [(400, {"error": told}, {})]
        with pytest.raises(kind):
            await api.subscriptions(customer)


async def test_a_page_is_closed_once_and_whatever_became_of_it(stripe: FakeStripe, api: StripeApi) -> None:
    customer = await api.customer("org_1", "Acme", KEY_1)
    first, second = [await api.checkout(order(customer), key) for key in ("first", "second")]
    await api.close(first.id)
    await api.close(first.id)
    assert stripe.open_pages() == [second.id]
    stripe.pay(str(second.url))
    await api.close(second.id)
    assert stripe.ended == {first.id: "expired", second.id: "complete"}
    third = await api.checkout(order(customer), "third")
    stripe.instead = [(403, {"error": {"message": "Not with this key."}}, {})]
    with pytest.raises(StripeRefused):
        await api.close(third.id)


async def test_what_does_not_pass_is_given_up(stripe: FakeStripe, api: StripeApi) -> None:
    stripe.instead = [(500, b"<html>", {})] * (RETRIES + 1)
    with pytest.raises(StripeDown, match="500") as failed:
        await api.subscriptions("cus_1")
    assert failed.value.code == "stripe_unavailable"
    assert len(stripe.asked) == RETRIES + 1


async def test_stripe_may_say_that_a_try_helps_nothing_or_helps(stripe: FakeStripe, api: StripeApi) -> None:
    stripe.instead = [(409, {}, {"Stripe-Should-Retry": "false"})]
    with pytest.raises(StripeDown):
        await api.customer("org_1", "Acme", KEY_1)
    assert len(stripe.asked) == 1
    stripe.instead = [(400, {}, {"Stripe-Should-Retry": "true"})]
    assert await api.customer("org_1", "Acme", KEY_1)


@pytest.mark.parametrize("status", [400, 402, 403, 404, 301, 201])
async def test_a_refusal_is_not_tried_again_and_says_why(stripe: FakeStripe, api: StripeApi, status: int) -> None:
    stripe.instead = [(status, {"error": {"message": f"No such price: 'price_x'. {KEY} rk_live_9 whsec_8"}}, {})]
    with pytest.raises(StripeRefused) as refused:
        await api.customer("org_1", "Acme", KEY_1)
    assert refused.value.message == f"Stripe refuses this ({status}): No such price: 'price_x'. *** *** ***"
    assert (refused.value.code, len(stripe.asked)) == ("stripe_refused", 1)


async def test_a_wrong_key_is_said_without_the_key(stripe: FakeStripe, egress: UncheckedEgress) -> None:
    with pytest.raises(StripeRefused, match="STRIPE_SECRET_KEY") as refused:
        await api_of(stripe, egress, "sk_live_very_secret").customer("org_1", "Acme", KEY_1)
    assert "very_secret" not in str(refused.value)


async def test_a_price_that_is_none_is_said(api: StripeApi) -> None:
    customer = await api.customer("org_1", "Acme", KEY_1)
    with pytest.raises(StripeRefused, match="No such price: 'price_x'"):
        await api.checkout(order(customer, price="price_x"), KEY_1)


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"id": 7}', b"\xff", b'{"error": "x"}', b'{"id": "x"'])
async def test_an_answer_that_is_none_breaks_nothing(stripe: FakeStripe, api: StripeApi, body: bytes) -> None:
    stripe.instead = [(200, body, {})]
    with pytest.raises(StripeDown, match="documentation"):
        await api.customer("org_1", "Acme", KEY_1)
    stripe.instead = [(400, body, {})]
    with pytest.raises(StripeRefused, match="no reason"):
        await api.customer("org_1", "Acme", KEY_1)


class _Failing:
    """A way out that leads nowhere."""

    def __init__(self, error: EgressError) -> None:
        self.error, self.requests = error, list[Request]()

    async def send(self, request: Request) -> Reply:
        self.requests.append(request)
        raise self.error


@pytest.mark.parametrize(
    ("error", "kind", "tries"),
    [
        (Unreachable(), StripeDown, RETRIES + 1),
        (TimedOut(), StripeDown, RETRIES + 1),
        (AddressRefused(), StripeRefused, 1),
    ],
)
async def test_where_stripe_is_not_reached(
    stripe: FakeStripe, error: EgressError, kind: type[PulseError], tries: int
) -> None:
    way = _Failing(error)
    with pytest.raises(kind):
        await api_of(stripe, way).customer("org_1", "Acme", KEY_1)
    assert len(way.requests) == tries
    assert all(request == way.requests[0] for request in way.requests)
    assert not way.requests[0].follow_redirects


def notice(api: StripeApi, raw: bytes, signature: str | None = None) -> Notice | None:
    return api.notice(raw, signed(raw, at=NOW_S) if signature is None else signature, NOW_S * 1000)


async def test_what_events_say(stripe: FakeStripe, api: StripeApi) -> None:
    changed = {"object": "subscription", "customer": "cus_1", "metadata": {"organization_id": "org_1"}}
    for kind, reason in [("updated", "subscription_updated"), ("deleted", "subscription_deleted")]:
        event = stripe.event(f"customer.subscription.{kind}", changed)
        assert notice(api, event) == Notice(reason, "cus_1")  # type: ignore[arg-type]
    session = {
        "object": "checkout.session",
        "mode": "subscription",
        "customer": "cus_1",
        "client_reference_id": "org_1",
    }
    told = {**session, "metadata": {"organization_id": "org_1", "plan_key": "team"}}
    completed = Notice("checkout_completed", "cus_1", "org_1")
    assert notice(api, stripe.event("checkout.session.completed", told)) == completed
    for other in ({**told, "metadata": {"organization_id": "org_2"}}, {**told, "metadata": {}}, session):
        assert notice(api, stripe.event("checkout.session.completed", other)) == Notice("checkout_completed", "cus_1")
    for nothing in ({**told, "mode": "payment"}, {**told, "customer": None}):
        assert notice(api, stripe.event("checkout.session.completed", nothing)) is None
    assert notice(api, stripe.event("invoice.paid", {"whatever": [1]})) is None


async def test_each_live_secret_may_have_signed(stripe: FakeStripe, api: StripeApi) -> None:
    event = stripe.event("invoice.paid", {})
    assert notice(api, event, signed(event, "whsec_older", NOW_S)) is None
    for signature in (signed(event, "whsec_oldest", NOW_S), signed(event, SECRET, NOW_S - 301), "", "t=1,v1=x"):
        with pytest.raises(Unsigned):
            notice(api, event, signature)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"[]",
        b"{}",
        b"\xff\xfe",
        b'{"type": 7, "data": {"object": {}}}',
        b'{"type": "checkout.session.completed", "data": {"object": []}}',
        b'{"type": "checkout.session.completed", "data": {"object": {"object": "checkout.session", "customer": {}}}}',
        b'{"type": "customer.subscription.updated", "data": {}}',
    ],
)
async def test_what_is_signed_and_is_no_event_is_refused(api: StripeApi, raw: bytes) -> None:
    with pytest.raises(InvalidInput):
        notice(api, raw)
