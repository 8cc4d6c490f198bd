"""Every effect is told of whole, and is what the sandbox offers."""

import inspect

import pytest

from pulse.effects.calls import Effect
from pulse.effects.catalog import documented
from pulse.sandbox.functions import EFFECTS

ALL = {effect.name: effect for effect in documented()}


def test_the_sandbox_offers_what_there_is() -> None:
    assert {name for name, effect in ALL.items() if effect.is_script_function} == {*EFFECTS}
    assert len(ALL) == len(documented())


@pytest.mark.parametrize("effect", ALL.values(), ids=ALL)
def test_each_says_what_it_is(effect: Effect[object]) -> None:  # type: ignore[type-var]
    assert f"{effect.name}(" in effect.signature
    assert effect.summary.endswith(".")
    assert effect.answers
    assert inspect.iscoroutinefunction(effect.call)
    assert (effect.repeat == "check") is (effect.check is not None)
    assert not any(words.endswith(".") for words in effect.errors.values())
