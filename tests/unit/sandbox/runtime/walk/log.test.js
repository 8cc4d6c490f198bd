// What is kept when there is more than there may be: entries past the limit are counted, errors and what was printed stay.

import assert from 'node:assert/strict';
import { Findings } from '../../../../../src/pulse/sandbox/deno/runtime/told/findings.js';
import { Log } from '../../../../../src/pulse/sandbox/deno/runtime/told/log.js';
import { action, evaluate, event, iterable, place, plan, rule, script } from '../stage.js';

const MOST = 10_000;
const entries = (log) => log.finished();
const cut = (told) => told.filter(({ action: what }) => what === 'cut').map(({ type, omitted }) => [type, omitted]);

function full(more = 0) {
  const log = new Log(0);
  for (let i = 0; i < MOST + more; i++) log.add({ type: 'event', i }, 0);
  return log;
}

// ---- the log by itself -----------------------------------------------------------------------------------------------

Deno.test('entries are kept up to the limit, and nothing is said of a cut where there was none', () => {
  assert.deepEqual(entries(new Log(0)), []);
  const told = entries(full());
  assert.deepEqual([told.length, told.at(-1).i, cut(told)], [MOST, MOST - 1, []]);
});

Deno.test('entries past the limit are counted, and the last entry says how many', () => {
  const told = entries(full(7));
  assert.deepEqual([told.length, told.at(-2).i, cut(told)], [MOST + 1, MOST - 1, [['log', 7]]]);
  assert.ok(told.at(-1).ts > 0 && told.at(-1).elapsed > 0);
});

Deno.test('errors, prints and what is said of workflows are kept past the limit', () => {
  const log = full(1);
  for (const type of ['error', 'script', 'print', 'action', 'workflow']) log.add({ type }, 5);
  const told = entries(log);
  assert.deepEqual([told.slice(MOST, -1).map(({ type, ts, elapsed }) => [type, ts, elapsed]), cut(told)], [[['error', 5, 5], ['print', 5, 5], ['workflow', 5, 5]], [['log', 3]]]);
});

Deno.test('two logs that become one count together what they left out', () => {
  const [one, other] = [full(3), full(4)];
  one.join(other);
  assert.deepEqual([entries(one).length, cut(entries(one))[0]], [2 * MOST + 1, ['log', 7]]);
});

Deno.test('a log is telling that holds an error or something printed', () => {
  for (const [type, telling] of [['error', true], ['print', true], ['script', false], ['workflow', false], ['event', false], ['template', false]]) {
    const log = new Log(0);
    log.add({ type });
    log.add({ type: 'event' });
    assert.equal(log.isTelling, telling, type);
  }
});

// ---- findings ----------------------------------------------------------------------------------------------------------

const found = (findings) => JSON.parse(findings.body(new Log(), '{"kept":[],"globals":{}}'));

Deno.test('a thousand errors are kept, all are counted, and the first is told', () => {
  const findings = new Findings(undefined, false);
  assert.deepEqual([findings.first, found(findings)], [{ errorType: undefined, error: undefined }, { log: [], errors: [], reasons: [], kept: [], globals: {} }]);
  for (let i = 0; i < 1_000; i++) findings.addError({ error: `e${i}`, errorType: 'E' });
  assert.deepEqual([found(findings).errors.length, 'errorCount' in found(findings)], [1_000, false]);
  for (let i = 1_000; i < 1_003; i++) findings.addError({ error: `e${i}` });
  assert.deepEqual([found(findings).errors.length, found(findings).errorCount, findings.count, findings.first], [1_000, 1_003, 1_003, { errorType: 'E', error: 'e0' }]);
});

Deno.test('fifty reasons are kept', () => {
  const findings = new Findings(undefined, false);
  for (let i = 0; i < 60; i++) findings.addReason({ name: `w${i}` });
  assert.deepEqual(found(findings).reasons.map(({ name }) => name), Array.from({ length: 50 }, (_, at) => `w${at}`));
  findings.forgetReasons();
  assert.deepEqual(found(findings).reasons, []);
});

// ---- a whole message ---------------------------------------------------------------------------------------------------

const list = Array.from({ length: 4_000 }, (_, at) => at);

Deno.test('a long walk: the beginning is kept, the rest is counted, and the outcome is the same', async () => {
  const { log, header, globals } = await evaluate([plan([iterable(), event({ post: '1' }), action('sum = (globalThis.sum ?? 0) + 1')])], { list });
  assert.deepEqual([header.status, globals.sum, log[0].action, log[1].passes], ['success', 4_000, 'start', 4_000]);
  // The workflow's own two entries, the list's, and three for each item.
  assert.deepEqual([log.length - 1 + cut(log)[0][1], log.at(-2).action], [3 + 3 * 4_000, 'end']);
});

Deno.test('errors past the limit are kept, the scripts that failed are counted', async () => {
  const fails = action('if (___iterableItem___ % 1000 === 999) null.x', { onError: 'continue' });
  const { log, errors, header } = await evaluate([plan([iterable(), event({ post: '1' }), fails])], { list });
  assert.deepEqual([header.status, errors.length, log.filter(({ type }) => type === 'error').length], ['fail', 4, 4]);
  assert.equal(log.length - 1 + cut(log)[0][1], 3 + 3 * 4_000 + 4);
});

Deno.test('what is printed in a long walk is kept up to a limit of its own, and then the script is told', async () => {
  const { log, errors } = await evaluate([plan([iterable(), action('print("x".repeat(50))')])], { list }, { settings: { logLimit: 2_000 } });
  const printed = log.filter(({ type }) => type === 'print').length;
  assert.ok(printed > 10 && printed < 40, `${printed}`);
  assert.deepEqual(errors.map(({ errorType, error }) => [errorType, error]), [['LimitError', 'This message has printed more than 2000 characters']]);
});

Deno.test('a message that no workflow wants has a log only where one has something to tell', async () => {
  const silent = plan([event({ pre: 'a = 1', conditionText: rule('n', 'equals', 1) })]);
  const talks = plan([event({ pre: 'print("here")', conditionText: rule('n', 'equals', 1) })]);
  const fails = plan([event({ pre: 'null.x' })]);
  const told = async (...plans) => (await evaluate(plans, {})).log.map(({ type }) => type);
  assert.deepEqual(await told(silent), []);
  assert.deepEqual(await told(silent, talks), ['workflow', 'print', 'script', 'event', 'workflow']);
  assert.deepEqual(await told(fails, silent), ['workflow', 'script', 'error', 'workflow']);
});

Deno.test('the first entry says how long the message waited and what its realm is', async () => {
  const { log } = await script('1');
  assert.deepEqual([log[0].realm, log[0].realmMs >= 0, log[0].queueMs >= 0], ['new', true, true]);
});

// ---- what went wrong once ---------------------------------------------------------------------------------------------

Deno.test('errors in the log have a limit, as errors have beside it', async () => {
  const many = Array.from({ length: 1_200 }, (_, at) => at);
  const { log } = await evaluate([plan([iterable(), action('null.x', { onError: 'continue' })])], { list: many });
  assert.ok(log.filter(({ type }) => type === 'error').length <= 1_000);
});
