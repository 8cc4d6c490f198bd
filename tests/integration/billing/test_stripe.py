"""`/api/stripe`: buying a plan, by whom, and what Stripe tells of it, over HTTP through the way out that Pulse has."""

import json
import time
from pathlib import Path
from typing import Any

import pytest

from pulse.bootstrap.platform import OpenData
from pulse.bootstrap.settings import load_settings
from pulse.core.errors import Misconfigured
from tests.contract.billing.fake_stripe import KEY, SECRET, FakeStripe, signed
from tests.integration.billing.till import (
    CHECKOUT,
    PORTAL,
    SUBSCRIPTION,
    WEBHOOK,
    by_operator,
    ordered,
    shown,
    tell,
)
from tests.integration.console.people.rooms import browser
from tests.integration.receiver.installation import Installation, Tenant, installed


async def test_a_plan_is_bought_changed_and_ended(shop: Installation, stripe: FakeStripe, here: Tenant) -> None:
    other, admin = await shop.tenant("Other"), await browser(shop, here, "Admin")
    found = (await admin.send("GET", SUBSCRIPTION)).json()
    assert found == {
        "organizationId": here.organization_id,
        "planKey": None,
        "status": "none",
        "stripeSubscriptionId": None,
        "otherSubscriptionIds": [],
        "isCustomer": False,
        "isSelling": True,
    }
    page = await admin.send("POST", CHECKOUT, {"planKey": "team"})
    told = await tell(shop, stripe.pay(page.json()["url"]))
    assert (told.status_code, told.json()) == (200, {"received": True})
    found = (await admin.send("GET", SUBSCRIPTION)).json()
    assert (found["planKey"], found["status"], found["isCustomer"]) == ("team", "active", True)
    usage = await shop.client.get("/api/usage/transactions", headers=here.headers)
    assert usage.json()["limit"] == 5_000
    portal = await admin.send("POST", PORTAL)
    assert portal.json()["url"].startswith("https://billing.stripe.test/")
    kept = await shop.parts.billing.subscription(here.organization_id)
    assert kept is not None
    ended = await tell(shop, stripe.change(str(kept.stripe_customer), status="canceled"))
    assert ended.status_code == 200
    assert await shown(shop, here) == ("free", "canceled")
    assert await shown(shop, other) == (None, "none")


async def test_what_stripe_tells_is_in_the_audit(shop: Installation, stripe: FakeStripe, here: Tenant) -> None:
    event = stripe.pay(await ordered(shop, here))
    assert (await tell(shop, event)).status_code == 200
    assert (await tell(shop, event)).status_code == 200
    answer = await by_operator(shop, here, "GET", "/api/audit")
    told = [entry for entry in answer.json()["data"] if entry["action"] == "stripe:notify"]
    assert [subject["changed"] for entry in told for subject in entry["subjects"]] == [
        {"status": "active", "plan": "team", "limit": 5_000, "policy": "hard_limit"}
    ]


@pytest.mark.parametrize(("role", "status"), [("Admin", 200), ("User", 403), ("Guest", 403)])
async def test_who_may_buy(shop: Installation, here: Tenant, role: str, status: int) -> None:
    somebody = await browser(shop, here, role)
    assert (await somebody.send("GET", SUBSCRIPTION)).status_code == status
    assert (await somebody.send("POST", CHECKOUT, {"planKey": "team"})).status_code == status
    assert (await somebody.send("POST", PORTAL, {})).status_code == status


async def test_nobody_buys_for_another_organization(shop: Installation, here: Tenant) -> None:
    other = await shop.tenant("Other")
    admin = await browser(shop, here, "Admin")
    for method, path, body in (
        ("GET", SUBSCRIPTION, None),
        ("POST", CHECKOUT, {"planKey": "team"}),
        ("POST", PORTAL, {}),
    ):
        for place in (other.organization_id, other.organization.name):
            answer = await admin.send(method, f"{path}?organizationId={place}", body)
            assert answer.status_code == 404, (method, path)
        given: dict[str, Any] = {} if body is None else {"json": body}
        for headers, status in (({}, 401), (here.headers, 403)):
            answer = await shop.client.request(method, path, headers=headers, **given)
            assert answer.status_code == status, (method, path, answer.text)
    assert await shop.parts.billing.subscription(other.organization_id) is None


async def test_who_pays_already_is_sent_to_the_portal(shop: Installation, stripe: FakeStripe, here: Tenant) -> None:
    first = await by_operator(shop, here, "POST", PORTAL)
    assert (first.status_code, first.json()["code"]) == (409, "nothing_bought")
    await tell(shop, stripe.pay(await ordered(shop, here)))
    again = await by_operator(shop, here, "POST", CHECKOUT, {"planKey": "team"})
    assert (again.status_code, again.json()["code"]) == (409, "already_subscribed")


async def test_where_stripe_sends_people_afterwards(shop: Installation, stripe: FakeStripe, here: Tenant) -> None:
    def addresses(url: str) -> tuple[str, str]:
        session = stripe.sessions[url.rpartition("/")[2]]
        return session["success_url"], session["cancel_url"]

    own = "http://pulse.test"
    assert addresses(await ordered(shop, here)) == (f"{own}/?checkout=completed", f"{own}/?checkout=canceled")
    wanted = {"successUrl": f"{own}/a?session={{CHECKOUT_SESSION_ID}}&x=%20#b", "cancelUrl": f"{own}/"}
    assert addresses(await ordered(shop, here, **wanted)) == (wanted["successUrl"], wanted["cancelUrl"])


FOREIGN = [
    "https://evil.example/",
    "http://pulse.test",
    "http://pulse.test.evil.example/",
    "http://pulse.test@evil.example/",
    "http://pulse.test:80@evil.example/",
    "http://pulse.test\\@evil.example/",
    "http://pulse.test/\\evil.example",
    "https://pulse.test/",
    "HTTP://PULSE.TEST/",
    "//pulse.test/",
    "/relative",
    "javascript:alert(1)",
    " http://pulse.test/",
    "http://pulse.test/ x",
    "http://pulse.test/\n",
    "http://pulse.test/\u2028",
    "http://pulse.test/<script>",
    "",
]


@pytest.mark.parametrize("url", FOREIGN)
async def test_nobody_is_sent_elsewhere(shop: Installation, here: Tenant, url: str) -> None:
    for path, body in (
        (CHECKOUT, {"planKey": "team", "successUrl": url}),
        (CHECKOUT, {"planKey": "team", "cancelUrl": url}),
        (PORTAL, {"returnUrl": url}),
    ):
        answer = await by_operator(shop, here, "POST", path, body)
        assert answer.status_code == 422, (path, answer.text)
        (fault,) = answer.json()["errors"]
        assert (fault["path"], fault["code"]) == ([*body][-1], "foreign_address")


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({}, "planKey"),
        ({"planKey": ""}, "planKey"),
        ({"planKey": 7}, "planKey"),
        ({"planKey": "gold"}, "planKey"),
        ({"planKey": "individual"}, "planKey"),
        ({"planKey": "team", "price": "price_old"}, "price"),
        ({"planKey": "team", "successUrl": "http://pulse.test/" + "x" * 2_000}, "successUrl"),
    ],
)
async def test_what_is_no_order(shop: Installation, here: Tenant, body: Any, path: str) -> None:
    answer = await by_operator(shop, here, "POST", CHECKOUT, body)
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"][0]["path"] == path


async def test_what_stripe_did_not_sign_is_refused(shop: Installation, stripe: FakeStripe, here: Tenant) -> None:
    event = stripe.pay(await ordered(shop, here))
    good, late = signed(event), signed(event, at=int(time.time()) - 400)
    for signatures in (
        [signed(event, "whsec_other")],
        [signed(event + b" ")],
        [late],
        [""],
        ["t=1"],
        [good, good],
        [good, signed(event, "whsec_other")],
        [f"{good},{good}"],
    ):
        answer = await tell(shop, event, *signatures)
        assert (answer.status_code, answer.json()["code"]) == (401, "invalid_signature"), signatures
    unsigned = await shop.client.post(WEBHOOK, content=event)
    assert (unsigned.status_code, unsigned.json()["code"]) == (401, "invalid_signature")
    assert await shown(shop, here) == (None, "active")
    assert (await tell(shop, event)).status_code == 200
    assert await shown(shop, here) == ("team", "active")


async def test_each_secret_that_is_set_is_live(shop: Installation, stripe: FakeStripe) -> None:
    event = stripe.event("invoice.paid", {"object": "invoice"})
    for secret in (SECRET, "whsec_newer"):
        answer = await tell(shop, event, signed(event, secret))
        assert (answer.status_code, answer.json()) == (200, {"received": True})
    assert (await tell(shop, event, signed(event, ""))).status_code == 401


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 422, "invalid_input"),
        (b"{", 422, "invalid_input"),
        (b'{"type": 1}', 422, "invalid_input"),
        (b'{"x": "' + b"x" * (1 << 20) + b'"}', 413, "too_large"),
    ],
    ids=["empty", "cut off", "no event", "too large"],
)
async def test_what_is_signed_and_no_event(shop: Installation, body: bytes, status: int, code: str) -> None:
    answer = await tell(shop, body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


async def test_an_event_is_sent_again_where_stripe_could_not_be_asked(
    shop: Installation, stripe: FakeStripe, here: Tenant
) -> None:
    event = stripe.pay(await ordered(shop, here))
    stripe.instead = [(400, {"error": {"message": f"Something about {KEY}"}}, {})]
    answer = await tell(shop, event)
    assert (answer.status_code, answer.json()["code"]) == (503, "stripe_refused")
    assert KEY not in answer.text
    assert (await tell(shop, event)).status_code == 200
    assert await shown(shop, here) == ("team", "active")


async def test_without_its_settings_it_says_which_are_missing(pulse: Installation, acme: Tenant) -> None:
    for path, body in ((CHECKOUT, {"planKey": "team"}), (PORTAL, {})):
        answer = await by_operator(pulse, acme, "POST", path, body)
        assert (answer.status_code, answer.json()["code"]) == (503, "stripe_not_configured")
        assert "STRIPE_SECRET_KEY and STRIPE_WEBHOOK_SECRET" in answer.json()["detail"]
    event = json.dumps({"type": "x"}).encode()
    assert (await tell(pulse, event)).json()["code"] == "stripe_not_configured"
    answer = await by_operator(pulse, acme, "GET", SUBSCRIPTION)
    assert (answer.status_code, answer.json()["isSelling"]) == (200, False)


async def test_without_the_webhooks_secret_nothing_is_sold(tmp_path: Path) -> None:
    """Money would be taken for a plan that nobody ever hears of."""
    async with installed(tmp_path / "data", STRIPE_SECRET_KEY=KEY, STRIPE_WEBHOOK_SECRET=" , ") as pulse:
        answer = await by_operator(pulse, await pulse.tenant(), "POST", CHECKOUT, {"planKey": "team"})
    assert answer.json()["code"] == "stripe_not_configured"
    assert "STRIPE_WEBHOOK_SECRET is not set" in answer.json()["detail"]


@pytest.mark.parametrize("url", ["http://api.stripe.com", "stripe", "https://u:p@api.stripe.com", "ftp://127.0.0.1/"])
def test_the_secret_key_goes_nowhere_in_clear(tmp_path: Path, url: str) -> None:
    settings = {"STRIPE_SECRET_KEY": KEY, "STRIPE_WEBHOOK_SECRET": SECRET, "PULSE_STRIPE_URL": url}
    with pytest.raises(Misconfigured, match="PULSE_STRIPE_URL"):
        OpenData(load_settings(tmp_path / "data", **settings))
