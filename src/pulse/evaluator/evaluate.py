"""Evaluates one message. `evaluate` reads as its table of contents."""

import hashlib
from typing import Any

import msgspec

from pulse.core.clock import Clock, iso
from pulse.messages.records import Outcome, Work
from pulse.messages.result import empty_body
from pulse.sandbox.port import Answer, Effects, Job, Plan, Sandbox, Tenant, Verdict
from pulse.workflows.catalog import Catalog, Plans

MAX_LONE_DEATHS = 3


class Evaluator:
    """Turns claimed messages into outcomes."""

    def __init__(self, catalog: Catalog, sandbox: Sandbox, effects: Effects, clock: Clock) -> None:
        self._catalog = catalog
        self._sandbox = sandbox
        self._effects = effects
        self._clock = clock

    async def evaluate(self, work: Work) -> Outcome:
        """How the message ends. Raises Unavailable where it must be tried again later."""
        if work.lone_deaths >= MAX_LONE_DEATHS:
            return self._outcome(work, _poison(work, self._clock))
        found = await self._catalog.plans(work.organization_id, work.environment_id)
        if not found.plans:
            return self._outcome(work, _nobody_to_ask(found))
        verdict = await self._sandbox.evaluate(_job(work, found.plans), self._effects)
        return self._outcome(work, verdict)

    def gave_up(self, work: Work, error: Exception) -> Outcome:
        """The outcome of a message whose evaluation failed for a reason of Pulse's own; the log has the details."""
        return self._outcome(work, _internal(error, self._clock))

    def _outcome(self, work: Work, verdict: Verdict) -> Outcome:
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
        )


class NoEffects:
    """The effects of an installation that has none: every call is answered with an error that a script can catch."""

    async def call(self, job: Job, seq: int, function: str, arguments: list[Any]) -> Answer:
        error = {"code": "not_available", "message": f"{function} is not available here.", "effect": function}
        return Answer(ok=False, payload=msgspec.json.encode(error))


def _job(work: Work, plans: tuple[Plan, ...]) -> Job:
    tenant = Tenant(work.organization_id, work.environment_id)
    return Job(work.id, tenant, plans, work.payload, work.received_at, seed_of(work.id))


def seed_of(message_id: str) -> tuple[int, int, int, int]:
    """Four 32-bit words that depend on the message's id only: chance is the same at every evaluation."""
    digest = hashlib.sha256(message_id.encode()).digest()
    first, second, third, fourth = (int.from_bytes(digest[at : at + 4]) for at in (0, 4, 8, 12))
    return first, second, third, fourth


def _nobody_to_ask(found: Plans) -> Verdict:
    return Verdict(status="ignore", body=empty_body(), code="inactive" if found.inactive else "no_workflows")


def _poison(work: Work, clock: Clock) -> Verdict:
    message = f"The process that evaluated this message died {work.lone_deaths} times while it did nothing else"
    advice = "Look into the log of the consumer at these times, then replay the message."
    return _failure("ProcessCrash", "process_crash", message, advice, clock)


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
    return f"{verdict.error_type}: {verdict.error}"[:500] if verdict.error else verdict.error_type
