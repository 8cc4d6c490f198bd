"""A workflow, as the application writes it down."""

from collections.abc import Mapping, Sequence
from dataclasses import field
from datetime import datetime
from typing import Any, Literal

from pulse.core.errors import Fault, InvalidFields
from pulse.engine.checked import checked
from pulse.engine.definition.steps import Step


@checked
class RateLimit:
    """At most `limit` runs begin within any `per_seconds`; further ones wait their turn."""

    limit: int
    per_seconds: float


@checked
class Workflow:
    """Steps that run when a signal of `trigger_type` is emitted for the tenant (and the filters fit, where given).

    `config` is `ctx.config` in every handler. `cron_expression` (five fields, in `cron_timezone`, an IANA zone) or
    `run_at` (once) emit the trigger by themselves; `missed_runs` says what happens to times at which nobody was running
    (`none`, `last`: the latest, `all`), `overlap` whether a time is left out (`skip`) or waits (`queue`) while a run of
    an earlier one goes on.

    `concurrency`: how many runs may be executed at once, over all workers; with `concurrency_key` (a path such as
    `payload.account`) so many for each value of it. Runs that wait for a time or a signal do not count. `rate_limit`
    spreads the beginnings. `priority`: lower goes first within a tenant. `debounce_key` with `debounce_ms`: signals of
    the same value start one run, so long after the last of them, with its payload, and at most `debounce_max_ms` after
    the first (unset: ten times `debounce_ms`). `on_failure` names a workflow of the tenant that is started for each run
    that failed for good. Source: the seed's WorkflowDefinition, spec "Beyond the seed".
    """

    tenant_id: str
    name: str
    trigger_type: str
    steps: Sequence[Step]
    description: str | None = None
    environment_filter: str | None = None
    resource_type_filter: str | None = None
    config: Mapping[str, Any] = field(default_factory=dict)
    is_enabled: bool = True
    cron_expression: str | None = None
    cron_timezone: str = "UTC"
    run_at: datetime | None = None
    missed_runs: Literal["none", "last", "all"] = "last"
    overlap: Literal["allow", "skip", "queue"] = "allow"
    priority: int = 100
    concurrency: int | None = None
    concurrency_key: str | None = None
    rate_limit: RateLimit | None = None
    debounce_key: str | None = None
    debounce_ms: int | None = None
    debounce_max_ms: int | None = None
    on_failure: str | None = None

    def __post_init__(self) -> None:
        steps: Any = self.steps
        if not isinstance(steps, Sequence) or isinstance(steps, str):
            raise InvalidFields([Fault("steps", "wrong_type", "Workflow.steps must be a list of steps.")])
        object.__setattr__(self, "steps", tuple(steps))
