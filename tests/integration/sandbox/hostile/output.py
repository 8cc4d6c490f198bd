"""Floods of output, scripts that break out of their wrapper, and messages whose fields have names of the realm's own."""
# ruff: noqa: E501 - a script is a line

import json

from tests.integration.sandbox.hostile.case import ANYTHING, Case

FLOODS = {
    "print without an end": ("while (true) print('x'.repeat(1000))", ("LimitError",)),
    "print that is caught": ("for (let i = 0; i < 30000; i++) try { print('x'.repeat(1000)) } catch {}", ("success",)),
    "print of nothing": ("while (true) print()", ("LimitError",)),
    "one giant print": ("print('x'.repeat(2 ** 22), '😀'.repeat(50000))", ("success",)),
    "giant result": ("___result___ = 'x'.repeat(2 ** 22)", ("LimitError",)),
    "many globals": ("for (let i = 0; i < 50000; i++) globalThis['x' + i] = 'y'.repeat(100)", ("LimitError",)),
    "globals with long names": ("for (let i = 0; i < 3000; i++) globalThis['x'.repeat(2000) + i] = 1", ("LimitError",)),
    "effects without an end": ("const all = []; while (true) all.push(call(1))", ("LimitError",)),
    "effects that are caught": ("for (let i = 0; i < 5000; i++) try { call(i) } catch {}", ("success",)),
    "giant argument": ("await call('x'.repeat(2 ** 21))", ("LimitError",)),
    "giant arguments": ("const all = []; for (;;) all.push(call([[], 'x'.repeat(2 ** 19)]))", ("LimitError",)),
    "deep argument": ("let a = []; for (let i = 0; i < 3000; i++) a = [a]; await call(a)", ("TypeError",)),
    "argument with half a character": ("___result___ = await call('\\ud800')", ("success",)),
    "argument that contains itself": ("const a = {}; a.a = a; await call(a)", ("TypeError",)),
    "arguments without meaning": ("await call(undefined, () => 1, Symbol('x'), NaN)", ("success",)),
    "BigInt as an argument": ("await call(1n)", ("TypeError",)),
    "giant error": ("throw new Error('x'.repeat(2 ** 22))", ("Error",)),
    "waits for ever": ("await new Promise(() => {})", ("NeverSettles",)),
    "waits for ever, with effects": ("await Promise.all([call(1), new Promise(() => {})])", ("NeverSettles",)),
    "thenable that never answers": ("return { then() {} }", ("NeverSettles",)),
    "Atomics.wait": ("Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)", ("ReferenceError",)),
    "WebAssembly": ("new WebAssembly.Module(new Uint8Array(8))", ("ReferenceError",)),
    "module syntax": ("export default 1", ("SyntaxError",)),
    "import.meta": ("import.meta.url", ("SyntaxError",)),
    "Deno": ("Deno.exit()", ("ReferenceError",)),
    "process": ("process.exit()", ("ReferenceError",)),
    "require": ("require('fs')", ("ReferenceError",)),
}

# Each closes the function that a script is the body of; the compiler must refuse it.
BREAKOUTS = [
    "}); x = 1; (async function () {",
    "}; }); globalThis.x = 1; (function () { return async function () {",
    "} } x = 1; { {",
    "}",
    "}})()",
    "}; x = 1; async function y() {",
    "} catch (e) { x = 1 } {",
    "*/ }); x = 1; (async function () { /*",
    "<!--\n}); x = 1; (async function () {",
    "-->\n}); x = 1; (async function () {",
    "`}); x = 1; (async function () {",
    "${}); x = 1; (async function () {`",
    "\u2028}); x = 1; (async function () {",
    "return } x = 1; async function y() { return",
    ") { x = 1 } async (",
    "}, x = 1, async function () {",
    "}); }, function () { return async function () {",
    "super()",
    "({ __proto__: null, __proto__: null })",
    "const await = 1",
]

NAMES = [
    *(
        "constructor",
        "toString",
        "__proto__",
        "then",
        "print",
        "message",
        "Object",
        "globalThis",
        "global",
        "undefined",
    ),
    *(
        "hasOwnProperty",
        "valueOf",
        "toJSON",
        "Array",
        "JSON",
        "Promise",
        "console",
        "call",
        "evaluateCondition",
        "eval",
    ),
    *("arguments", "this", "await", "NaN", "___result___", "__defineGetter__", "length", "name", "0", "", "a.b", "😀"),
    *("Symbol", "Error", "Date", "Math", "Reflect", "Infinity", "prototype", "get", "set", "value", "kept", "globals"),
]
RESERVED = """
const kept = [typeof print, typeof Object, typeof globalThis, undefined === void 0, typeof Array.isArray, typeof JSON.parse, typeof Promise,
  typeof console.log, typeof call, typeof eval, isNaN(NaN), typeof Symbol, typeof Error, typeof Date.now, Infinity > 0, ({}).polluted === undefined];
await call(1);
___result___ = [kept.join(), constructor, toString, then, length, globalThis[''], globalThis['😀'], message]"""
KEPT = ",".join(
    ["function", "function", "object", "true", *["function"] * 6, "true", *["function"] * 3, "true", "true"]
)

CASES = [
    *(Case(name, script, ends) for name, (script, ends) in FLOODS.items()),
    *(Case(f"break-out {at}", script, ("SyntaxError",)) for at, script in enumerate(BREAKOUTS)),
    Case(
        "fields named like the realm's own",
        RESERVED,
        result=[KEPT, *["taken"] * 6, "taken"],
        message=json.dumps(dict.fromkeys(NAMES, "taken")).encode(),
    ),
    *(
        Case(f"field {name!r}", "___result___ = await call(7)", result=7, message=json.dumps({name: value}).encode())
        for name, value in [
            ("then", {"then": 1}),
            ("__proto__", {"polluted": True, "toJSON": 1}),
            ("constructor", {"prototype": {"polluted": True}}),
            ("toString", 1),
            ("print", {"constructor": 1}),
            ("message", {"message": {}}),
            ("toJSON", "x"),
        ]
    ),
]

assert all(case.result is ANYTHING or case.ends == ("success",) for case in CASES)
