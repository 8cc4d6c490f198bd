"""What `pulse runs` says about runs, and what to do about them."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from pulse.cli.runs import view
from pulse.cli.runs.application import Application, as_json
from pulse.engine.engine import Engine
from pulse.engine.records import ExecutionLog, WorkflowRun, WorkflowStepRun
from pulse.engine.timeline import timeline

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
OPENED = Application(cast(Engine, None), "--app shop:engine")


def run(**more: Any) -> WorkflowRun:
    given: dict[str, Any] = {
        "id": "run_1",
        "definition_id": "wfd_1",
        "tenant_id": "acme",
        "trigger_id": "trg_1",
        "status": "running",
        "context": {},
        "current_step_index": 0,
        "is_replay": False,
        "definition_snapshot": {"name": "Ship", "triggerType": "order"},
        "created_at": NOON,
        "updated_at": NOON,
        **more,
    }
    return WorkflowRun(**given)


def step(**more: Any) -> WorkflowStepRun:
    given: dict[str, Any] = {
        "id": "stp_1",
        "run_id": "run_1",
        "tenant_id": "acme",
        "step_index": 0,
        "step_type": "action",
        "step_name": "pack",
        "status": "running",
        "created_at": NOON,
        "path": "0",
        **more,
    }
    return WorkflowStepRun(**given)


def after(**more: float) -> datetime:
    return NOON + timedelta(**more)


def advice(found: WorkflowRun, *steps: WorkflowStepRun, now: datetime = NOON) -> str:
    return "\n".join(view.next_steps(found, steps, OPENED, now))


def test_a_failed_run_can_be_retried() -> None:
    said = advice(run(status="failed"), step(status="completed"), step(step_name="pay", status="failed"))
    assert "at 'pay', the step that failed: pulse runs retry run_1 --app shop:engine" in said
    assert "--from-step" in said
    assert "where it failed: pulse runs retry" in advice(run(status="failed"))


@pytest.mark.parametrize("status", ["completed", "canceled"])
def test_what_has_ended_can_be_replayed(status: str) -> None:
    assert advice(run(status=status)) == "Run its signal again: pulse runs replay trg_1 --app shop:engine"


@pytest.mark.parametrize(
    ("waiting", "said"),
    [
        (step(step_type="delay", step_name="a while"), "It waits at 'a while', until 2026-01-01T13:00:00.000Z."),
        (step(step_type="wait", step_name="approved"), "It waits for a signal at 'approved', until"),
        (step(step_type="emit", step_name="child"), "It waits for the runs that it started at 'child', until"),
        (step(attempt=2), "It waits to try again at 'pack', until"),
    ],
    ids=["delay", "wait", "children", "backoff"],
)
def test_a_waiting_run_says_what_for(waiting: WorkflowStepRun, said: str) -> None:
    told = {**vars(waiting), "status": "scheduled", "scheduled_for": after(hours=1)}
    text = advice(run(status="waiting"), WorkflowStepRun(**told))
    assert said in text
    assert "pulse runs cancel run_1" in text
    forever = WorkflowStepRun(**{**told, "scheduled_for": None})
    assert "for as long as it takes" in advice(run(status="waiting"), forever)


@pytest.mark.parametrize(("seconds", "asks"), [(5, False), (60, True)])
def test_a_run_with_which_nothing_happens_makes_one_ask(seconds: int, asks: bool) -> None:
    said = advice(run(status="pending"), now=after(seconds=seconds))
    assert ("is the application's engine running?" in said) is asks
    busy = step(started_at=after(seconds=seconds))
    assert "running?" not in advice(run(), busy, now=after(seconds=seconds + 1))


def test_a_line_says_how_long_and_why() -> None:
    failed = run(status="failed", failed_at=after(milliseconds=250), error_message="No.", is_replay=True)
    assert view.line(failed) == (
        "run_1", "failed (replay)", "Ship", "acme", "order", "2026-01-01T12:00:00.000Z", "250ms", "No."
    )  # fmt: skip
    assert view.line(run(status="waiting", due_at=after(days=1)))[-2:] == ("", "until 2026-01-02T12:00:00.000Z")
    assert view.line(run(status="canceled", canceled_at=after(seconds=90), cancel_reason="x"))[-2:] == ("90.0s", "x")
    assert view.line(run(status="completed", completed_at=after(days=2, hours=1)))[-2] == "2 days, 1:00:00"


def test_everything_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    found = run(status="failed", failed_at=after(seconds=3), error_message="Step 'b' failed.", attempt=2)
    steps = [
        step(path="0", step_type="parallel", step_name="both", status="failed", started_at=NOON, completed_at=NOON),
        step(path="0.0.0", step_name="a", status="skipped", skip_reason="failed", completed_at=NOON),
        step(id="stp_b", path="0.1.0", step_name="b", status="failed", attempt=3, error_message="No."),
    ]
    logs = [ExecutionLog("log_1", "run_1", "stp_b", "acme", "warn", "look", {"n": 1}, after(seconds=1))]
    view.show(view.Whole(found, None, steps, timeline(found, steps, logs), logs), OPENED)
    out = capsys.readouterr().out
    for words in ("run_1", "failed, after 3.0s", "Step 'b' failed.", "another step failed", "  b", 'look {"n": 1}'):
        assert words in out, out
    assert "trg_1" in out


def test_records_are_json_in_the_seeds_spelling() -> None:
    said = as_json(run(due_at=after(milliseconds=1)))
    assert said["dueAt"] == "2026-01-01T12:00:00.001Z"
    assert said["definitionSnapshot"] == {"name": "Ship", "triggerType": "order"}
    assert "failedAt" not in said
    json.dumps(said)
