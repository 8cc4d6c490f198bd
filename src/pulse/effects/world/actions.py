"""`runAction`: a Python action of the application, run by the engine and waited for."""

from typing import Any, Protocol

import msgspec

from pulse.effects.calls import Call, Effect, EffectFailed, Told


class ActionFailed(Exception):
    """The run of the action failed, or nobody has the action; the text says why, `code` which of them."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Actions(Protocol):
    """The application's actions."""

    async def run(self, organization_id: str, name: str, given: Any, key: str) -> Any:
        """What the action answers. Asked again with the same key, it is the same run. Raises ActionFailed."""
        ...


class Arguments(msgspec.Struct, array_like=True, frozen=True):
    name: str
    given: dict[str, Any] = msgspec.field(default_factory=dict, name="input")


class RunAction:
    """Actions as scripts call them."""

    def __init__(self, actions: Actions | None) -> None:
        self._actions = actions

    def effects(self) -> list[Effect[Any]]:
        return [
            Effect(
                "runAction",
                "await runAction(name, input?)",
                "Runs a registered Python action of the application (PULSE_APP) durably, by the engine, and "
                "waits for what "
                "it answers. It is tried once.",
                Arguments,
                self.run,
                answers="what the action answers",
                errors={
                    "not_available": "no application is configured",
                    "unknown_action": "the application has no action of that name",
                    "action_failed": "the action failed; the message says how",
                },
            )
        ]

    async def run(self, call: Call, given: Arguments) -> Told:
        if self._actions is None:
            raise EffectFailed("not_available", "No application is configured: start Pulse with --app module:engine.")
        told = {"type": "api", "service": "action", "action": given.name}
        try:
            answer = await self._actions.run(call.work.organization_id, given.name, given.given, call.key)
        except ActionFailed as error:
            raise EffectFailed(error.code, str(error), log={**told, "success": False, "code": error.code}) from None
        return Told(answer, {**told, "success": True})
