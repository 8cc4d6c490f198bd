"""How a script's call reaches its function, and how a failure comes back: as an error that the script can catch."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
import structlog

from pulse.core.errors import PulseError
from pulse.messages.records import NewMessage, Work
from pulse.sandbox.port import Answer, Job

log = structlog.get_logger(__name__)


class EffectFailed(PulseError):
    """The effect failed."""

    def __init__(self, code: str, message: str, *, retryable: bool = False) -> None:
        super().__init__(message)
        self.effect_code = code
        self.retryable = retryable


@dataclass
class Family:
    """What a message sends when it ends: messages to the workflows of its workflow nodes, by id."""

    children: dict[str, NewMessage] = field(default_factory=dict)


@dataclass(frozen=True)
class Call:
    """One call of a function: by which message, the how manieth of it, and with what."""

    work: Work
    seq: int
    arguments: list[Any]
    family: Family

    def argument(self, position: int) -> Any:
        """The argument, or None where the script gave fewer."""
        return self.arguments[position] if position < len(self.arguments) else None


Function = Callable[[Call], Awaitable[Any]]


class ScriptEffects:
    """The functions by name; `for_message` gives one message its way to them."""

    def __init__(self, functions: Mapping[str, Function]) -> None:
        self._functions = functions

    def for_message(self, work: Work) -> "MessageEffects":
        return MessageEffects(work, self._functions)


class MessageEffects:
    """The effects of one message; implements the sandbox's `Effects`."""

    def __init__(self, work: Work, functions: Mapping[str, Function]) -> None:
        self._work = work
        self._functions = functions
        self._family = Family()

    @property
    def children(self) -> tuple[NewMessage, ...]:
        return tuple(self._family.children.values())

    def begin(self) -> None:
        self._family = Family()

    async def call(self, job: Job, seq: int, function: str, arguments: list[Any]) -> Answer:
        known = self._functions.get(function)
        if known is None:
            return _failed(function, "not_available", f"{function} is not available here.")
        try:
            value = await known(Call(self._work, seq, arguments, self._family))
        except EffectFailed as error:
            return _failed(function, error.effect_code, error.message, retryable=error.retryable)
        except PulseError as error:
            return _failed(function, error.code, error.message)
        except Exception:
            log.exception("effect_failed", message=job.id, function=function)
            return _failed(function, "internal_error", f"{function} failed for a reason of Pulse's own.")
        return Answer(ok=True, payload=msgspec.json.encode(value))


def _failed(function: str, code: str, message: str, *, retryable: bool = False) -> Answer:
    error = {"code": code, "message": message, "effect": function, "retryable": retryable}
    return Answer(ok=False, payload=msgspec.json.encode(error))
