"""The life of a run in order: by time, and within one millisecond by cause and effect."""

from datetime import datetime
from typing import Any

from pulse.engine.records import ExecutionLog, RunTimelineEntry, WorkflowRun, WorkflowStepRun
from pulse.engine.timeline import timeline
from tests.unit.engine.made import NOW, later, row, run


def log(message: str, at: datetime, step: WorkflowStepRun | None = None) -> ExecutionLog:
    step_id = None if step is None else step.id
    return ExecutionLog("log_1", "run_1", step_id, "acme", "info", message, {"n": 1}, at)


def said(entries: list[RunTimelineEntry]) -> list[str]:
    """`kind`, or `kind name`; of a log its message."""
    return [
        entry.detail["message"] if entry.type == "log" else " ".join(filter(None, [entry.type, entry.step_name]))
        for entry in entries
    ]


def ended(path: str, name: str, at: datetime = NOW, **fields: Any) -> WorkflowStepRun:
    return row(path, name, "completed", **{"created_at": at, "started_at": at, "completed_at": at, **fields})


def finished(**fields: Any) -> WorkflowRun:
    return run(status="completed", **{"completed_at": NOW, **fields})


def test_a_run_that_has_not_begun_has_one_entry() -> None:
    (entry,) = timeline(run(status="pending", started_at=None), [], [])
    assert (entry.type, entry.timestamp, entry.step_name) == ("run_created", NOW, None)
    assert entry.detail == {"triggerId": run().trigger_id, "definitionId": run().definition_id, "isReplay": False}


def test_everything_in_one_millisecond_is_in_the_order_of_cause_and_effect() -> None:
    a, b = ended("0", "a"), ended("1", "b")
    entries = timeline(finished(), [a, b], [log("in b", NOW, b), log("in a", NOW, a)])
    assert said(entries) == [
        "run_created",
        *("step_scheduled a", "step_started a", "in a", "step_completed a"),
        *("step_scheduled b", "step_started b", "in b", "step_completed b"),
        "run_completed",
    ]


def test_what_happened_later_stands_later() -> None:
    a, b = ended("0", "a", completed_at=later(seconds=2)), ended("1", "b", later(seconds=2))
    entries = timeline(finished(completed_at=later(seconds=3)), [a, b], [log("half", later(seconds=1), a)])
    assert [entry.timestamp for entry in entries] == sorted(entry.timestamp for entry in entries)
    assert said(entries)[2:5] == ["step_started a", "half", "step_completed a"]


def test_a_parallel_step_ends_after_its_branches() -> None:
    rows = [
        ended("0", "p", step_type="parallel"),
        ended("0.0.0", "q", step_type="parallel"),
        ended("0.0.0.0.0", "a"),
        ended("0.1.0", "b"),
        ended("1", "c"),
    ]
    completed = [text for text in said(timeline(finished(), rows, [])) if text.startswith("step_completed")]
    assert completed == [f"step_completed {name}" for name in ("a", "q", "b", "p", "c")]


def test_each_way_to_end_has_its_kind_and_its_detail() -> None:
    rows = [
        ended("0", "a", result={"id": 1}, attempt=1),
        row("1", "b", "failed", completed_at=NOW, started_at=NOW, error_message="no", attempt=3),
        row("2", "c", "skipped", completed_at=NOW, skip_reason="condition"),
    ]
    details = {(entry.type, entry.step_name): entry.detail for entry in timeline(run(), rows, [])}
    assert details["step_started", "a"] == {"attempt": 1}
    assert details["step_completed", "a"] == {"result": {"id": 1}}
    assert details["step_failed", "b"] == {"error": "no", "attempt": 3}
    assert details["step_skipped", "c"] == {"reason": "condition"}


def test_a_delay_says_until_when() -> None:
    delay = row("0", "d", "scheduled", step_type="delay", scheduled_for=later(minutes=5))
    (_, entry) = timeline(run(), [delay], [])
    assert (entry.type, entry.step_type, entry.step_index) == ("step_scheduled", "delay", 0)
    assert entry.detail == {"scheduledFor": later(minutes=5).isoformat()}


def test_a_run_that_failed_or_was_canceled_says_why() -> None:
    (_, entry) = timeline(run(status="failed", failed_at=NOW, error_message="no"), [], [])
    assert (entry.type, entry.detail) == ("run_failed", {"error": "no"})
    (_, entry) = timeline(run(status="canceled", canceled_at=NOW, cancel_reason="late"), [], [])
    assert (entry.type, entry.detail) == ("run_canceled", {"reason": "late"})


def test_a_line_of_the_engine_itself_belongs_to_no_step() -> None:
    (_, entry) = timeline(run(), [], [log("Retried.", later(seconds=1))])
    assert (entry.type, entry.step_name) == ("log", None)
    assert entry.detail == {"level": "info", "message": "Retried.", "data": {"n": 1}}


def test_lines_that_are_alike_are_all_there() -> None:
    a, b = ended("0", "a"), row("1", "b", "running", started_at=NOW)
    logs = [log("tick", NOW, a)] * 3 + [log("tick", NOW, b)] * 2
    assert said(timeline(run(), [a, b], logs)).count("tick") == 5


def test_many_lines_take_no_longer_than_there_are_lines() -> None:
    """Comparing each with each would be 400 million comparisons, minutes of them."""
    a = row("0", "a", "running", started_at=NOW)
    entries = timeline(run(), [a], [log(str(number), NOW, a) for number in range(20_000)])
    assert said(entries)[3:] == [str(number) for number in range(20_000)]
