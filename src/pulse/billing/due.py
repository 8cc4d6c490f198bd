"""What an organization shall have, judging by what its customer has at Stripe: pure functions.

Stripe's own words on a subscription's status decide what it is worth ("How subscriptions work"): `active` and
`trialing` provide the plan; so does `past_due`, while Stripe tries again to be paid. `unpaid`, `paused` and `canceled`
provide the plan *free*. `incomplete` has not begun: it changes nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import structlog

from pulse.billing.payments import Bought
from pulse.billing.plans import BY_KEY
from pulse.billing.records import Plan, Subscription

log = structlog.get_logger(__name__)
PROVIDING = frozenset(("active", "trialing", "past_due"))
FREE = "free"


@dataclass(frozen=True)
class Due:
    """What an organization shall have from now on. `also_paid` as of a Subscription."""

    plan_key: str
    status: str
    stripe_customer: str
    stripe_subscription: str | None
    also_paid: str = ""

    def of_stripe(self) -> Mapping[str, str | None]:
        """What is kept beside the plan."""
        return {name: value for name, value in vars(self).items() if name != "plan_key"}


def due_of(kept: Subscription, customer: str, found: Sequence[Bought], plans: Sequence[Plan]) -> Due | None:
    """What the organization shall have, now that its customer has these subscriptions; None where it has that."""
    counts = counting(found)
    if counts is not None and counts.status in PROVIDING:
        plan_key = _plan_of(counts, plans, kept)
        also = " ".join(sorted(each.id for each in found if each.status in PROVIDING and each is not counts))
        due = None if plan_key is None else Due(plan_key, counts.status, customer, counts.id, also)
    elif kept.stripe_customer == customer and (kept.stripe_subscription is not None or _has_ended(kept)):
        due = Due(FREE, "canceled" if counts is None else counts.status, customer, None)
    else:
        # It never had anything of this customer: what an operator gave it stays.
        due = None
    has = Due(kept.plan_key or "", kept.status, kept.stripe_customer or "", kept.stripe_subscription, kept.also_paid)
    return None if due == has else due


def counting(found: Sequence[Bought]) -> Bought | None:
    """The subscription that counts: the newest that provides something, or else the newest that ever began."""
    begun = [each for each in found if not each.status.startswith("incomplete")]
    providing = [each for each in begun if each.status in PROVIDING]
    if len(providing) > 1:
        log.warning("several_subscriptions", ids=[each.id for each in providing])
    return max(providing or begun, key=lambda each: (each.created, each.id), default=None)


def _plan_of(bought: Bought, plans: Sequence[Plan], kept: Subscription) -> str | None:
    """By the price; a price that no plan has any more leaves what was bought for it before."""
    by_price = {plan.stripe_price: plan.key for plan in plans if plan.stripe_price is not None}
    for price in bought.prices:
        if price in by_price:
            return by_price[price]
    log.warning("stripe_price_unknown", subscription=bought.id, prices=bought.prices)
    if kept.stripe_subscription == bought.id and kept.plan_key is not None:
        return kept.plan_key
    return bought.plan_key if bought.plan_key in BY_KEY else None


def _has_ended(kept: Subscription) -> bool:
    """Whether it has nothing because what it had bought has ended, and no operator gave it a plan since."""
    return kept.plan_key == FREE and kept.status not in PROVIDING
