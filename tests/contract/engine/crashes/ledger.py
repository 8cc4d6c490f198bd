"""The outside ledger: what handlers and hooks were seen to do, kept where no engine can reach it."""

from dataclasses import dataclass, field

from pulse import RunCompleteEvent, WorkflowContext


@dataclass(frozen=True)
class Call:
    """One call of a handler. `key` is what the handler would give to whoever it calls, `number` its place here."""

    number: int
    run: str
    run_attempt: int
    path: str
    key: str
    attempt: int


@dataclass(frozen=True)
class End:
    """One word of `on_run_complete`."""

    run: str
    run_attempt: int
    status: str


@dataclass
class Ledger:
    """Everything that was seen, in order, whichever engine did it."""

    calls: list[Call] = field(default_factory=list)
    ends: list[End] = field(default_factory=list)

    def note_call(self, ctx: WorkflowContext) -> Call:
        call = Call(len(self.calls) + 1, ctx.run.id, ctx.run.attempt, ctx.step.path, ctx.step.id, ctx.step.attempt)
        self.calls.append(call)
        return call

    def note_end(self, event: RunCompleteEvent) -> None:
        self.ends.append(End(event.run.id, event.run.attempt, event.status))
