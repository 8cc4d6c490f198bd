// A whole message: the way through its plans, the execution log (platform.md 2.8), errors and endings.

import assert from 'node:assert/strict';
import { Log } from '../../../../../src/pulse/sandbox/deno/runtime/told/log.js';
import { action, AT, branch, end, evaluate, event, place, plan, script } from '../stage.js';

const rule = (field, comparison, value) => JSON.stringify({ field, path: field.split('.'), comparison, value });
const steps = (log) => log.map(({ type, action: what, entityName }) => [type, what, entityName].filter((word) => word !== undefined).join(' '));

Deno.test('the log of a linear workflow', async () => {
  const nodes = [event({ conditionText: rule('n', 'equals', 1), post: 'print("in")' }), action('total = n + 1'), end('Success')];
  const { log, header, globals, result, errors, reasons } = await evaluate([plan(nodes, place(0, place(1, place(2))))], { n: 1 });
  assert.deepEqual(steps(log), [
    'workflow start', 'event condition_passed Arrival', 'print Arrival', 'script executed Arrival', 'action script_executed Deed', 'result End', 'complete End', 'workflow end',
  ]);
  for (const entry of log) assert.ok(Math.abs(entry.ts - Date.now()) < 60_000 && entry.elapsed >= 0 && entry.elapsed <= 60_000, entry.type);
  assert.deepEqual(log.map(({ elapsed }) => elapsed), log.map(({ elapsed }) => elapsed).sort((a, b) => a - b));
  const passed = log[1];
  assert.deepEqual([passed.mode, passed.conditionResult, passed.childCount, passed.entityId, passed.entityType], ['Single Path', true, 1, 'e1', 'Event']);
  assert.deepEqual([log[2].args, log[3].phase, log[4].success, log[5].status, log[6].hasResultValue], [['in'], 'post', true, 'Success', false]);
  assert.deepEqual(header, { status: 'success', code: undefined, workflow: 'w1', workflowName: 'workflow', version: 3, errorType: undefined, error: undefined });
  assert.deepEqual([globals, result, errors, reasons], [{ total: 2 }, undefined, [], []]);
});

Deno.test('True/False takes the branch of its name, and both fire', async () => {
  const nodes = [event({ mode: 'True/False', conditionText: rule('n', 'greater_than', 5) }), branch('true'), branch('false'), action('way = "yes"'), action('way = "no"')];
  const tree = place(0, place(1, place(3)), place(2, place(4)));
  for (const [n, way, what] of [[7, 'yes', 'condition_passed'], [3, 'no', 'condition_failed']]) {
    const { globals, header, log } = await evaluate([plan(nodes, tree)], { n });
    assert.deepEqual([globals.way, header.status, log[1].action, log[1].branchTaken], [way, 'success', what, String(n > 5)]);
  }
});

Deno.test('the first workflow whose event passes is the only one', async () => {
  const wants = (type, name) => plan([event({ conditionText: rule('type', 'equals', type), post: `by = "${name}"` })], place(0), name);
  const { globals, header } = await evaluate([wants('x', 'first'), wants('y', 'second'), wants('y', 'third')], { type: 'y' });
  assert.deepEqual([globals, header.workflowName], [{ by: 'second' }, 'second']);
});

Deno.test('a message that nobody wants is ignored, and each workflow says why', async () => {
  const wants = (type) => plan([event({ conditionText: rule('type', 'equals', type) })], place(0), `wants ${type}`);
  const { header, reasons, log } = await evaluate([wants('x'), wants('z')], { type: 'y' });
  assert.deepEqual([header.status, header.code, header.workflow, log], ['ignore', 'no_match', undefined, []]);
  assert.deepEqual(reasons, ['x', 'z'].map((value) => ({ workflowId: 'w1', name: `wants ${value}`, entity: 'Arrival', rule: { field: 'type', comparison: 'equals', value }, seen: 'y' })));
});

Deno.test('what a workflow printed is kept although it did not fire', async () => {
  const turned = plan([event({ pre: 'print("looked"); leaked = 1', conditionText: '{"op":"OR","of":[]}' })]);
  const { log, header, globals } = await evaluate([turned, plan([event({ post: 'seen = typeof leaked' })])]);
  assert.deepEqual([header.status, globals], ['success', { seen: 'undefined' }]);
  assert.ok(steps(log).includes('print Arrival'));
});

Deno.test('an error ends the workflow, what ran before is in the log', async () => {
  const nodes = [event(), action('a = 1; print("one")'), action('null.x', { name: 'Bad' }), action('b = 1')];
  const { header, errors, globals, log } = await evaluate([plan(nodes)], { organizationId: 'o', environmentId: 'e', type: 't' });
  assert.deepEqual([header.status, header.errorType, header.workflow, globals], ['fail', 'TypeError', 'w1', { a: 1 }]);
  const [error] = errors;
  assert.deepEqual([error.entityId, error.entityName, error.entityType, error.error], ['a1', 'Bad', 'Action', "Cannot read properties of null (reading 'x')"]);
  assert.match(error.timestamp, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  const told = log.find(({ type }) => type === 'script');
  assert.deepEqual(told.messageSummary, { organizationId: 'o', environmentId: 'e', eventType: 't' });
  assert.deepEqual(steps(log).slice(-3), ['script executed Bad', 'error Bad', 'workflow end']);
});

Deno.test('a summary is short, whatever the message says', async () => {
  const { log } = await evaluate([plan([event({ post: 'null.x' })])], { organizationId: { big: 'x'.repeat(9000) }, type: '😀'.repeat(9000) });
  assert.ok(JSON.stringify(log).length < 4000);
  assert.ok(log.find(({ type }) => type === 'script').messageSummary.eventType.isWellFormed());
});

Deno.test('onError "continue": the node and its children are skipped, its neighbours are not', async () => {
  const nodes = [event(), action('null.x', { onError: 'continue' }), action('below = 1'), action('beside = 1')];
  const { header, errors, globals } = await evaluate([plan(nodes, place(0, place(1, place(2)), place(3)))]);
  assert.deepEqual([header.status, errors.length, globals], ['fail', 1, { beside: 1 }]);
});

Deno.test('an error before any workflow has fired does not decide, unless none fires', async () => {
  const broken = plan([event({ pre: 'null.x' })], place(0), 'broken');
  const works = plan([event({ post: 'done = 1' })], place(0), 'works');
  const first = await evaluate([broken, works]);
  assert.deepEqual([first.header.status, first.header.workflowName, first.errors.length], ['success', 'works', 1]);
  assert.equal((await evaluate([broken])).header.status, 'fail');
});

for (const [given, status, shown] of [['Success', 'success', 'Success'], ['FAIL', 'fail', 'FAIL'], ['ignore', 'ignore', 'ignore'], ['Shipped', 'success', 'Shipped'], [undefined, 'success', 'Success'], ['constructor', 'success', 'constructor']]) {
  Deno.test(`a result entity with status ${given}`, async () => {
    const { header, log, result } = await evaluate([plan([event({ post: '___result___ = 7' }), end(given)])]);
    assert.deepEqual([header.status, result], [status, 7]);
    const told = log.filter(({ type }) => type === 'result' || type === 'complete');
    assert.deepEqual(told.map(({ status: word }) => word), [shown, shown]);
    assert.equal(told[1].hasResultValue, true);
  });
}

Deno.test('a result completes the workflow: nothing after it is visited', async () => {
  const { globals } = await evaluate([plan([event(), action('a = 1'), end('Success'), action('b = 1')])]);
  assert.deepEqual(globals, { a: 1 });
});

Deno.test('the phases: pre-script, arguments, condition, post-script', async () => {
  const node = event({
    pre: 'from = "pre"; order = ["pre"]',
    arguments: [{ name: 'given', path: ['from'] }, { name: 'text', parts: ['<', { name: 'n', path: ['n'] }, '>', { name: 'gone', path: ['gone'] }] }, { name: 'missing', path: ['no', 'where'] }],
    conditionText: rule('given', 'equals', 'pre'),
    post: 'order.push(given, text, typeof missing)',
  });
  const { globals, log } = await evaluate([plan([node])], { n: 5 });
  assert.deepEqual(globals.order, ['pre', 'pre', '<5>', 'undefined']);
  const warned = log.filter(({ type }) => type === 'template').map(({ argument, placeholder }) => [argument, placeholder]);
  assert.deepEqual(warned, [['text', 'gone'], ['missing', 'no.where']]);
});

Deno.test('fields that may not be globals are told in the log', async () => {
  const { log } = await script('1', { print: 1, fine: 2 });
  const told = log.filter(({ type }) => type === 'message');
  assert.deepEqual(told.map(({ action: what, field, hint }) => [what, field, hint]), [['field_not_global', 'print', 'Read it as message.print.']]);
});

// ---- effects and endings ------------------------------------------------------------------------------------------------------------

Deno.test('a message waits for its effects and goes on with their answers', async () => {
  const answers = [{ seq: 1, value: 'a' }, { seq: 2, value: 'b' }];
  const { globals, asks } = await script('x = await call(1); y = await other(x)', {}, { answers });
  assert.deepEqual([globals, asks.map(({ seq, fn, args }) => [seq, fn, args])], [{ x: 'a', y: 'b' }, [[1, 'call', [1]], [2, 'other', ['a']]]]);
});

Deno.test('what was printed after the last script is in the log, too', async () => {
  const { log } = await script('call(1).then(() => print("late"))', {}, { answers: [{ seq: 1 }] });
  assert.deepEqual(log.filter(({ type }) => type === 'print').map(({ args }) => args), [['late']]);
});

Deno.test('a realm that cannot be used any more fails its message, with what was logged', async () => {
  const spoiled = 'print("before"); Object.defineProperty(globalThis, "bad", { get() { throw 1 } })';
  const reads = action('1', { arguments: [{ name: 'x', path: ['bad'] }] });
  const { header, errors, log } = await evaluate([plan([event({ post: spoiled }), reads])]);
  assert.deepEqual([header.status, header.errorType, errors[0].code], ['fail', 'RealmError', 'realm_broken']);
  assert.ok(steps(log).includes('print Arrival'));
});

for (const [name, source] of [
  ['a microtask of toJSON', 'x = { toJSON() { Promise.resolve().then(() => { leaked = Array.prototype.leaked = 1 }); return 1 } }'],
  ['a continuation', '(async () => { for (let i = 0; i < 99; i++) await null; leaked = Array.prototype.leaked = 1 })()'],
]) {
  Deno.test(`no realm is handed on before ${name} has run`, async () => {
    const { realms } = await script(source);
    const realm = realms.acquire();
    realm.call('begin', '{}', AT, '[1,2,3,4]', 0, '', '');
    realm.call('spread');
    assert.equal(realm.call('value', '["leaked"]'), '');
    assert.equal(realms.dirty, 1);
  });
}

Deno.test('what does not fit into the result is named, and the message fails', async () => {
  const { header, errors, globals, tooLarge } = await script('small = 1; large = "x".repeat(20000)');
  assert.deepEqual([header.errorType, errors[0].code, globals, tooLarge], ['LimitError', 'result_limit', { small: 1 }, ['large']]);
  assert.match(errors[0].error, /not stored: large/);
});

Deno.test('log: entries carry their time since the beginning, and two logs become one', () => {
  const log = new Log(1000);
  const other = new Log(log.began);
  log.add({ type: 'a' }, 1005);
  other.add({ type: 'print', args: [] }, 1007);
  assert.deepEqual([log.isTelling, other.isTelling], [false, true]);
  log.join(other);
  assert.deepEqual(log.finished(), [{ ts: 1005, elapsed: 5, type: 'a' }, { ts: 1007, elapsed: 7, type: 'print', args: [] }]);
});
