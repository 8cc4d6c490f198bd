"""Evaluates one message. `evaluate` reads as its table of contents."""

import hashlib
import struct

from pulse.core.clock import Clock, iso
from pulse.core.errors import Misconfigured
from pulse.effects.calls import ScriptEffects
from pulse.evaluator.environments import Environments
from pulse.evaluator.reasons import with_all_reasons, without_sandbox
from pulse.evaluator.routing import Route, route
from pulse.messages.records import NewMessage, Outcome, Work
from pulse.messages.result import empty_body
from pulse.sandbox.port import Job, Sandbox, Tenant, Verdict
from pulse.tenancy.variables import VariableStore
from pulse.workflows.catalog import Catalog

MAX_LONE_DEATHS = 3
MAX_SUMMARY = 500
_four_words = struct.Struct(">4I16x").unpack


class Evaluator:
    """Turns claimed messages into outcomes."""

    def __init__(
        self, catalog: Catalog, variables: VariableStore, sandbox: Sandbox, effects: ScriptEffects, clock: Clock
    ) -> None:
        self._catalog = catalog
        self._around = Environments(catalog, variables)
        self._sandbox = sandbox
        self._effects = effects
        self._clock = clock

    async def evaluate(self, work: Work) -> Outcome:
        """How the message ends. Raises Unavailable where it must be tried again later."""
        if work.lone_deaths >= MAX_LONE_DEATHS:
            return self._outcome(work, _poison(work, self._clock))
        way = await route(work, self._catalog)
        if not way.plans:
            return self._outcome(work, without_sandbox(work, way))
        try:
            job = await self._job(work, way)
        except Misconfigured as error:
            return self._outcome(work, _misconfigured(error, self._clock))
        effects = self._effects.for_message(work)
        verdict = await self._sandbox.evaluate(job, effects)
        return self._outcome(work, with_all_reasons(work, way, verdict), effects.children)

    async def _job(self, work: Work, way: Route) -> Job:
        tenant = Tenant(work.organization_id, work.environment_id)
        around = await self._around.of(work.organization_id, work.environment_id)
        return Job(work.id, tenant, way.plans, work.payload, work.received_at, seed_of(work.id), way.entry, around)

    def gave_up(self, work: Work, error: Exception) -> Outcome:
        """The outcome of a message whose evaluation failed for a reason of Pulse's own; the log has the details."""
        return self._outcome(work, _internal(error, self._clock))

    def _outcome(self, work: Work, verdict: Verdict, children: tuple[NewMessage, ...] = ()) -> Outcome:
        now = self._clock.now_ms()
        return Outcome(
            id=work.id,
            epoch=work.epoch,
            status=verdict.status,
            completed_at=now,
            elapsed_ms=max(0, now - work.received_at),
            body=verdict.body,
            organization_id=work.organization_id,
            lane=work.lane,
            code=verdict.code,
            workflow_id=verdict.workflow_id,
            workflow_name=verdict.workflow_name,
            workflow_version=verdict.workflow_version,
            error=_summary(verdict),
            children=children,
        )


def seed_of(message_id: str) -> tuple[int, int, int, int]:
    """Four 32-bit words that depend on the message's id only: chance is the same at every evaluation."""
    digest = hashlib.sha256(message_id.encode()).digest()
    first, second, third, fourth = _four_words(digest)
    return first, second, third, fourth


def _poison(work: Work, clock: Clock) -> Verdict:
    message = f"The process that evaluated this message died {work.lone_deaths} times while it did nothing else"
    advice = "Look into the log of the consumer at these times, then replay the message."
    return _failure("ProcessCrash", "process_crash", message, advice, clock)


def _misconfigured(error: Misconfigured, clock: Clock) -> Verdict:
    advice = "Ask whoever runs this installation to mend its settings, then replay the message."
    return _failure("Misconfigured", "misconfigured", error.message.rstrip("."), advice, clock)


def _internal(error: Exception, clock: Clock) -> Verdict:
    message = f"Pulse failed while it evaluated this message ({type(error).__name__})"
    advice = "This is a fault of Pulse: please report it with the consumer's log."
    return _failure("InternalError", "internal_error", message, advice, clock)


def _failure(error_type: str, code: str, message: str, suggestion: str, clock: Clock) -> Verdict:
    error = {"error": message, "errorType": error_type, "code": code, "suggestion": suggestion}
    body = empty_body([{**error, "timestamp": iso(clock.now_ms())}])
    return Verdict(status="fail", body=body, code=code, error_type=error_type, error=message)


def _summary(verdict: Verdict) -> str | None:
    if verdict.error_type is None:
        return None
    words = f"{verdict.error_type}: {verdict.error}" if verdict.error else verdict.error_type
    # No database column holds a NUL.
    return words[:MAX_SUMMARY].replace("\0", "\ufffd")
