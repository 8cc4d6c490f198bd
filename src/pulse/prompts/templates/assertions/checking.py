"""Applies assertions to a response. Whatever goes wrong with one is its verdict, and stops no other."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from pulse.core.errors import InvalidJson, PulseError, Unavailable
from pulse.prompts.caller import Ask, Called
from pulse.prompts.templates.answers import json_in
from pulse.prompts.templates.assertions.automaton import Pattern
from pulse.prompts.templates.assertions.judge import judgement, question
from pulse.prompts.templates.assertions.rules import Rule, Verdict
from pulse.prompts.templates.assertions.schema import disagreements
from pulse.prompts.templates.sentiment.tone import Sentiment, tone_of

MAX_MESSAGE = 500


class Calls(Protocol):
    """Whoever calls models (see caller.py)."""

    async def call(self, organization_id: str, configuration_id: str, ask: Ask) -> Called: ...


class Scripts(Protocol):
    """Whoever evaluates JavaScript, in the sandbox of that organization and environment."""

    async def evaluate(self, organization_id: str, environment_id: str, script: str, given: Mapping[str, Any]) -> Any:
        """What the script returns, as JSON; it is the body of an async function that sees `given` as globals.

        Raises PulseError with what went wrong, in the script or around it.
        """
        ...


@dataclass(frozen=True)
class Response:
    """What is judged, and where it came from. `key` names it for good; `tone` is its tone, where that is known."""

    organization_id: str
    environment_id: str
    configuration_id: str
    text: str = field(repr=False)
    values: Mapping[str, Any] = field(default_factory=dict, repr=False)
    key: str | None = None
    tone: Sentiment | None = None


class Assertions:
    """Checks responses. Without `scripts`, assertions in JavaScript cannot be checked, and say so."""

    def __init__(self, caller: Calls, scripts: Scripts | None = None) -> None:
        self._caller = caller
        self._scripts = scripts
        self._checks: Mapping[str, Callable[[Rule, Response, str], Awaitable[Verdict]]] = {
            "contains": self._contains,
            "not_contains": self._contains,
            "regex": self._regex,
            "json_schema": self._json_schema,
            "javascript": self._javascript,
            "judge": self._judge,
            "sentiment": self._sentiment,
        }

    async def check(self, rules: Sequence[Rule], response: Response) -> list[Verdict]:
        """One verdict an assertion, in order; the rules have no faults. Raises Unavailable: try all again later."""
        return [await self._one(rule, response, f"{response.key}:{at}") for at, rule in enumerate(rules)]

    async def _one(self, rule: Rule, response: Response, key: str) -> Verdict:
        try:
            return await self._checks[rule["type"]](rule, response, key)
        except Unavailable:
            raise
        except PulseError as error:
            return Verdict(rule["type"], passed=False, error=error.message)

    async def _contains(self, rule: Rule, response: Response, _key: str) -> Verdict:
        wanted, text = rule["value"], response.text
        if not rule.get("caseSensitive", True):
            wanted, text = wanted.casefold(), text.casefold()
        found = wanted in text
        passed = found is (rule["type"] == "contains")
        return Verdict(rule["type"], passed, "" if passed else f"The text is {'there' if found else 'not there'}.")

    async def _regex(self, rule: Rule, response: Response, _key: str) -> Verdict:
        pattern = Pattern(rule["pattern"], rule.get("flags", ""))
        passed = await asyncio.to_thread(pattern.is_in, response.text)
        return Verdict("regex", passed, "" if passed else "Nothing in the response matches.")

    async def _json_schema(self, rule: Rule, response: Response, _key: str) -> Verdict:
        try:
            value = json_in(response.text)
        except InvalidJson as error:
            return Verdict("json_schema", passed=False, message=error.message)
        found = await asyncio.to_thread(disagreements, rule["schema"], value)
        return Verdict("json_schema", not found, "; ".join(found)[:MAX_MESSAGE])

    async def _javascript(self, rule: Rule, response: Response, _key: str) -> Verdict:
        if self._scripts is None:
            return Verdict("javascript", passed=False, error="There is no sandbox here to evaluate JavaScript in.")
        given = {"response": response.text, "values": response.values}
        place = (response.organization_id, response.environment_id)
        answer = await self._scripts.evaluate(*place, rule["script"], given)
        if isinstance(answer, bool):
            return Verdict("javascript", answer, "" if answer else "The script returned false.")
        if isinstance(answer, Mapping) and isinstance(answer.get("passed"), bool):
            return Verdict("javascript", answer["passed"], str(answer.get("message", ""))[:MAX_MESSAGE])
        return Verdict("javascript", passed=False, error="The script returned neither true, false nor {passed}.")

    async def _judge(self, rule: Rule, response: Response, key: str) -> Verdict:
        configuration_id = rule.get("modelConfigurationId") or response.configuration_id
        ask = question(rule["criteria"], response.text, key)
        called = await self._caller.call(response.organization_id, configuration_id, ask)
        found = judgement(called)
        if found is None:
            words = "The judge did not answer with the JSON that it was asked for."
            return Verdict("judge", passed=False, error=words, cost_micros=called.cost_micros)
        return Verdict("judge", found[0], found[1], cost_micros=called.cost_micros)

    async def _sentiment(self, rule: Rule, response: Response, _key: str) -> Verdict:
        tone = response.tone
        if tone is None:
            tone = await asyncio.to_thread(tone_of, response.text)
        fits = rule.get("label", tone.label) == tone.label
        passed = fits and rule.get("least", -1) <= tone.compound <= rule.get("most", 1)
        return Verdict("sentiment", passed, f"The tone is {tone.label} ({tone.compound}).")
