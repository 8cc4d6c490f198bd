"""What an effect is: a function that scripts call and that Pulse executes, with all that anybody must know of it."""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, TypeVar

import msgspec

from pulse.core.errors import PulseError
from pulse.messages.records import NewMessage, Work


class EffectFailed(PulseError):
    """The effect failed. `log` are fields of its entry in the execution log."""

    def __init__(
        self, code: str, message: str, *, retryable: bool = False, log: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(message)
        self.effect_code = code
        self.retryable = retryable
        self.log = log


@dataclass
class Family:
    """What a message sends when it ends: messages to the workflows of its workflow nodes, by id."""

    children: dict[str, NewMessage] = field(default_factory=dict)


@dataclass(frozen=True)
class Call:
    """One call of a function: by which message, the how manieth of it, and what the outside may know a repeat by.

    `variables` are those of the message's environment that are in force for it.
    """

    work: Work
    seq: int
    key: str
    family: Family
    variables: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def root(self) -> str:
        """The message that asked for this first: where effects are taken over, an earlier one."""
        return self.key.partition(":")[0]


@dataclass(frozen=True)
class Told:
    """An answer, and the fields of its entry in the execution log."""

    value: Any
    log: Mapping[str, Any]


_TOO_FEW = re.compile(r"Expected `array` of (?:at least )?length \d+(?: to \d+)?, got (\d+)")
A = TypeVar("A", bound=msgspec.Struct)
Repeat = Literal["retry", "check", "manual"]


@dataclass(frozen=True)
class Effect(Generic[A]):
    """A function as scripts, their editor and the journal know it.

    `arguments` is an array-like Struct: what the call's arguments must be. `call` answers with a value that JSON can
    hold, or with a Told; it raises EffectFailed, whose codes `errors` explains. A function that only `reads` leaves no
    intent. What a success leaves to be done at the message's end is for `leave`, at every evaluation.
    `repeat` says what is done about a call that was cut off, so that nobody knows whether it took place: called
    again with the same key; asked about first, by `check` (None: it did not); or left to a person. `secrets` are
    the places of arguments that nobody is shown, see `hiding.py`.
    """

    name: str
    signature: str
    summary: str
    arguments: type[A]
    call: Callable[[Call, A], Awaitable[Any]]
    answers: str = "nothing"
    errors: Mapping[str, str] = field(default_factory=dict)
    repeat: Repeat = "retry"
    reads: bool = False
    check: Callable[[Call, A], Awaitable[Any]] | None = None
    leave: Callable[[Call, A], Awaitable[None]] | None = None
    secrets: Sequence[str] = ()
    is_script_function: bool = True

    def schema(self) -> dict[str, Any]:
        """The JSON Schema of the arguments, a list."""
        return msgspec.json.schema(self.arguments)

    def read(self, given: list[Any]) -> A:
        """The arguments. Raises EffectFailed with the place of the fault."""
        try:
            return msgspec.convert(given, self.arguments)
        except msgspec.ValidationError as error:
            raise EffectFailed("invalid_arguments", f"{self._said(str(error))} Call it as {self.signature}.") from None

    def _said(self, words: str) -> str:
        """msgspec's words with the names of arguments in the place of their numbers."""
        reason, _, place = words.partition(" - at `$")
        names = [field.encode_name for field in msgspec.structs.fields(self.arguments)]
        too_few = _TOO_FEW.match(reason)
        if too_few is not None and not place and int(too_few[1]) < len(names):
            return f"{names[int(too_few[1])]} is missing."
        number, _, rest = place.strip("`").removeprefix("[").partition("]")
        if not number.isdigit() or int(number) >= len(names):
            return f"{reason}."
        return f"{names[int(number)]}{rest}: {reason}."


class Nothing(msgspec.Struct, array_like=True, frozen=True):
    """The arguments of a function that takes none."""
