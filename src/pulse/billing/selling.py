"""Plans that organizations buy through Stripe, and what they have of them while it lasts.

Stripe tells what happens by events that come more than once, late and out of order. So none is believed: an event only
says which customer to look at, and what Stripe says of that customer's subscriptions now is what counts. What was
written is compared with another look, until both agree. Of several processes that hear of events at once, the last one
to write has looked after it wrote: nothing old stays, and no lock is held while somebody else's server answers.

Stripe's own words on a subscription's status decide what it is worth ("How subscriptions work"): `active` and
`trialing` provide the plan; so does `past_due`, while Stripe tries again to be paid. `unpaid`, `paused` and `canceled`
provide the plan *free*. `incomplete` has not begun: it changes nothing.

The organization is known by the customer that was made for it, or else by what was written on its order: only whoever
has the installation's own secret key can write there. Whoever pays has what they pay for, whatever an operator gave
them besides.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

import structlog

from pulse.billing.plans import BY_KEY
from pulse.billing.records import Plan, Subscription
from pulse.billing.store import BillingStore
from pulse.core.clock import Clock
from pulse.core.errors import Conflict, Fault, InvalidFields, StaleRevision, Unauthenticated, Unavailable

log = structlog.get_logger(__name__)
Reason = Literal["checkout_completed", "subscription_updated", "subscription_deleted"]
PROVIDING = frozenset(("active", "trialing", "past_due"))
FREE = "free"
LOOKS = 6
HOUR_MS = 3_600_000


class NotSelling(Unavailable):
    """Nothing can be bought here: the operator of this installation has not connected it with Stripe."""

    code = "stripe_not_configured"


class StripeDown(Unavailable):
    """Stripe does not answer as it should. Try again shortly."""

    code = "stripe_unavailable"


class StripeRefused(Unavailable):
    """Stripe refuses what Pulse asks of it; the operator of this installation has to look at that."""

    code = "stripe_refused"


class AlreadyBought(Conflict):
    """The organization pays for a plan already: change or end it with POST /api/stripe/create-portal-session."""

    code = "already_subscribed"


class NothingBought(Conflict):
    """The organization has bought nothing yet: begin with POST /api/stripe/create-checkout-session."""

    code = "nothing_bought"


class Unsigned(Unauthenticated):
    """This does not come from Stripe: its signature does not fit."""

    code = "invalid_signature"


@dataclass(frozen=True)
class Order:
    """What a customer is asked to pay for. Two with the same `key` and the same rest are one."""

    organization_id: str
    customer: str
    plan_key: str
    price: str
    success_url: str
    cancel_url: str
    key: str


@dataclass(frozen=True)
class Bought:
    """A subscription as Stripe has it now. `plan_key` is what was ordered once; `created` in seconds since 1970."""

    id: str
    status: str
    prices: tuple[str, ...]
    plan_key: str | None
    created: int


@dataclass(frozen=True)
class Notice:
    """Something has happened to a customer. `organization_id`: whose order it was, where one of ours is completed."""

    reason: Reason
    customer: str
    organization_id: str | None = None


class Payments(Protocol):
    """What Stripe does for us. Every method but `notice` asks it, and raises StripeDown, StripeRefused."""

    async def customer(self, organization_id: str, name: str) -> str:
        """The id of a customer for the organization; the same one when it is asked for again within a day."""
        ...

    async def checkout(self, order: Order) -> str:
        """The address of the page where the order is paid."""
        ...

    async def portal(self, customer: str, return_url: str) -> str:
        """The address of the page where a customer sees invoices, changes plan and card, and ends the subscription."""
        ...

    async def subscriptions(self, customer: str) -> Sequence[Bought]:
        """The subscriptions of a customer, the ended ones too, the newest hundred."""
        ...

    def notice(self, raw: bytes, signature: str, now_ms: int) -> Notice | None:
        """What an event says, or None where it says nothing to us. Raises Unsigned; InvalidInput where it is none."""
        ...


class Announcements(Protocol):
    """Tells every process that a plan has changed."""

    async def changed(self, organization_id: str, reason: str) -> None: ...


@dataclass(frozen=True)
class Selling:
    """Sells plans; without `payments` nothing. `missing` names the settings that it would need."""

    store: BillingStore
    announcements: Announcements
    clock: Clock
    payments: Payments | None = None
    missing: Sequence[str] = field(default=())

    async def checkout(
        self, organization_id: str, name: str, plan_key: str, *, success_url: str, cancel_url: str
    ) -> str:
        """The address where the organization (called `name`) pays for a plan.

        Asked again within the hour, it is the same: who opens it twice pays once. Raises NotSelling, InvalidFields,
        AlreadyBought, StripeDown, StripeRefused.
        """
        payments = self.stripe()
        plan, price = await self._sold(plan_key)
        customer = await self._customer(payments, organization_id, name)
        if await self._settle(payments, organization_id, customer, "subscription_updated"):
            raise AlreadyBought
        kept = await self.store.subscription(organization_id) or _none(organization_id)
        key = f"checkout:{organization_id}:{kept.revision}:{self.clock.now_ms() // HOUR_MS}"
        order = Order(organization_id, customer, plan.key, price, success_url, cancel_url, key)
        return await payments.checkout(order)

    async def portal(self, organization_id: str, return_url: str) -> str:
        """Where the organization manages what it has bought. Raises NotSelling, NothingBought, StripeDown, …"""
        payments, kept = self.stripe(), await self.store.subscription(organization_id)
        if kept is None or kept.stripe_customer is None:
            raise NothingBought
        return await payments.portal(kept.stripe_customer, return_url)

    async def heard(self, notice: Notice) -> None:
        """Brings the organization that it concerns up to date. Raises StripeDown, …: it has to be told again then."""
        known = await self.store.of_customer(notice.customer)
        organization_id = notice.organization_id if known is None else known.organization_id
        if organization_id is None:
            log.info("stripe_customer_unknown", customer=notice.customer, reason=notice.reason)
            return
        await self._settle(self.stripe(), organization_id, notice.customer, notice.reason)

    def stripe(self) -> Payments:
        """Raises NotSelling, which names what is not set."""
        if self.payments is None:
            words = "The operator of this installation sets it, and then starts Pulse anew."
            raise NotSelling(f"Nothing can be bought here: {' and '.join(self.missing)} is not set. {words}")
        return self.payments

    async def _sold(self, plan_key: str) -> tuple[Plan, str]:
        if plan_key not in BY_KEY:
            raise InvalidFields([Fault("planKey", "unknown_plan", f"There is no such plan: {', '.join(BY_KEY)}.")])
        plan = await self.store.plan(plan_key)
        if plan.stripe_price is None:
            words = (
                f"The plan {plan.name} is not sold: it has no stripePrice (PUT /api/plan-configurations/{plan.key})."
            )
            raise InvalidFields([Fault("planKey", "not_sold", words)])
        return plan, plan.stripe_price

    async def _customer(self, payments: Payments, organization_id: str, name: str) -> str:
        """The organization's customer at Stripe, made if there is none; of two made at once one stays."""
        for _ in range(LOOKS):
            kept = await self.store.subscription(organization_id)
            if kept is not None and kept.stripe_customer is not None:
                return kept.stripe_customer
            made = await payments.customer(organization_id, name)
            try:
                await self.store.connect(organization_id, stripe_customer=made)
            except StaleRevision:
                continue
        raise StaleRevision

    async def _settle(self, payments: Payments, organization_id: str, customer: str, reason: Reason) -> bool:
        """Whether the customer pays for something now: what that provides, the organization has then.

        Raises StaleRevision where it is changed again and again meanwhile.
        """
        plans = await self.store.plans()
        for _ in range(LOOKS):
            found = await payments.subscriptions(customer)
            kept = await self.store.subscription(organization_id) or _none(organization_id)
            due = due_of(kept, customer, found, plans)
            if due is None:
                counts = counting(found)
                return counts is not None and counts.status in PROVIDING
            # Another's write meanwhile is found by the next look.
            await self._give(organization_id, due, reason)
        raise StaleRevision

    async def _give(self, organization_id: str, due: "Due", reason: Reason) -> None:
        told = {"planKey": due.plan_key, "status": due.status, "reason": reason}
        try:
            await self.store.assign(organization_id, due.plan_key, **due.of_stripe())
        except StaleRevision:
            return
        log.info("plan_assigned", organization_id=organization_id, **told)
        await self.announcements.changed(organization_id, reason)


@dataclass(frozen=True)
class Due:
    """What an organization shall have from now on."""

    plan_key: str
    status: str
    stripe_customer: str
    stripe_subscription: str | None

    def of_stripe(self) -> Mapping[str, str | None]:
        """What is kept beside the plan."""
        return {name: value for name, value in vars(self).items() if name != "plan_key"}


def due_of(kept: Subscription, customer: str, found: Sequence[Bought], plans: Sequence[Plan]) -> Due | None:
    """What the organization shall have, now that its customer has these subscriptions; None where it has that."""
    counts = counting(found)
    if counts is not None and counts.status in PROVIDING:
        plan_key = _plan_of(counts, plans, kept)
        due = None if plan_key is None else Due(plan_key, counts.status, customer, counts.id)
    elif kept.stripe_customer == customer and (kept.stripe_subscription is not None or _has_ended(kept)):
        due = Due(FREE, "canceled" if counts is None else counts.status, customer, None)
    else:
        # It never had anything of this customer: what an operator gave it stays.
        due = None
    has = Due(kept.plan_key or "", kept.status, kept.stripe_customer or "", kept.stripe_subscription)
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


def _none(organization_id: str) -> Subscription:
    return Subscription(organization_id, None, None, "hard_limit", False, "active", None, None, 0, 0)
