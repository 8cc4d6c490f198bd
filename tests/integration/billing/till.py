"""What is done at the till: orders, what Stripe tells, and what is shown of it."""

from typing import Any

import httpx2

from tests.contract.billing.fake_stripe import signed
from tests.integration.receiver.installation import Installation, Tenant

SUBSCRIPTION, CHECKOUT = "/api/stripe/subscription", "/api/stripe/create-checkout-session"
PORTAL, WEBHOOK, PLANS = "/api/stripe/create-portal-session", "/api/stripe/webhook", "/api/plan-configurations"


async def by_operator(pulse: Installation, tenant: Tenant, method: str, path: str, body: Any = None) -> httpx2.Response:
    given: dict[str, Any] = {} if body is None else {"json": body}
    place = {"organizationId": tenant.organization_id}
    return await pulse.client.request(method, path, params=place, headers=pulse.operator, **given)


async def ordered(pulse: Installation, tenant: Tenant, **more: Any) -> str:
    answer = await by_operator(pulse, tenant, "POST", CHECKOUT, {"planKey": "team", **more})
    assert answer.status_code == 200, answer.text
    assert answer.json().keys() == {"url"}
    return str(answer.json()["url"])


async def tell(pulse: Installation, event: bytes, *signatures: str) -> httpx2.Response:
    """Stripe sends an event; without a signature with its own."""
    given = [("stripe-signature", each) for each in signatures or (signed(event),)]
    headers = [("content-type", "application/json; charset=utf-8"), *given]
    return await pulse.client.post(WEBHOOK, content=event, headers=headers)


async def shown(pulse: Installation, tenant: Tenant) -> tuple[str | None, str]:
    answer = await by_operator(pulse, tenant, "GET", SUBSCRIPTION)
    assert answer.status_code == 200, answer.text
    return answer.json()["planKey"], answer.json()["status"]
