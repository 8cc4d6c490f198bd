"""What whoever takes the money does for Pulse, and what it says of it: Stripe (stripe.py), in Stripe's own words."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from pulse.core.errors import Conflict, Unauthenticated, Unavailable

Reason = Literal["checkout_completed", "subscription_updated", "subscription_deleted"]


class StripeDown(Unavailable):
    """Stripe does not answer as it should. Try again shortly."""

    code = "stripe_unavailable"


class StripeRefused(Unavailable):
    """Stripe refuses what Pulse asks of it; the operator of this installation has to look at that."""

    code = "stripe_refused"


class CustomerGone(Conflict):
    """Stripe knows the organization no more, and so has nothing to show: buy a plan anew (create-checkout-session)."""

    code = "customer_gone"


class Unsigned(Unauthenticated):
    """This does not come from Stripe: its signature does not fit."""

    code = "invalid_signature"


@dataclass(frozen=True)
class Order:
    """What a customer is asked to pay for."""

    organization_id: str
    customer: str
    plan_key: str
    price: str
    success_url: str
    cancel_url: str


@dataclass(frozen=True)
class Page:
    """A page where an order of ours is paid, or was, or could have been. `url`: None where nobody can pay any more."""

    id: str
    order: Order
    url: str | None


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
    """What Stripe does for us. Every method but `notice` asks it, and raises StripeDown, StripeRefused.

    What concerns a customer raises CustomerGone where there is none of that name any more. What is made under the same
    `key` within a day, of the same, is one.
    """

    async def customer(self, organization_id: str, name: str, key: str) -> str:
        """The id of a customer for the organization."""
        ...

    async def checkout(self, order: Order, key: str) -> Page:
        """A page where the order is paid."""
        ...

    async def pages(self, customer: str) -> Sequence[Page]:
        """The pages of a customer's orders, the newest first, a hundred at most."""
        ...

    async def close(self, page_id: str) -> None:
        """From now on nobody pays on this page; somebody may have."""
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
