"""Who may order what, and that nobody pays twice."""

import asyncio

import pytest

from pulse.billing.selling import AlreadyBought, NothingBought, NotSelling, Selling
from pulse.core.errors import InvalidFields
from tests.contract.billing.shop import CANCEL, OURS, SUCCESS, Shop


async def test_who_pays_already_does_not_pay_twice(shop: Shop) -> None:
    url = await shop.ordered()
    assert await shop.ordered() == url
    shop.stripe.pay(url)
    # The event has not come yet: what Stripe says counts here, too.
    with pytest.raises(AlreadyBought):
        await shop.ordered()
    assert await shop.plan() == ("team", "active")
    assert shop.heard.changes == [(OURS, "subscription_updated")]


async def test_a_page_is_made_anew_for_another_plan_and_later(shop: Shop) -> None:
    first = await shop.ordered()
    assert await shop.ordered(plan_key="individual") != first
    shop.clock.ms += 3_600_000
    assert await shop.ordered() != first
    assert len(shop.stripe.customers) == 1


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
