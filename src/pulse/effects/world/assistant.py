"""What an assistant's workflow needs: the admin API with the rights of the message's organization, and its research.

`executeResearchPlan` runs the calls that a prompt's answer plans, one after another, each with its own result
(platform.md 6): `{researchPlan: [{id, method, path, params}, …], intent, navigationSuggestion, reasoning}`.
"""

import re
from typing import Any, Protocol

import msgspec

from pulse.effects.calls import Call, Effect, EffectFailed, Told
from pulse.prompts.templates.answers import object_in

MAX_CALLS = 20
_PATH = re.compile(r"/api/[^?#\\\x00-\x1f\x7f]{1,1000}")


class AdminRefused(Exception):
    """The admin API answered with an error: `code` is its own."""

    def __init__(self, code: str, message: str, status: int) -> None:
        super().__init__(message)
        self.code = code
        self.status = status


class AdminApi(Protocol):
    """The admin API, asked within the process."""

    async def ask(
        self, organization_id: str, environment_id: str, method: str, path: str, params: dict[str, Any], key: str
    ) -> Any:
        """The answer's JSON, with the rights of that organization and environment. Raises AdminRefused."""
        ...


class Request(msgspec.Struct, array_like=True, frozen=True):
    method: str
    path: str
    params: dict[str, Any] = {}


class Planned(msgspec.Struct, array_like=True, frozen=True):
    """The latest answer to a prompt (the sandbox adds it)."""

    plan: Any = None


class Context(msgspec.Struct, array_like=True, frozen=True, rename="camel"):
    """Whom the assistant's message says that it speaks for (the sandbox adds it)."""

    client_organization_id: Any = None
    client_environment_id: Any = None


class Step(msgspec.Struct, frozen=True):
    """One call of a plan."""

    id: str
    path: str
    method: str = "GET"
    params: dict[str, Any] = {}


class Plan(msgspec.Struct, rename="camel", frozen=True):
    """A plan as a model writes it."""

    research_plan: list[Step] = []
    intent: Any = None
    navigation_suggestion: Any = None
    reasoning: Any = None


class Assistant:
    """The functions of an assistant's workflow. `home`: the organization and environment that may speak for others."""

    def __init__(self, admin: AdminApi | None, home: tuple[str, str] | None) -> None:
        self._admin = admin
        self._home = home

    def effects(self) -> list[Effect[Any]]:
        refused = {
            "not_available": "there is no admin API here",
            "invalid_arguments": "the method is neither GET nor POST, or the path is none of /api",
            "refused": "the admin API answered with an error; its code and words are in the message",
        }
        return [
            Effect(
                "mcpCall",
                "await mcpCall(method, path, params?)",
                "Asks the admin API with the rights of the role User in this organization and environment. GET or "
                "POST; params are the query or "
                "the body.",
                Request,
                self.call,
                answers="the JSON that the API answers with",
                errors=refused,
            ),
            Effect(
                "executeResearchPlan",
                "await executeResearchPlan()",
                "Runs the calls that the latest answer to a prompt plans, and sets the globals researchResults, "
                "intent, "
                "navigationSuggestion and reasoning.",
                Planned,
                self.research,
                answers="{researchResults, intent, navigationSuggestion, reasoning}: the results by the id of "
                "each call, "
                "as {success, data} or {success, error}",
                errors={"invalid_plan": "the latest answer is no plan"},
            ),
            Effect(
                "validateAssistantContext",
                "await validateAssistantContext()",
                "The organization and environment that this message asks for; an error outside the assistant's own.",
                Context,
                self.context,
                answers="{clientOrganizationId, clientEnvironmentId}",
                errors={"forbidden": "this is not the assistant's environment", "invalid_context": "an id is missing"},
                reads=True,
            ),
        ]

    async def call(self, call: Call, given: Request) -> Told:
        answer = await self._ask(call, given, call.key)
        return Told(answer, {**_entry(given), "success": True})

    async def research(self, call: Call, given: Planned) -> Told:
        plan = _plan_of(given.plan)
        results: dict[str, Any] = {}
        for place, step in enumerate(plan.research_plan):
            request = Request(step.method, step.path, step.params)
            try:
                data = await self._ask(call, request, f"{call.key}:{place}")
            except EffectFailed as error:
                results[step.id] = {"success": False, "error": error.message}
            else:
                results[step.id] = {"success": True, "data": data}
        answer = {
            "researchResults": results,
            "intent": plan.intent,
            "navigationSuggestion": plan.navigation_suggestion,
            "reasoning": plan.reasoning,
        }
        failed = sum(not result["success"] for result in results.values())
        told = {"type": "api", "service": "admin", "calls": len(results), "failed": failed, "success": failed == 0}
        return Told(answer, told)

    async def context(self, call: Call, given: Context) -> dict[str, str]:
        if self._home != (call.work.organization_id, call.work.environment_id):
            raise EffectFailed("forbidden", "Only the assistant's own workflows may speak for others.")
        found = {
            "clientOrganizationId": given.client_organization_id,
            "clientEnvironmentId": given.client_environment_id,
        }
        for name, value in found.items():
            if not isinstance(value, str) or not value:
                raise EffectFailed("invalid_context", f"The message has no {name}.")
        return found

    async def _ask(self, call: Call, given: Request, key: str) -> Any:
        if self._admin is None:
            raise EffectFailed("not_available", "There is no admin API here.")
        method = given.method.upper()
        if method not in ("GET", "POST"):
            raise EffectFailed("invalid_arguments", f"method: GET or POST, not {given.method!r}.")
        path = given.path.rstrip("/")
        if not _PATH.fullmatch(path) or ".." in path:
            raise EffectFailed("invalid_arguments", "path: one of the admin API, such as /api/workflows.")
        work = call.work
        try:
            return await self._admin.ask(work.organization_id, work.environment_id, method, path, given.params, key)
        except AdminRefused as error:
            told = {**_entry(given), "status": error.status, "success": False, "code": error.code}
            raise EffectFailed("refused", f"{error.code}: {error}", retryable=error.status >= 500, log=told) from None


def _entry(given: Request) -> dict[str, Any]:
    """A call of the admin API in the execution log."""
    return {"type": "api", "service": "admin", "method": given.method.upper(), "path": given.path}


def _plan_of(said: Any) -> Plan:
    """A plan, from a model's text, which may put a fence or a sentence around it, or from what was parsed already."""
    try:
        plan = msgspec.convert(object_in(said) if isinstance(said, str) else said, Plan)
    except msgspec.ValidationError as error:
        raise EffectFailed("invalid_plan", f"The latest answer to a prompt is no plan: {error}") from None
    if len(plan.research_plan) > MAX_CALLS:
        raise EffectFailed("invalid_plan", f"A plan has at most {MAX_CALLS} calls, not {len(plan.research_plan)}.")
    if len({step.id for step in plan.research_plan}) < len(plan.research_plan):
        raise EffectFailed("invalid_plan", "Two calls of the plan have the same id: their results would be one.")
    return plan
