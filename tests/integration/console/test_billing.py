"""`/api/usage`, `/api/subscriptions`, `/api/plan-configurations`."""

import json
from typing import Any

import httpx2
import pytest

from tests.integration.receiver.installation import Installation, Tenant

USAGE, PLANS = "/api/usage/transactions", "/api/plan-configurations"


@pytest.fixture
async def here(alone: Installation) -> Tenant:
    return await alone.tenant()


def config_of(tenant: Tenant) -> str:
    return f"/api/subscriptions/{tenant.organization_id}/transaction-config"


async def configure(
    pulse: Installation, tenant: Tenant, limit: int | None, policy: str = "hard_limit"
) -> httpx2.Response:
    body = {"transactionLimit": limit, "overagePolicy": policy}
    answer = await pulse.client.put(config_of(tenant), json=body, headers=pulse.operator)
    assert answer.status_code == 200, answer.text
    return answer


async def send(pulse: Installation, tenant: Tenant, count: int) -> list[dict[str, Any]]:
    answers = [
        await pulse.client.post("/v1/messages", json={"type": "order"}, headers=tenant.headers) for _ in range(count)
    ]
    assert {answer.status_code for answer in answers} <= {202}
    return [answer.json() for answer in answers]


async def usage(pulse: Installation, tenant: Tenant) -> dict[str, Any]:
    answer = await pulse.client.get(USAGE, headers=tenant.headers)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_an_installation_without_plans_limits_nobody(alone: Installation, here: Tenant) -> None:
    await send(alone, here, 3)
    found = await usage(alone, here)
    assert found.pop("period")
    assert found == {
        "organizationId": here.organization_id,
        "currentCount": 3,
        "limit": None,
        "percentUsed": None,
        "overagePolicy": "hard_limit",
        "isOverLimit": False,
        "heldCount": 0,
        "limitReachedAt": None,
    }


async def test_a_limit_is_kept_and_shown(alone: Installation, here: Tenant) -> None:
    await configure(alone, here, 4)
    sent = await send(alone, here, 6)
    found = await usage(alone, here)
    assert (found["currentCount"], found["limit"], found["percentUsed"], found["isOverLimit"]) == (4, 4, 100.0, True)
    over = await alone.client.get(f"/api/messages/{sent[-1]['id']}", headers=here.headers)
    assert (over.json()["status"], over.json()["reason"]) == ("ignore", {"code": "over_limit"})
    listed = await alone.client.get("/api/messages", params={"status": "ignore"}, headers=here.headers)
    assert listed.json()["pagination"]["total"] == 2


async def test_who_waits_for_a_message_over_the_limit_is_told_at_once(alone: Installation, here: Tenant) -> None:
    await configure(alone, here, 0)
    answer = await alone.client.post("/v1/messages", params={"wait": 10}, json={"type": "order"}, headers=here.headers)
    assert (answer.status_code, answer.json()["reason"]) == (200, {"code": "over_limit"})


async def test_a_message_that_was_held_is_released_by_a_higher_limit(alone: Installation, here: Tenant) -> None:
    await configure(alone, here, 1, "hold")
    sent = await send(alone, here, 3)
    assert (await usage(alone, here))["heldCount"] == 2
    shown = await alone.client.get(f"/api/messages/{sent[2]['id']}", headers=here.headers)
    assert shown.json()["status"] == "held"
    await configure(alone, here, 2, "hold")
    assert await alone.parts.held.release_all() == 1
    found = await usage(alone, here)
    assert (found["currentCount"], found["heldCount"]) == (2, 1)


async def test_all_that_are_held_are_counted(
    alone: Installation, here: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many: lists stop counting at some number."""
    monkeypatch.setattr("pulse.messages.reading.MAX_TOTAL", 2)
    await configure(alone, here, 0, "hold")
    sent = await send(alone, here, 5)
    assert (await usage(alone, here))["heldCount"] == 5
    canceled = await alone.client.post(f"/api/messages/{sent[0]['id']}/cancel", headers=here.headers)
    assert canceled.status_code < 300, canceled.text
    assert (await usage(alone, here))["heldCount"] == 4


async def test_who_waits_for_one_that_cannot_even_be_held_is_told_at_once(
    alone: Installation, here: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pulse.messages.allowance.MOST_HELD", 1)
    await configure(alone, here, 0, "hold")
    await send(alone, here, 1)
    answer = await alone.client.post("/v1/messages", params={"wait": 10}, json={"type": "order"}, headers=here.headers)
    assert (answer.status_code, answer.json()["reason"]) == (200, {"code": "too_many_held"})
    assert (await usage(alone, here))["heldCount"] == 1


async def test_every_change_of_a_limit_is_announced(alone: Installation, here: Tenant) -> None:
    heard: list[dict[str, str]] = []
    await alone.parts.bus.start()
    alone.parts.bus.subscribe("rw:plan-changes", lambda payload: heard.append(json.loads(payload)))
    await configure(alone, here, 10)
    path = f"/api/subscriptions/{here.organization_id}"
    answer = await alone.client.put(path, json={"planKey": "free"}, headers=alone.operator)
    assert answer.json()["transactionLimit"] == 10, "limits of its own stay"
    plan = {"name": "Free", "price": 0, "transactionLimit": 50}
    assert (await alone.client.put(f"{PLANS}/free", json=plan, headers=alone.operator)).status_code == 200
    assert heard == [
        {"organizationId": here.organization_id, "reason": "transaction_config_updated"},
        {"organizationId": here.organization_id, "reason": "admin_plan_change"},
        {"organizationId": "*", "reason": "plan_config_updated:free"},
    ]


async def test_a_plan_gives_its_limit_and_a_changed_plan_the_changed_one(alone: Installation, here: Tenant) -> None:
    path = f"/api/subscriptions/{here.organization_id}"
    given = await alone.client.put(path, json={"planKey": "free"}, headers=alone.operator)
    assert (given.json()["planKey"], given.json()["transactionLimit"], given.json()["isOverride"]) == (
        "free",
        100,
        False,
    )
    plan = {"name": "Free", "price": 0, "transactionLimit": 7, "overagePolicy": "hold"}
    await alone.client.put(f"{PLANS}/free", json=plan, headers=alone.operator)
    found = await usage(alone, here)
    assert (found["limit"], found["overagePolicy"]) == (7, "hold")


async def test_a_stale_revision_changes_nothing(alone: Installation, here: Tenant) -> None:
    first = (await configure(alone, here, 10)).json()["revision"]
    await configure(alone, here, 20)
    body = {"transactionLimit": 30, "overagePolicy": "warn"}
    headers = {**alone.operator, "If-Match": f'"{first}"'}
    stale = await alone.client.put(config_of(here), json=body, headers=headers)
    assert (stale.status_code, stale.json()["code"]) == (412, "stale_revision")
    plan = {"name": "Free", "price": 0, "transactionLimit": 50}
    headers = {**alone.operator, "If-Match": '"4"'}
    assert (await alone.client.put(f"{PLANS}/free", json=plan, headers=headers)).status_code == 412
    assert (await usage(alone, here))["limit"] == 20


async def test_plans_are_listed_the_cheapest_first(alone: Installation, here: Tenant) -> None:
    answer = await alone.client.get(PLANS, headers=here.headers)
    assert [
        (row["key"], row["price"], row["transactionLimit"], row["maxMembers"]) for row in answer.json()["data"]
    ] == [
        ("free", 0, 100, 1),
        ("individual", 4900, None, 1),
        ("team", 9900, None, 3),
    ]


async def test_history_goes_back_month_by_month(alone: Installation, here: Tenant) -> None:
    await send(alone, here, 2)
    answer = await alone.client.get(f"{USAGE}/history", params={"months": 3}, headers=here.headers)
    counts = [row["count"] for row in answer.json()["history"]]
    assert counts == [2, 0, 0]
    periods = [row["period"] for row in answer.json()["history"]]
    assert periods == sorted(periods, reverse=True)
    for months in (0, 25, "x"):
        refused = await alone.client.get(f"{USAGE}/history", params={"months": months}, headers=here.headers)
        assert refused.status_code == 422


@pytest.mark.parametrize(
    "body",
    [
        {"transactionLimit": -1},
        {"transactionLimit": "many"},
        {"transactionLimit": 1.5},
        {"transactionLimit": True},
        {"overagePolicy": "ignore"},
        {"limit": 5},
    ],
)
async def test_a_limit_that_is_none_is_refused(pulse: Installation, acme: Tenant, body: dict[str, Any]) -> None:
    answer = await pulse.client.put(config_of(acme), json=body, headers=pulse.operator)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["path"] == next(iter(body))


async def test_only_the_operator_gives_limits_and_plans(pulse: Installation, acme: Tenant) -> None:
    plan = {"name": "Free", "price": 0, "transactionLimit": None}
    for path, body in (
        (config_of(acme), {}),
        (f"/api/subscriptions/{acme.organization_id}", {"planKey": "team"}),
        (f"{PLANS}/free", plan),
    ):
        answer = await pulse.client.put(path, json=body, headers=acme.headers)
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    unknown = await pulse.client.put(f"{PLANS}/golden", json=plan, headers=pulse.operator)
    assert unknown.status_code == 404
    nobody = await pulse.client.get("/api/subscriptions/org_nobody/transaction-config", headers=pulse.operator)
    assert nobody.status_code == 404
