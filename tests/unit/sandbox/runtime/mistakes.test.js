// Mistakes that people make in scripts: what kind, where, and what to try. Each is made for real, by a script in a realm.

import assert from 'node:assert/strict';
import { lookUp, placeOf, suggestionFor, suggestionOf, SUGGESTIONS } from '../../../../src/pulse/sandbox/deno/runtime/mistakes.js';
import { BUILT_IN, ELSEWHERE } from '../../../../src/pulse/sandbox/deno/runtime/suggestions/names.js';
import { SAID, SAID_BY_PULSE } from './mistakes.cases.js';
import { action, evaluate, event, plan, script, Stage } from './stage.js';

// ---- the whole way: a message, its script, and what its error and its log say --------------------------------------------

// Source, kind, line, column, words of the suggestion. Where the stack ends is not always at the same column.
const ANY = Symbol('any');
const MISTAKES = [
  ['const a = undefined;\nprint(a.total);', 'TypeError', 2, 9, 'What stands before ".total" is missing'],
  ['let order = null;\n\n  order.total + 1', 'TypeError', 3, 9, 'What stands before ".total" is null'],
  ['payload.customer.name = "x"', 'TypeError', 1, 23, '"name" cannot be set'],
  ['\n\nprint(paylod)', 'ReferenceError', 3, 7, 'Perhaps "payload" is meant'],
  ['const f = () => f();\nf()', 'RangeError', 1, ANY, 'calls itself without end'],
  ["JSON.parse('{oops')", 'SyntaxError', 1, 6, 'double quotes'],
  ['throw new Error("my own")', 'Error', 1, 7, 'The script itself threw'],
  ['class Broken extends Error { name = "Broken" }\nthrow new Broken("order")', 'Broken', 2, 7, 'The script itself threw'],
  ['throw "order"', 'Error', undefined, undefined, 'throw new Error('],
  ['await new Promise(() => {})', 'NeverSettles', undefined, undefined, 'nothing will ever settle'],
  ['for (let i = 0; i < 11; i++) call(i)', 'LimitError', 1, 30, 'too often for one message'],
  ['if (true) {\n  print("a");\n', 'SyntaxError', 2, 14, 'is not closed'],
  ['const a = [1, 2;\n', 'SyntaxError', 1, 16, '";"'],
  ['const list = [1];\nlist.map((x) => { await x })', 'SyntaxError', 2, 25, 'Write "async" before the function'],
  ['if (true) {\n  print(1);\n}}', 'SyntaxError', undefined, undefined, 'one "}" too many'],
];

const ANSWERS = Array.from({ length: 10 }, (_, at) => ({ seq: at + 1 }));

for (const [source, type, line, column, words] of MISTAKES) {
  Deno.test(`${type}: ${JSON.stringify(source.slice(0, 60))}`, async () => {
    const { errors, header, log } = await script(source, { payload: {} }, { answers: ANSWERS.slice() });
    const [error] = errors;
    assert.deepEqual([errors.length, error.errorType, error.line, error.column], [1, type, line, column === ANY ? error.column : column], error.error);
    assert.ok(error.suggestion.includes(words), error.suggestion);
    assert.deepEqual([header.status, header.errorType, error.phase], ['fail', type, 'post']);
    const told = log.find((entry) => entry.type === 'script');
    assert.deepEqual([told.success, told.scriptPreview, told.scriptLength, told.line], [false, source.slice(0, 200), source.length, line]);
  });
}

Deno.test('a call that failed outside says so by its code', async () => {
  const value = { code: 'not_available', message: 'call is not available here.', effect: 'call' };
  const { errors } = await script('await call(1)', {}, { answers: [{ seq: 1, ok: false, value }] });
  assert.deepEqual([errors[0].errorType, errors[0].code], ['EffectError', 'not_available']);
  assert.match(errors[0].suggestion, /does not offer that function/);
});

// ---- what is said of each mistake ----------------------------------------------------------------------------------------------

const MESSAGE = { type: 'chat', payload: { items: [1], title: 'a', order: { total: 1 }, due: '2025-01-01' } };

// What V8, or Pulse, says of each, in the order of the cases.
const errors = [];
const { realms } = new Stage();
for (const [source] of SAID) errors.push(await new Stage(MESSAGE, { realms }).run(source));
for (const [error] of SAID_BY_PULSE) errors.push({ stack: '', ...error });
const cases = [...SAID, ...SAID_BY_PULSE].map(([source, ...words], at) => ({ source, words, error: errors[at] }));

function rowOf(error) {
  const { rows, text } = lookUp(error);
  return rows.find((row) => suggestionOf(row, text) !== undefined);
}

for (const { source, words, error } of cases) {
  Deno.test(`said of ${JSON.stringify(source).slice(0, 80)}`, () => {
    assert.notEqual(error, 'ok', 'no mistake');
    const said = suggestionFor(error);
    for (const word of words) assert.ok(said.includes(word), `${error.name}: ${error.message}\n${said}`);
    assertPlain(said);
  });
}

// Short, whole sentences, and nothing left in them of how they were made.
function assertPlain(said) {
  assert.ok(said.length <= 240, `${said.length} characters: ${said}`);
  assert.ok(said.endsWith('.') && !said.includes('\n'), said);
  assert.doesNotMatch(said, /\bundefined\b|\$\d|\[object|\(intermediate value\)/);
}

Deno.test('there are many mistakes, and for each row one that reaches it', () => {
  const rows = new Set(Object.values(SUGGESTIONS).flat());
  const reached = new Set(errors.map(rowOf));
  assert.deepEqual([...rows.difference(reached)].map(([pattern]) => pattern), []);
  assert.ok(rows.size > 120 && new Set(errors.map(({ message }) => message)).size > 150);
});

Deno.test('names of any length leave the suggestion short', () => {
  for (const error of errors) {
    const { text } = lookUp(error);
    for (const part of (rowOf(error)[0].exec(text) ?? []).slice(1)) {
      if (!part) continue;
      const longer = text.replaceAll(part, part.repeat(300));
      assertPlain(suggestionFor({ ...error, message: longer, code: error.code && longer }));
    }
  }
});

Deno.test('what is said to be here is here, and what is said to be elsewhere is not', async () => {
  const stage = new Stage(MESSAGE, { realms });
  const kinds = async (names) => JSON.parse(await stage.value(`JSON.stringify([${names.map((name) => `typeof ${name}`)}])`));
  const elsewhere = ELSEWHERE.flatMap(([names]) => names.split(' '));
  assert.deepEqual(await kinds(elsewhere), elsewhere.map(() => 'undefined'));
  assert.ok(!(await kinds(BUILT_IN)).includes('undefined'));
});

Deno.test('every kind of error has a suggestion, whatever it is called', () => {
  for (const name of [...Object.keys(SUGGESTIONS), 'Error', 'Custom', '', '__proto__', 'constructor', 'toString'])
    for (const message of ['', 'x', '$1', '\ud800\n']) assertPlain(suggestionFor({ name, message, stack: '' }));
});

Deno.test('a message is no pattern, and a long one takes no time', () => {
  const ends = ['', ' is not a function', ' is not iterable', ' is not defined', ' is not valid JSON', ' in JSON at position', ' as it is null.', 'x'];
  const middles = ['a ', 'a.', 'a(...).', "' of '", "' in ", ': ', '"', 'x'];
  const begins = ['', "Cannot destructure property '", "Cannot use 'in' operator to search for '", 'Invalid regular expression: ', 'Unexpected token '];
  const started = performance.now();
  for (const begin of begins)
    for (const middle of middles)
      for (const end of ends)
        for (const name of ['TypeError', 'SyntaxError', 'ReferenceError']) suggestionFor({ name, message: begin + middle.repeat(4000 / middle.length) + end });
  assert.ok(performance.now() - started < 10_000);
});

// ---- the place in the user's own script ----------------------------------------------------------------------------------------

// Source, line, column: where the script failed, in whatever way V8 came there.
const FAILED_AT = [
  ['[1].forEach((x) => {\n  x.y.z\n})', 2, 7],
  ['const f = function () { data.forEach((x) => x.y.z) };\nconst data = [{}];\nf()', 1, 49],
  ['function outer() {\n  function inner() {\n    null.x\n  }\n  inner()\n}\nouter()', 3, 10],
  ['async function f() {\n  await null\n  null.x\n}\nawait f()', 3, 8],
  ['await Promise.all([1].map(async (x) => {\n  await x\n  x.y.z\n}))', 3, 7],
  ['await Promise.resolve().then(() => {\n\n  null.x })', 3, 8],
  ['await null\n\nnull.x', 3, 6],
  ['class Order {\n  total() { return this.x.y }\n}\nnew Order().total()', 2, 27],
  ['class Order {\n  constructor() { null.x }\n}\nnew Order()', 2, 24],
  ['const o = {\n  get x() { return null.y }\n}\no.x', 2, 25],
  ['function* g() {\n  yield 1\n  null.x\n}\nfor (const x of g()) print(x)', 3, 8],
  ['async function* g() {\n  yield 1\n  null.x\n}\nfor await (const x of g()) print(x)', 3, 8],
  ['[2, 1].sort((a, b) =>\n  a.x.y)', 2, 7],
  ["'a'.replace(/a/,\n  (m) => m.x.y)", 2, 14],
  ['JSON.parse(`{"a":1}`,\n  (k, v) => v.x.y)', 2, 17],
  ['JSON.stringify({\n  toJSON() { return null.x } })', 2, 26],
  ['new Proxy({}, {\n  get() { null.x } }).y', 2, 16],
  ['const fail = () =>\n  new Error("made here");\nthrow fail()', 2, 3],
  ['const f = (n) => n === 0 ? null.x : f(n - 1);\nf(50)', 1, 33],
  ['try {\n  null.x\n} catch (error) {\n  throw error\n}', 2, 8],
  ['\nJSON.parse("x")', 2, 6],
  ['\n\neval("null.x")', 3, 1],
  ['\n\neval("eval(\'null.x\')")', 3, 1],
  ['\nconst f = new Function("return null.x");\nf()', 3, 1],
];

for (const [source, line, column] of FAILED_AT) {
  Deno.test(`failed at ${line}:${column}: ${JSON.stringify(source.slice(0, 60))}`, async () => {
    const { errors } = await script(source);
    assert.deepEqual([errors.length, errors[0].line, errors[0].column], [1, line, column], errors[0].error);
  });
}

Deno.test('what fails inside the function of another script is placed where this script calls it', async () => {
  const { errors } = await evaluate([plan([event({ post: 'helper = async (x) => {\n\n  await null; x.y.z }' }), action('\nawait helper({})')])]);
  assert.deepEqual([errors.length, errors[0].line, errors[0].column], [1, 2, 1], errors[0].error);
});

const PLACES = [
  ['Error: x\n    at plan#0.post:3:7\n    at plan#0.post:9:9', { line: 3, column: 7 }],
  ['at async plan#0.post:12:1', { line: 12, column: 1 }],
  ['Error: x\n    at run (plan#0.post:4:2)\n    at plan#0.post:9:9', { line: 4, column: 2 }],
  ['Error: x\n    at eval (eval at <anonymous> (plan#0.post:4:2), <anonymous>:1:6)\n    at plan#0.post:3:1', { line: 3, column: 1 }],
  ['Error: x\n    at other-plan#0.post:3:7\n    at plan#0.post:9:9', { line: 9, column: 9 }],
  ['plan#0.post:5', { line: 5 }],
  ['Error: x\n    at other:3:7', {}],
  ['', {}],
  ['plan#0.post:x', {}],
];

for (const [stack, right] of PLACES) Deno.test(`place in ${JSON.stringify(stack)}`, () => assert.deepEqual(placeOf(stack, 'plan#0.post'), right));
