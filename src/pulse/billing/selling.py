"""Plans that organizations buy through Stripe, and what they have of them while it lasts.

Stripe tells what happens by events that come more than once, late and out of order. So none is believed: an event only
says which customer to look at, and what Stripe says of that customer's subscriptions now is what counts (due.py). What
was written is compared with another look, until both agree. Of several processes that hear of events at once, the last
one to write has looked after it wrote: nothing old stays, and no lock is held while somebody else's server answers.

Whoever pays twice has paid on two pages. So a customer has one page at most: an open one for the same order is given
again, any other is closed before an address is given, and what was paid on it until then is looked for afterwards. A
new page is made under a key that names the newest one there was: of two at once for the same order one is made, of two
for different ones the later closes the earlier. A second subscription all the same (from Stripe's own dashboard, say)
ends nothing by itself: the newest counts, and the others are said (`also_paid`).

The organization is known by the customer that was made for it, or else by what was written on its order: only whoever
has the installation's own secret key can write there. Whoever pays has what they pay for, whatever an operator gave
them besides. A customer whom Stripe does not know any more has nothing, and is forgotten when the next is needed.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import structlog

from pulse.billing.due import PROVIDING, Due, counting, due_of
from pulse.billing.payments import Bought, CustomerGone, Notice, Order, Page, Payments, Reason
from pulse.billing.plans import BY_KEY
from pulse.billing.records import Plan, Subscription
from pulse.billing.store import BillingStore
from pulse.core.clock import Clock
from pulse.core.errors import Conflict, Fault, InvalidFields, StaleRevision, Unavailable

log = structlog.get_logger(__name__)
LOOKS = 6


class NotSelling(Unavailable):
    """Nothing can be bought here: the operator of this installation has not connected it with Stripe."""

    code = "stripe_not_configured"


class AlreadyBought(Conflict):
    """The organization pays for a plan already: change or end it with POST /api/stripe/create-portal-session."""

    code = "already_subscribed"


class NothingBought(Conflict):
    """The organization has bought nothing yet: begin with POST /api/stripe/create-checkout-session."""

    code = "nothing_bought"


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

        It is the only one: another that was given before for the same stays the same, and any other ends. Raises
        NotSelling, InvalidFields, AlreadyBought, StripeDown, StripeRefused.
        """
        payments = self.stripe()
        plan, price = await self._sold(plan_key)
        for _ in range(LOOKS):
            customer = await self._customer(payments, organization_id, name)
            try:
                return await self._page(
                    payments, Order(organization_id, customer, plan.key, price, success_url, cancel_url)
                )
            except CustomerGone:
                await self._forget(organization_id, customer)
        raise StaleRevision

    async def portal(self, organization_id: str, return_url: str) -> str:
        """Where the organization manages what it has bought. Raises NotSelling, NothingBought, CustomerGone, …"""
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
            kept = await self.store.subscription(organization_id) or _none(organization_id)
            if kept.stripe_customer is not None:
                return kept.stripe_customer
            # Forgetting one raises the revision: Stripe would say the forgotten one again under the same key.
            made = await payments.customer(organization_id, name, f"customer:{organization_id}:{kept.revision}")
            try:
                await self.store.connect(organization_id, stripe_customer=made)
            except StaleRevision:
                continue
        raise StaleRevision

    async def _forget(self, organization_id: str, customer: str) -> None:
        kept = await self.store.subscription(organization_id)
        if kept is None or kept.stripe_customer != customer:
            return
        log.warning("stripe_customer_gone", organization_id=organization_id, customer=customer)
        try:
            await self.store.connect(organization_id, stripe_customer=None)
        except StaleRevision:
            return

    async def _page(self, payments: Payments, order: Order) -> str:
        """The address of the one page where the customer can pay now. Raises AlreadyBought, CustomerGone."""
        await self._refuse_another(payments, order)
        begun = await payments.pages(order.customer)
        page = next((each for each in begun if each.url is not None and each.order == order), None)
        if page is None:
            after = begun[0].id if begun else "nothing"
            page = await payments.checkout(order, f"checkout:{order.organization_id}:{after}")
            begun = await payments.pages(order.customer)
        await _close(payments, [each for each in begun if each.id != page.id])
        # What was paid on the others meanwhile.
        await self._refuse_another(payments, order)
        return page.url or ""

    async def _refuse_another(self, payments: Payments, order: Order) -> None:
        if await self._settle(payments, order.organization_id, order.customer, "subscription_updated"):
            raise AlreadyBought

    async def _settle(self, payments: Payments, organization_id: str, customer: str, reason: Reason) -> bool:
        """Whether the customer pays for something now: what that provides, the organization has then.

        Raises StaleRevision where it is changed again and again meanwhile.
        """
        plans = await self.store.plans()
        for _ in range(LOOKS):
            found = await _subscriptions(payments, customer)
            kept = await self.store.subscription(organization_id) or _none(organization_id)
            due = due_of(kept, customer, found, plans)
            if due is None:
                counts = counting(found)
                return counts is not None and counts.status in PROVIDING
            # Another's write meanwhile is found by the next look.
            await self._give(organization_id, due, reason)
        raise StaleRevision

    async def _give(self, organization_id: str, due: Due, reason: Reason) -> None:
        told = {"planKey": due.plan_key, "status": due.status, "reason": reason}
        try:
            await self.store.assign(organization_id, due.plan_key, **due.of_stripe())
        except StaleRevision:
            return
        log.info("plan_assigned", organization_id=organization_id, **told)
        await self.announcements.changed(organization_id, reason)


async def _subscriptions(payments: Payments, customer: str) -> Sequence[Bought]:
    """What a customer has; one who was deleted has nothing any more."""
    try:
        return await payments.subscriptions(customer)
    except CustomerGone:
        return ()


async def _close(payments: Payments, pages: Sequence[Page]) -> None:
    for page in pages:
        if page.url is not None:
            await payments.close(page.id)


def _none(organization_id: str) -> Subscription:
    return Subscription(organization_id, None, None, "hard_limit", False, "active", None, None, 0, 0)
