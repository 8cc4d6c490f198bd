"""The value of a branch is text that Python writes, that of a message text that V8 writes: they must be the same."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pulse.sandbox.deno.pool import DenoSandbox
from pulse.workflows.branches import text_of
from tests.sandbox_support import evaluate, result, running, tenant

NUMBERS = (
    st.floats(allow_nan=False, allow_infinity=False)
    | st.integers(-(2**70), 2**70)
    | st.builds(lambda digits, exponent: float(f"{digits}e{exponent}"), st.integers(-999, 999), st.integers(-12, 25))
)
SCALARS: st.SearchStrategy[Any] = st.none() | st.booleans() | NUMBERS | st.text(max_size=8)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abcä", min_size=1), inner, max_size=3),
    max_leaves=5,
)
WRITES = "___result___ = values.map((v) => (typeof v === 'object' && v !== null ? JSON.stringify(v) : String(v)))"
EDGES = [
    0.0,
    -0.0,
    1e21,
    9.99e20,
    1e-6,
    9.99e-7,
    5e-324,
    1.7976931348623157e308,
    1e16,
    123456789012345680000,
    2**53 + 1,
]


@pytest.fixture(scope="module")
async def sandbox() -> AsyncIterator[DenoSandbox]:
    async with running() as started:
        yield started


async def written(sandbox: DenoSandbox, values: list[Any]) -> Any:
    message = json.dumps({"values": values}).encode()
    return result(await evaluate(sandbox, WRITES, tenant("branches"), message=message))


@settings(max_examples=100, deadline=None)
@example(EDGES)
@given(st.lists(SCALARS, min_size=1, max_size=40))
async def test_scalars_are_written_alike(sandbox: DenoSandbox, values: list[Any]) -> None:
    assert await written(sandbox, values) == [text_of(value) for value in values]


@settings(max_examples=60, deadline=None)
@given(st.lists(VALUES, min_size=1, max_size=20))
async def test_lists_and_objects_are_written_alike(sandbox: DenoSandbox, values: list[Any]) -> None:
    assert await written(sandbox, values) == [text_of(value) for value in values]
