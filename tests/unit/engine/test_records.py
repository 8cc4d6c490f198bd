"""What an application hands to the engine is checked when it is made; what the engine hands out cannot be changed."""

from dataclasses import FrozenInstanceError
from typing import Any, get_args

import pytest

from pulse.core.errors import InvalidFields
from pulse.engine.records import (
    FINISHED_RUN,
    FINISHED_STEP,
    ActionResult,
    RunStatus,
    Signal,
    StepStatus,
    TimelineType,
    evolve,
)
from tests.unit.engine import made


def refused(make: Any, **fields: Any) -> list[str]:
    with pytest.raises(InvalidFields) as caught:
        make(**fields)
    return [fault.path for fault in caught.value.faults]


def test_a_signal_needs_a_tenant_a_source_and_a_type() -> None:
    signal = Signal("acme", "tests", "go")
    assert (signal.payload, signal.resource_id, signal.idempotency_key) == ({}, None, None)
    assert Signal("acme", "tests", "go").payload is not signal.payload


def test_every_field_of_a_signal_that_is_of_another_type_is_named() -> None:
    fields: dict[str, Any] = {
        "tenant_id": 1,
        "source": None,
        "type": b"go",
        "resource_type": 2,
        "resource_id": 3,
        "environment": ["production"],
        "payload": "{}",
        "idempotency_key": 4,
    }
    assert refused(Signal, **fields) == list(fields)


def test_a_payload_has_text_keys() -> None:
    assert refused(Signal, tenant_id="acme", source="tests", type="go", payload={1: "a"}) == ["payload"]


def test_an_action_result_is_a_success_without_data_unless_it_says_otherwise() -> None:
    assert ActionResult() == ActionResult(success=True, data=None, error=None)
    assert refused(ActionResult, success="yes", data=[], error=5) == ["success", "data", "error"]


def test_the_statuses_are_those_of_the_seed() -> None:
    assert set(get_args(RunStatus)) == {"pending", "running", "waiting", "completed", "failed", "canceled"}
    assert set(get_args(StepStatus)) == {"pending", "scheduled", "running", "completed", "failed", "skipped"}
    assert set(FINISHED_RUN) == {"completed", "failed", "canceled"}
    assert set(FINISHED_STEP) == {"completed", "failed", "skipped"}


def test_the_kinds_of_timeline_entries_are_those_of_the_seed() -> None:
    of_runs = {"run_created", "run_completed", "run_failed", "run_canceled"}
    of_steps = {"step_scheduled", "step_started", "step_completed", "step_failed", "step_skipped"}
    assert set(get_args(TimelineType)) == of_runs | of_steps | {"log"}


def test_a_record_that_was_handed_out_cannot_be_changed() -> None:
    for record in (made.run(), made.row("0", "a", "pending"), made.trigger()):
        with pytest.raises(FrozenInstanceError):
            record.tenant_id = "other"  # type: ignore[misc]


def test_an_evolved_record_is_a_copy_with_other_values() -> None:
    before = made.row("0", "a", "pending")
    after = evolve(before, status="running", attempt=1)
    assert (before.status, before.attempt) == ("pending", 0)
    assert after == made.row("0", "a", "running", attempt=1)
    assert type(after) is type(before)


def test_a_step_has_its_name_under_both_names() -> None:
    assert made.row("2.0.1", "notify", "pending").name == made.row("2.0.1", "notify", "pending").step_name == "notify"
