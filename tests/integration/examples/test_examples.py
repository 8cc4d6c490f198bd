"""What the examples in examples/engine do, on SQLite and on PostgreSQL."""

from datetime import UTC, datetime, timedelta

import pytest

from pulse import Engine, Signal
from pulse.core.errors import InvalidFields
from pulse.testing import FakeClock, run_until_idle
from tests.integration.examples.conftest import OpenEngine, example


async def test_heartbeat_opens_an_incident_for_what_stays_down_alone(open_engine: OpenEngine) -> None:
    engine = await open_engine()
    down, up = await example("heartbeat").main(engine)
    assert down.status == up.status == "completed"
    assert down.context["create_incident"] == {"incident_id": "INC-api-server", "severity": "high"}
    assert down.context["page_on_call"] == {"paged_about": "INC-api-server"}
    assert up.context == {}
    assert down.completed_at - down.created_at >= timedelta(milliseconds=200)
    (log,) = await engine.get_run_logs(down.id)
    assert (log.message, log.data) == ("Incident created", down.context["create_incident"])


async def test_heartbeat_refuses_a_signal_without_its_payload(engine: Engine) -> None:
    heartbeat = example("heartbeat")
    engine.register_trigger("heartbeat.missed", source="heartbeat", payload_schema=heartbeat.HeartbeatMissed)
    with pytest.raises(InvalidFields, match=r"payload\.last_seen_at"):
        await engine.emit(Signal("acme", "heartbeat", "heartbeat.missed"))


async def test_trial_downgrades_only_who_has_not_upgraded(engine: Engine) -> None:
    ada, grace = await example("trial").main(engine)
    assert ada.status == grace.status == "completed"
    assert ada.context == {"downgrade_to_free": {"plan": "free"}}
    assert ada.completed_at == ada.created_at + timedelta(days=3)
    assert grace.context == {}


async def test_chaining_closes_what_was_mended(engine: Engine) -> None:
    runs = await example("chaining").main(engine)
    assert {run.status for run in runs} == {"completed"}
    results = [run.context for run in runs]
    assert len(results) == 3
    assert {"attempt_auto_fix": {"fixed": False}} in results
    assert {"close_incident": {"closed": "cache"}} in results


async def test_notification_goes_on_when_every_branch_has_ended(engine: Engine) -> None:
    run = await example("notification").main(engine)
    assert run.context["mark_notified"] == {"told": ["#alerts", "+15550100", "on-call@example.com"]}
    steps = {step.path: (step.step_name, step.status, step.branch_index) for step in await engine.get_run_steps(run.id)}
    assert steps["0.0.1"] == ("log_email_sent", "completed", 0)
    assert steps["0.2.0"] == ("send_text", "completed", 2)
    assert steps["1"] == ("mark_notified", "completed", None)


async def test_cleanup_runs_each_night_until_it_is_disabled(open_engine: OpenEngine) -> None:
    cleanup = example("cleanup")
    cleanup.CLOCK = FakeClock()
    engine = await open_engine(clock=cleanup.CLOCK)
    runs = await cleanup.main(engine)
    nights = [run.context["delete_old_records"]["as_of"] for run in reversed(runs)]
    # Two o'clock in Berlin, where it is winter.
    assert nights == [datetime(2026, 1, day, 1, tzinfo=UTC).isoformat() for day in (1, 2, 3)]


async def test_recovery_goes_on_where_it_failed(engine: Engine) -> None:
    canceled, *paid = await example("recovery").main(engine)
    assert (canceled.status, canceled.cancel_reason) == ("canceled", "Superseded by a newer deployment")
    assert [(run.status, run.attempt) for run in paid] == [("completed", 2)] * 2
    assert sorted(run.context["charge"]["charged"] for run in paid) == [20, 35]
    assert await engine.get_failed_runs("acme") == []
    skipped = {step.step_name: step.skip_reason for step in await engine.get_run_steps(canceled.id)}
    assert skipped == {"wait_for_quiet_hours": "canceled"}


async def test_recovery_reserves_nothing_twice(engine: Engine, capsys: pytest.CaptureFixture[str]) -> None:
    await example("recovery").main(engine)
    said = capsys.readouterr().out
    assert said.count("order-1") == said.count("order-2") == 1
    assert said.count("failed: Step 'charge' failed: Fatal: The gateway is closed for maintenance.") == 2


async def test_watching_sees_every_step_and_the_run(
    open_engine: OpenEngine, capsys: pytest.CaptureFixture[str]
) -> None:
    watching = example("watching")
    engine = await open_engine(clock=FakeClock(), **watching.HOOKS)
    timeline = await watching.main(engine)
    hooks = [line for line in capsys.readouterr().out.splitlines() if line.startswith("hook")]
    assert hooks == [
        "hook: step let_it_settle is completed",
        "hook: step import_rows is completed",
        "hook: run is completed",
    ]
    kinds = [entry.type for entry in timeline]
    assert kinds[0] == "run_created"
    assert kinds[-2:] == ["step_completed", "run_completed"]
    assert "Attempt 1 failed" in next(entry.detail["message"] for entry in timeline if entry.type == "log")


async def test_replay_skips_what_must_not_happen_twice(engine: Engine, capsys: pytest.CaptureFixture[str]) -> None:
    runs = await example("replay").main(engine)
    assert capsys.readouterr().out.count("a receipt over 42 is sent") == 1
    assert runs["first"].context["compute_total"] == {"total": 42, "again": False}
    assert runs["replay"].context["compute_total"] == {"total": 42, "again": True}
    assert runs["replay"].is_replay
    assert runs["dry run"].context == {}
    for name, reasons in {"first": [None, None], "replay": [None, "replay"], "dry run": ["dry_run", "dry_run"]}.items():
        assert [step.skip_reason for step in await engine.get_run_steps(runs[name].id)] == reasons


async def test_idempotency_pays_once(engine: Engine) -> None:
    (run,), bank = await example("idempotency").main(engine)
    assert run.status == "completed"
    assert run.context["pay"] == {"payment": "payment 1"}
    (step,) = await engine.get_run_steps(run.id)
    assert step.attempt == bank.calls == 2
    assert bank.payments == {step.id: 40}


async def test_approval_waits_for_the_decision_about_the_same_claim(open_engine: OpenEngine) -> None:
    engine = await open_engine()
    approved, refused, open_one = await example("approval").main(engine)
    assert approved.context["pay_out"] == {"paid": 90}
    assert refused.status == "completed"
    assert "pay_out" not in refused.context
    assert open_one.status == "waiting"
    assert open_one.due_at - open_one.created_at >= timedelta(days=7)


async def test_approval_fails_when_nobody_decides_within_a_week(engine: Engine) -> None:
    approval = example("approval")
    approval.register(engine)
    await engine.create_workflow(approval.EXPENSE_CLAIM)
    trigger = await engine.emit(approval.claimed("claim-9"))
    await run_until_idle(engine)
    (run,) = await engine.get_runs_by_trigger(trigger.id)
    assert run.status == "failed"
    assert run.failed_at == run.created_at + timedelta(days=7)
    assert "No signal 'expense.decided' came" in (run.error_message or "")


async def test_children_end_before_the_order_goes_on(engine: Engine) -> None:
    order, *children = await example("children").main(engine)
    assert order.context["send_parcel"] == {"after": ["completed", "completed"]}
    assert {child.definition_snapshot["name"]: child.context for child in children} == {
        "Packing": {"pack": {"packed": "order-1"}},
        "Invoice": {"write_invoice": {"invoice_for": "order-1"}},
    }
    assert {child.parent_run_id for child in children} == {order.id}
    assert order.completed_at == order.created_at + timedelta(hours=2)


async def test_a_canceled_order_takes_its_children_along(open_engine: OpenEngine) -> None:
    children = example("children")
    # The machine's time: the two hours of the child do not pass.
    engine = await open_engine()
    engine.register_action("pack", lambda _ctx: pytest.fail("a canceled run packs nothing"))
    for each in (children.ORDER, children.PACKING):
        await engine.create_workflow(each)
    trigger = await engine.emit(Signal("acme", "shop", "order.placed", resource_id="order-2"))
    await run_until_idle(engine)
    assert {run.status for run in await engine.list_runs()} == {"waiting"}
    (order,) = await engine.get_runs_by_trigger(trigger.id)
    await engine.cancel_run(order.id)
    await run_until_idle(engine)
    assert [run.status for run in await engine.list_runs()] == ["canceled", "canceled"]
