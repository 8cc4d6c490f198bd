"""What the door answers while it lets nobody in; nothing is accepted then."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest
from prometheus_client import CollectorRegistry
from starlette.applications import Starlette

from pulse.receiver.admission import Admission
from pulse.receiver.app import HANDLERS, routes
from pulse.receiver.metrics import ReceiverMetrics
from pulse.receiver.receiver import Receiver
from tests.integration.receiver.installation import Installation, Tenant


def receiver(pulse: Installation, admission: Admission) -> Starlette:
    """The receiver of this installation behind another door."""
    registry = CollectorRegistry()
    app = Starlette(routes=list(routes({}, {}, registry)), exception_handlers=HANDLERS)
    app.state.receiver = Receiver(
        authenticator=pulse.parts.authenticator,
        sources=pulse.parts.sources,
        intake=pulse.parts.intake,
        waiting=pulse.parts.waiting,
        admission=admission,
        metrics=ReceiverMetrics(registry),
        ids=pulse.parts.ids,
        clock=pulse.parts.clock,
        max_message_bytes=1 << 20,
    )
    return app


def client(app: Starlette) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(base_url="http://pulse.test", transport=httpx2.ASGITransport(app))


@pytest.fixture
async def full(pulse: Installation, tmp_path: Path) -> AsyncIterator[httpx2.AsyncClient]:
    """A receiver whose disk has run low."""
    async with client(receiver(pulse, Admission(tmp_path, low_water=1 << 62))) as opened:
        yield opened


async def test_a_full_disk_accepts_nothing(pulse: Installation, acme: Tenant, full: httpx2.AsyncClient) -> None:
    answer = await full.post("/v1/messages", json={}, headers=acme.headers)
    assert (answer.status_code, answer.json()["code"]) == (507, "storage_full")
    assert answer.headers["content-type"] == "application/problem+json"
    assert "nothing was accepted" in answer.json()["detail"]
    assert await pulse.count(acme) == 0
    metrics = (await full.get("/metrics")).text
    assert 'pulse_requests_rejected_total{cause="storage_full"} 1.0' in metrics


async def test_a_full_disk_refuses_hooks_and_items_too(
    pulse: Installation, acme: Tenant, full: httpx2.AsyncClient
) -> None:
    source = await pulse.source(acme, "none")
    assert (await full.post(f"/v1/hooks/{source.id}", json={})).status_code == 507
    answer = await full.post("/v1/messages/batch", json=[{}, 1], headers=acme.headers)
    assert [item["problem"]["status"] for item in answer.json()] == [507, 422]
    assert await pulse.count(acme) == 0


async def test_a_full_disk_still_says_who_may_not(acme: Tenant, full: httpx2.AsyncClient) -> None:
    assert (await full.post("/v1/messages", json={})).status_code == 401
    assert (await full.post("/v1/messages", content=b"{", headers=acme.headers)).status_code == 400


async def test_one_organization_too_many_does_not_stop_another(pulse: Installation, acme: Tenant) -> None:
    """Five places and a hundred messages at once: five are accepted, and they are what is there."""
    other = await pulse.tenant()
    async with client(receiver(pulse, Admission(None, per_organization=5))) as opened:

        async def send(tenant: Tenant) -> httpx2.Response:
            return await opened.post("/v1/messages", json={}, headers=tenant.headers)

        async with pulse.parts.database.write():
            # Nothing is stored meanwhile, so that all of them are here at once.
            sent = [asyncio.create_task(send(tenant)) for tenant in [acme] * 100 + [other]]
            for refused in itertools.islice(asyncio.as_completed(sent), 95):
                assert (await refused).status_code == 429
        answers = await asyncio.gather(*sent)
    shed = [answer for answer in answers if answer.status_code == 429]
    accepted = [answer for answer in answers if answer.status_code == 202]
    assert (len(shed), len(accepted)) == (95, 6)
    assert answers[-1].status_code == 202
    assert await pulse.count(acme) == len(accepted) - 1
    assert shed[0].json()["code"] == "too_many_requests"
    assert shed[0].headers["content-type"] == "application/problem+json"
    assert shed[0].headers["retry-after"] == "1"
    assert shed[0].headers["ratelimit-limit"] == "5"
    assert shed[0].headers["ratelimit-remaining"] == "0"
