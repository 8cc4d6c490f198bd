"""Random workflows for property tests: every kind of step and every field, within the limits."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from hypothesis import strategies as st

from pulse.engine.definition.steps import Action, Condition, Delay, Emit, Parallel, RetryPolicy, Step, Wait
from pulse.engine.definition.workflow import RateLimit, Workflow

TEXTS = st.text('aB1 .$_\\"\n\x1fÄ€𝄞\u2028', max_size=6)
WORDS = TEXTS.map(lambda text: f"w{text}")
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=3,
)
OBJECTS = st.dictionaries(TEXTS, VALUES, max_size=2)
CLASSES = st.lists(st.sampled_from(["TimeoutError", "OSError", "some.Error"]), max_size=2).map(tuple)
POLICIES = st.builds(
    RetryPolicy,
    max_attempts=st.integers(1, 10),
    backoff_ms=st.integers(100, 300_000),
    max_backoff_ms=st.integers(100, 86_400_000),
    retry_on=CLASSES,
    give_up_on=CLASSES,
    jitter=st.booleans(),
)
CALLS: dict[str, Any] = {
    "handler": st.none() | WORDS,
    "config": OBJECTS,
    "retry_policy": st.none() | POLICIES,
    "timeout_ms": st.none() | st.integers(1, 604_800_000),
}
# Names are made unique afterwards, by `numbered`.
LEAVES: st.SearchStrategy[Step] = st.one_of(
    st.builds(Action, st.just("action"), **CALLS),
    st.builds(
        Condition, st.just("condition"), on_false=st.sampled_from(["complete", "skip"]) | st.integers(1, 4), **CALLS
    ),
    st.builds(Delay, st.just("delay"), ms=st.integers(1, 2_592_000_000), config=OBJECTS),
    st.builds(
        Wait,
        st.just("wait"),
        WORDS,
        match=OBJECTS,
        timeout_ms=st.none() | st.integers(1, 31_622_400_000),
        on_timeout=st.sampled_from(["fail", "complete", "skip"]),
        config=OBJECTS,
    ),
    st.builds(
        Emit,
        st.just("emit"),
        signal_type=st.none() | WORDS,
        payload=st.none() | OBJECTS,
        wait=st.booleans(),
        config=OBJECTS,
    ),
)


def _parallel(inner: st.SearchStrategy[Step]) -> st.SearchStrategy[Step]:
    branches = st.lists(st.lists(inner, min_size=1, max_size=3).map(tuple), min_size=2, max_size=3).map(tuple)
    return st.builds(Parallel, st.just("parallel"), branches, config=OBJECTS)


def numbered(steps: Sequence[Step], before: str = "") -> tuple[Step, ...]:
    """The same steps, each with a name of its own: `s0`, `s1_0_0`, …"""
    return tuple(_named(step, f"{before}{index}") for index, step in enumerate(steps))


def _named(step: Step, place: str) -> Step:
    fields = {**vars(step), "name": f"s{place}"}
    if isinstance(step, Parallel):
        fields["branches"] = [numbered(branch, f"{place}_{number}_") for number, branch in enumerate(step.branches)]
    return type(step)(**fields)


STEPS = st.lists(st.recursive(LEAVES, _parallel, max_leaves=5), min_size=1, max_size=3).map(numbered)
MOMENTS = st.datetimes(
    datetime(2026, 1, 1),  # noqa: DTZ001 - hypothesis takes bounds without a zone
    datetime(2100, 1, 1),  # noqa: DTZ001
    timezones=st.sampled_from([UTC, timezone(timedelta(hours=-3))]),
)
WORKFLOWS = st.builds(
    Workflow,
    tenant_id=WORDS,
    name=WORDS,
    trigger_type=WORDS,
    steps=STEPS,
    description=st.none() | TEXTS,
    environment_filter=st.none() | TEXTS,
    resource_type_filter=st.none() | TEXTS,
    config=OBJECTS,
    is_enabled=st.booleans(),
    cron_expression=st.none(),
    cron_timezone=st.sampled_from(["UTC", "Europe/Zurich"]),
    run_at=st.none() | MOMENTS,
    missed_runs=st.sampled_from(["none", "last", "all"]),
    overlap=st.sampled_from(["allow", "skip", "queue"]),
    priority=st.integers(-1000, 1000),
    concurrency=st.none() | st.integers(1, 100_000),
    rate_limit=st.none() | st.builds(RateLimit, st.integers(1, 1_000_000), st.floats(0.001, 86_400)),
    debounce_max_ms=st.none() | st.integers(1, 2_592_000_000),
    on_failure=st.none() | WORDS,
)
