"""What a handler gets."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from pulse.core.errors import Misconfigured
from pulse.engine.records import JsonObject, Level, Signal, TriggerEnvelope, WorkflowRun, WorkflowStepRun


class Emit(Protocol):
    """Emits a signal of a step: once, however often the step is tried."""

    def __call__(self, signal: Signal, *, wait: bool = False) -> Awaitable[TriggerEnvelope]: ...


class Send(Protocol):
    """Posts a message to the platform; the same `key` (it begins with a step's id) posts it once. Answers its id.

    `tenant_id` and `environment` are those of the run that sends.
    """

    def __call__(
        self, message: Mapping[str, Any], *, key: str, tenant_id: str, environment: str | None
    ) -> Awaitable[str]: ...


Log = Callable[[str, Mapping[str, Any] | None, Level], None]


async def no_platform(
    message: Mapping[str, Any],  # noqa: ARG001 - a Send
    *,
    key: str,  # noqa: ARG001
    tenant_id: str,  # noqa: ARG001
    environment: str | None,  # noqa: ARG001
) -> str:
    raise Misconfigured("This engine has no platform to send messages to: run the application with `pulse up --app`.")


@dataclass
class WorkflowContext:
    """The step that is being executed, and what it may do. Source: the seed's WorkflowContext.

    `config` is the workflow's, `step.config` the step's own. `run.context` holds what earlier actions returned, by step
    name. `step.id` is the same on every attempt: a good idempotency key for whoever the handler calls.
    """

    tenant_id: str
    trigger: TriggerEnvelope
    run: WorkflowRun
    step: WorkflowStepRun
    config: JsonObject
    is_replay: bool
    emitter: Emit
    logger: Log
    sender: Send
    _emitted: int = 0
    _sent: int = 0

    async def emit(self, signal: Signal, *, wait: bool = False) -> TriggerEnvelope:
        """Emits another signal, once however often the step is tried: a repeat returns the first envelope.

        `wait=True` returns when every run that the signal started has ended.
        """
        self._emitted += 1
        key = signal.idempotency_key or f"{self.step.id}:{self._emitted}"
        return await self.emitter(_with_key(signal, key), wait=wait)

    def log(self, message: str, data: Mapping[str, Any] | None = None, level: Level = "info") -> None:
        """Writes a line to the run's execution log; it is stored with what the step records."""
        self.logger(message, data, level)

    async def send(self, message: Mapping[str, Any]) -> str:
        """Posts a message to the platform, once however often the step is tried; answers the message's id."""
        self._sent += 1
        key = f"{self.step.id}:{self._sent}"
        return await self.sender(message, key=key, tenant_id=self.tenant_id, environment=self.trigger.environment)


def _with_key(signal: Signal, key: str) -> Signal:
    return Signal(**{**vars(signal), "idempotency_key": key})
