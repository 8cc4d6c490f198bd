// Where a workflow is entered: at its first node, or at the place of an entity that was asked for by name.

import assert from 'node:assert/strict';
import { action, branch, end, evaluate, event, forked, iterable, multi, node, place, plan, rule } from '../stage.js';

const way = (name, fields = {}) => action(`way = (globalThis.way ?? '') + '${name}'`, { entityId: name, name, ...fields });
const kinds = (log) => log.filter(({ type }) => type !== 'workflow').map(({ type, action: what, entityName }) => [type, what, entityName].join(' '));
const outcome = async (drawn, entry, message = {}, more = {}) => evaluate([drawn], message, { entry, ...more });

// start → (first → (second → third), beside)
const line = () => plan([event({ entityId: 'start', name: 'start', conditionText: rule('n', 'equals', 1) }), way('first'), way('second'), way('third'), way('beside')], place(0, place(1, place(2, place(3))), place(4)));

for (const [entry, left] of [['first', 'firstsecondthird'], ['second', 'secondthird'], ['third', 'third'], ['beside', 'beside']]) {
  Deno.test(`entered at ${entry}: that node and what is below it, and nothing else`, async () => {
    const { header, globals, log } = await outcome(line(), entry, { n: 2 });
    assert.deepEqual([header.status, header.workflow, globals.way], ['success', 'w1', left]);
    assert.deepEqual([log[0].action, log.at(-1).action], ['start', 'end']);
    assert.ok(!log.some(({ entityName }) => entityName === 'start'));
  });
}

Deno.test('entered at its first node it is as if nothing had been said', async () => {
  for (const entry of ['start', undefined]) {
    const passed = await outcome(line(), entry, { n: 1 });
    assert.deepEqual([passed.header.status, passed.globals.way], ['success', 'firstsecondthirdbeside']);
    const stopped = await outcome(line(), entry, { n: 2 });
    assert.deepEqual([stopped.header.status, stopped.header.code, stopped.header.workflow, stopped.reasons[0].rule.field], ['ignore', 'no_match', undefined, 'n']);
  }
});

Deno.test('an event in the middle: its condition decides whether the workflow fires', async () => {
  const drawn = () => plan([event({ entityId: 'start', post: 'ran = 1' }), event({ entityId: 'inner', name: 'Inner', conditionText: rule('n', 'equals', 1) }), way('below')], place(0, place(1, place(2))));
  const passed = await outcome(drawn(), 'inner', { n: 1 });
  assert.deepEqual([passed.header.status, passed.globals], ['success', { way: 'below' }]);
  const stopped = await outcome(drawn(), 'inner', { n: 2 });
  assert.deepEqual([stopped.header.status, stopped.header.code, stopped.globals], ['ignore', 'no_match', {}]);
  assert.deepEqual(stopped.reasons, [{ workflowId: 'w1', name: 'workflow', entity: 'Inner', rule: { field: 'n', comparison: 'equals', value: 1 }, seen: 2 }]);
});

Deno.test('an event that branches, entered by name', async () => {
  const nodes = [event({ entityId: 'start' }), forked({ entityId: 'fork', conditionText: rule('n', 'equals', 1) }), branch('true'), branch('false'), way('yes'), way('no')];
  const drawn = plan(nodes, place(0, place(1, place(2, place(4)), place(3, place(5)))));
  assert.equal((await outcome(drawn, 'fork', { n: 1 })).globals.way, 'yes');
  assert.equal((await outcome(drawn, 'fork', { n: 2 })).globals.way, 'no');
  const many = plan([event({ entityId: 'start' }), multi(['a'], { entityId: 'fork' }), branch('a'), way('a')], place(0, place(1, place(2, place(3)))));
  assert.equal((await outcome(many, 'fork', { kind: 'a' })).globals.way, 'a');
  const none = await outcome(many, 'fork', { kind: 'b' });
  assert.deepEqual([none.header.status, none.reasons[0].rule.comparison, none.reasons[0].seen], ['ignore', 'in', 'b']);
  const list = plan([event({ entityId: 'start' }), iterable({ entityId: 'all' }), way('x')], place(0, place(1, place(2))));
  assert.equal((await outcome(list, 'all', { list: [1, 2] })).globals.way, 'xx');
  assert.equal((await outcome(list, 'all', { list: 1 })).header.errorType, 'IterableError');
});

Deno.test('a result entered by name ends the workflow at once', async () => {
  const drawn = plan([event({ entityId: 'start' }), { ...end('Ignore'), entityId: 'end' }, way('below')], place(0, place(1, place(2))));
  const { header, globals, log } = await outcome(drawn, 'end');
  assert.deepEqual([header.status, header.code, header.workflow, globals], ['ignore', undefined, 'w1', {}]);
  assert.deepEqual(kinds(log), ['result  End', 'complete  End']);
});

Deno.test('an action that fails where it was entered: the workflow has fired', async () => {
  for (const onError of ['stop', 'continue', undefined]) {
    const drawn = plan([event({ entityId: 'start' }), action('null.x', { entityId: 'bad', onError }), way('below')], place(0, place(1, place(2))));
    const { header, errors, globals } = await outcome(drawn, 'bad');
    assert.deepEqual([header.status, header.workflow, errors.length, globals], ['fail', 'w1', 1, {}]);
  }
});

Deno.test('an entity that stands nowhere in the workflow: ignored, and it says why', async () => {
  for (const entry of ['none', '', 'Arrival', 'n0', '__proto__']) {
    const { header, reasons, errors, globals, log } = await outcome(line(), entry, { n: 1 });
    assert.deepEqual([header.status, header.code, header.workflow, errors, globals, log], ['ignore', 'no_match', undefined, [], {}, []], entry);
    assert.deepEqual(reasons, [{ workflowId: 'w1', name: 'workflow', code: 'unknown_entity', entity: entry }]);
  }
});

Deno.test('an entity that stands in several places is entered at the first of them, depth first', async () => {
  const nodes = [event({ entityId: 'start' }), way('outer'), way('shared'), way('deep'), way('late')];
  const drawn = plan(nodes, place(0, place(1, place(2, place(3))), place(2, place(4))));
  assert.equal((await outcome(drawn, 'shared')).globals.way, 'shareddeep');
});

Deno.test('what comes before the entry leaves nothing: its scripts did not run', async () => {
  const drawn = plan([event({ entityId: 'start', pre: 'given = 1', arguments: [{ name: 'arg', literal: 1 }] }), action('seen = [typeof given, typeof arg]', { entityId: 'a' })]);
  assert.deepEqual((await outcome(drawn, 'a')).globals, { seen: ['undefined', 'undefined'] });
});

Deno.test('a workflow that begins with no event takes no message, but can be entered by name', async () => {
  const drawn = () => plan([way('first'), way('second')], place(0, place(1)));
  const { header, reasons, globals } = await evaluate([drawn()]);
  assert.deepEqual([header.status, header.code, reasons, globals], ['ignore', 'no_match', [{ workflowId: 'w1', name: 'workflow', code: 'no_event' }], {}]);
  assert.equal((await outcome(drawn(), 'first')).globals.way, 'firstsecond');
  assert.equal((await outcome(drawn(), 'second')).globals.way, 'second');
  for (const first of [{ ...end('Success') }, node('w2')]) assert.equal((await evaluate([plan([first])])).reasons[0].code, 'no_event');
});

Deno.test('a workflow that begins with no event is passed over for the next', async () => {
  const { header, globals } = await evaluate([plan([way('first')]), plan([event({ post: 'done = 1' })], place(0), 'second')]);
  assert.deepEqual([header.status, header.workflowName, globals], ['success', 'second', { done: 1 }]);
});

Deno.test('branches and workflow nodes have no entity to be entered by', async () => {
  const drawn = plan([forked({ entityId: 'start' }), branch('true'), branch('false'), node('w2')], place(0, place(1, place(3)), place(2)));
  for (const entry of ['true', 'null', 'undefined', 'w2']) assert.equal((await outcome(drawn, entry)).reasons[0].code, 'unknown_entity');
});
