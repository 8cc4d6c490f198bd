"""Templates, a second time: whatever text stands in an argument, it is bound as a naive reader in Python would bind it.

Nothing that people write into a template is an error: unclosed braces, odd paths and values of every type are text, an
empty string and a warning, or the value itself (platform.md 12, Templates and Arguments).
"""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pulse.core.templates import argument
from pulse.sandbox.deno.pool import DenoSandbox
from tests.sandbox_support import body, evaluate, event, plan, running, tenant

MISSING = object()
NAMES = ["a", "b", "deep", "type", "Größe", "x y"]
SCALARS: st.SearchStrategy[Any] = (
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.sampled_from([0.5, -1.25]) | st.text(max_size=6)
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=3),
    max_leaves=6,
)
MESSAGES = st.dictionaries(st.sampled_from([*NAMES, "message"]), VALUES, max_size=5)
STEPS = st.sampled_from([*NAMES, "0", "1", "length", "", "toString", "__proto__", "constructor", "[0]", "[1]"])
PATHS = st.lists(STEPS, min_size=1, max_size=4).map(".".join).map(lambda path: path.replace(".[", "["))
INSIDE = (
    PATHS | PATHS.map(lambda path: f"message.{path}") | st.sampled_from(["Math", "print", " ", "#if a", "a | b", ""])
)
HOLES = (
    st.tuples(st.sampled_from(["", " ", "\n\t"]), INSIDE, st.sampled_from(["", "  "]))
    .map("".join)
    .map("{{{{{}}}}}".format)
)
PIECES = (
    HOLES
    | HOLES
    | st.text(max_size=5)
    | st.text("{} ab\u2028\\\"'`$", max_size=6)
    | st.sampled_from(["{{", "}}", "{{{", "$&"])
)
TEMPLATES = HOLES | st.lists(PIECES, max_size=6).map("".join)


def read(text: str) -> list[str | list[str]]:
    """Text, and in lists the names that stand in two braces with no brace between them."""
    parts: list[str | list[str]] = []
    at = 0
    while at < len(text):
        end = at + 2
        while end < len(text) and text[end] not in "{}":
            end += 1
        name = text[at + 2 : end].strip()
        if text[at : at + 2] == "{{" and text[end : end + 2] == "}}" and name:
            parts.append([name])
            at = end + 2
        else:
            parts.append(text[at])
            at += 1
    return parts


def look_up(name: str, message: dict[str, Any]) -> Any:
    steps = name
    for index in ("0", "1"):
        steps = steps.replace(f"[{index}]", f".{index}")
    path = steps.split(".")
    if path[0] == "message" and len(path) > 1 and "message" not in message:
        path = path[1:]
    elif path[0] == "message" and "message" not in message:
        return message
    value: Any = message
    for step in path:
        value = one_step(value, step)
    return value


def one_step(value: Any, step: str) -> Any:
    if isinstance(value, dict):
        return value.get(step, MISSING)
    if isinstance(value, str):
        return len(value.encode("utf-16-le")) // 2 if step == "length" else MISSING
    if isinstance(value, list):
        return len(value) if step == "length" else value[int(step)] if step in map(str, range(len(value))) else MISSING
    return MISSING


def written(value: Any) -> str:
    if value is MISSING or value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def bound(text: str, message: dict[str, Any]) -> Any:
    """What the argument is: a value with its type where the text is one name and nothing else."""
    parts = read(text)
    if len(parts) == 1 and isinstance(parts[0], list):
        return look_up(parts[0][0], message)
    return "".join(part if isinstance(part, str) else written(look_up(part[0], message)) for part in parts)


def missing(text: str, message: dict[str, Any]) -> list[str]:
    """The names that a text has nothing to put in for."""
    names = [part[0] for part in read(text) if isinstance(part, list)]
    return [name for name in names if look_up(name, message) in (MISSING, None)] if len(read(text)) > 1 else []


@pytest.fixture(scope="module")
async def sandbox() -> AsyncIterator[DenoSandbox]:
    async with running() as started:
        yield started


@settings(max_examples=80, deadline=None)
@given(texts=st.lists(TEMPLATES, min_size=1, max_size=20), message=MESSAGES)
async def test_templates_agree(sandbox: DenoSandbox, texts: list[str], message: dict[str, Any]) -> None:
    arguments = [argument(f"arg{at}", text) for at, text in enumerate(texts)]
    node = event("1", arguments=arguments)
    verdict = await evaluate(sandbox, [plan(node)], tenant("templates"), message=json.dumps(message).encode())
    told = body(verdict)
    assert verdict.status == "success", verdict.error
    wanted = {f"arg{at}": bound(text, message) for at, text in enumerate(texts)}
    assert told["globals"] == {name: value for name, value in wanted.items() if value is not MISSING}
    warned = [(entry["argument"], entry["placeholder"]) for entry in told["log"] if entry["type"] == "template"]
    for at, text in enumerate(texts):
        if len(read(text)) > 1:
            assert [name for which, name in warned if which == f"arg{at}"] == missing(text, message)
        else:
            assert (f"arg{at}" in dict(warned)) == (wanted[f"arg{at}"] is MISSING)


@settings(max_examples=30, deadline=None)
@given(values=st.lists(VALUES.filter(lambda value: not isinstance(value, str)), min_size=1, max_size=20))
async def test_what_is_no_text_is_bound_as_it_is(sandbox: DenoSandbox, values: list[Any]) -> None:
    arguments = [argument(f"arg{at}", value) for at, value in enumerate(values)]
    told = body(await evaluate(sandbox, [plan(event("1", arguments=arguments))], tenant("templates")))
    assert told["globals"] == {f"arg{at}": value for at, value in enumerate(values)}
