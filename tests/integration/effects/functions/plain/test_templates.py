"""`renderTemplate`: Nunjucks in the realm, which it cannot leave, and in which it leaves nothing."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from pulse.sandbox.deno.pool import DenoSandbox
from tests import sandbox_support as support
from tests.integration.effects.functions.bench import CANARY, Bench, hides

ORDER = {"customer": {"name": "Ada <ada@example.com>"}, "items": [{"n": 2, "what": "pens"}, {"n": 1, "what": "book"}]}


async def rendered(bench: Bench, template: str, data: Any = None, options: Any = None, **message: Any) -> Any:
    given = [json.dumps(template), "undefined" if data is None else json.dumps(data)]
    given += [] if options is None else [json.dumps(options)]
    return (await bench.run(f"___result___ = renderTemplate({', '.join(given)})", message=message)).result


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("Dear {{ customer.name }},", "Dear Ada &lt;ada@example.com&gt;,"),
        ("{{ customer.name | safe }}", "Ada <ada@example.com>"),
        (
            "{% for item in items %}{{ item.n }} {{ item.what }}{{ ', ' if not loop.last }}{% endfor %}",
            "2 pens, 1 book",
        ),
        ("{% if items.length > 1 %}several{% else %}one{% endif %}", "several"),
        (
            "{{ items | length }} {{ 'abc' | upper }} {{ 3.7 | round }} {{ [3, 1, 2] | sort | join('-') }}",
            "2 ABC 4 1-2-3",
        ),
        ("{{ items | sum('n') }}", "3"),
        ("{{ nobody.name }}|{{ nobody }}|{{ nobody or 'nobody' }}|{{ nobody | default('none') }}", "||nobody|none"),
        ("{% set total = 5 %}{{ total * 2 }}", "10"),
        ("{% macro hi(name) %}Hi {{ name }}{% endmacro %}{{ hi('Ada') }}", "Hi Ada"),
        ("{# nothing #}{% raw %}{{ as it is }}{% endraw %}", "{{ as it is }}"),
        (
            "{{ items | dump }}",
            "[{&quot;n&quot;:2,&quot;what&quot;:&quot;pens&quot;},{&quot;n&quot;:1,&quot;what&quot;:&quot;book&quot;}]",
        ),
        ("", ""),
        ("Grüße 👋\n", "Grüße 👋\n"),
    ],
)
async def test_templates(bench: Bench, template: str, text: str) -> None:
    assert await rendered(bench, template, ORDER) == text


async def test_html_is_escaped_unless_nobody_wants_it(bench: Bench) -> None:
    data = {"text": "<b>\"5\" & '6'</b>"}
    assert await rendered(bench, "{{ text }}", data) == "&lt;b&gt;&quot;5&quot; &amp; &#39;6&#39;&lt;/b&gt;"
    assert await rendered(bench, "{{ text }}", data, {"autoescape": False}) == data["text"]
    assert await rendered(bench, "{{ text }}", data, {"autoescape": True}) == (
        "&lt;b&gt;&quot;5&quot; &amp; &#39;6&#39;&lt;/b&gt;"
    )


async def test_without_data_the_globals_are_the_data(bench: Bench) -> None:
    ran = await bench.run(
        "total = 7; name = 'changed'; ___result___ = renderTemplate('{{ name }} {{ total }} {{ deep.n }}{{ KEY }}')",
        message={"name": "as it came", "deep": {"n": 1}},
    )
    assert ran.result == "changed 7 1"


async def test_with_data_nothing_else_is(bench: Bench) -> None:
    assert await rendered(bench, "[{{ name }}]", {}, name="Ada") == "[]"


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("{{ a", "expected variable end"),
        ("{% if a %}", "if"),
        ("{% nothing %}", "nothing"),
        ("{{ a | nosuch }}", "nosuch"),
        ("{% include 'x.html' %}", "x.html"),
        ("{{ a() }}", "a"),
    ],
)
async def test_a_mistake_is_told(bench: Bench, template: str, words: str) -> None:
    call = f"renderTemplate({json.dumps(template)}, {{}})"
    script = f"try {{ {call} }} catch (e) {{ ___result___ = [e instanceof Error, e.message] }}"
    is_error, message = (await bench.run(script)).result
    assert is_error is True
    assert words in message
    assert "pulse:" not in message


async def test_an_uncaught_mistake_fails_the_message_in_its_words(bench: Bench) -> None:
    verdict = (await bench.run("renderTemplate('{{ a', {})")).verdict
    assert verdict.status == "fail"
    assert "expected variable end" in (verdict.error or "")


@pytest.mark.parametrize(
    "reach",
    [
        "range.constructor('return globalThis')()",
        "''.constructor.constructor('return globalThis')()",
        "joiner.constructor('return globalThis')()",
        "[].constructor.constructor('return globalThis')()",
    ],
)
async def test_a_template_reaches_nothing_that_a_script_does_not(bench: Bench, reach: str) -> None:
    """It may build functions, as scripts may: those see the same realm."""
    names = ["Deno", "process", "require", "window", "self", "setTimeout", "fetch", "WebAssembly", "importScripts"]
    script = f"""let seen; const look = (root) => {{ seen = root; return 'seen' }};
        const found = renderTemplate("{{{{ look({reach}) }}}}", {{ look }});
        const there = {json.dumps(names)}.filter((name) => typeof seen[name] !== 'undefined');
        ___result___ = [found, seen === globalThis, there, look.constructor('return typeof Deno')()]"""
    assert (await bench.run(script)).result == ["seen", True, [], "undefined"]


async def test_the_engines_own_insides_are_not_globals(bench: Bench) -> None:
    script = """const before = Object.getOwnPropertyNames(globalThis).length;
        renderTemplate('{{ 1 }}', {}); ___result___ = [Object.getOwnPropertyNames(globalThis).length - before,
            typeof nunjucks, typeof module, typeof exports, typeof window]"""
    assert (await bench.run(script)).result == [0, "undefined", "undefined", "undefined", "undefined"]


LOOPS = "{% for i in range(9999) %}" * 4 + "{% endfor %}" * 4


async def test_an_endless_template_ends_with_its_message(anyio_backend: str) -> None:
    async with support.running(support.QUICK) as sandbox:
        ran = await Bench(sandbox).run(f"renderTemplate({json.dumps(LOOPS)}, {{}})")
        assert (ran.verdict.status, ran.verdict.error_type) == ("fail", "TimeoutError")
        assert (await Bench(sandbox).run("___result___ = renderTemplate('{{ 1 + 1 }}', {})")).result == "2"


async def test_a_secret_that_is_rendered_is_shown_to_nobody(bench: Bench) -> None:
    ran = await bench.run("___result___ = renderTemplate('Bearer {{ k }}', { k: KEY })", variables={"KEY": CANARY})
    assert ran.result == "Bearer ***"
    hides(ran)


async def test_without_data_a_template_sees_no_variable(bench: Bench) -> None:
    ran = await bench.run("___result___ = renderTemplate('[{{ KEY }}]')", variables={"KEY": CANARY})
    assert ran.result == "[]"


# ---- from one message to the next --------------------------------------------------------------------------------


@pytest.fixture(params=["fresh", "verified"])
async def kept(request: pytest.FixtureRequest) -> AsyncIterator[DenoSandbox]:
    """A sandbox that throws realms away, and one that keeps those that are clean."""
    async with support.running(replace(support.SMALL, realm=request.param)) as sandbox:
        yield sandbox


LEAVES = [
    "renderTemplate('{% set left = 1 %}{{ left }}', {})",
    "renderTemplate(\"{{ range.constructor('range.left = 1; globalThis.left = 1')() }}\", { range: (n) => n })",
    "renderTemplate('{{ f.constructor.prototype.left }}', { f: () => 1 })",
    "renderTemplate(\"{{ cycler.constructor('this.left = 1')() }}\", {})",
    "renderTemplate('{{ x }}', { get x() { Object.prototype.left = 1; return 1 } })",
    "renderTemplate('{{ x }}', { get x() { Array.prototype.left = 1; return 1 } })",
]


@pytest.mark.parametrize("leaves", LEAVES)
async def test_nothing_is_left_for_the_next_message(kept: DenoSandbox, leaves: str) -> None:
    bench = Bench(kept)
    await bench.run(f"try {{ {leaves} }} catch {{}}")
    ran = await bench.run(
        """___result___ = [renderTemplate('[{{ left }}{{ range.left }}{{ cycler.left }}{{ [].left }}]', {}),
            typeof left, {}.left, [].left]"""
    )
    assert ran.result == ["[]", "undefined", None, None]
