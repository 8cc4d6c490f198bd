"""Spans and counters, where the application has OpenTelemetry or the Prometheus client installed; nothing otherwise."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pulse.engine.records import WorkflowRun, WorkflowStepRun
from pulse.engine.rules.outcomes import Outcome
from pulse.engine.store.held import Held


class StepSpan:
    """The span of one call of a handler."""

    def __init__(self, span: Any = None, error_status: Any = None) -> None:
        self._span = span
        self._error_status = error_status

    def ended(self, outcome: Outcome) -> None:
        if self._span is not None and outcome.error is not None:
            self._span.record_exception(outcome.error)
            self._span.set_status(self._error_status, str(outcome.error)[:200])


_NO_SPAN = StepSpan()


class Telemetry:
    """Tells what the engine does. `registry`: a Prometheus registry; None: no counters."""

    def __init__(self, registry: Any = None) -> None:
        self._tracing = _tracing()
        self.is_tracing = False
        self.look_again()
        self._counters = None if registry is None else _counters(registry)

    def look_again(self) -> None:
        """Whether the application has set a provider of spans meanwhile; looked at when the engine starts."""
        self.is_tracing = self._tracing is not None and self._tracing.is_on

    def traceparent(self) -> str | None:
        """The W3C trace context in which the caller runs, or None."""
        if self._tracing is None or not self.is_tracing:
            return None
        carrier: dict[str, str] = {}
        self._tracing.propagator.inject(carrier)
        return carrier.get("traceparent")

    @contextlib.contextmanager
    def emit(self, signal_type: str, tenant_id: str) -> Iterator[None]:
        if self._counters is not None:
            self._counters["signals"].labels(signal_type).inc()
        if self._tracing is None or not self.is_tracing:
            yield
            return
        attributes = {"pulse.tenant_id": tenant_id, "pulse.signal_type": signal_type}
        with self._tracing.tracer.start_as_current_span("pulse.emit", attributes=attributes):
            yield

    @contextlib.contextmanager
    def step(self, held: Held, row: WorkflowStepRun) -> Iterator[StepSpan]:
        if self._tracing is None or not self.is_tracing:
            yield _NO_SPAN
            return
        parent = held.trigger.traceparent
        context = self._tracing.propagator.extract({"traceparent": parent}) if parent else None
        attributes: dict[str, Any] = {
            "pulse.run_id": held.id,
            "pulse.step": row.step_name,
            "pulse.attempt": row.attempt,
            "pulse.tenant_id": held.run.tenant_id,
            "pulse.workflow": held.workflow.name,
        }
        with self._tracing.tracer.start_as_current_span("pulse.step", context, attributes=attributes) as span:
            yield StepSpan(span, self._tracing.error)

    def step_ended(self, row: WorkflowStepRun) -> None:
        if self._counters is not None:
            self._counters["steps"].labels(row.step_type, row.status).inc()

    def run_ended(self, run: WorkflowRun) -> None:
        if self._counters is not None:
            self._counters["runs"].labels(run.status).inc()


@dataclass(frozen=True)
class _Tracing:
    """What is used of OpenTelemetry."""

    api: Any
    tracer: Any
    propagator: Any
    error: Any

    @property
    def is_on(self) -> bool:
        """Whether the application has set a provider of its own: without one every span is nothing."""
        return not isinstance(self.api.get_tracer_provider(), self.api.ProxyTracerProvider)


def _tracing() -> _Tracing | None:
    # Imported when an engine is made, and not with this module: it takes a while.
    try:
        from opentelemetry import trace
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
    except ModuleNotFoundError:
        return None
    return _Tracing(trace, trace.get_tracer("pulse.engine"), TraceContextTextMapPropagator(), trace.StatusCode.ERROR)


def _counters(registry: Any) -> dict[str, Any]:
    from prometheus_client import Counter as counter  # noqa: N813 - a function as used here

    return {
        "signals": counter("pulse_engine_signals", "Signals emitted, by type.", ["type"], registry=registry),
        "steps": counter(
            "pulse_engine_steps", "Steps that ended, by type and status.", ["type", "status"], registry=registry
        ),
        "runs": counter("pulse_engine_runs", "Runs that ended, by status.", ["status"], registry=registry),
    }
