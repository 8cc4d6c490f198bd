"""What becomes of what is bought, on both databases: events twice, late, out of order, at once."""

import asyncio
import random
from collections.abc import Sequence

import pytest

from pulse.billing.payments import Bought, StripeDown
from pulse.billing.records import Plan
from pulse.billing.selling import Selling
from tests.contract.billing.shop import OURS, THEIRS, Shop


async def test_who_pays_has_the_plan(shop: Shop) -> None:
    await shop.store.assign(THEIRS, "free")
    theirs = await shop.kept(THEIRS)
    url = await shop.ordered()
    assert await shop.plan() == (None, "active")
    await shop.tell(shop.stripe.pay(url))
    kept = await shop.kept()
    assert (kept.plan_key, kept.status, kept.transaction_limit) == ("team", "active", None)
    assert shop.stripe.customers[str(kept.stripe_customer)]["metadata[organization_id]"] == OURS
    assert kept.stripe_subscription in shop.stripe.held
    assert shop.heard.changes == [(OURS, "checkout_completed")]
    assert await shop.kept(THEIRS) == theirs


async def test_an_event_that_comes_again_changes_nothing(shop: Shop) -> None:
    event = await shop.bought()
    before = await shop.kept()
    await shop.tell(event, event)
    assert await shop.kept() == before
    assert len(shop.heard.changes) == 1


async def test_an_event_is_only_a_reason_to_look(shop: Shop) -> None:
    """What it says of itself may be old: Stripe is asked."""
    completed = await shop.bought()
    customer = str((await shop.kept()).stripe_customer)
    smaller = shop.stripe.change(customer, price="price_individual")
    late = shop.stripe.change(customer, status="past_due")
    ended = shop.stripe.change(customer, status="canceled")
    await shop.tell(late)
    assert await shop.plan() == ("free", "canceled")
    before = await shop.kept()
    for order in ([ended, smaller, completed, late], [completed, ended, late, smaller]):
        await shop.tell(*order)
    assert await shop.kept() == before
    assert shop.heard.changes[1:] == [(OURS, "subscription_updated")]


async def test_another_plan_is_chosen_in_the_portal(shop: Shop) -> None:
    await shop.bought()
    customer = str((await shop.kept()).stripe_customer)
    await shop.tell(shop.stripe.change(customer, price="price_individual"))
    assert await shop.plan() == ("individual", "active")
    assert shop.heard.changes[-1] == (OURS, "subscription_updated")


@pytest.mark.parametrize(
    ("status", "plan"),
    [
        ("trialing", "team"),
        ("past_due", "team"),
        ("unpaid", "free"),
        ("paused", "free"),
        ("canceled", "free"),
    ],
)
async def test_what_a_status_is_worth(shop: Shop, status: str, plan: str) -> None:
    await shop.bought()
    customer = str((await shop.kept()).stripe_customer)
    await shop.tell(shop.stripe.change(customer, status=status))
    assert await shop.plan() == (plan, status)
    if status not in ("trialing", "canceled"):
        await shop.tell(shop.stripe.change(customer, status="active"))
        assert await shop.plan() == ("team", "active")


async def test_a_status_that_changes_after_the_end_is_shown(shop: Shop) -> None:
    await shop.bought()
    customer = str((await shop.kept()).stripe_customer)
    await shop.tell(shop.stripe.change(customer, status="unpaid"), shop.stripe.change(customer, status="canceled"))
    assert await shop.plan() == ("free", "canceled")


@pytest.mark.parametrize("status", ["incomplete", "incomplete_expired"])
async def test_what_has_not_begun_changes_nothing(shop: Shop, status: str) -> None:
    url = await shop.ordered()
    before = await shop.kept()
    await shop.tell(shop.stripe.pay(url, status=status))
    assert await shop.kept() == before
    if status == "incomplete":
        await shop.tell(shop.stripe.change(str(before.stripe_customer), status="active"))
        assert await shop.plan() == ("team", "active")


async def test_a_late_event_does_not_take_what_an_operator_gave(shop: Shop) -> None:
    await shop.bought()
    ended = shop.stripe.change(str((await shop.kept()).stripe_customer), status="canceled")
    await shop.tell(ended)
    await shop.store.assign(OURS, "individual", status="active")
    before = await shop.kept()
    await shop.tell(ended)
    assert await shop.kept() == before


async def test_limits_of_its_own_stay(shop: Shop) -> None:
    await shop.store.configure(OURS, 7, "hold")
    await shop.bought()
    kept = await shop.kept()
    assert (kept.plan_key, kept.transaction_limit, kept.overage_policy, kept.is_override) == ("team", 7, "hold", True)


async def test_events_at_once_end_with_what_stripe_has(shop: Shop) -> None:
    """Each of several processes hears of another change, in any order, while the subscription goes on changing."""
    await shop.bought()
    customer, draw = str((await shop.kept()).stripe_customer), random.Random(7)
    for status, price in [("active", "price_individual"), ("unpaid", None), ("active", "price_team")] * 3:
        events = [shop.stripe.change(customer, price=draw.choice(["price_individual", "price_team"]))]
        telling = [asyncio.create_task(shop.tell(event)) for event in events * 3]
        last = shop.stripe.change(customer, status=status, price=price)
        await asyncio.gather(*telling, shop.tell(last))
        found = list(shop.stripe.held.values())[-1]
        bought = found["items"]["data"][0]["price"]["id"].removeprefix("price_")
        assert await shop.plan() == (bought if status == "active" else "free", status)


class _Slow:
    """Stripe, asked by a process that is slower than others: what it was told first waits until it is let go."""

    def __init__(self, shop: Shop) -> None:
        self._api, self.asked, self.let_go = shop.api(), asyncio.Event(), asyncio.Event()

    async def subscriptions(self, customer: str) -> Sequence[Bought]:
        found = await self._api.subscriptions(customer)
        if not self.asked.is_set():
            self.asked.set()
            await self.let_go.wait()
        return found

    def __getattr__(self, name: str) -> object:
        return getattr(self._api, name)


async def test_an_old_answer_does_not_stay(shop: Shop) -> None:
    """A process that looked before a change, and writes after another process has written what came of it."""
    await shop.bought()
    customer, slow = str((await shop.kept()).stripe_customer), _Slow(shop)
    notice = shop.notice(shop.stripe.change(customer, price="price_individual"))
    assert notice is not None
    late = Selling(shop.store, shop.heard, shop.clock, slow)  # type: ignore[arg-type]
    looking = asyncio.create_task(late.heard(notice))
    await slow.asked.wait()
    await shop.tell(shop.stripe.change(customer, status="canceled"))
    assert await shop.plan() == ("free", "canceled")
    slow.let_go.set()
    await looking
    assert await shop.plan() == ("free", "canceled")
    assert (OURS, "subscription_updated") in shop.heard.changes


async def test_a_customer_of_nobody_is_ignored(shop: Shop) -> None:
    shop.stripe.customers["cus_999"] = {}
    found = shop.stripe.subscribe("cus_999", "price_team", metadata={"organization_id": THEIRS})
    await shop.tell(shop.stripe.event("customer.subscription.updated", found))
    assert await shop.store.subscription(THEIRS) is None
    assert shop.heard.changes == []


async def test_a_payment_link_names_nobody(shop: Shop) -> None:
    """Whoever opens one may write any `client_reference_id`; only the installation's key writes metadata."""
    shop.stripe.customers["cus_999"] = {}
    shop.stripe.subscribe("cus_999", "price_individual")
    session = {"object": "checkout.session", "mode": "subscription", "customer": "cus_999", "metadata": {}}
    for more in ({"client_reference_id": OURS}, {"client_reference_id": THEIRS, "metadata": {"organization_id": OURS}}):
        await shop.tell(shop.stripe.event("checkout.session.completed", {**session, **more}))
    assert await shop.store.subscription(OURS) is None


async def test_an_order_of_ours_finds_its_organization_though_the_customer_was_lost(shop: Shop) -> None:
    """As after a backup was restored that is older than the order."""
    url = await shop.ordered()
    await shop.store.connect(OURS, stripe_customer=None)
    await shop.tell(shop.stripe.pay(url))
    kept = await shop.kept()
    assert (kept.plan_key, kept.stripe_customer) == ("team", next(iter(shop.stripe.customers)))


async def test_an_old_order_does_not_bring_back_an_old_customer(shop: Shop) -> None:
    first = await shop.bought()
    customer = str((await shop.kept()).stripe_customer)
    await shop.tell(shop.stripe.change(customer, status="canceled"))
    shop.clock.ms += 86_400_000
    shop.stripe.customers["cus_999"] = {}
    shop.stripe.subscribe("cus_999", "price_individual")
    await shop.store.assign(OURS, "individual", status="active", stripe_customer="cus_999", stripe_subscription="sub_x")
    before = await shop.kept()
    await shop.tell(first)
    assert await shop.kept() == before


async def test_a_price_that_no_plan_has_any_more_leaves_what_was_bought(shop: Shop) -> None:
    await shop.bought()
    customer = str((await shop.kept()).stripe_customer)
    plan = await shop.store.plan("team")
    await shop.store.change_plan(Plan(**{**vars(plan), "stripe_price": "price_other"}))
    await shop.tell(shop.stripe.change(customer, status="past_due"))
    assert await shop.plan() == ("team", "past_due")


async def test_a_price_that_changes_between_order_and_payment(shop: Shop) -> None:
    url = await shop.ordered()
    plan = await shop.store.plan("team")
    await shop.store.change_plan(Plan(**{**vars(plan), "stripe_price": "price_other"}))
    await shop.tell(shop.stripe.pay(url))
    assert await shop.plan() == ("team", "active")


async def test_where_stripe_does_not_answer_nothing_is_changed(shop: Shop) -> None:
    event = shop.stripe.pay(await shop.ordered())
    before = await shop.kept()
    shop.stripe.instead = [(503, {}, {})] * 4
    with pytest.raises(StripeDown):
        await shop.tell(event)
    assert await shop.kept() == before
    await shop.tell(event)
    assert await shop.plan() == ("team", "active")
