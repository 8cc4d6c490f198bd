"""Evaluates one message. `evaluate` reads as its table of contents."""

import hashlib
import struct
from collections.abc import Callable
from functools import partial

from pulse.core.clock import Clock, iso
from pulse.core.errors import Misconfigured
from pulse.effects.functions import Header, ScriptEffects
from pulse.effects.journaled import EffectUncertain, MessageEffects, NonDeterminism
from pulse.evaluator.beginnings import Beginning, Beginnings
from pulse.evaluator.reasons import with_all_reasons, without_sandbox
from pulse.messages.records import Outcome, Work
from pulse.messages.result import empty_body
from pulse.sandbox.port import Job, Sandbox, Tenant, Verdict
from pulse.tenancy.variables import Variables, VariableStore
from pulse.workflows.catalog import Catalog
from pulse.workflows.plan import WorkflowPlan

MAX_LONE_DEATHS = 3
MAX_SUMMARY = 500
_four_words = struct.Struct(">4I16x").unpack


class Evaluator:
    """Turns claimed messages into outcomes."""

    def __init__(
        self,
        catalog: Catalog,
        variables: VariableStore,
        sandbox: Sandbox,
        effects: ScriptEffects,
        clock: Clock,
        note_use: Callable[[WorkflowPlan, Variables, int], None] | None = None,
    ) -> None:
        """`note_use` is told what was evaluated with which variables, and when, in ms since 1970."""
        self._beginnings = Beginnings(catalog, variables)
        self._sandbox = sandbox
        self._effects = effects
        self._clock = clock
        self._note_use = note_use

    async def evaluate(self, work: Work) -> Outcome:
        """How the message ends. Raises Unavailable where it must be tried again later."""
        if work.lone_deaths >= MAX_LONE_DEATHS:
            return self._outcome(work, _poison(work, self._clock))
        effects, header = await self._effects.for_message(work)
        try:
            beginning = await self._beginning(work, header)
            if isinstance(beginning, Verdict):
                return self._outcome(work, beginning)
            effects.around(beginning.variables.values, beginning.workflows)
            verdict = await self._verdict(work, beginning, effects)
            self._used(beginning, verdict)
            return self._outcome(work, verdict, effects)
        finally:
            await effects.close()

    async def _beginning(self, work: Work, header: Header) -> Beginning | Verdict:
        """What the evaluation begins with, or the verdict where there is nothing to evaluate."""
        try:
            if header.found is not None:
                return await self._beginnings.again(work, header.found)
            way = await self._beginnings.way_of(work)
            if not way.plans:
                return without_sandbox(work, way)
            beginning = await self._beginnings.of(work, way)
        except Misconfigured as error:
            return _misconfigured(error, self._clock)
        header.made = partial(beginning.header, work)
        return beginning

    async def _verdict(self, work: Work, beginning: Beginning, effects: MessageEffects) -> Verdict:
        tenant, way = Tenant(work.organization_id, work.environment_id), beginning.way
        words, around = seed_of(work.id), beginning.around
        job = Job(work.id, tenant, way.plans, work.payload, work.received_at, words, way.entry, around)
        try:
            return with_all_reasons(work, way, await self._sandbox.evaluate(job, effects))
        except (NonDeterminism, EffectUncertain) as error:
            return _cut_short(error, self._clock)

    def _used(self, beginning: Beginning, verdict: Verdict) -> None:
        if self._note_use is None or not beginning.variables.values:
            return
        for plan in beginning.way.plans:
            if plan.workflow_id == verdict.workflow_id:
                self._note_use(plan, beginning.variables, self._clock.now_ms())

    def gave_up(self, work: Work, error: Exception) -> Outcome:
        """The outcome of a message whose evaluation failed for a reason of Pulse's own; the log has the details."""
        return self._outcome(work, _internal(error, self._clock))

    def _outcome(self, work: Work, verdict: Verdict, effects: MessageEffects | None = None) -> Outcome:
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
            children=effects.children if effects is not None else (),
            is_journaled=effects is not None and effects.is_journaled,
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


def _cut_short(error: NonDeterminism | EffectUncertain, clock: Clock) -> Verdict:
    advice = {
        NonDeterminism.code: "Let scripts decide by the message, the variables and the answers they get: nothing else "
        "is the same when a message is evaluated again.",
        EffectUncertain.code: "A replay takes over what is recorded if it says reuseEffects, and calls this again.",
    }[error.code]
    name = "NonDeterminismError" if isinstance(error, NonDeterminism) else "EffectUncertain"
    return _failure(name, error.code, error.message.rstrip("."), advice, clock)


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
