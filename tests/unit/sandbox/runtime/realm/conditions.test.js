// Conditions: every operator with every type, both documented shapes, and why a tree was false (platform.md 4 and 12).

import assert from 'node:assert/strict';
import { Stage } from '../stage.js';

const MISSING = Symbol('missing');
const SEEN = [MISSING, null, true, false, 0, 5, -1.5, '', 'a', 'abc', '5', '2024-01-02', '2024-01-10T00:00:00Z', '2024-01-02T23:00:00-05:00', '2024-1-9', [], ['a', 5, null], {}, { a: 1 }];
const WANTED = [null, true, 0, 5, 6, '', 'a', 'bc', '5', '2024-01-03', '2024-01-03T01:00:00Z', ['a', 'abc', 5], [], {}];
const NEGATIVE = ['not_equals', 'not_in', 'not_contains', 'not_exists', 'is_null'];

// The rules in other words than the runtime's.
const isDate = (text) => /^\d{4}-\d\d-\d\d/.test(text) && !Number.isNaN(Date.parse(text));
const rank = (text) => (isDate(text) ? new Date(text).getTime() : text);
const isText = (value) => typeof value === 'string';
const comparable = (a, b) => (typeof a === 'number' && typeof b === 'number') || (isText(a) && isText(b));
const sides = (a, b) => (isText(a) && isText(b) && isDate(a) && isDate(b) ? [rank(a), rank(b)] : [a, b]);
const ordered = (test) => (a, b) => comparable(a, b) && test(...sides(a, b));
const contains = (a, b) => (isText(a) && isText(b) && a.includes(b)) || (Array.isArray(a) && a.some((item) => item === b));
const isIn = (a, b) => Array.isArray(b) && b.some((item) => item === a);
const isNothing = (a) => a === undefined || a === null;

const ORACLE = {
  equals: (a, b) => a === b,
  not_equals: (a, b) => a !== b,
  contains,
  not_contains: (a, b) => !contains(a, b),
  starts_with: (a, b) => isText(a) && isText(b) && a.indexOf(b) === 0,
  ends_with: (a, b) => isText(a) && isText(b) && a.slice(a.length - b.length) === b,
  greater_than: ordered((a, b) => a > b),
  less_than: ordered((a, b) => a < b),
  greater_or_equal: ordered((a, b) => a >= b),
  less_or_equal: ordered((a, b) => a <= b),
  in: isIn,
  not_in: (a, b) => !isIn(a, b),
  exists: (a) => !isNothing(a),
  not_exists: isNothing,
  is_null: isNothing,
  is_not_null: (a) => !isNothing(a),
  matches: (a, b) => isText(a) && new RegExp(b).test(a),
};

const expected = (comparison, seen, wanted) =>
  seen === MISSING ? NEGATIVE.includes(comparison) : ORACLE[comparison](seen, wanted);
const shown = (value) => (value === MISSING ? 'missing' : JSON.stringify(value));
const wantedFor = (comparison) => (comparison === 'matches' ? ['^a', 'c$', '', '5', 'x'] : WANTED);

for (const comparison of Object.keys(ORACLE)) {
  Deno.test(`${comparison}: every type against every type`, async () => {
    const cases = SEEN.flatMap((seen) => wantedFor(comparison).map((wanted) => [seen, wanted]));
    const stage = new Stage({ cases: cases.map(([seen, value]) => [seen === MISSING ? {} : { x: seen }, value]), comparison });
    const answers = await stage.value(`cases.map(([data, value]) => [
      evaluateCondition({ type: 'rule', field: 'x', comparison, value }, data), evaluateCondition({ field: 'x', operator: comparison, value }, data)])`);
    cases.forEach(([seen, wanted], at) => {
      const right = expected(comparison, seen, wanted);
      assert.deepEqual(answers[at], [right, right], `${shown(seen)} ${comparison} ${shown(wanted)}`);
    });
  });
}

Deno.test('the oracle knows all 17 operators, and tells both answers for each', () => {
  assert.equal(Object.keys(ORACLE).length, 17);
  for (const name of Object.keys(ORACLE)) {
    const answers = SEEN.flatMap((seen) => wantedFor(name).map((wanted) => expected(name, seen, wanted)));
    assert.deepEqual([answers.includes(true), answers.includes(false)], [true, true], name);
  }
});

// ---- groups ---------------------------------------------------------------------------------------------------------

const YES = { field: 'x', comparison: 'equals', value: 1 };
const NO = { field: 'x', comparison: 'equals', value: 2 };
const GROUPS = [
  ['AND', [], true], ['AND', [YES], true], ['AND', [YES, NO], false], ['AND', [NO, YES], false], ['AND', [YES, YES], true],
  ['OR', [], false], ['OR', [NO], false], ['OR', [NO, YES], true], ['OR', [YES, NO], true], ['OR', [NO, NO], false],
  ['NOT', [], false], ['NOT', [YES], false], ['NOT', [NO], true], ['NOT', [YES, NO], true], ['NOT', [YES, YES], false],
];

Deno.test('groups, in both shapes and nested', async () => {
  const stage = new Stage({ groups: GROUPS, data: { x: 1 } });
  const answers = await stage.value(`groups.map(([op, conditions]) => [
    evaluateCondition({ type: 'group', operator: op, conditions }, data),
    evaluateCondition({ type: op, conditions }, data),
    evaluateCondition({ type: 'AND', conditions: [{ type: 'group', operator: 'OR', conditions: [{ type: op, conditions }] }] }, data),
    evaluateCondition({ type: 'NOT', conditions: [{ type: 'group', operator: op, conditions }] }, data),
  ])`);
  GROUPS.forEach(([op, conditions, right], at) => assert.deepEqual(answers[at], [right, right, right, !right], `${op} of ${conditions.length}`));
});

Deno.test('a group that does not say how it joins is AND', async () => {
  const stage = new Stage({ conditions: [YES, NO], data: { x: 1 } });
  assert.deepEqual(await stage.value(`[evaluateCondition({ conditions }, data), evaluateCondition({ type: 'group', conditions }, data)]`), [false, false]);
});

const REFUSED = [
  ['1', 'A condition is an object'], ['null', 'A condition is an object'], ["{ field: 'x', comparison: 'like', value: 1 }", '"like" is not a comparison'],
  ["{ field: 'x', comparison: 'constructor' }", '"constructor" is not a comparison'], ["{ comparison: 'equals' }", 'A rule needs a field'],
  ["{ type: 'XOR', conditions: [] }", '"XOR" joins no conditions'], ["{ type: 'group', operator: 'and', conditions: [] }", '"and" joins no conditions'],
  ["{ type: 'AND', conditions: [{ type: 'rule' }] }", 'A rule needs a field'], ["{ field: 'x', comparison: 'matches', value: '(' }", 'Invalid regular expression'],
];

for (const [tree, words] of REFUSED) {
  Deno.test(`refused: ${tree}`, async () => {
    const { name, message } = await new Stage().run(`evaluateCondition(${tree}, { x: 'x' })`);
    assert.match(name, /^(Type|Syntax)Error$/);
    assert.ok(message.includes(words), message);
  });
}

Deno.test('a tree that is too deep is refused, not followed', async () => {
  const deep = 'let t = { field: "x", comparison: "exists" }; for (let i = 0; i < 40; i++) t = { type: "AND", conditions: [t] }; evaluateCondition(t, {})';
  assert.equal((await new Stage().run(deep)).name, 'TypeError');
});

// ---- compiled trees, as the walk uses them ---------------------------------------------------------------------------

const rule = (field, comparison, value) => ({ field, path: field.split('.'), comparison, value });
const condition = (stage, tree) => stage.call('condition', JSON.stringify(tree));

Deno.test('a compiled tree is answered for the message', () => {
  const stage = new Stage({ a: { b: [{ c: 7 }] }, type: 'order' });
  const trees = [
    [rule('a.b.0.c', 'equals', 7), 'true'], [rule('message.a.b.0.c', 'greater_than', 6), 'true'], [rule('type', 'in', ['order']), 'true'],
    [rule('a.b.1.c', 'exists'), 'false'], [rule('a.b.length', 'equals', 1), 'true'], [rule('type.length', 'equals', 5), 'true'],
    [{ op: 'OR', of: [rule('x', 'exists'), rule('type', 'exists')] }, 'true'], [{ op: 'NOT', of: [rule('type', 'exists')] }, 'false'],
  ];
  for (const [tree, right] of trees) assert.equal(condition(stage, tree), right, JSON.stringify(tree));
});

Deno.test('a pattern that is none, or an operator that is none, is an error with a name', () => {
  const stage = new Stage({ a: 'x' });
  assert.equal(JSON.parse(condition(stage, rule('a', 'matches', '('))).name, 'SyntaxError');
  assert.equal(JSON.parse(condition(stage, rule('a', 'like', 'x'))).name, 'TypeError');
});

const NAMED = [
  ['one rule', rule('n', 'equals', 2), 'n', 1],
  ['the first false one of AND', { op: 'AND', of: [rule('n', 'equals', 1), rule('s', 'contains', 'z'), rule('n', 'equals', 9)] }, 's', 'text'],
  ['any of OR', { op: 'OR', of: [rule('n', 'equals', 2), rule('n', 'equals', 3)] }, 'n', 1],
  ['the one that is true below NOT', { op: 'NOT', of: [rule('s', 'exists')] }, 's', 'text'],
  ['below two NOTs', { op: 'NOT', of: [{ op: 'NOT', of: [rule('n', 'equals', 5)] }] }, 'n', 1],
  ['a missing field', { op: 'AND', of: [rule('gone.away', 'equals', 1)] }, 'gone.away', undefined],
];

for (const [name, tree, field, seen] of NAMED) {
  Deno.test(`why it was false: ${name}`, () => {
    const stage = new Stage({ n: 1, s: 'text' });
    assert.equal(condition(stage, tree), 'false');
    const told = JSON.parse(stage.call('explain', JSON.stringify(tree)));
    assert.deepEqual([told.rule.field, told.seen], [field, seen]);
    assert.deepEqual(Object.keys(told.rule).filter((key) => key === 'path'), []);
  });
}

Deno.test('why it was false: an empty OR has no rule to name, and a long value is cut', () => {
  const stage = new Stage({ long: 'x'.repeat(9000), half: '😀'.repeat(3000) });
  assert.equal(stage.call('explain', '{"op":"OR","of":[]}'), 'null');
  for (const field of ['long', 'half']) {
    const told = stage.call('explain', JSON.stringify(rule(field, 'equals', 1)));
    assert.ok(told.length < 3000 && JSON.parse(told).seen.endsWith('… (cut)'), told.slice(-50));
    assert.ok(JSON.parse(told).seen.isWellFormed());
  }
});
