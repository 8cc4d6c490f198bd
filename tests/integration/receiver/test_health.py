"""`/healthz`, `/readyz`, `/metrics`, and the form of every refusal."""

import httpx2
import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families
from starlette.applications import Starlette

from pulse.core.errors import StorageDown
from pulse.receiver.app import routes
from tests.integration.receiver.installation import Installation, Tenant

PROBLEM = "application/problem+json"


async def test_healthy(pulse: Installation) -> None:
    answer = await pulse.client.get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
    assert (await pulse.client.head("/healthz")).status_code == 200


async def test_ready_says_so_of_each_part(pulse: Installation) -> None:
    answer = await pulse.client.get("/readyz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ready", "checks": {"database": "ok"}})


async def test_a_part_that_can_be_done_without_is_told_and_keeps_nothing_from_being_ready() -> None:
    async def well() -> str | None:
        return None

    async def ill() -> str | None:
        return "gone"

    app = Starlette(routes=[*routes({"database": well}, {"bus": ill}, CollectorRegistry())])
    async with httpx2.AsyncClient(base_url="http://pulse.test", transport=httpx2.ASGITransport(app)) as client:
        answer = await client.get("/readyz")
    assert (answer.status_code, answer.json()["status"]) == (200, "ready")
    assert answer.json()["checks"] == {"database": "ok", "bus": "gone"}


async def test_when_the_database_is_gone(alone: Installation) -> None:
    acme = await alone.tenant()
    assert (await alone.send(acme, {"n": 1})).status_code == 202
    await alone.parts.database.close()
    alone.lose_the_database()
    answer = await alone.client.get("/readyz")
    assert (answer.status_code, answer.json()["status"]) == (503, "not_ready")
    assert answer.json()["checks"]["database"] != "ok"
    assert (await alone.client.get("/healthz")).status_code == 200
    refused = await alone.send(acme, {"n": 2})
    assert refused.status_code in (503, 507)
    assert refused.headers["content-type"] == PROBLEM
    assert "nothing was stored" in refused.json()["detail"]
    console = await alone.client.get("/api/messages", headers=acme.headers)
    assert console.status_code == 503


async def test_a_database_that_does_not_answer_is_503_with_a_hint_when_to_come_back(
    alone: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    acme = await alone.tenant()
    assert (await alone.send(acme, {})).status_code == 202

    async def down(*_: object) -> None:
        raise StorageDown

    monkeypatch.setattr(alone.parts.intake, "accept", down)
    answer = await alone.send(acme, {})
    assert (answer.status_code, answer.json()["code"]) == (503, "storage_down")
    assert answer.headers["retry-after"] == "1"


async def test_metrics_are_prometheus_text(pulse: Installation) -> None:
    answer = await pulse.client.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain")
    families = {family.name: family for family in text_string_to_metric_families(answer.text)}
    assert {"pulse_messages_accepted", "pulse_messages_repeated", "pulse_requests_rejected"} <= set(families)
    assert families["pulse_accept_seconds"].type == "histogram"
    assert all(family.documentation for family in families.values())


async def test_what_was_taken_is_counted(pulse: Installation, acme: Tenant) -> None:
    async def counted() -> list[float]:
        names = ("pulse_messages_accepted_total", "pulse_messages_repeated_total", "pulse_accept_seconds_count")
        return [await pulse.counted(name) for name in names]

    before = await counted()
    await pulse.sent(acme, {"n": 1}, idempotency_key="k")
    await pulse.sent(acme, {"n": 1}, idempotency_key="k")
    await pulse.send(acme, [{}, {}], "/v1/messages/batch")
    assert [after - was for after, was in zip(await counted(), before, strict=True)] == [3, 1, 4]


CAUSES = {
    "unauthenticated": ("/v1/messages", b"{}", {"authorization": "Bearer x"}),
    "invalid_json": ("/v1/messages", b"{", {}),
    "invalid_message": ("/v1/messages", b"[]", {}),
    "forbidden": ("/v1/messages", b'{"organizationId": "x"}', {}),
    "invalid_fields": ("/v1/messages?wait=x", b"{}", {}),
    "unsupported_media_type": ("/v1/messages", b"{}", {"content-type": "text/plain"}),
    "invalid_encoding": ("/v1/messages", b"{}", {"content-encoding": "gzip"}),
    "too_large": ("/v1/messages", b" " * 2_000_000, {}),
    "not_found": ("/v1/hooks/src_x", b"{}", {}),
}


@pytest.mark.parametrize("cause", CAUSES)
async def test_what_was_refused_is_counted_by_its_cause(pulse: Installation, acme: Tenant, cause: str) -> None:
    path, body, headers = CAUSES[cause]
    before = await pulse.counted("pulse_requests_rejected_total", cause=cause)
    named = {"content-type": "application/json", **acme.headers, **headers}
    if "authorization" in headers:
        del named["Authorization"]
    answer = await pulse.client.post(path, content=body, headers=named)
    assert answer.json()["code"] == cause
    assert await pulse.counted("pulse_requests_rejected_total", cause=cause) == before + 1


async def test_each_refused_item_of_a_batch_is_counted(pulse: Installation, acme: Tenant) -> None:
    before = await pulse.counted("pulse_requests_rejected_total", cause="invalid_message")
    await pulse.send(acme, [1, 2, {}], "/v1/messages/batch")
    assert await pulse.counted("pulse_requests_rejected_total", cause="invalid_message") == before + 2


# Every refusal is a problem in the form of RFC 9457.


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/index.html", 404, "not_found"),
        ("PUT", "/", 405, "method_not_allowed"),
        ("POST", "/v1", 404, "not_found"),
        ("GET", "/v1/nothing", 404, "not_found"),
        ("POST", "/v1/hooks/a/b", 404, "not_found"),
        ("GET", "/v2/messages", 404, "not_found"),
        ("POST", "/v1/messages/", 404, "not_found"),
        ("GET", "/v1/messages", 405, "method_not_allowed"),
        ("PUT", "/v1/messages", 405, "method_not_allowed"),
        ("DELETE", "/v1/messages/batch", 405, "method_not_allowed"),
        ("GET", "/v1/hooks/x", 405, "method_not_allowed"),
        ("POST", "/healthz", 405, "method_not_allowed"),
    ],
)
async def test_a_wrong_address_or_method(pulse: Installation, method: str, path: str, status: int, code: str) -> None:
    answer = await pulse.client.request(method, path)
    assert (answer.status_code, answer.headers["content-type"]) == (status, PROBLEM)
    assert (answer.json()["code"], answer.json()["status"]) == (code, status)
    assert {"title", "detail"} <= answer.json().keys()
    if status == 405:
        assert {"POST", "GET"} & set(answer.headers["allow"].split(", "))
        assert method in answer.json()["detail"]


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/messages/batch"])
async def test_a_failure_of_ours_tells_nothing_of_its_cause(
    alone: Installation, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    acme = await alone.tenant()

    async def fails(*_: object) -> None:
        raise RuntimeError("the password is hunter2")

    monkeypatch.setattr(alone.parts.intake, "accept", fails)
    answer = await alone.send(acme, b"{}", path)
    assert (answer.status_code, answer.headers["content-type"]) == (500, PROBLEM)
    assert answer.json()["code"] == "error"
    assert "hunter2" not in answer.text


@pytest.mark.parametrize("wait", ["", "x", "-1", "nan", "inf", "61", "1e9", "0x1"])
async def test_a_wait_is_a_number_of_seconds(pulse: Installation, acme: Tenant, wait: str) -> None:
    answer = await pulse.send(acme, {}, f"/v1/messages?wait={wait}")
    assert (answer.status_code, answer.json()["errors"][0]["path"]) == (422, "wait")
    assert await pulse.count(acme) == 0


@pytest.mark.parametrize("wait", ["0", "0.05", "1e-2"])
async def test_a_message_that_is_not_ready_in_time_is_202(pulse: Installation, acme: Tenant, wait: str) -> None:
    answer = await pulse.send(acme, {}, f"/v1/messages?wait={wait}")
    assert (answer.status_code, answer.json().keys()) == (202, {"id", "status"})
