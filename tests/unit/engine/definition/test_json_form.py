"""A workflow in JSON is written in the seed's camelCase, and read back as it was."""

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from hypothesis import HealthCheck, given, settings

from pulse.engine.definition.checks import faults_of
from pulse.engine.definition.json_form import from_json, to_json
from pulse.engine.definition.steps import Action, Condition, Delay, Emit, Parallel, RetryPolicy, Wait
from pulse.engine.definition.workflow import RateLimit, Workflow
from tests.unit.engine.drawn import WORKFLOWS
from tests.unit.engine.made import workflow

# As the seed writes it, field by field.
SEED: dict[str, Any] = {
    "tenantId": "workspace_1",
    "name": "Incident on missed heartbeat",
    "description": "Pages whoever is on call",
    "triggerType": "heartbeat.missed",
    "environmentFilter": "production",
    "resourceTypeFilter": "service",
    "steps": [
        {"type": "delay", "name": "wait_5m", "delayMs": 300_000},
        {"type": "condition", "name": "is_still_failing", "onFalse": "skip"},
        {
            "type": "action",
            "name": "create_incident",
            "config": {"team": "core"},
            "retryPolicy": {"maxAttempts": 3, "backoffMs": 5000},
            "timeoutMs": 30_000,
        },
        {"type": "condition", "name": "check", "onFalse": 3},
        {
            "type": "parallel",
            "name": "notify_all",
            "branches": [
                [{"type": "action", "name": "send_email"}, {"type": "action", "name": "log_email_sent"}],
                [{"type": "action", "name": "send_slack"}],
            ],
        },
    ],
    "config": {"severity": "high"},
    "isEnabled": False,
    "cronExpression": "0 2 * * *",
}
SAME = Workflow(
    tenant_id="workspace_1",
    name="Incident on missed heartbeat",
    description="Pages whoever is on call",
    trigger_type="heartbeat.missed",
    environment_filter="production",
    resource_type_filter="service",
    steps=(
        Delay("wait_5m", ms=300_000),
        Condition("is_still_failing", on_false="skip"),
        Action(
            "create_incident",
            config={"team": "core"},
            retry_policy=RetryPolicy(max_attempts=3, backoff_ms=5000),
            timeout_ms=30_000,
        ),
        Condition("check", on_false=3),
        Parallel("notify_all", ((Action("send_email"), Action("log_email_sent")), (Action("send_slack"),))),
    ),
    config={"severity": "high"},
    is_enabled=False,
    cron_expression="0 2 * * *",
)

BEYOND = workflow(
    Wait("approved", "order.approved", match={"resource_id": "$.resource_id"}, timeout_ms=5, on_timeout="skip"),
    Emit("packed", signal_type="order.packed", payload={"id": "$.payload.id"}, wait=True),
    Action("a", handler="h", retry_policy=RetryPolicy(2, 100, 200, ("OSError",), ("KeyError",), jitter=False)),
    cron_timezone="Europe/Zurich",
    run_at=datetime(2026, 3, 1, 8, tzinfo=UTC),
    missed_runs="all",
    overlap="queue",
    priority=5,
    concurrency=2,
    concurrency_key="payload.account",
    rate_limit=RateLimit(10, 60),
    debounce_key="resource_id",
    debounce_ms=1000,
    debounce_max_ms=5000,
    on_failure="alarm",
)
BEYOND_JSON: dict[str, Any] = {
    "tenantId": "acme",
    "name": "flow",
    "triggerType": "go",
    "steps": [
        {
            "type": "wait",
            "name": "approved",
            "signalType": "order.approved",
            "match": {"resource_id": "$.resource_id"},
            "timeoutMs": 5,
            "onTimeout": "skip",
        },
        {
            "type": "emit",
            "name": "packed",
            "signalType": "order.packed",
            "payload": {"id": "$.payload.id"},
            "wait": True,
        },
        {
            "type": "action",
            "name": "a",
            "handler": "h",
            "retryPolicy": {
                "maxAttempts": 2,
                "backoffMs": 100,
                "maxBackoffMs": 200,
                "retryOn": ["OSError"],
                "giveUpOn": ["KeyError"],
                "jitter": False,
            },
        },
    ],
    "cronTimezone": "Europe/Zurich",
    "runAt": "2026-03-01T08:00:00+00:00",
    "missedRuns": "all",
    "overlap": "queue",
    "priority": 5,
    "concurrency": 2,
    "concurrencyKey": "payload.account",
    "rateLimit": {"limit": 10, "perSeconds": 60},
    "debounceKey": "resource_id",
    "debounceMs": 1000,
    "debounceMaxMs": 5000,
    "onFailure": "alarm",
}


def test_the_seeds_json_is_read_and_written_as_it_is() -> None:
    assert from_json(SEED) == SAME
    assert to_json(SAME) == SEED
    assert faults_of(SAME) == []


def test_what_goes_beyond_the_seed_is_in_camel_case_too() -> None:
    assert to_json(BEYOND) == BEYOND_JSON
    assert from_json(BEYOND_JSON) == BEYOND
    assert faults_of(BEYOND) == []


def test_what_is_left_at_its_default_is_left_out() -> None:
    assert to_json(workflow(Action("a"))) == {
        "tenantId": "acme",
        "name": "flow",
        "triggerType": "go",
        "steps": [{"type": "action", "name": "a"}],
    }


def test_a_delay_in_any_unit_is_written_in_milliseconds() -> None:
    assert to_json(workflow(Delay("d", hours=1, minutes=1)))["steps"] == [
        {"type": "delay", "name": "d", "delayMs": 3_660_000}
    ]


def test_a_payload_that_is_empty_is_not_the_same_as_none() -> None:
    made = workflow(Emit("e", payload={}))
    assert to_json(made)["steps"] == [{"type": "emit", "name": "e", "payload": {}}]
    assert from_json(to_json(made)) == made


def test_null_stands_for_what_is_not_given() -> None:
    read = from_json({**SEED, "description": None, "cronExpression": None, "runAt": None, "rateLimit": None})
    assert (read.description, read.cron_expression, read.run_at, read.rate_limit) == (None, None, None, None)


def test_a_time_keeps_its_moment() -> None:
    there = timezone(timedelta(hours=-3))
    read = from_json({**SEED, "runAt": "2026-03-01T05:00:00-03:00"})
    assert read.run_at == datetime(2026, 3, 1, 5, tzinfo=there) == datetime(2026, 3, 1, 8, tzinfo=UTC)
    assert from_json({**SEED, "runAt": "2026-03-01T08:00:00Z"}).run_at == read.run_at


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(WORKFLOWS)
def test_whatever_is_drawn_is_read_back_as_it_was(drawn: Workflow) -> None:
    text = json.dumps(to_json(drawn), allow_nan=False)
    assert from_json(json.loads(text)) == drawn
    assert json.dumps(to_json(from_json(json.loads(text)))) == text


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(WORKFLOWS)
def test_whatever_is_drawn_is_within_the_limits(drawn: Workflow) -> None:
    assert faults_of(drawn) == []
