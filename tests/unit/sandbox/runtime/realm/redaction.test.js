// The values of environment variables are in nothing that is kept: not in the log, nor in errors, reasons or what scripts leave, nor in a
// message to another workflow (platform.md 12, Globals).

import assert from 'node:assert/strict';
import { Redaction } from '../../../../../src/pulse/sandbox/deno/runtime/told/redaction.js';
import { action, branch, evaluate, event, forked, multi, node, place, plan, rule, script } from '../stage.js';

const KEY = 'hunter2-secret';
const variables = { KEY };
const prints = (log) => log.filter(({ type }) => type === 'print').map(({ args }) => args);
const clean = (outcome, secret = KEY) => {
  assert.ok(!outcome.text.includes(secret), `${secret} is in ${outcome.text}`);
  assert.ok(!JSON.stringify(outcome.header).includes(secret), `${secret} is in ${JSON.stringify(outcome.header)}`);
  return outcome;
};
const run = async (source, message = {}, more = {}) => clean(await script(source, message, { variables, ...more }));

// ---- by itself -----------------------------------------------------------------------------------------------------

const hidden = (values, value, levels) => JSON.parse(new Redaction(values).json(JSON.stringify(value), levels));

Deno.test('a value is hidden wherever it stands in a text, and the longer one first', () => {
  assert.deepEqual(hidden(['abcdef'], ['abcdef', '<abcdef>', 'abcdefabcdef', 'abcde', 'ABCDEF']), ['***', '<***>', '******', 'abcde', 'ABCDEF']);
  assert.deepEqual(hidden(['abcdef', 'abcdefgh', 'xabcdef'], ['abcdefgh', 'xabcdefgh', 'abcdefg']), ['***', 'x***', '***g']);
  assert.deepEqual(hidden(['$&$1$$', 'a.c*e+'], ['-$&$1$$-', 'abcdef a.c*e+']), ['-***-', 'abcdef ***']);
});

Deno.test('a short value counts only where it is the whole text', () => {
  assert.deepEqual(hidden(['abcde', 'x', '1'], ['abcde', 'abcdef', 'x', 'xx', 'y', '1', 1, { x: 'x' }]), ['***', 'abcdef', '***', 'xx', 'y', '***', 1, { '***': '***' }]);
  assert.deepEqual(hidden(['', 'abcdef'], ['', 'a']), ['', 'a']);
});

Deno.test('characters are counted as JavaScript counts them', () => {
  assert.deepEqual(hidden(['😀😀😀'], ['a😀😀😀b', '😀😀']), ['a***b', '😀😀']);
  assert.deepEqual(hidden(['äöüäö'], ['äöüäö', 'xäöüäö']), ['***', 'xäöüäö']);
});

Deno.test('numbers that are written like a value are hidden, and no others', () => {
  assert.deepEqual(hidden(['123456', '-1.25e-7'], [123456, 1234567, -123456, '123456', -1.25e-7, [{ n: 123456 }]]), ['***', 1234567, -123456, '***', '***', [{ n: '***' }]]);
  assert.deepEqual(hidden(['true', 'null', '12345', '123456.0'], [true, null, 12345, 123456]), [true, null, 12345, 123456]);
});

const AWKWARD = ['pa"ss"wo"rd', 'back\\slash\\n', 'line\nbreak\r\ttab', 'quote\'s `${x}`', 'null\u0001byte', '{"json": ["in", "it"]}', '</script><b>', 'ä😀\u2028\u2029x', '\\u0041\\"A"', '\\\\\\\\\\\\'];
for (const secret of AWKWARD) {
  Deno.test(`a value that JSON writes otherwise: ${JSON.stringify(secret)}`, async () => {
    const source = 'one = JSON.stringify({ KEY }); two = JSON.stringify({ one }); whole = KEY; print(one, [two], { [KEY]: `<${KEY}>` })';
    const { globals, log } = await script(source, {}, { variables: { KEY: secret }, settings: { printLimit: 1_000 } });
    assert.deepEqual(prints(log), [['{"KEY":"***"}', ['{"one":"{\\"KEY\\":\\"***\\"}"}'], { '***': '<***>' }]]);
    assert.deepEqual(globals, { one: '{"KEY":"***"}', two: '{"one":"{\\"KEY\\":\\"***\\"}"}', whole: '***' });
  });
}

Deno.test('what holds no value is passed on as it is, letter for letter', () => {
  const text = '{"a" :1.0,"b":[ 1e3,"\\u00e4"],"__proto__":{"x":1}}';
  assert.equal(new Redaction(['abcdef', 'x1']).json(text), text);
});

Deno.test('odd names stay names', () => {
  const found = JSON.parse(new Redaction(['abcdef']).json('{"__proto__":{"polluted":"abcdef"},"constructor":"abcdef","toString":1}'));
  assert.deepEqual([Object.keys(found), Object.getPrototypeOf(found) === Object.prototype, found.polluted, found.constructor], [['__proto__', 'constructor', 'toString'], true, undefined, '***']);
});

Deno.test('the outermost names of entries are ours: they stay, what they hold does not', () => {
  const given = { success: 'success', deep: { success: 'success' }, rule: { success: 'success' }, type: 'success', name: 'success' };
  const entry = { success: '***', deep: { '***': '***' }, rule: { success: '***' }, type: 'success', name: 'success' };
  const redaction = new Redaction(['success']);
  assert.deepEqual(JSON.parse(redaction.entries([given])), [entry]);
  assert.deepEqual(JSON.parse(redaction.captured(JSON.stringify({ success: given }))), { success: redaction.value(given) });
  assert.deepEqual(hidden(['success'], { success: ['success'] }), { '***': ['***'] });
});

// ---- a whole message -------------------------------------------------------------------------------------------------

Deno.test('scripts see the values', async () => {
  const { globals } = await run('seen = [KEY.length, KEY === __variablesByName__.KEY, __variables__[0].name, __variables__[0].value.length, [...KEY].reverse().length]');
  assert.deepEqual(globals.seen, [14, true, 'KEY', 14, 14]);
});

Deno.test('what is printed', async () => {
  const { log } = await run('print(KEY, `<${KEY}>`, { [KEY]: [KEY] }, new Error(KEY), JSON.stringify({ KEY })); console.log(__variables__); call(1).then(() => print("late", KEY))', {}, { answers: [{ seq: 1 }] });
  assert.deepEqual(prints(log), [['***', '<***>', { '***': ['***'] }, 'Error: ***', '{"KEY":"***"}'], [[{ name: 'KEY', value: '***' }]], ['late', '***']]);
});

Deno.test('what scripts leave', async () => {
  const { globals, result } = await run('a = KEY; b = { toJSON() { return [KEY] } }; globalThis[KEY] = 1; globalThis[`x${KEY}y`] = { [KEY]: KEY }; ___result___ = { [KEY]: { deep: KEY } }');
  assert.deepEqual([globals, result], [{ a: '***', b: ['***'], '***': 1, 'x***y': { '***': '***' } }, { '***': { deep: '***' } }]);
});

Deno.test('the variables themselves are not left, whatever scripts do to them', async () => {
  const { globals, kept } = await run('KEY = "changed"; mine = __variables__; __variablesByName__ = 1; delete globalThis.__variables__; Object.defineProperty(globalThis, "KEY", { enumerable: true })');
  assert.deepEqual([globals, kept], [{ mine: [{ name: 'KEY', value: '***' }] }, []]);
});

Deno.test('a message that brings a value along: its fields are named only, and not by it', async () => {
  const { kept, globals } = await run('changed = 1', { [KEY]: 1, [`a${KEY}`]: KEY, plain: KEY });
  assert.deepEqual([kept, globals], [['***', 'a***', 'plain'], { changed: 1 }]);
  assert.deepEqual((await run('plain += "!"', { plain: KEY })).globals, { plain: '***!' });
});

for (const [source, told] of [
  ['throw new Error(`no ${KEY}`)', 'no ***'], ['throw KEY', '***'], ['throw { message: KEY }', '{"message":"***"}'], ['null[KEY]', "Cannot read properties of null (reading '***')"],
  ['eval(`${KEY.slice(0, 7)}_x; throw new TypeError(KEY)`)', undefined], ['eval("({" + KEY)', undefined], ['throw new Error(JSON.stringify({ KEY }))', '{"KEY":"***"}'],
]) {
  Deno.test(`an error's words: ${source}`, async () => {
    const { header, errors } = await run(source);
    assert.equal(header.status, 'fail');
    if (told !== undefined) assert.deepEqual([header.error, errors[0].error], [told, told]);
  });
}

Deno.test('the summary of a message whose script failed', async () => {
  const { log } = await run('null.x', { type: KEY, organizationId: `${KEY}!`, environmentId: 'env' });
  assert.deepEqual(log.find(({ messageSummary }) => messageSummary).messageSummary, { organizationId: '***!', environmentId: 'env', eventType: '***' });
});

Deno.test('what is too large is not named by a value', async () => {
  const { tooLarge, errors } = await run('globalThis[KEY] = "x".repeat(20000)');
  assert.deepEqual([tooLarge, errors[0].code], [['***'], 'result_limit']);
});

Deno.test('what an event saw, and what it wanted', async () => {
  const turnedAway = async (field, comparison, value, message) => clean(await evaluate([plan([event({ conditionText: rule(field, comparison, value) })])], message, { variables })).reasons[0];
  assert.deepEqual((await turnedAway('KEY', 'equals', 'x', {})).seen, '***');
  assert.deepEqual((await turnedAway('n', 'equals', KEY, { n: [`<${KEY}>`] })), { workflowId: 'w1', name: 'workflow', entity: 'Arrival', rule: { field: 'n', comparison: 'equals', value: '***' }, seen: ['<***>'] });
  const { reasons } = clean(await evaluate([plan([multi([KEY], { post: 'kind = `a${KEY}`' })])], {}, { variables }));
  assert.deepEqual([reasons[0].rule.value, reasons[0].seen], [['***'], 'a***']);
});

Deno.test('a missing value and a field that is no global are named, and not by a value', async () => {
  const { log } = clean(await evaluate([plan([event({ arguments: [{ name: 'a', path: [KEY, 'x'] }] })])], { [`__${KEY}`]: 1 }, { variables }));
  assert.deepEqual(log.filter(({ type }) => type === 'template' || type === 'message').map(({ placeholder, field }) => placeholder ?? field), ['__***', '***.x']);
});

Deno.test('what a test run tells of each node', async () => {
  const { visits } = clean(await evaluate([plan([event({ post: 'a = KEY; globalThis[KEY] = 1; ___result___ = [KEY]' })])], {}, { variables, traced: true }));
  assert.deepEqual([visits[0].changed, visits[0].result], [{ a: '***', '***': 1 }, ['***']]);
});

// ---- to the world ----------------------------------------------------------------------------------------------------

Deno.test('an effect is given the value, since it may need it', async () => {
  const { asks } = await run('await call(KEY, { KEY })', {}, { answers: [{ seq: 1 }] });
  assert.deepEqual(asks[0].args, [KEY, { KEY }]);
});

Deno.test('a message to another workflow holds none, and effects asked for beside it still get theirs', async () => {
  const source = 'a = KEY; globalThis[KEY] = { [KEY]: JSON.stringify({ KEY }) }; n = 1; const both = [call(KEY), triggerWorkflow("w2"), other(KEY)]; await Promise.all(both)';
  const { asks } = await run(source, { given: `<${KEY}>` }, { answers: [1, 2, 3].map((seq) => ({ seq })) });
  assert.deepEqual(asks.map(({ fn, args }) => [fn, args]), [
    ['call', [KEY]],
    ['triggerWorkflow', ['w2', { given: '<***>', a: '***', '***': { '***': '{"KEY":"***"}' }, n: 1 }]],
    ['other', [KEY]],
  ]);
});

Deno.test('nor does one that a workflow node sends', async () => {
  const { asks } = clean(await evaluate([plan([event({ post: 'a = KEY; b = 123456' }), node('w2')])], {}, { variables: { KEY, N: '123456' }, answers: [{ seq: 1, value: {} }] }));
  assert.deepEqual(asks[0].args, ['w2', { a: '***', b: '***' }]);
});

Deno.test('values that look like words of Pulse leave the names in what Pulse says as they are', async () => {
  const words = ['success', 'elapsed', 'childCount', 'durationMs', 'entityId', 'workflowId', 'globals', 'errors', 'totalDurationMs', 'errorType', 'conditionResult', 'header', 'status'];
  const { header, log, errors, globals, text } = await evaluate([plan([event({ post: 'print(1); x = success; null.x' })])], {}, { variables: Object.fromEntries(words.map((word) => [word, word])) });
  assert.deepEqual([header.status, globals, Object.keys(JSON.parse(text)).sort()], ['fail', { x: '***' }, ['errors', 'globals', 'kept', 'log', 'reasons', 'tooLarge']]);
  const told = log.find(({ type }) => type === 'script');
  for (const name of ['ts', 'elapsed', 'entityId', 'action', 'success', 'durationMs', 'errorType']) assert.ok(name in told, name);
  assert.ok('errorType' in errors[0] && 'suggestion' in errors[0]);
  assert.deepEqual(log.map(({ type }) => type), ['workflow', 'event', 'print', 'script', 'error', 'workflow']);
});

// ---- what went wrong once ---------------------------------------------------------------------------------------------

Deno.test('the name of an error in the index of messages', async () => {
  const { header } = await script('const error = new Error("x"); error.name = KEY; throw error', {}, { variables });
  assert.ok(!JSON.stringify(header).includes(KEY), JSON.stringify(header));
});

Deno.test('the names in an object that an event saw', async () => {
  clean(await evaluate([plan([multi(['a'], { post: 'kind = { [KEY]: 1 }' })])], {}, { variables }));
});

Deno.test('a variable may hold the id of the workflow that is started', async () => {
  const { asks } = await script('await triggerWorkflow(KEY)', {}, { variables: { KEY: 'wf_0123456789' }, answers: [{ seq: 1 }] });
  assert.equal(asks[0].args[0], 'wf_0123456789');
});

Deno.test('a workflow node starts its workflow though a variable has its id', async () => {
  const { asks } = await evaluate([plan([event(), node('wf_0123456789')])], {}, { variables: { KEY: 'wf_0123456789' }, answers: [{ seq: 1, value: {} }] });
  assert.equal(asks[0].args[0], 'wf_0123456789');
});

Deno.test('the beginning of a value, where something printed is cut', async () => {
  const { text } = await script('print("x".repeat(85) + KEY)', {}, { variables, settings: { printLimit: 95 } });
  assert.ok(!text.includes(KEY.slice(0, 6)), text);
});

Deno.test('the beginning of a value, where the words of an error are cut', async () => {
  const { text } = await script('throw new Error("x".repeat(3990) + KEY)', {}, { variables });
  assert.ok(!text.includes(KEY.slice(0, 6)));
});

Deno.test('a variable "true" does not hide which branch was taken', async () => {
  const nodes = [forked(), branch('true'), branch('false'), action('1')];
  const { log } = await evaluate([plan(nodes, place(0, place(1, place(3)), place(2)))], {}, { variables: { DEBUG: 'true' } });
  assert.equal(log.find(({ type }) => type === 'event').branchTaken, 'true');
});

Deno.test('a variable "workflow" does not hide what kind of entry one of the log is', async () => {
  const { log } = await script('1', {}, { variables: { KIND: 'workflow' } });
  assert.deepEqual(log.map(({ type }) => type), ['workflow', 'event', 'script', 'workflow']);
});

Deno.test('in a condition, a variable counts before a field of the message of that name', async () => {
  const { header } = await evaluate([plan([event({ conditionText: rule('KEY', 'equals', 'mine') })])], { KEY: 'mine' }, { variables });
  assert.equal(header.status, 'ignore');
});
