"""The names that mean something to scripts: held equal to what the realm is made of."""

import re
from importlib import resources

import pytest

from pulse.sandbox.functions import BUILT_INS, EFFECTS, FUNCTIONS, is_reserved

REALM = resources.files("pulse.sandbox.deno").joinpath("runtime", "realm")
# V8 has it and the realm takes it away, in whichever of the two lists it stands.
TAKEN_AWAY = {"Temporal"}
NAMED = """
    Array eval undefined NaN Infinity WebAssembly Atomics SharedArrayBuffer WeakRef FinalizationRegistry Temporal await
    yield let static enum implements interface package private protected public arguments constructor hasOwnProperty
    toString valueOf isPrototypeOf propertyIsEnumerable toLocaleString console global globalThis message type payload
    organizationId environmentId __proto__ __variables__ ___result___ __
"""


def names_of_the_realm() -> set[str]:
    """What the realm leaves of V8's globals, and what it takes away by name."""
    source = REALM.joinpath("tamper.js").read_text(encoding="utf-8")
    left = re.search(r"const ALLOWED = new Set\(\s*`([^`]*)`", source)
    taken = re.search(r"const UNWANTED = \[([^\]]*)\]", source)
    assert left is not None
    assert taken is not None
    return {*left[1].split(), *re.findall(r"'(\w+)'", taken[1])}


def test_built_ins_are_those_of_the_realm() -> None:
    assert names_of_the_realm() | TAKEN_AWAY == BUILT_INS


@pytest.mark.parametrize("name", NAMED.split())
def test_a_name_that_is_reserved(name: str) -> None:
    assert is_reserved(name)


@pytest.mark.parametrize("name", [*EFFECTS, *(function.name for function in FUNCTIONS)])
def test_script_functions_are_reserved(name: str) -> None:
    assert is_reserved(name)


@pytest.mark.parametrize("name", ["API_KEY", "_", "_key", "a__b", "array", "Message", "async", "of", "URL_OF_SHOP"])
def test_a_name_that_is_free(name: str) -> None:
    assert not is_reserved(name)
