// Random messages: a grammar of things a script can do to any object `t`, any key `k` and any value `v`.

const CHANGES = [
  't[k] = v', 'delete t[k]', 't[k] ??= v', 't[k]++', '[t[k]] = [v]', 'for (t[k] of [v]);', 'with (t) { fresh = v }',
  'Object.assign(t, { [k]: v })', 'Reflect.set(t, k, v)', 'Reflect.set({}, k, v, t)', 'Reflect.set({ __proto__: t }, k, v)',
  '({ __proto__: t, go() { super[k] = v } }).go.call(t)', 'Object.defineProperty(t, k, { value: v })',
  'Object.defineProperty(t, k, { value: v, writable: true, enumerable: true, configurable: true })',
  'Object.defineProperty(t, k, { value: t[k] })', 'Object.defineProperty(t, k, { get: () => v, configurable: true })',
  'Object.defineProperty(t, k, { get() { return v } })', 'Object.defineProperty(t, k, { set(x) { held = x } })',
  'Object.defineProperty(t, k, { writable: false })', 'Object.defineProperty(t, k, { enumerable: true })',
  'Object.defineProperty(t, k, { configurable: false })', 'Object.defineProperties(t, { [k]: { value: v, configurable: true } })',
  'Reflect.defineProperty(t, k, { value: v, writable: true })', 't.__defineGetter__(k, () => v)', 't.__defineSetter__(k, () => v)',
  'Object.setPrototypeOf(t, v)', 'Reflect.setPrototypeOf(t, null)', 't.__proto__ = v', 'Object.setPrototypeOf(t, Object.getPrototypeOf(t))',
  'Object.preventExtensions(t)', 'Object.freeze(t)', 'Object.seal(t)', 'Error.captureStackTrace(t)', 'Error.captureStackTrace(t); delete t.stack', "stack.set.call(t, v)",
  'Error.captureStackTrace(t); delete t.stack; stack.set.call(t, undefined)', 't.length = 3', 't.length = 0',
  'new (class extends (function () { return t }) { [k] = v })()', 'new (class extends (function () { return t }) { #x = v })()',
  'Array.prototype.push.call(t, v)', 'Array.prototype.sort.call(t)', 'Array.prototype.reverse.call(t)', 'Array.prototype.pop.call(t)',
  'Array.of.call(function () { return t }, v)', 'Array.from.call(function () { return t }, [v, v])',
  "JSON.parse('[0,0]', function (key) { if (key === '0') this[1] = t; return v })", 'Function("t", "k", "v", "t[k] = v")(t, k, v)',
  'const d = Object.getOwnPropertyDescriptor(t, k); delete t[k]; Object.defineProperty(t, k, d)', 'const was = t[k]; delete t[k]; t[k] = was',
  'const was = t[k]; t[k] = v; t[k] = was', 'const d = Object.getOwnPropertyDescriptor(t, k); t[k] = v; Object.defineProperty(t, k, d)',
  'Promise.resolve().then(() => { t[k] = v }); await null', '(async () => { await null; await null; delete t[k] })()',
  'new WeakMap([[t, v]])', 't.prototype[k] = v', 't.constructor[k] = v', 't.constructor.prototype[k] = v', 't.call(v, v)', 't.call(t, k, v)', 'new t(v, v)',
];

const HARMLESS = [
  'leaked = v', 'globalThis[k] = v', "(0, eval)('var leaked2 = 1')", "(0, eval)('let leaked2 = 1; function leaked3() {}')", 'globalThis[Symbol("s")] = v',
  '/(a)(b)?/.exec("xay")', "RegExp.input = 'x'", "'abc'.replace(/b/, 'x')", "Symbol.for('x')", 'try { null.x } catch (e) { e.name = v; e.stack }',
  '[3, 1].map((x) => x + 1).sort()', "JSON.parse(JSON.stringify({ a: [1] }))", 'new Map([[1, v]])', '[...new Set([1, 2])]', 'Math.random()',
  'Object.defineProperty(globalThis, "leaked", { get() { throw v }, configurable: true })', 'await Promise.all([1, v])', 'print(v); console.log(v)',
  '(function* () { yield v })().next()', "new Intl.NumberFormat('en').format(1)", 'Temporal.Now.plainDateISO()', "Link.parse('x').href", 'try { fail() } catch (e) { e.x = v }',
  'import("x").catch(() => {})', 'String.raw`a${1}`', 'new Date().toISOString()', 'Error.prepareStackTrace = () => v; new Error().stack', 'globalThis.toString = v',
];

const VALUES = ['1', 'undefined', 'null', "'text'", '() => 1', '({})', '[]', 'class {}', 't', 't[k]', 'Array.prototype', 'Object.prototype', 'Object', 'new Proxy({}, {})', 'new Proxy(function () {}, {})', 'Symbol()', 'globalThis'];
const KEYS = ['fresh', '0', '7', 'constructor', 'then', 'toJSON', 'toString', 'value', 'get', 'length', 'name', 'prototype', Symbol.iterator, Symbol.species, Symbol.toPrimitive];

// mulberry32 (Tommy Ettinger, public domain).
export function dice(seed) {
  let state = seed;
  return (sides) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % sides;
  };
}

const one = (roll, list) => list[roll(list.length)];

// A message of one to four acts, as {body, fields}; `harm` of a hundred acts are meant to change a built-in. Most objects of
// the graph are functions that cannot change, so two acts of three choose among those that can.
export function message(roll, graph, harm) {
  const all = [...graph.keys()];
  const open = all.filter((object) => graph.get(object).open);
  const acts = [];
  const fields = {};
  for (let i = 0, n = 1 + roll(4); i < n; i++) {
    const target = one(roll, roll(3) > 0 ? open : all);
    const own = Reflect.ownKeys(target);
    fields[`t${i}`] = target;
    fields[`k${i}`] = own.length > 0 && roll(3) > 0 ? one(roll, own) : one(roll, KEYS);
    acts.push(`try { const t = t${i}, k = k${i}, v = ${one(roll, VALUES)}; ${one(roll, roll(100) < harm ? CHANGES : HARMLESS)} } catch {}`);
  }
  return { body: `const stack = Object.getOwnPropertyDescriptor(new TypeError(), 'stack');\n${acts.join('\n')}`, fields };
}
