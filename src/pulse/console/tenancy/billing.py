"""`/api/usage`, `/api/subscriptions`, `/api/plan-configurations`: how many messages an organization may have."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from pydantic import Field

from pulse.billing.records import DEFAULT_LIMIT, DEFAULT_POLICY, OveragePolicy, Plan, Subscription
from pulse.billing.store import BillingStore
from pulse.console.access import (
    MayReadPlans,
    MayReadSubscription,
    MayReadUsage,
    MayWritePlans,
    MayWriteSubscription,
    revision_of,
)
from pulse.console.bodies import Body
from pulse.console.pages import whole
from pulse.console.routes import GuardedRoute
from pulse.core.clock import iso
from pulse.messages.reading import MessageReader

router = APIRouter(tags=["billing"], route_class=GuardedRoute)
MAX_LIMIT = 10**12
Limit = Annotated[int, Field(ge=0, le=MAX_LIMIT, strict=True)]
# Read by the check, which has the id of it for the route.
OrganizationId = Annotated[str, Path(alias="organization_id")]
PlanName = Annotated[str, Field(min_length=1, max_length=100)]
StripeId = Annotated[str, Field(min_length=1, max_length=255)]


class TransactionConfigBody(Body):
    """Messages a month, null for any number; and what becomes of the others."""

    transaction_limit: Limit | None = DEFAULT_LIMIT
    overage_policy: OveragePolicy = DEFAULT_POLICY


class SubscriptionBody(Body):
    """The plan that an organization shall have."""

    plan_key: str


class PlanBody(Body):
    """A plan. `price` in cents of a US dollar a month; limits are null for any number."""

    name: PlanName
    price: Annotated[int, Field(ge=0, le=100_000_000, strict=True)]
    transaction_limit: Limit | None
    overage_policy: OveragePolicy = DEFAULT_POLICY
    max_members: Annotated[int, Field(ge=1, le=1_000_000, strict=True)] | None = None
    stripe_price: StripeId | None = None


@router.get("/usage/transactions")
async def usage(principal: MayReadUsage, request: Request) -> Any:
    """The month that is: how many messages were accepted, how many may be, and when the limit is reached at this pace.

    `isOverLimit`: no further message is within the limit. `heldCount`: so many wait for it to rise, however many; they
    are 1,000,000 at most, and what comes after them is ignored (`too_many_held`).
    """
    reader: MessageReader = request.app.state.reader
    organization = principal.organization_id
    found = await _store(request).usage(organization)
    return {
        "organizationId": organization,
        "period": found.period,
        "currentCount": found.count,
        "limit": found.limit,
        "percentUsed": found.percent,
        "overagePolicy": found.policy,
        "isOverLimit": found.is_over,
        "heldCount": await reader.held(organization),
        "limitReachedAt": None if found.reached_at is None else iso(found.reached_at),
    }


@router.get("/usage/transactions/history")
async def history(principal: MayReadUsage, request: Request, months: Annotated[int, Query(ge=1, le=24)] = 12) -> Any:
    """Month by month, the newest first."""
    found = await _store(request).history(principal.organization_id, months)
    counts = [{"period": period, "count": count} for period, count in found]
    return {"organizationId": principal.organization_id, "history": counts}


@router.get("/subscriptions/{organization_id}/transaction-config")
async def transaction_config(_id: OrganizationId, principal: MayReadSubscription, request: Request) -> Any:
    return _config(principal.organization_id, await _store(request).subscription(principal.organization_id))


@router.put("/subscriptions/{organization_id}/transaction-config")
async def configure(
    _id: OrganizationId, body: TransactionConfigBody, principal: MayWriteSubscription, request: Request
) -> Any:
    """Gives an organization a limit of its own, whatever its plan says. Held messages go on as far as it allows."""
    chosen, wanted = principal.organization_id, (body.transaction_limit, body.overage_policy)
    changed = await _store(request).configure(chosen, *wanted, revision_of(request))
    await _announce(request, chosen, "transaction_config_updated")
    return _config(chosen, changed)


@router.put("/subscriptions/{organization_id}")
async def assign(_id: OrganizationId, body: SubscriptionBody, principal: MayWriteSubscription, request: Request) -> Any:
    """Gives an organization a plan. Limits of its own stay."""
    changed = await _store(request).assign(principal.organization_id, body.plan_key, status="active")
    await _announce(request, principal.organization_id, "admin_plan_change")
    return _config(principal.organization_id, changed)


@router.get("/plan-configurations")
async def plans(_principal: MayReadPlans, request: Request) -> Any:
    return whole([_plan(plan) for plan in await _store(request).plans()])


@router.put("/plan-configurations/{plan_key}")
async def change_plan(plan_key: str, body: PlanBody, _principal: MayWritePlans, request: Request) -> Any:
    """Changes a plan for everybody who has it, but for those with limits of their own."""
    changed = await _store(request).change_plan(Plan(plan_key, **body.model_dump()), revision_of(request))
    await _announce(request, "*", f"plan_config_updated:{plan_key}")
    return _plan(changed)


async def _announce(request: Request, organization_id: str, reason: str) -> None:
    await request.app.state.plan_changes.changed(organization_id, reason)


def _config(organization_id: str, kept: Subscription | None) -> dict[str, Any]:
    return {
        "organizationId": organization_id,
        "planKey": None if kept is None else kept.plan_key,
        "transactionLimit": None if kept is None else kept.transaction_limit,
        "overagePolicy": DEFAULT_POLICY if kept is None else kept.overage_policy,
        "isOverride": kept is not None and kept.is_override,
        "status": "none" if kept is None else kept.status,
        "revision": 0 if kept is None else kept.revision,
    }


def _plan(plan: Plan) -> dict[str, Any]:
    return {
        "key": plan.key,
        "name": plan.name,
        "price": plan.price,
        "transactionLimit": plan.transaction_limit,
        "overagePolicy": plan.overage_policy,
        "maxMembers": plan.max_members,
        "stripePrice": plan.stripe_price,
        "revision": plan.revision,
    }


def _store(request: Request) -> BillingStore:
    store: BillingStore = request.app.state.billing
    return store
