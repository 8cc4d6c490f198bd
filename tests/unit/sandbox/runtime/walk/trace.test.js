// A test run: what each node has changed, and nodes that come to what the test says in the place of their own work.

import assert from 'node:assert/strict';
import { action, branch, end, evaluate, event, forked, iterable, multi, node, place, plan, rule, script } from '../stage.js';

const traced = async (nodes, tree, message = {}, more = {}) => evaluate([plan(nodes, tree)], message, { traced: true, ...more });
const visited = ({ visits }) => visits.map(({ node: ref }) => ref);
const changed = ({ visits }) => visits.map((visit) => visit.changed);

Deno.test('a message of the queue has no trace', async () => {
  const outcome = await script('a = 1');
  assert.ok(!('visits' in outcome) && !outcome.text.includes('visits'));
});

Deno.test('each node says what it is, what it set, and where it led', async () => {
  const nodes = [event({ post: 'a = 1' }), action('b = [a]; a = 2'), action('delete globalThis.a'), end('Success')];
  const { visits, globals } = await traced(nodes, place(0, place(1, place(2)), place(3)));
  assert.deepEqual(visits, [
    { node: 'n0', name: 'Arrival', entityId: 'e1', kind: 'event', changed: { a: 1 }, removed: [], leadsTo: ['n1', 'n3'] },
    { node: 'n1', name: 'Deed', entityId: 'a1', kind: 'action', changed: { b: [1], a: 2 }, removed: [], leadsTo: ['n2'] },
    { node: 'n2', name: 'Deed', entityId: 'a1', kind: 'action', changed: {}, removed: ['a'], leadsTo: [] },
    { node: 'n3', name: 'End', entityId: 'r1', kind: 'result', changed: {}, removed: [], leadsTo: [] },
  ]);
  assert.deepEqual(globals, { b: [1] });
});

Deno.test('a value that is changed within is a change, one that is set again is none', async () => {
  const nodes = [event({ post: 'a = { n: 1 }; b = [1]; c = "x"' }), action('a.n = 2; b = [1]; c = "x"'), action('a = { n: 2 }; b.push(2)')];
  assert.deepEqual(changed(await traced(nodes, place(0, place(1), place(2)))), [{ a: { n: 1 }, b: [1], c: 'x' }, { a: { n: 2 } }, { b: [1, 2] }]);
});

Deno.test('fields of the message are told when they change, and not before', async () => {
  assert.deepEqual(changed(await traced([event({ post: '1' }), action('n += 1'), action('n = n')], place(0, place(1), place(2)), { n: 1, other: [1] })), [{}, { n: 2 }, {}]);
});

Deno.test('arguments, scripts before and after, and results are the node’s', async () => {
  const deed = action('___result___ = { given, early }', { pre: 'early = 1', arguments: [{ name: 'given', literal: 'x' }] });
  const { visits } = await traced([event(), deed, action('1'), action('___result___ = 5')], place(0, place(1), place(2), place(3)));
  assert.deepEqual(visits.map(({ changed: set, result }) => [set, result]), [[{}, undefined], [{ early: 1, given: 'x' }, { given: 'x', early: 1 }], [{}, undefined], [{}, 5]]);
});

Deno.test('branches are nodes, and only the way that was taken is told', async () => {
  const nodes = [forked({ conditionText: rule('n', 'equals', 1) }), branch('true'), branch('false'), action('yes = 1'), action('no = 1')];
  const { visits } = await traced(nodes, place(0, place(1, place(3)), place(2, place(4))), { n: 2 });
  assert.deepEqual(visits.map(({ node: ref, kind, leadsTo }) => [ref, kind, leadsTo]), [['n0', 'event', ['n2']], ['n2', 'logic-branch', ['n4']], ['n4', 'action', []]]);
});

Deno.test('an event that turns the message away leads nowhere', async () => {
  const { visits, header } = await traced([event({ conditionText: rule('n', 'equals', 1) }), action('1')], undefined, { n: 2 });
  assert.deepEqual([header.status, visits.map(({ node: ref, leadsTo }) => [ref, leadsTo])], ['ignore', [['n0', []]]]);
  const none = await traced([multi(['a']), branch('a')], place(0, place(1)), { kind: 'x' });
  assert.deepEqual(none.visits.map(({ leadsTo }) => leadsTo), [[]]);
});

Deno.test('a node is told each time that it is visited', async () => {
  const outcome = await traced([iterable(), action('sum = (globalThis.sum ?? 0) + ___iterableItem___')], undefined, { list: [1, 2, 0] });
  assert.deepEqual([visited(outcome), changed(outcome)], [['n0', 'n1', 'n1', 'n1'], [{}, { sum: 1 }, { sum: 3 }, {}]]);
});

Deno.test('an error that is told to go on leaves its node in the trace, and leads nowhere', async () => {
  const { visits } = await traced([event(), action('a = 1; null.x', { onError: 'continue' }), action('below = 1'), action('b = 1')], place(0, place(1, place(2)), place(3)));
  assert.deepEqual(visits.map(({ node: ref, changed: set, leadsTo }) => [ref, set, leadsTo]), [['n0', {}, ['n1', 'n3']], ['n1', { a: 1 }, []], ['n3', { b: 1 }, []]]);
});

Deno.test('odd names and values are told as they are stored', async () => {
  const { visits } = await traced([event({ post: 'big = 10n; f = () => 1; __hidden = 1; toString = 5; hasOwnProperty = 6; constructor = 7' })]);
  assert.deepEqual(visits[0].changed, { big: '10', toString: 5, hasOwnProperty: 6, constructor: 7 });
});

// ---- pins ------------------------------------------------------------------------------------------------------------

Deno.test('a pinned node does nothing but set what the test says', async () => {
  const deed = (fields) => action('ran = 1; call(1)', { pre: 'before = 1', arguments: [{ name: 'given', literal: 1 }], ...fields });
  for (const pins of [{ n1: { globals: { a: [1], b: null } } }, { Deed: { globals: { a: [1], b: null } } }]) {
    const outcome = await traced([event(), deed(), action('after = typeof ran + typeof before + typeof given', { name: 'After' })], place(0, place(1, place(2))), {}, { pins });
    assert.deepEqual([outcome.asks, outcome.globals], [[], { a: [1], b: null, after: 'undefinedundefinedundefined' }]);
    assert.deepEqual([changed(outcome)[1], outcome.header.status], [{ a: [1], b: null }, 'success']);
    assert.deepEqual(outcome.log.filter(({ action: what }) => what === 'pinned').map(({ type, names, entityName }) => [type, names, entityName]), [['action', ['a', 'b'], 'Deed']]);
  }
});

Deno.test('the id of a node counts before a name', async () => {
  const pins = { n1: { globals: { by: 'id' } }, Deed: { globals: { by: 'name' } } };
  const outcome = await traced([event(), action('1'), action('1')], place(0, place(1), place(2)), {}, { pins });
  assert.deepEqual(changed(outcome), [{}, { by: 'id' }, { by: 'name' }]);
});

Deno.test('a pin without names stops the work all the same', async () => {
  const outcome = await traced([event({ post: 'ran = 1' }), action('ran = 2')], undefined, { n: 1 }, { pins: { n0: {}, n1: { globals: {} } } });
  assert.deepEqual([outcome.globals, outcome.header.status], [{}, 'success']);
});

Deno.test('pins of nodes that are not there, and names that every object has, change nothing', async () => {
  const outcome = await traced([event({ name: 'toString', post: 'a = 1' }), action('b = 1', { name: '__proto__' })], undefined, {}, { pins: { none: { globals: { c: 1 } } } });
  assert.deepEqual(outcome.globals, { a: 1, b: 1 });
});

Deno.test('what an event is pinned to in the place of its condition', async () => {
  const gate = () => event({ conditionText: rule('n', 'equals', 1), post: 'ran = 1' });
  const passed = await traced([gate(), action('after = 1')], undefined, { n: 2 }, { pins: { Arrival: { condition: true } } });
  assert.deepEqual([passed.header.status, passed.globals], ['success', { after: 1 }]);
  const stopped = await traced([gate(), action('after = 1')], undefined, { n: 1 }, { pins: { Arrival: { condition: false } } });
  assert.deepEqual([stopped.header.status, stopped.header.code, stopped.globals], ['ignore', 'no_match', {}]);
  const asked = await traced([gate(), action('after = 1')], undefined, { n: 2 }, { pins: { Arrival: { globals: { a: 1 } } } });
  assert.deepEqual([asked.header.status, changed(asked)], ['ignore', [{ a: 1 }]]);
});

Deno.test('a pinned condition chooses a branch', async () => {
  const nodes = [forked({ conditionText: '{"op":"OR","of":[]}' }), branch('true'), branch('false'), action('way = "yes"'), action('way = "no"')];
  const tree = place(0, place(1, place(3)), place(2, place(4)));
  for (const [condition, way] of [[true, 'yes'], [false, 'no'], [undefined, 'no']]) {
    const pins = { n0: condition === undefined ? {} : { condition } };
    assert.equal((await traced(nodes, tree, {}, { pins })).globals.way, way);
  }
});

Deno.test('what is pinned is what branches and lists are read from', async () => {
  const kinds = await traced([multi(['a', 'b'], { post: 'kind = "a"' }), branch('a'), branch('b'), action('way = "a"'), action('way = "b"')], place(0, place(1, place(3)), place(2, place(4))), {}, { pins: { n0: { globals: { kind: 'b' } } } });
  assert.equal(kinds.globals.way, 'b');
  const list = await traced([iterable({ post: 'list = [9]' }), action('sum = (globalThis.sum ?? 0) + ___iterableItem___', { name: 'Sum' })], undefined, {}, { pins: { n0: { globals: { list: [1, 2] } } } });
  assert.equal(list.globals.sum, 3);
});

Deno.test('a result may be pinned, and still ends the workflow', async () => {
  const nodes = [event(), { ...end('Fail'), pre: 'null.x' }, action('after = 1')];
  const { header, result, globals } = await traced(nodes, undefined, {}, { pins: { End: { globals: { ___result___: { a: 1 } } } } });
  assert.deepEqual([header.status, result, globals], ['fail', { a: 1 }, {}]);
});

Deno.test('a pin in a list holds in each pass', async () => {
  const outcome = await traced([iterable(), action('ran = 1'), action('way = [...(globalThis.way ?? []), [fixed, ___iterableItem___]]', { name: 'Way' })], undefined, { list: ['a', 'b'] }, { pins: { Deed: { globals: { fixed: 7 } } } });
  assert.deepEqual(outcome.globals, { fixed: 7, way: [[7, 'a'], [7, 'b']] });
});

// ---- what went wrong once ---------------------------------------------------------------------------------------------

Deno.test('a workflow node that is pinned sends nothing', async () => {
  const { asks } = await traced([event(), node('w2')], undefined, {}, { pins: { Other: { globals: { sent: 'pinned' } } }, answers: [{ seq: 1, value: {} }] });
  assert.deepEqual(asks, []);
});

Deno.test('a field that is set to what it was is a change', async () => {
  const { visits } = await traced([event({ post: 'n = 2' }), action('n = 1')], undefined, { n: 1 });
  assert.deepEqual([visits[1].changed, visits[1].removed], [{ n: 1 }, []]);
});

Deno.test('a field of the message that a script deletes is told as removed', async () => {
  const { visits } = await traced([event({ post: 'delete globalThis.n' })], undefined, { n: 1 });
  assert.deepEqual(visits[0].removed, ['n']);
});

Deno.test('a value that becomes too large to be stored is a change', async () => {
  const { visits } = await traced([event({ post: 'a = 1' }), action('a = "x".repeat(20000)')]);
  assert.deepEqual(visits[1].removed, []);
});

Deno.test('the node that failed is in the trace, with what it had changed', async () => {
  const { visits } = await traced([event(), action('a = 1; null.x')]);
  assert.deepEqual(visits.map(({ node: ref, changed: set }) => [ref, set]), [['n0', {}], ['n1', { a: 1 }]]);
});
