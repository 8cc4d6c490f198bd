"""Fills one cell: renders, asks the model, checks the answer, listens to its tone.

The result is a JSON object `{response, stop, model, provider, inputTokens, outputTokens, costMicros, checkCostMicros,
latencyMs, attempts, missing, passed, assertions: [{type, passed, message, error?, costMicros}], sentiment?}`, or, where
there is no answer, `{error: {code, reason?, message, attempts?}, missing}`. Costs are in millionths of a dollar:
`costMicros` is the answer's, `checkCostMicros` what judging it took. `passed` is None without assertions.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, Protocol

from pulse.core.errors import InvalidInput, PulseError, Unavailable
from pulse.models.port import Image, ModelFailed
from pulse.prompts.caller import Ask, Called
from pulse.prompts.templates.answers import as_unicode, written
from pulse.prompts.templates.assertions.checking import Assertions, Calls, Response
from pulse.prompts.templates.assertions.rules import Verdict
from pulse.prompts.templates.rendering import render
from pulse.prompts.templates.runs.records import CellWork, Row
from pulse.prompts.templates.sentiment.by_model import tone_by_model
from pulse.prompts.templates.sentiment.tone import Sentiment, tone_of


@dataclass(frozen=True)
class Filled:
    """How a cell ended: its state, and its result as JSON."""

    state: Literal["done", "failed"]
    result: str


@dataclass(frozen=True)
class _Rendered:
    text: str
    system: str
    missing: list[str]


@dataclass(frozen=True)
class _Tone:
    tone: Sentiment | None
    error: str | None = None
    cost_micros: int = 0


# Keeps an answer (JSON) that is still to be checked.
Keep = Callable[[str], Awaitable[object]]


class Pictures(Protocol):
    """Whoever gets pictures: fetches them by the rules of egress, or decodes them."""

    async def images(self, addresses: Sequence[str]) -> Sequence[Image]:
        """One picture an address (http, https or `data:`). Raises PulseError."""
        ...


class NoPictures(InvalidInput):
    """This installation cannot get pictures for prompts: leave them out."""

    code = "not_available"


class CellFiller:
    """Fills cells. A repeat of a cell carries the same idempotency keys."""

    def __init__(self, caller: Calls, assertions: Assertions, pictures: Pictures | None = None) -> None:
        self._caller = caller
        self._assertions = assertions
        self._pictures = pictures

    async def fill(self, work: CellWork, keep: Keep) -> Filled:
        """What came of the cell. Raises Unavailable: not all is known yet, try again later; what is known was kept."""
        try:
            answer = work.answer or await self._answer(work, keep)
        except Unavailable:
            raise
        except PulseError as error:
            return Filled("failed", written({"error": _told(error), "missing": _rendered(work).missing}))
        tone = await self._tone(work, answer["response"])
        verdicts = await self._assertions.check(work.plan.assertions, _response(work, answer["response"], tone))
        return Filled("done", written({**answer, **_checked(verdicts, tone)}))

    async def _answer(self, work: CellWork, keep: Keep) -> Mapping[str, Any]:
        """The model's answer, kept before anything else is done: it is not paid for twice."""
        row, column = work.plan.at(work.place)
        rendered = _rendered(work)
        ask = Ask(
            rendered.text,
            system=rendered.system or None,
            images=await self._images(row),
            temperature=column.temperature,
            max_tokens=column.max_tokens,
            schema=work.plan.schema,
            key=work.id,
        )
        called = await self._caller.call(work.organization_id, column.configuration_id, ask)
        answer = {**_told_of(called), "missing": rendered.missing}
        await keep(written(answer))
        return answer

    async def _images(self, row: Row) -> Sequence[Image]:
        if not row.images:
            return ()
        if self._pictures is None:
            raise NoPictures
        return await self._pictures.images(row.images)

    async def _tone(self, work: CellWork, text: str) -> _Tone:
        wanted = work.plan.sentiment
        if wanted is None:
            return _Tone(None)
        if wanted == "lexicon":
            return _Tone(await asyncio.to_thread(tone_of, text))
        try:
            key = f"{work.id}:tone"
            tone, called = await tone_by_model(self._caller, work.organization_id, wanted, text, key)
        except Unavailable:
            raise
        except PulseError as error:
            return _Tone(None, error.message)
        return _Tone(tone, cost_micros=called.cost_micros)


def gave_up(message: str) -> Filled:
    """What becomes of a cell that cannot be filled, for a reason that is not the model's."""
    return Filled("failed", written({"error": {"code": "internal", "message": message}, "missing": []}))


def _rendered(work: CellWork) -> _Rendered:
    row, column = work.plan.at(work.place)
    text, system = render(column.text, row.values), render(column.system or "", row.values)
    return _Rendered(text.text, system.text, list(dict.fromkeys((*system.missing, *text.missing))))


def _response(work: CellWork, text: str, tone: _Tone) -> Response:
    row, column = work.plan.at(work.place)
    place = (work.organization_id, work.environment_id, column.configuration_id)
    return Response(*place, text, row.values, key=work.id, tone=tone.tone)


def _told_of(called: Called) -> dict[str, Any]:
    completion = called.completion
    return {
        "response": as_unicode(completion.text),
        "stop": completion.stop,
        "model": called.model,
        "provider": called.provider,
        "inputTokens": completion.usage.input_tokens,
        "outputTokens": completion.usage.output_tokens,
        "costMicros": called.cost_micros,
        "latencyMs": called.duration_ms,
        "attempts": called.attempts,
    }


def _checked(verdicts: list[Verdict], tone: _Tone) -> dict[str, Any]:
    found: dict[str, Any] = {
        "passed": all(each.passed for each in verdicts) if verdicts else None,
        "assertions": [_verdict(each) for each in verdicts],
        "checkCostMicros": tone.cost_micros + sum(each.cost_micros for each in verdicts),
    }
    if tone.tone is not None:
        found["sentiment"] = asdict(tone.tone)
    elif tone.error is not None:
        found["sentiment"] = {"error": tone.error}
    return found


def _verdict(verdict: Verdict) -> Mapping[str, Any]:
    found = {"type": verdict.type, "passed": verdict.passed, "message": verdict.message}
    return {
        **found,
        "costMicros": verdict.cost_micros,
        **({} if verdict.error is None else {"error": verdict.error}),
    }


def _told(error: PulseError) -> dict[str, Any]:
    told: dict[str, Any] = {"code": error.code, "message": error.message}
    if isinstance(error, ModelFailed):
        told |= {"reason": error.reason, "attempts": error.details.get("attempts", 1)}
    return told
