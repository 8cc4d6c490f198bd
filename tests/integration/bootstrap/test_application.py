"""`pulse up --app`: messages become signals, handlers send messages; each exactly once, whatever dies when."""

import json
import os
import signal
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from pulse import Action, Engine, RetryPolicy, Signal
from tests.chaos.rig.until import until
from tests.integration.bootstrap.shop import COUNT, Shop
from tests.integration.cli.running import Up, pulse, up

SECONDS = 30.0


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path / "shop")


def running(shop: Shop, **settings: str) -> AbstractContextManager[Up]:
    return up(shop.data, "--no-demo", "--app", "shop:engine", cwd=shop.folder, **settings)


@pytest.fixture
def started(shop: Shop) -> Iterator[Up]:
    with running(shop) as process:
        yield process


def post(process: Up, message: dict[str, Any], **headers: str) -> str:
    with process.client() as client:
        answer = client.post("/v1/messages", json=message, headers=headers)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


def messages(process: Up, kind: str) -> list[dict[str, Any]]:
    """The messages of that type, with what they say, the oldest first."""
    with process.client() as client:
        rows = client.get("/api/messages", params={"type": kind}).json()["data"]
        found = [client.get(f"/api/messages/{row['id']}").json() for row in reversed(rows)]
    return [{"id": each["id"], "status": each["status"], **each["message"]} for each in found]


def kill(process: Up) -> None:
    os.kill(process.process.pid, signal.SIGKILL)
    process.process.wait(20)


def completed(shop: Shop, number: int) -> bool:
    return [run.status for run in shop.runs()].count("completed") == number


# ---- messages become signals -------------------------------------------------------------------------------------


def test_a_message_becomes_a_signal_of_its_organization(shop: Shop, started: Up) -> None:
    shop.make_workflow("order", COUNT)
    shop.make_workflow("order", COUNT, tenant="org_another")
    told = post(started, {"type": "order", "payload": {"n": 7}})
    until(lambda: completed(shop, 1), SECONDS, "the run has ended")
    (run,) = shop.runs()
    assert run.tenant_id == started.told["organizationId"]
    assert run.context == {"count": {"n": 7}}
    trigger = shop.with_engine(lambda engine: engine.get_trigger(run.trigger_id))
    assert (trigger.source, trigger.type, trigger.environment) == ("platform", "order", started.told["environmentId"])
    assert trigger.idempotency_key == f"message:{told}"


def test_what_has_no_payload_is_the_payload_itself(shop: Shop, started: Up) -> None:
    shop.make_workflow("note", COUNT)
    post(started, {"type": "note", "n": 3})
    post(started, {"type": "note", "payload": [1], "n": 4})
    until(lambda: completed(shop, 2), SECONDS, "the runs have ended")
    assert sorted(shop.counted()) == ["3", "4"]
    assert {run.context["count"]["type"] for run in shop.runs()} == {"note"}


def test_a_repeat_and_another_type_start_nothing(shop: Shop, started: Up) -> None:
    shop.make_workflow("order", COUNT)
    for kind in ("order", "order", "unknown"):
        post(started, {"type": kind, "payload": {"n": 1}}, **{"Idempotency-Key": f"key of {kind}"})
    post(started, {"type": "order", "payload": {"n": 2}})
    until(lambda: completed(shop, 2), SECONDS, "the runs have ended")
    assert sorted(shop.counted()) == ["1", "2"]


def test_one_that_does_not_fit_its_schema_holds_up_nobody_and_is_said(shop: Shop, started: Up) -> None:
    shop.make_workflow("order", COUNT)
    bad = post(started, {"type": "order", "payload": {"n": "many"}})
    post(started, {"type": "order", "payload": {"n": 2}})
    until(lambda: completed(shop, 1), SECONDS, "the run has ended")
    code, _, said = started.stop()
    assert code == 0
    assert f"message={bad}" in said
    assert f"pulse messages replay {bad}" in said
    assert shop.counted() == ["2"]


@pytest.mark.parametrize("hold", ["before", "after"])
def test_a_kill_between_accepting_and_delivering_loses_and_repeats_nothing(shop: Shop, hold: str) -> None:
    with running(shop) as process:
        shop.make_workflow("order", COUNT)
        assert process.stop()[0] == 0
    with running(shop, HOLD=hold) as process:
        for number in range(3):
            post(process, {"type": "order", "payload": {"n": number}}, **{"Idempotency-Key": str(number)})
        until(lambda: shop.made("held"), SECONDS, "the first one is under way")
        kill(process)
    with running(shop) as process:
        post(process, {"type": "order", "payload": {"n": 0}}, **{"Idempotency-Key": "0"})
        until(lambda: completed(shop, 3), SECONDS, "the runs have ended")
        assert process.stop()[0] == 0
    assert len(shop.runs()) == 3
    assert set(shop.counted()) == {"0", "1", "2"}


def test_what_is_sent_while_pulse_does_not_run_is_delivered_later(shop: Shop) -> None:
    with running(shop) as process:
        shop.make_workflow("order", COUNT)
        assert process.stop()[0] == 0
    message = '{"type": "order", "payload": {"n": 5}}'
    sent = pulse("send", "-", "--data", shop.data, stdin=message, cwd=shop.folder, PULSE_APP="shop:engine")
    assert sent.returncode == 0, sent.stderr
    assert shop.runs() == []
    with running(shop):
        until(lambda: completed(shop, 1), SECONDS, "the run has ended")
    assert shop.counted() == ["5"]


# ---- what handlers send ------------------------------------------------------------------------------------------


def test_what_a_handler_sends_is_one_message_however_often_it_is_tried(shop: Shop, started: Up) -> None:
    shop.make_workflow("order", Action("tell", retry_policy=RetryPolicy(max_attempts=2, backoff_ms=100)))
    post(started, {"type": "order", "payload": {"n": 1}})
    until(lambda: completed(shop, 1), SECONDS, "the run has ended")
    (told,) = messages(started, "told")
    assert told["payload"] == {"n": 1, "attempt": 1}
    assert told["environmentId"] == started.told["environmentId"]
    assert shop.runs()[0].context["tell"] == {"message": told["id"]}
    until(lambda: messages(started, "told")[0]["status"] == "ignore", SECONDS, "the message was evaluated")


def test_it_goes_to_the_organization_that_the_tenant_is_or_to_the_demo(shop: Shop, started: Up) -> None:
    def made(*words: str) -> str:
        told = pulse(*words, "--json", "--data", shop.data)
        assert told.returncode == 0, told.stderr
        return str(json.loads(told.stdout)["id"])

    acme = made("organizations", "create", "Acme")
    made("environments", "create", "blue", "--organization", "Acme")
    green = made("environments", "create", "green", "--organization", "Acme")
    again = RetryPolicy(max_attempts=2, backoff_ms=100)
    for tenant in (acme, "some customer"):
        shop.make_workflow("order", Action("tell", retry_policy=again), tenant=tenant)

    async def emit(engine: Engine) -> None:
        await engine.emit(Signal(tenant_id=acme, source="test", type="order", environment="green", payload={"n": 1}))
        await engine.emit(Signal(tenant_id="some customer", source="test", type="order", payload={"n": 2}))

    shop.with_engine(emit)
    until(lambda: completed(shop, 2), SECONDS, "the runs have ended")
    (here,) = messages(started, "told")
    assert here["payload"]["n"] == 2
    listed = pulse(
        "messages", "list", "--organization", "Acme", "--environment", "green", "--data", shop.data, "--json"
    )
    (there,) = json.loads(listed.stdout)["data"]
    assert (there["organizationId"], there["environmentId"], there["type"]) == (acme, green, "told")


# ---- stopping and starting ---------------------------------------------------------------------------------------


def test_what_runs_may_finish_and_still_send_while_pulse_stops(shop: Shop, started: Up) -> None:
    shop.make_workflow("order", Action("finish"))
    post(started, {"type": "order", "payload": {"n": 1}})
    until(lambda: shop.made("began"), SECONDS, "the handler was called")
    started.process.send_signal(signal.SIGTERM)
    until(lambda: not is_open(started), SECONDS, "its door is closed")
    (shop.folder / "go on").touch()
    assert started.stop()[0] == 0
    assert [run.status for run in shop.runs()] == ["completed"]
    with running(shop) as again:
        assert len(messages(again, "finished")) == 1


def is_open(process: Up) -> bool:
    try:
        with process.client() as client:
            return client.get("/healthz").status_code == 200
    except httpx2.TransportError:
        return False


def test_an_application_that_cannot_be_loaded_is_said_before_anything_is_made(shop: Shop) -> None:
    told = pulse("up", "--port", "0", "--data", shop.data, "--app", "shop:nosuch", cwd=shop.folder)
    assert told.returncode == 1
    assert told.stderr.strip() == "pulse: The module 'shop' has no 'nosuch'. Name its engine: shop:engine."
    assert not shop.data.exists()


def test_a_database_of_the_application_that_does_not_answer_is_named(shop: Shop) -> None:
    source = 'from pulse import Engine\nengine = Engine("postgresql+asyncpg://me:hidden@127.0.0.1:9/shop")\n'
    (shop.folder / "far.py").write_text(source)
    told = pulse("up", "--port", "0", "--data", shop.data, cwd=shop.folder, PULSE_APP="far:engine")
    assert told.returncode == 1
    assert "The engine of far:engine cannot start on postgresql+asyncpg://me:***@127.0.0.1:9/shop" in told.stderr
    assert "hidden" not in told.stderr
    assert "Traceback" not in told.stderr
