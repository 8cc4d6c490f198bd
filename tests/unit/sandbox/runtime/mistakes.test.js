// Mistakes that people make in scripts: what kind, where, and what to try.

import assert from 'node:assert/strict';
import { placeOf, suggestionFor } from '../../../../src/pulse/sandbox/deno/runtime/mistakes.js';
import { script } from './stage.js';

// Source, kind, line, column, words of the suggestion. Where the stack ends is not always at the same column.
const ANY = Symbol('any');
const MISTAKES = [
  ['const a = undefined;\nprint(a.total);', 'TypeError', 2, 9, 'Something before ".total" is undefined'],
  ['let order = null;\n\n  order.total + 1', 'TypeError', 3, 9, 'Something before ".total" is null'],
  ['payload.customer.name = "x"', 'TypeError', 1, 23, 'The object that you assign to is undefined'],
  ['const x = {};\nx.run()', 'TypeError', 2, 3, '"x.run" cannot be called'],
  ['for (const item of 5) print(item)', 'TypeError', 1, 20, '"5" is no list'],
  ['const [a] = {}', 'TypeError', 1, 13, 'is no list'],
  ['const limit = 1;\nlimit = 2', 'TypeError', 2, 7, 'declared with "const"'],
  ['\n\nprint(paylod)', 'ReferenceError', 3, 7, 'Nothing is called "paylod" here'],
  ['print(total);\nlet total = 1', 'ReferenceError', 1, 7, '"total" is used above the line'],
  ['const f = () => f();\nf()', 'RangeError', 1, ANY, 'calls itself without end'],
  ["JSON.parse('{oops')", 'SyntaxError', 1, 6, 'JSON.parse was given text that is no JSON'],
  ["JSON.parse('oops')", 'SyntaxError', 1, 6, 'JSON.parse was given text that is no JSON'],
  ["JSON.parse('[1')", 'SyntaxError', 1, 6, 'JSON.parse was given text that is no JSON'],
  ["JSON.parse('{} x')", 'SyntaxError', 1, 6, 'JSON.parse was given text that is no JSON'],
  ['JSON.parse(undefined)', 'SyntaxError', 1, 6, 'JSON.parse was given text that is no JSON'],
  ['new Array(-1)', 'RangeError', 1, 1, 'too large for its memory'],
  ["'x'.repeat(2 ** 30)", 'RangeError', 1, 5, 'too large for its memory'],
  ['throw new Error("my own")', 'Error', 1, 7, 'Print the values'],
  ['null.x', 'TypeError', 1, 6, 'Something before ".x" is null'],
  ['new (class Broken extends Error { name = "Broken" })(); throw new TypeError("other")', 'TypeError', 1, 63, 'not of the kind'],
  ['decodeURIComponent("%")', 'URIError', 1, 1, 'Print the values'],
  ['1n + 1', 'TypeError', 1, 4, 'not of the kind'],
  ['await new Promise(() => {})', 'NeverSettles', undefined, undefined, 'nothing will ever settle'],
  ['for (let i = 0; i < 11; i++) call(i)', 'LimitError', 1, 30, 'A limit was reached'],
  ['const f = function () { data.forEach((x) => x.y.z) };\nconst data = [{}];\nf()', 'TypeError', 1, 49, 'Something before ".z" is undefined'],
  ['if (true) {\n  print("a");\n', 'SyntaxError', 2, 14, 'is not closed'],
  ['const a = [1, 2;\n', 'SyntaxError', 1, 16, 'Check brackets, quotes, commas'],
  ['print("a"));', 'SyntaxError', 1, 11, 'Check brackets, quotes, commas'],
  ['const list = [1];\nlist.map((x) => { await x })', 'SyntaxError', 2, 25, 'Make the function that contains "await" async'],
  ['}', 'SyntaxError', undefined, undefined, 'no partner'],
  ['if (true) {\n  print(1);\n}}', 'SyntaxError', undefined, undefined, 'no partner'],
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

Deno.test('there are mistakes enough', () => assert.ok(MISTAKES.length >= 15));

Deno.test('every kind of error has a suggestion, whatever it is called', () => {
  for (const name of ['TypeError', 'ReferenceError', 'SyntaxError', 'TimeoutError', 'NeverSettles', 'LimitError', 'Custom', '', '__proto__', 'constructor', 'toString'])
    assert.equal(typeof suggestionFor({ name, message: 'x' }), 'string', name);
});

Deno.test('a message is no pattern, and a long one takes no time', () => {
  const started = Date.now();
  for (const end of ['', ' is not a function', ' is not iterable', ' is not defined']) suggestionFor({ name: 'Error', message: 'a '.repeat(2000) + end });
  assert.ok(Date.now() - started < 1000);
});

const PLACES = [
  ['Error: x\n    at plan#0.post:3:7\n    at plan#0.post:9:9', { line: 3, column: 7 }],
  ['at async plan#0.post:12:1', { line: 12, column: 1 }],
  ['plan#0.post:5', { line: 5 }],
  ['Error: x\n    at other:3:7', {}],
  ['', {}],
  ['plan#0.post:x', {}],
];

for (const [stack, right] of PLACES) Deno.test(`place in ${JSON.stringify(stack)}`, () => assert.deepEqual(placeOf(stack, 'plan#0.post'), right));
