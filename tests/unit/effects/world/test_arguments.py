"""A fault of an argument is told by the argument's name, as the signature has it."""

import re
from typing import Any

import msgspec
import pytest

from pulse.effects.calls import Effect, EffectFailed
from pulse.effects.catalog import documented

# The sandbox itself says what these are given.
OF_THE_SANDBOX = {
    "executePromptWithModel",
    "postLatestPromptToMastodon",
    "executeResearchPlan",
    "validateAssistantContext",
    "triggerWorkflow",
    "workflowNode",
}
CALLED = [effect for effect in documented() if effect.name not in OF_THE_SANDBOX]
PLACES = [(effect, place) for effect in CALLED for place in range(len(msgspec.structs.fields(effect.arguments)))]


def names(effect: Effect[Any]) -> list[str]:
    return [field.encode_name for field in msgspec.structs.fields(effect.arguments)]


def fault(effect: Effect[Any], given: list[Any]) -> str:
    with pytest.raises(EffectFailed) as raised:
        effect.read(given)
    assert raised.value.effect_code == "invalid_arguments"
    return raised.value.message


@pytest.mark.parametrize("effect", CALLED, ids=lambda effect: effect.name)
def test_the_signature_has_the_arguments_names(effect: Effect[Any]) -> None:
    """What is an object is written out there."""
    said = re.findall(r"\w+", effect.signature.partition("(")[2])
    written_out = {"options", "mail", "vectors", "query", "what", "documents"}
    assert {name for name in names(effect) if name not in written_out} <= set(said)


@pytest.mark.parametrize(("effect", "place"), PLACES, ids=lambda value: getattr(value, "name", value))
def test_a_fault_names_the_argument(effect: Effect[Any], place: int, request: pytest.FixtureRequest) -> None:
    field = msgspec.structs.fields(effect.arguments)[place]
    if field.type is Any:
        assert effect.name == "stmStore"
        return
    given = [_fitting(each.type) for each in msgspec.structs.fields(effect.arguments)]
    given[place] = 5.5 if field.type is not float else "x"
    said = fault(effect, given)
    assert said.startswith(f"{field.encode_name}: Expected "), said
    assert said.endswith(f"Call it as {effect.signature}.")


def _fitting(kind: Any) -> Any:
    """A value of that type."""
    values: tuple[Any, ...] = ("x", 1, [], {}, None, {"to": "x", "subject": "x"})
    for value in values:
        try:
            msgspec.convert(value, kind)
        except msgspec.ValidationError:
            continue
        return value
    raise AssertionError(kind)


@pytest.mark.parametrize("effect", CALLED, ids=lambda effect: effect.name)
def test_a_call_without_arguments_says_how_to_call_it(effect: Effect[Any]) -> None:
    assert f"Call it as {effect.signature}." in fault(effect, [])


def test_every_function_that_is_called_by_scripts_is_looked_at() -> None:
    assert len(CALLED) == 20
