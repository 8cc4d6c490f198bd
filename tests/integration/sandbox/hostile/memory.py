"""Scripts that want all the memory there is. The first effect tells how often a message was begun."""
# ruff: noqa: E501 - a script is a line

from tests.integration.sandbox.hostile.case import MEMORY, Case

SCRIPTS = {
    "array of objects": "const a = []; while (true) a.push({ x: 1 })",
    "chain of objects": "let o = {}; while (true) o = { o, p: [o] }",
    "names of an object": "const o = {}; for (let i = 0; ; i++) o['name' + i] = i",
    "Map": "const m = new Map(); for (let i = 0; ; i++) m.set({}, i)",
    "strings in an array": "const a = []; while (true) a.push('x'.repeat(1e5) + a.length)",
    "doubled string": "let s = 'x'; while (true) s += s",
    "doubled template": "let s = 'x'; while (true) s = `${s}${s}`",
    "longest string, flattened": "___result___ = 'x'.repeat(2 ** 29 - 30)",
    "padEnd": "'x'.padEnd(2 ** 28).split('')",
    "join": "new Array(2 ** 25).join('x'.repeat(100))",
    "replace": "'x'.repeat(2 ** 27).replaceAll('x', 'yyyyyyyy')",
    "array of a thousand million": "new Array(1e9).fill(0)",
    "Array.from": "Array.from({ length: 1e9 })",
    "spread without an end": "[...(function* () { while (true) yield [] })()]",
    "typed arrays": "const a = []; while (true) a.push(new Uint8Array(1e6).fill(1))",
    "one array buffer": "new Uint8Array(new ArrayBuffer(2 ** 32)).fill(1)",
    "resizable buffer": "const b = new ArrayBuffer(8, { maxByteLength: 1e9 }); b.resize(1e9); new Uint8Array(b).fill(1)",
    "largest BigInt": "2n ** (2n ** 30n)",
    "promises": "const a = []; while (true) a.push(Promise.resolve())",
    "rejections that nobody hears": "while (true) Promise.reject(new Error('x'))",
    "closures": "let f = () => 1; while (true) { const g = f, a = [1, 2, 3]; f = () => [g, a] }",
    "thousand million matches": "[...'x'.repeat(2 ** 27).matchAll(/x/g)]",
    "globals": "for (let i = 0; ; i++) globalThis['name' + i] = new Array(20000).fill(i)",
    "sent to effects": "const all = []; while (true) all.push(call('x'.repeat(500000)))",
}

CASES = [Case(name, f"await call('begun'); {script}", MEMORY, kind="memory") for name, script in SCRIPTS.items()]
