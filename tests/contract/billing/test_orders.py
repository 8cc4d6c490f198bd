"""Who may order what, and that nobody pays twice."""

import asyncio

import pytest
import structlog

from pulse.billing.payments import CustomerGone, StripeRefused
from pulse.billing.selling import AlreadyBought, NothingBought, NotSelling, Selling
from pulse.core.errors import InvalidFields
from tests.contract.billing.fake_stripe import NotOpen
from tests.contract.billing.shop import CANCEL, OURS, SUCCESS, THEIRS, Shop


async def test_who_pays_already_does_not_pay_twice(shop: Shop) -> None:
    url = await shop.ordered()
    assert await shop.ordered() == url
    shop.stripe.pay(url)
    # The event has not come yet: what Stripe says counts here, too.
    with pytest.raises(AlreadyBought):
        await shop.ordered()
    assert await shop.plan() == ("team", "active")
    assert shop.heard.changes == [(OURS, "subscription_updated")]


async def test_nobody_can_pay_on_two_pages(shop: Shop) -> None:
    first = await shop.ordered()
    shop.clock.ms += 3 * 3_600_000
    assert await shop.ordered() == first
    second = await shop.ordered(plan_key="individual")
    third = await shop.ordered()
    assert len({first, second, third}) == 3
    for closed in (first, second):
        with pytest.raises(NotOpen):
            shop.stripe.pay(closed)
    await shop.tell(shop.stripe.pay(third))
    assert await shop.plan() == ("team", "active")
    assert len(shop.stripe.customers) == 1


async def test_a_page_that_leads_back_elsewhere_or_costs_another_price_is_another(shop: Shop) -> None:
    first = await shop.ordered()
    selling, back = shop.selling(), {"success_url": SUCCESS, "cancel_url": "https://pulse.test/elsewhere"}
    second = await selling.checkout(OURS, "Ours", "team", **back)
    plan = await shop.store.plan("team")
    await shop.store.change_plan(type(plan)(**{**vars(plan), "stripe_price": "price_old"}))
    third = await selling.checkout(OURS, "Ours", "team", **back)
    assert len({first, second, third}) == 3
    assert shop.stripe.open_pages() == [third.rpartition("/")[2]]


async def test_others_pages_stay_open(shop: Shop) -> None:
    """Those of other organizations, and those that the operator opens in Stripe without Pulse."""
    theirs = await shop.ordered(THEIRS)
    await shop.ordered()
    customer = str((await shop.kept()).stripe_customer)
    own = shop.stripe.sessions[theirs.rpartition("/")[2]]
    shop.stripe.sessions["cs_999"] = {**own, "customer": customer, "metadata[organization_id]": "a_shop_of_theirs"}
    await shop.ordered(plan_key="individual")
    assert {"cs_999", theirs.rpartition("/")[2]} < set(shop.stripe.open_pages())
    assert len(shop.stripe.open_pages()) == 3


async def test_who_pays_while_another_page_is_opened_pays_once(shop: Shop) -> None:
    first = await shop.ordered()
    late = Selling(shop.store, shop.heard, shop.clock, _Interrupted(shop, first))  # type: ignore[arg-type]
    with pytest.raises(AlreadyBought):
        await late.checkout(OURS, "Ours", "individual", success_url=SUCCESS, cancel_url=CANCEL)
    assert await shop.plan() == ("team", "active")
    assert len(shop.stripe.held) == 1


class _Interrupted:
    """Stripe, where somebody pays just before a page is closed."""

    def __init__(self, shop: Shop, url: str) -> None:
        self._api, self._shop, self._url = shop.api(), shop, url

    async def close(self, page_id: str) -> None:
        self._shop.stripe.pay(self._url)
        await self._api.close(page_id)

    def __getattr__(self, name: str) -> object:
        return getattr(self._api, name)


async def test_pages_for_two_plans_at_once_are_never_both_open(shop: Shop) -> None:
    plans = ("team", "individual")
    for _ in range(5):
        await asyncio.gather(*(shop.ordered(plan_key=plan_key) for plan_key in plans))
        assert len(shop.stripe.open_pages()) <= 1


async def test_a_second_subscription_is_said_and_ends_nothing(shop: Shop) -> None:
    await shop.bought()
    customer = str((await shop.kept()).stripe_customer)
    first = str((await shop.kept()).stripe_subscription)
    second = shop.stripe.subscribe(customer, "price_individual")
    with structlog.testing.capture_logs() as logged:
        await shop.tell(shop.stripe.event("customer.subscription.updated", second))
    assert {"event": "several_subscriptions", "ids": [second["id"], first], "log_level": "warning"} in logged
    kept = await shop.kept()
    assert (kept.plan_key, kept.stripe_subscription, kept.also_paid) == ("individual", second["id"], first)
    await shop.tell(shop.stripe.change(customer, status="canceled"))
    kept = await shop.kept()
    assert (kept.plan_key, kept.stripe_subscription, kept.also_paid) == ("team", first, "")


async def test_who_was_deleted_at_stripe_may_buy_again(shop: Shop) -> None:
    await shop.bought()
    before = str((await shop.kept()).stripe_customer)
    shop.stripe.delete(before)
    await shop.bought(plan_key="individual")
    kept = await shop.kept()
    assert (kept.plan_key, kept.status) == ("individual", "active")
    assert kept.stripe_customer in set(shop.stripe.customers) - {before}


async def test_who_was_deleted_has_nothing_any_more(shop: Shop) -> None:
    await shop.bought()
    await shop.tell(*shop.stripe.delete(str((await shop.kept()).stripe_customer)))
    assert await shop.plan() == ("free", "canceled")


async def test_who_was_deleted_before_they_bought_anything_may_buy(shop: Shop) -> None:
    """Stripe would give the deleted one again for the same request of the same day."""
    await shop.ordered()
    for _ in range(3):
        shop.stripe.delete(str((await shop.kept()).stripe_customer))
        await shop.ordered()
    await shop.bought()
    assert await shop.plan() == ("team", "active")


async def test_the_portal_says_what_to_do_where_the_customer_was_deleted(shop: Shop) -> None:
    await shop.bought()
    before = await shop.kept()
    shop.stripe.delete(str(before.stripe_customer))
    with pytest.raises(CustomerGone, match="create-checkout-session"):
        await shop.selling().portal(OURS, SUCCESS)
    assert await shop.kept() == before


async def test_who_could_not_buy_once_can_when_it_is_mended(shop: Shop) -> None:
    shop.stripe.failing = [(400, {"error": {"message": "Your account cannot make live charges."}}, {})]
    with pytest.raises(StripeRefused):
        await shop.ordered()
    shop.stripe.pay(await shop.ordered())


async def test_two_first_orders_at_once_have_one_customer(shop: Shop) -> None:
    urls = await asyncio.gather(*(shop.ordered() for _ in range(4)))
    assert len(shop.stripe.customers) == 1
    assert {shop.stripe.sessions[url.rpartition("/")[2]]["customer"] for url in urls} == set(shop.stripe.customers)


async def test_who_had_a_plan_may_buy_one_again(shop: Shop) -> None:
    await shop.bought()
    customer = str((await shop.kept()).stripe_customer)
    await shop.tell(shop.stripe.change(customer, status="canceled"))
    await shop.bought(plan_key="individual")
    kept = await shop.kept()
    assert (kept.plan_key, kept.status, kept.stripe_customer) == ("individual", "active", customer)


@pytest.mark.parametrize(("plan_key", "code"), [("free", "not_sold"), ("gold", "unknown_plan"), ("", "unknown_plan")])
async def test_what_is_not_sold(shop: Shop, plan_key: str, code: str) -> None:
    with pytest.raises(InvalidFields) as refused:
        await shop.ordered(plan_key=plan_key)
    assert [(fault.path, fault.code) for fault in refused.value.faults] == [("planKey", code)]
    assert shop.stripe.asked == []


async def test_the_portal_is_for_customers(shop: Shop) -> None:
    with pytest.raises(NothingBought):
        await shop.selling().portal(OURS, SUCCESS)
    await shop.bought()
    assert (await shop.selling().portal(OURS, SUCCESS)).startswith("https://billing.stripe.test/")


async def test_without_configuration_it_says_what_is_missing(shop: Shop) -> None:
    selling = Selling(shop.store, shop.heard, shop.clock, missing=["STRIPE_SECRET_KEY", "STRIPE_WEBHOOK_SECRET"])
    with pytest.raises(NotSelling, match="STRIPE_SECRET_KEY and STRIPE_WEBHOOK_SECRET"):
        await selling.checkout(OURS, "Ours", "team", success_url=SUCCESS, cancel_url=CANCEL)
    with pytest.raises(NotSelling):
        await selling.portal(OURS, SUCCESS)


async def test_who_pays_a_price_that_is_no_plans_is_not_asked_to_pay_again(shop: Shop) -> None:
    await shop.ordered()
    kept = await shop.kept()
    shop.stripe.subscribe(str(kept.stripe_customer), "price_old")
    with pytest.raises(AlreadyBought):
        await shop.ordered()
    assert await shop.kept() == kept
