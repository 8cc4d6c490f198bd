"""`/api/stripe`: an organization buys a plan at Stripe and manages it there, and Stripe tells what becomes of it."""

import re
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from pydantic import ConfigDict, Field

from pulse.billing.payments import Notice, Unsigned
from pulse.billing.selling import Selling
from pulse.billing.store import BillingStore
from pulse.console.access import MayBuy, MayReadBought, right
from pulse.console.bodies import Body
from pulse.console.routes import GuardedRoute
from pulse.core.errors import Fault, InvalidFields, TooLarge
from pulse.tenancy.store import TenancyStore

router = APIRouter(prefix="/stripe", tags=["billing"], route_class=GuardedRoute)
MAX_EVENT_BYTES = 1 << 20
# What RFC 3986 has in addresses, and the braces of Stripe's {CHECKOUT_SESSION_ID}.
_ADDRESS = re.compile(r"[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%{}]*")
ReturnUrl = Annotated[str, Field(max_length=2_000)]


class CheckoutBody(Body):
    """The plan to buy, and where to go afterwards: addresses of this installation, its first page if left out."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"planKey": "team"}]})

    plan_key: Annotated[str, Field(min_length=1, max_length=100)]
    success_url: ReturnUrl | None = None
    cancel_url: ReturnUrl | None = None


class PortalBody(Body):
    """Where to go afterwards: an address of this installation, its first page if left out."""

    return_url: ReturnUrl | None = None


async def _signed(request: Request) -> None:
    """Lets in what Stripe has signed; what it says is then `request.state.notice`.

    Raises Unsigned, TooLarge, NotSelling.
    """
    signatures = request.headers.getlist("stripe-signature")
    if len(signatures) != 1:
        raise Unsigned("Only Stripe sends something here: one Stripe-Signature is needed.")
    selling = _selling(request)
    stripe = selling.stripe()
    request.state.notice = stripe.notice(await _event(request), signatures[0], selling.clock.now_ms())


from_stripe = right("stripe:notify", _signed)


@router.get("/subscription")
async def subscription(principal: MayReadBought, request: Request) -> Any:
    """The plan, and how what was bought at Stripe stands there: `status` is Stripe's own word once it was bought.

    `isSelling`: whether plans can be bought here. `isCustomer`: whether there is anything to see in the portal.
    `otherSubscriptionIds`: of what is paid besides, for nothing: end it in the portal.
    """
    store: BillingStore = request.app.state.billing
    kept = await store.subscription(principal.organization_id)
    return {
        "organizationId": principal.organization_id,
        "planKey": None if kept is None else kept.plan_key,
        "status": "none" if kept is None else kept.status,
        "stripeSubscriptionId": None if kept is None else kept.stripe_subscription,
        "otherSubscriptionIds": [] if kept is None else kept.also_paid.split(),
        "isCustomer": kept is not None and kept.stripe_customer is not None,
        "isSelling": _selling(request).payments is not None,
    }


@router.post("/create-checkout-session")
async def create_checkout_session(body: CheckoutBody, principal: MayBuy, request: Request) -> Any:
    """Where to pay for a plan. The organization has it as soon as Stripe tells that it is paid.

    Asked again for the same, it is the same page; for something else another one, and nobody can pay on the first.
    """
    tenancy: TenancyStore = request.app.state.tenancy
    _selling(request).stripe()
    success = _own_address(request, "successUrl", body.success_url, "/?checkout=completed")
    cancel = _own_address(request, "cancelUrl", body.cancel_url, "/?checkout=canceled")
    organization = await tenancy.organization(principal.organization_id)
    url = await _selling(request).checkout(
        organization.id, organization.name, body.plan_key, success_url=success, cancel_url=cancel
    )
    return {"url": url}


@router.post("/create-portal-session")
async def create_portal_session(principal: MayBuy, request: Request, body: PortalBody | None = None) -> Any:
    """Where to see invoices, change plan and card, and end the subscription."""
    _selling(request).stripe()
    back = _own_address(request, "returnUrl", None if body is None else body.return_url, "/")
    return {"url": await _selling(request).portal(principal.organization_id, back)}


@router.post("/webhook", dependencies=[Depends(from_stripe)])
async def webhook(request: Request) -> Any:
    """For Stripe alone. Whatever is no success is sent again by it, for three days."""
    notice: Notice | None = request.state.notice
    if notice is not None:
        await _selling(request).heard(notice)
    return {"received": True}


def _own_address(request: Request, name: str, given: str | None, otherwise: str) -> str:
    """An address of this installation. Raises InvalidFields for any other, so that nobody is led astray by Stripe."""
    own: str = request.app.state.public_url
    if given is None:
        return own + otherwise
    if not given.startswith(f"{own}/") or not _ADDRESS.fullmatch(given):
        raise InvalidFields([Fault(name, "foreign_address", f"An address of this installation begins with {own}/.")])
    return given


async def _event(request: Request) -> bytes:
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > MAX_EVENT_BYTES:
            raise TooLarge(f"The body has more than {MAX_EVENT_BYTES} bytes.", limit=MAX_EVENT_BYTES, size=size)
        parts.append(part)
    return b"".join(parts)


def _selling(request: Request) -> Selling:
    selling: Selling = request.app.state.selling
    return selling
