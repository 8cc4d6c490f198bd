"""The sandbox as the rest of Pulse sees it: a message and its plans go in, a verdict comes out."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import Any, Literal, Protocol

from msgspec import Struct

Status = Literal["success", "fail", "ignore"]
STATUSES: frozenset[str] = frozenset(("success", "fail", "ignore"))


class Tenant(Struct, frozen=True):
    """Whose code it is: a process never serves two of these."""

    organization_id: str
    environment_id: str


class Plan(Struct, frozen=True):
    """A compiled workflow. `id` names one version of it for good; `text` is its JSON."""

    id: str
    text: str


class Surroundings(Struct, frozen=True):
    """What every message of an environment finds: `id` names the contents, `text` is their JSON.

    `{id, variables: [[name, value], …], workflows: {name: {…}}}`.
    """

    id: str
    text: str


class Trial(Struct, frozen=True):
    """A test run: each node tells what it changed, and those in `pins` come to what is said there.

    `pins` is the JSON of `{node: {globals?: {name: value}, condition?: bool}}`; a node goes by its id or its name.
    """

    pins: str = "{}"


class Job(Struct, frozen=True):
    """One message to evaluate: `message` is one line of JSON, `at` the time that scripts see (ms since 1970).

    `entry` is the entity that the one plan is entered at, where that is not its first node.
    """

    id: str
    tenant: Tenant
    plans: Sequence[Plan]
    message: bytes
    at: int
    seed: tuple[int, int, int, int]
    entry: str | None = None
    surroundings: Surroundings | None = None
    trial: Trial | None = None


class Verdict(Struct, frozen=True):
    """How the evaluation ended.

    `body` is a JSON object `{log, errors, errorCount?, reasons, visits?, kept, globals, tooLarge, result?}`;
    `code` says why a message was ignored, or names the limit that ended it. `queue_ms` is the time before the sandbox
    began, `sandbox_ms` the rest.
    """

    status: Status
    body: bytes
    code: str | None = None
    workflow_id: str | None = None
    workflow_name: str | None = None
    workflow_version: int | None = None
    error_type: str | None = None
    error: str | None = None
    queue_ms: int = 0
    sandbox_ms: int = 0


class Asked(Struct, frozen=True):
    """An effect that a script asks for: the how manieth of the message (from 1), and by which plan's scripts.

    One whose arguments Python cannot read has none, and is not called.
    """

    seq: int
    function: str
    arguments: list[Any]
    plan: str = ""
    is_readable: bool = True


class Answer(Struct, frozen=True):
    """What an effect came to: `payload` is the JSON of its value, or of `{code, message, retryable, effect}`.

    `at` is the time that scripts see from then on (ms since 1970), `log` the JSON of an entry for the execution log.
    """

    ok: bool
    payload: bytes
    at: int = 0
    log: bytes = b""


class Effects(Protocol):
    """The world as far as one message's scripts may reach it. Runs in the parent, with the tenant's rights."""

    def begin(self) -> None:
        """An evaluation begins, perhaps not the first: what an earlier one left to be done later is forgotten."""
        ...

    async def call(self, job: Job, asked: Asked) -> Answer:
        """Executes one effect, or answers with what it came to before. Calls may be cancelled and asked for again.

        Answers reach the scripts in the order in which calls return. What fails is an Answer that is not `ok`, with a
        code of a closed list. Raises PulseError where the evaluation must not go on: `evaluate` raises it then.
        """
        ...

    def rest(self, waiting: AbstractSet[int]) -> None:
        """The scripts stand still until one of these effects is answered. Raises PulseError if that cannot be."""
        ...


class Sandbox(Protocol):
    """Evaluates messages in processes that belong to one tenant each.

    A script that does not yield for `script_timeout_ms`, a message that lives longer than `message_timeout_ms` and a
    message whose process dies under it alone three times end with a verdict of `fail`, not with an exception. A message
    whose process dies for another reason is evaluated again, from its beginning: `effects` must be ready for repeats.

    Scripts get one answer of an effect at a time, and have run as far as they can before they get the next: the same
    answers in the same order take them the same way.
    """

    async def start(self) -> None:
        """Warms a first process; raises Misconfigured where this machine cannot run the sandbox as asked."""
        ...

    async def evaluate(self, job: Job, effects: Effects) -> Verdict:
        """The verdict on one message. Cancelling the call ends the evaluation and stores nothing."""
        ...

    async def stop(self) -> None:
        """Ends every process. Evaluations that are under way raise SandboxStopped."""
        ...
