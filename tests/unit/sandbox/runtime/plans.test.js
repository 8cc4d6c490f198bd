// Scripts as they are compiled: what is refused, where the fault is, and that nothing closes its wrapper.

import assert from 'node:assert/strict';
import { Plans, scriptOf } from '../../../../src/pulse/sandbox/deno/runtime/plans.js';
import { AT, script, Stage } from './stage.js';

const compiled = (source) => scriptOf({ id: 'plan', nodes: [{ post: source }], scripts: new Map() }, 0, 'post');

const FINE = [
  '', '\n', '// only words', '/* words */', 'return', 'return 1', 'await null', "'use strict'; x", 'var x', '#!no' .slice(2), 'const a = `${`}`}`', 'x = /[}]/', "x = '})'", '/* }) */',
  '<!-- html', 'x\n--> html', 'for await (const x of []);', 'function f() {} async function* g() {}', 'class A { static #x = 1; static { this.#x } }', 'label: for (;;) break label',
  'x // the end', 'using x = null', 'arguments', 'new.target', 'var yield_ = 1; let async = 2', "x = '\u2028'", 'if (a) { b } else { c }',
];

for (const source of FINE) Deno.test(`compiles: ${JSON.stringify(source)}`, () => assert.equal(compiled(source).error, undefined));

// Source, place (line, first and last column of what is at fault), words of the complaint.
const FAULTS = [
  ['let = = 1', 1, 7, 7, 'Unexpected token'],
  ['a b', 1, 3, 3, 'Unexpected identifier'],
  ['\n\n  const', 3, 8, 8, 'ends too early'],
  ['x = [1, 2', 1, 10, 10, 'ends too early'],
  ['if (x) {', 1, 9, 9, 'ends too early'],
  ['foo(1, 2;', 1, 8, 9, 'missing )'],
  ["x = 'open", 1, 5, 5, 'Invalid or unexpected token'],
  ['x = "a\nb"', 1, 5, 5, 'Invalid or unexpected token'],
  ['1x', 1, 1, 2, 'Invalid or unexpected token'],
  ['const a = 1;\nconst a = 2;', 2, 7, 7, "Identifier 'a' has already been declared"],
  ['const a;', 1, 7, 7, 'Missing initializer'],
  ['break', 1, 1, 5, 'Illegal break'],
  ['import x from "y"', 1, 1, 6, 'Cannot use import statement'],
  ['export default 1', 1, 1, 1, "Unexpected token 'export'"],
  ['x = /(/', 1, 5, 7, 'Invalid regular expression'],
  ['() => { await 1 }', 1, 9, 15, 'await is only valid'],
  ['return return', 1, 8, 8, "Unexpected token 'return'"],
  ['({ a: 1, a', 1, 11, 11, 'ends too early'],
  ['a = {\n  b: 1\n  c: 2\n}', 3, 3, 3, 'Unexpected identifier'],
];

for (const [source, line, from, to, words] of FAULTS) {
  Deno.test(`fault: ${JSON.stringify(source)}`, () => {
    const { error } = compiled(source);
    assert.equal(error.name, 'SyntaxError');
    assert.ok(error.message.includes(words), error.message);
    const [, seenLine, column] = /^plan#0\.post:(\d+):(\d+)$/.exec(error.stack).map(Number);
    assert.ok(seenLine === line && column >= from && column <= to, error.stack);
  });
}

Deno.test('a fault in a long script is found soon', () => {
  const started = performance.now();
  const { error } = compiled(`${'const f = (x) => { return x + 1 };\n{ let y = f(1) }\n'.replace('const f', 'f').repeat(5000)}oops oops`);
  assert.equal(error.stack, 'plan#0.post:10001:6');
  assert.ok(performance.now() - started < 2000);
});

// ---- the wrapper --------------------------------------------------------------------------------------------------------------

const PIECES = [
  '}', '{', ')', '(', '})', '};', '});', '}; })', ';', ',', '\n', '\u2028', '/*', '*/', '//', '`', '${', "'", '"', '<!--', '-->', '=>', 'async', 'function', 'function () {', '(async function () {',
  'return', 'escaped = 1', 'escaped()', 'await', 'x', 'class A {', 'static {', 'get', '[', ']', '...', '/', '\\', '#x', 'yield', "'use strict'", 'new.target', 'super', 'arguments', 'import(', 'eval(',
];

// mulberry32 (Tommy Ettinger, public domain).
function dice(seed) {
  let state = seed;
  return (sides) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % sides;
  };
}

const SEED = 20_250_611;

Deno.test(`no text leaves its function: what is adopted is one function, and nothing has run (seed ${SEED})`, () => {
  const roll = dice(SEED);
  const stage = new Stage({});
  let accepted = 0;
  for (let i = 0; i < 3_000; i++) {
    const source = Array.from({ length: 1 + roll(9) }, () => PIECES[roll(PIECES.length)]).join(roll(2) === 0 ? '' : ' ');
    const { script: unit, key, error } = compiled(source);
    if (error !== undefined) continue;
    accepted++;
    stage.realm.adopt(`${key}${i}`, unit);
    assert.deepEqual(stage.captured().globals, {}, source);
  }
  assert.ok(accepted > 100, `${accepted} accepted`);
});

Deno.test('negative control: without its own check the compiler would take a text that leaves its function', async () => {
  for (const text of ['}), escaped = 1, (async function () {', '}', 'if (x) { y() }}'])
    assert.match(compiled(text).error.message, /closes too early/);
  const text = '}; }), escaped = 1, (function () { return async function () {';
  assert.equal(compiled(text).error.name, 'SyntaxError');
  assert.equal(Function(`(function () { return async function () {\n${text}\n}; }); return typeof escaped`)(), 'number');
  delete globalThis.escaped;
});

Deno.test('a plan is compiled once in a process, and each realm has functions of its own', async () => {
  const plans = new Plans();
  plans.add({ id: 'p', nodes: [{ pre: 'x = 1', post: 'y = 2' }] });
  const plan = plans.get('p');
  assert.equal(scriptOf(plan, 0, 'pre'), scriptOf(plan, 0, 'pre'));
  assert.notEqual(scriptOf(plan, 0, 'pre').key, scriptOf(plan, 0, 'post').key);
  const { key, script: unit } = scriptOf(plan, 0, 'pre');
  const stages = [new Stage({}), new Stage({})];
  for (const stage of stages) {
    stage.realm.adopt(key, unit);
    stage.call('run', key);
    await stage.outcome();
  }
  assert.deepEqual(stages.map((stage) => stage.captured().globals), [{ x: 1 }, { x: 1 }]);
});

Deno.test('scripts are sloppy: undeclared names become globals, declared ones stay local', async () => {
  const { globals, header } = await script('a = 1; var b = 2; function c() {} this.d = 3; (() => { e = 4 })(); with ({ f: 1 }) g = f; delete globalThis.a; h = 010');
  assert.deepEqual([header.status, globals], ['success', { d: 3, e: 4, g: 1, h: 8 }]);
  assert.equal(AT, 1_700_000_000_000);
});
