"""What an organization is told where Stripe has more of it than it should, or nothing any more."""

from tests.contract.billing.fake_stripe import FakeStripe
from tests.integration.billing.till import PORTAL, SUBSCRIPTION, by_operator, ordered, shown, tell
from tests.integration.receiver.installation import Installation, Tenant


async def test_what_is_paid_twice_is_shown(shop: Installation, stripe: FakeStripe, here: Tenant) -> None:
    assert (await tell(shop, stripe.pay(await ordered(shop, here)))).status_code == 200
    kept = await shop.parts.billing.subscription(here.organization_id)
    assert kept is not None
    second = stripe.subscribe(str(kept.stripe_customer), "price_team")
    assert (await tell(shop, stripe.event("customer.subscription.updated", second))).status_code == 200
    found = (await by_operator(shop, here, "GET", SUBSCRIPTION)).json()
    assert (found["stripeSubscriptionId"], found["otherSubscriptionIds"]) == (second["id"], [kept.stripe_subscription])


async def test_who_was_deleted_at_stripe_is_told_so_and_buys_anew(
    shop: Installation, stripe: FakeStripe, here: Tenant
) -> None:
    assert (await tell(shop, stripe.pay(await ordered(shop, here)))).status_code == 200
    kept = await shop.parts.billing.subscription(here.organization_id)
    assert kept is not None
    stripe.delete(str(kept.stripe_customer))
    portal = await by_operator(shop, here, "POST", PORTAL)
    assert (portal.status_code, portal.json()["code"]) == (409, "customer_gone")
    assert (await tell(shop, stripe.pay(await ordered(shop, here)))).status_code == 200
    assert await shown(shop, here) == ("team", "active")
