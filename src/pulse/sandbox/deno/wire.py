"""The frames between parent and child: one line each, a JSON header, a tab, and a payload that passes as bytes.

The child is never believed about whose code it runs, and what it says is checked for its form before it is used: it may
be in the hands of a script that broke out of its realm.
"""

from typing import Any

import msgspec

from pulse.core.errors import PulseError
from pulse.sandbox.port import STATUSES, Answer, Asked, Job, Plan, Surroundings, Verdict

_encoder = msgspec.json.Encoder()
UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class BrokenFrame(PulseError):
    """The sandbox process said something that it cannot rightly say."""

    code = "broken_frame"


class Said(msgspec.Struct, rename="camel"):
    """A header from the child; which fields matter depends on `t`."""

    t: str
    n: int = 0
    id: str = ""
    status: str = ""
    code: str | None = None
    workflow: str | None = None
    workflow_name: str | None = None
    version: int | None = None
    error_type: str | None = None
    error: str | None = None
    strained: bool = False
    paused: bool = False
    # Of the effects that it asks for, the place of each one's plan among those of the message.
    plans: list[int] = []


class AskFrame(msgspec.Struct):
    """An effect as the child asks for it: `plan` is the place of the plan among those of the message."""

    seq: int
    fn: str
    args: msgspec.Raw

    def by(self, plan: str) -> Asked:
        try:
            return Asked(self.seq, self.fn, _arguments.decode(self.args), plan)
        except UNREADABLE:
            return Asked(self.seq, self.fn, [], plan, is_readable=False)


_said = msgspec.json.Decoder(Said)
_arguments = msgspec.json.Decoder(list[Any])
_asks = msgspec.json.Decoder(list[AskFrame])
_body = msgspec.json.Decoder(dict[str, msgspec.Raw])


def run_frame(n: int, job: Job, define: list[Plan], settle: Surroundings | None) -> bytes:
    """`define` are the plans that the process has not seen, `settle` the surroundings if it has others now."""
    names = _encoder.encode([plan.id for plan in job.plans]).decode()
    seed, job_id = list(job.seed), _encoder.encode(job.id).decode()
    more = _defined(define) + _around(job, settle)
    return (
        f'{{"t":"run","n":{n},"id":{job_id},"plans":{names},"at":{job.at},"seed":{seed}{more}}}\t'.encode()
        + job.message
        + b"\n"
    )


def _defined(plans: list[Plan]) -> str:
    return f',"define":[{",".join(plan.text for plan in plans)}]' if plans else ""


def _around(job: Job, settle: Surroundings | None) -> str:
    """What most messages go without."""
    parts = []
    if settle is not None:
        parts.append(f',"settle":{settle.text}')
    if job.surroundings is not None:
        parts.append(f',"place":{_encoder.encode(job.surroundings.id).decode()}')
    if job.entry is not None:
        parts.append(f',"entry":{_encoder.encode(job.entry).decode()}')
    if job.trial is not None:
        parts.append(f',"trace":{{"pins":{job.trial.pins}}}')
    return "".join(parts)


def answer_frame(n: int, job_id: str, seq: int, answer: Answer, at: int) -> bytes:
    header = {"t": "answer", "n": n, "id": job_id, "seq": seq, "ok": answer.ok, "at": at}
    if answer.log:
        header["log"] = msgspec.Raw(answer.log)
    return _encoder.encode(header) + b"\t" + answer.payload + b"\n"


def go_frame(n: int, job_id: str) -> bytes:
    return _encoder.encode({"t": "go", "n": n, "id": job_id}) + b"\n"


def drop_frame(n: int, job_id: str) -> bytes:
    return _encoder.encode({"t": "drop", "n": n, "id": job_id}) + b"\n"


def read_frame(line: bytes) -> tuple[Said, bytes]:
    """The header and the payload of a line. Raises BrokenFrame."""
    header, _, payload = line.partition(b"\t")
    try:
        return _said.decode(header), payload
    except UNREADABLE as error:
        raise BrokenFrame(str(error)) from None


def read_asks(payload: bytes, said: Said, job: Job) -> list[Asked]:
    """The effects that the scripts of a message ask for. Raises BrokenFrame."""
    try:
        asks, plans = _asks.decode(payload), [job.plans[place].id for place in said.plans]
        if any(place < 0 for place in said.plans):
            raise BrokenFrame("An effect of a plan before the first.")
        return [ask.by(plan) for ask, plan in zip(asks, plans, strict=True)]
    except (*UNREADABLE, IndexError, ValueError) as error:
        raise BrokenFrame(str(error)) from None


def read_verdict(said: Said, payload: bytes, limit: int) -> Verdict:
    """The verdict in a `done` frame. Raises BrokenFrame where it is too large, no JSON, or of no known status."""
    if len(payload) > limit or said.status not in STATUSES:
        raise BrokenFrame("The verdict is too large, or of no known status.")
    try:
        _body.decode(payload)
    except UNREADABLE as error:
        raise BrokenFrame(str(error)) from None
    return Verdict(
        status=said.status,  # type: ignore[arg-type]
        body=payload,
        code=said.code,
        workflow_id=said.workflow,
        workflow_name=said.workflow_name,
        workflow_version=said.version,
        error_type=said.error_type,
        error=said.error[:2_000] if said.error else None,
    )


def bad_arguments(function: str) -> Answer:
    """The answer to an effect whose arguments cannot be read."""
    return _refusal(function, "invalid_arguments", f"The arguments of {function} cannot be read.")


def failed(function: str) -> Answer:
    """The answer to an effect that failed by a fault of Pulse's own."""
    return _refusal(function, "internal_error", f"{function} failed for a reason of Pulse's own.")


def _refusal(function: str, code: str, message: str) -> Answer:
    error = {"code": code, "message": message, "effect": function, "retryable": False}
    return Answer(ok=False, payload=_encoder.encode(error))
