"""Recursion without an end, plain and hidden: a RangeError of the script's own realm, and nothing of the host's."""

from tests.integration.sandbox.hostile.case import Case

SCRIPTS = {
    "plain": "const f = () => f() + 1; f()",
    "mutual": "const f = () => g() + 1, g = () => f() + 1; f()",
    "getter": "const o = { get x() { return this.x } }; o.x",
    "setter": "const o = { set x(v) { this.x = v } }; o.x = 1",
    "proxy": "const p = new Proxy({}, { get: (_, name, self) => self[name] }); p.x",
    "proxy of a proxy": "let p = {}; for (let i = 0; i < 1e5; i++) p = new Proxy(p, {}); p.x",
    "toString": "const o = { toString() { return `${this}` } }; `${o}`",
    "Symbol.toPrimitive": "const o = { [Symbol.toPrimitive]() { return +this } }; +o",
    "comparator": "const f = () => [2, 1].sort(f); f()",
    "constructor": "class X { constructor() { new X() } } new X()",
    "replace": "const f = () => 'x'.replace(/x/, f); f()",
    "flat": "const a = []; a.push(a); a.flat(Infinity)",
    "toJSON": "const o = { toJSON() { return JSON.stringify(this) } }; JSON.stringify(o)",
    "deep clone": "let a = []; for (let i = 0; i < 1e5; i++) a = [a]; const f = (x) => x.map(f); f(a)",
    "spread of arguments": "print.apply(null, { length: 1e6 })",
    "generator": "function* g() { yield* g() } [...g()]",
}

HOST_ERRORS = {
    # Whatever fails at the end of the stack fails in the realm: the error is looked through for its origin.
    "overflow, then an effect": "if (sent++ < 900) call({})",
    "overflow, then print": "print({}, new Error('x'))",
    "overflow, then a condition": "evaluateCondition({ field: 'a', comparison: 'matches', value: '(' }, {})",
    "overflow, then the message": "globalThis.message.a",
    "overflow, then import": "import('node:fs').catch((error) => seen.push(error))",
    "overflow, then a syntax error": "eval('(')",
    "overflow, then a date": "new Date().toLocaleString('en')",
    "overflow, then Intl": "new Intl.NumberFormat('de', { style: 'currency', currency: 'EUR' }).format(1)",
    "overflow, then JSON": "JSON.parse('{')",
}


def probing(act: str) -> str:
    return f"""
    let sent = 0;
    const seen = [];
    const deep = () => {{
      try {{ deep() }} catch (error) {{ if (seen.length < 50) seen.push(error) }}
      if (seen.length < 50) try {{ {act} }} catch (error) {{ seen.push(error) }}
    }};
    deep();
    await call('then');
    ___result___ = [seen.length > 1, [...new Set(seen.flatMap((error) => outside(error)))]]"""


CASES = [
    *(Case(name, script, ("RangeError",)) for name, script in SCRIPTS.items()),
    *(Case(name, probing(act), result=[True, []]) for name, act in HOST_ERRORS.items()),
    Case("toJSON of the result", "___result___ = { toJSON() { return { a: { toJSON: this.toJSON } } } }"),
    Case(
        "toJSON of an argument", "const o = { toJSON() { return { o } } }; await call(o)", ("RangeError", "TypeError")
    ),
]
