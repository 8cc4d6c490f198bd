// Events of mode Iterable: everything below them runs once for each item of a list (platform.md 3.2, 12).

import assert from 'node:assert/strict';
import { action, AT, begun, branch, end, ended, evaluate, event, forked, iterable, macrotask, multi, node, place, plan, rule } from '../stage.js';

const NOTE = 'seen = [...(globalThis.seen ?? []), [___iterableIndex___, ___iterableItem___]]';
const each = (source, fields = {}) => plan([iterable(fields), action(source)]);
const LEFT = '[typeof ___iterableItem___, typeof ___iterableIndex___]';

Deno.test('the items come in their order, on the same globals', async () => {
  const list = ['a', 2, null, { b: [3] }, ['c'], false, ''];
  const { globals, header, log } = await evaluate([each(NOTE)], { list });
  assert.deepEqual([header.status, globals.seen], ['success', list.map((item, at) => [at, item])]);
  const told = log.find(({ type }) => type === 'event');
  assert.deepEqual([told.action, told.mode, told.conditionResult, told.passes, told.childCount, told.branchTaken], ['condition_passed', 'Iterable', true, 7, 1, undefined]);
  assert.equal(log.filter(({ type }) => type === 'action').length, 7);
});

Deno.test('all children run in each pass, before the next item', async () => {
  const way = (name) => action(`way = (globalThis.way ?? '') + '${name}' + ___iterableItem___`);
  const tree = place(0, place(1, place(2)), place(3));
  assert.equal((await evaluate([plan([iterable(), way('a'), way('b'), way('c')], tree)], { list: [1, 2] })).globals.way, 'a1b1c1a2b2c2');
});

Deno.test('an empty list fires and passes nothing', async () => {
  const { header, globals, errors, log } = await evaluate([each('ran = 1'), plan([event({ post: 'second = 1' })])], { list: [] });
  assert.deepEqual([header.status, header.workflow, globals, errors], ['success', 'w1', {}, []]);
  assert.deepEqual(log.filter(({ type }) => type === 'event').map(({ passes }) => passes), [0]);
});

for (const [message, found] of [
  [{ list: 'abc' }, 'a string'], [{ list: 5 }, 'a number'], [{ list: true }, 'a boolean'], [{ list: null }, 'null'], [{ list: { length: 1, 0: 'a' } }, 'an object'], [{}, 'missing'],
]) {
  Deno.test(`a list that is ${found}`, async () => {
    const { header, errors, globals, log } = await evaluate([each('ran = 1'), plan([event({ post: 'second = 1' })])], message);
    assert.deepEqual([header.status, header.errorType, header.workflow, globals], ['fail', 'IterableError', 'w1', {}]);
    const [error] = errors;
    assert.deepEqual([errors.length, error.error, error.code, error.entityName], [1, `"list" is ${found}, not a list`, 'not_a_list', 'Arrival']);
    assert.ok(error.suggestion.length > 10, error.suggestion);
    assert.deepEqual(log.map(({ type }) => type), ['workflow', 'error', 'workflow']);
  });
}

for (const [source, found] of [['() => 1', 'a function'], ['new Set([1])', 'an object'], ['10n', 'a bigint'], ['Symbol("s")', 'a symbol'], ['new Uint8Array(2)', 'an object'], ['undefined', 'missing']]) {
  Deno.test(`a script that leaves ${source} where a list should be`, async () => {
    const { errors } = await evaluate([each('ran = 1', { post: `list = ${source}` })]);
    assert.deepEqual(errors.map(({ error }) => error), [`"list" is ${found}, not a list`]);
  });
}

Deno.test('the path is named whole', async () => {
  const fields = { logicField: 'payload.to[0].all', logicPath: ['payload', 'to', '0', 'all'] };
  assert.equal((await evaluate([each('1', fields)], { payload: { to: [{}] } })).errors[0].error, '"payload.to[0].all" is missing, not a list');
  assert.deepEqual((await evaluate([each(NOTE, fields)], { payload: { to: [{ all: ['x'] }] } })).globals.seen, [[0, 'x']]);
});

Deno.test('the gate comes first, then the script, then the list', async () => {
  const fields = { conditionText: rule('n', 'equals', 1), post: 'list = ["made"]' };
  assert.deepEqual((await evaluate([each(NOTE, fields)], { n: 1, list: 5 })).globals.seen, [[0, 'made']]);
  const stopped = await evaluate([each(NOTE, fields)], { n: 2, list: 5 });
  assert.deepEqual([stopped.header.status, stopped.header.code, stopped.errors, stopped.globals], ['ignore', 'no_match', [], {}]);
});

// ---- while it is walked --------------------------------------------------------------------------------------------

for (const change of ['list.push(9)', 'list.length = 0', 'list[1] = "new"', 'list = null', 'list.reverse()', 'delete globalThis.list', 'list.splice(0, 2)']) {
  Deno.test(`the list is taken as it was: ${change}`, async () => {
    const { globals, header } = await evaluate([each(`${NOTE}; if (___iterableIndex___ === 0) { ${change} }`)], { list: ['a', 'b', 'c'] });
    assert.deepEqual([header.status, globals.seen], ['success', [[0, 'a'], [1, 'b'], [2, 'c']]]);
  });
}

Deno.test('an item is the very object of the list: what is changed of it later is seen', async () => {
  const { globals } = await evaluate([each(`if (___iterableIndex___ === 0) list[1].n = 'changed'; ${NOTE}`)], { list: [{ n: 1 }, { n: 2 }] });
  assert.deepEqual(globals.seen, [[0, { n: 1 }], [1, { n: 'changed' }]]);
});

Deno.test('a list with holes, and one with more than its items', async () => {
  assert.deepEqual((await evaluate([each(NOTE, { post: 'list = [1, , 3]; list.name = "x"' })])).globals.seen, [[0, 1], [1, null], [2, 3]]);
});

Deno.test('what scripts do to the built-ins of lists does not lead the walk astray', async () => {
  const spoilt = 'Array.prototype.map = Array.prototype.push = () => { throw 1 }; Object.defineProperty(Array.prototype, 2, { get: () => "ghost", set() {}, configurable: true })';
  const { globals, header } = await evaluate([each('way = (globalThis.way ?? "") + ___iterableItem___', { post: spoilt })], { list: ['a', 'b', 'c', 'd'] });
  assert.deepEqual([header.status, globals.way], ['success', 'abcd']);
});

Deno.test('a pass sees what the pass before it left', async () => {
  const { globals } = await evaluate([each('sum = (globalThis.sum ?? 0) + ___iterableItem___; leaked = typeof ___iterableItem___')], { list: [1, 2, 3] });
  assert.deepEqual(globals, { sum: 6, leaked: 'number' });
});

Deno.test('an item that a script overwrites is the next one in the next pass', async () => {
  const { globals } = await evaluate([each(`${NOTE}; ___iterableItem___ = "mine"; ___iterableIndex___ = -1`)], { list: ['a', 'b'] });
  assert.deepEqual(globals.seen, [[0, 'a'], [1, 'b']]);
});

Deno.test('conditions, arguments and templates see the item', async () => {
  const inner = event({ conditionText: rule('___iterableItem___.n', 'greater_than', 1), name: 'Inner' });
  const deed = action('way = [...(globalThis.way ?? []), [text, whole.n, index]]', {
    arguments: [{ name: 'text', parts: ['<', { name: '___iterableItem___.n', path: ['___iterableItem___', 'n'] }, '>'] }, { name: 'whole', path: ['___iterableItem___'] }, { name: 'index', path: ['___iterableIndex___'] }],
  });
  const { globals, log } = await evaluate([plan([iterable(), inner, deed], place(0, place(1, place(2))))], { list: [{ n: 1 }, { n: 2 }, { n: 3 }] });
  assert.deepEqual(globals.way, [['<2>', 2, 1], ['<3>', 3, 2]]);
  assert.deepEqual(log.filter(({ entityName }) => entityName === 'Inner').map(({ action: what }) => what), ['condition_failed', 'condition_passed', 'condition_passed']);
});

// ---- before and after ------------------------------------------------------------------------------------------------

Deno.test('after the last pass, item and index are gone', async () => {
  const { globals } = await evaluate([plan([event(), iterable(), action('1'), action(`after = ${LEFT}`)], place(0, place(1, place(2)), place(3)))], { list: [1] });
  assert.deepEqual(globals, { after: ['undefined', 'undefined'] });
});

Deno.test('what a script had put there before is there again', async () => {
  const nodes = [event({ post: '___iterableItem___ = "mine"' }), iterable(), action('inside = ___iterableItem___'), action('after = [___iterableItem___, typeof ___iterableIndex___]')];
  const { globals } = await evaluate([plan(nodes, place(0, place(1, place(2)), place(3)))], { list: [1] });
  assert.deepEqual(globals, { inside: 1, after: ['mine', 'undefined'] });
});

Deno.test('nested lists: the outer item is back after the inner one, also after an empty one', async () => {
  const inner = iterable({ name: 'Inner', logicField: '___iterableItem___', logicPath: ['___iterableItem___'] });
  const note = (name) => action(`way = [...(globalThis.way ?? []), '${name}' + ___iterableIndex___ + ':' + JSON.stringify(___iterableItem___)]`);
  const drawn = plan([iterable(), note('o'), inner, note('i'), note('b')], place(0, place(1), place(2, place(3)), place(4)));
  const { globals, header } = await evaluate([drawn], { list: [['x', 'y'], [], ['z']] });
  assert.equal(header.status, 'success');
  assert.deepEqual(globals.way, ['o0:["x","y"]', 'i0:"x"', 'i1:"y"', 'b0:["x","y"]', 'o1:[]', 'b1:[]', 'o2:["z"]', 'i0:"z"', 'b2:["z"]']);
});

Deno.test('a nested list that is none, with onError "continue", leaves the outer passes alone', async () => {
  const inner = iterable({ name: 'Inner', logicField: '___iterableItem___', logicPath: ['___iterableItem___'], onError: 'continue' });
  const drawn = plan([iterable(), inner, action('1'), action(NOTE)], place(0, place(1, place(2)), place(3)));
  const { globals, header, errors } = await evaluate([drawn], { list: [[1], 'x', [2]] });
  assert.deepEqual([header.status, errors.map(({ error }) => error)], ['fail', ['"___iterableItem___" is a string, not a list']]);
  assert.deepEqual(globals.seen, [[0, [1]], [1, 'x'], [2, [2]]]);
});

// ---- endings ---------------------------------------------------------------------------------------------------------

Deno.test('a result in a pass ends everything: no other item, no neighbour', async () => {
  const leave = event({ conditionText: rule('___iterableItem___', 'equals', 'b') });
  const drawn = plan([event(), iterable(), action(NOTE), leave, end('Fail'), action('beside = 1')], place(0, place(1, place(2), place(3, place(4))), place(5)));
  const { globals, header, log } = await evaluate([drawn], { list: ['a', 'b', 'c'] });
  assert.deepEqual([header.status, globals], ['fail', { seen: [[0, 'a'], [1, 'b']] }]);
  assert.deepEqual(log.filter(({ type }) => type === 'complete').map(({ status }) => status), ['Fail']);
});

Deno.test('onError "continue" in a pass: the other items and the nodes beside it go on', async () => {
  const fails = action('if (___iterableItem___ !== "b") null.x', { onError: 'continue', name: 'Fails' });
  const drawn = plan([iterable(), fails, action('below = (globalThis.below ?? "") + ___iterableItem___'), action(NOTE)], place(0, place(1, place(2)), place(3)));
  const { globals, header, errors } = await evaluate([drawn], { list: ['a', 'b', 'c'] });
  assert.deepEqual([header.status, errors.length, globals.below, globals.seen.length], ['fail', 2, 'b', 3]);
});

Deno.test('an error in a pass ends the workflow', async () => {
  const drawn = plan([event(), iterable(), action(`${NOTE}; if (___iterableItem___ === 'b') null.x`), action('beside = 1')], place(0, place(1, place(2)), place(3)));
  const { globals, header, errors, log } = await evaluate([drawn], { list: ['a', 'b', 'c'] });
  assert.deepEqual([header.status, errors.length, globals], ['fail', 1, { seen: [[0, 'a'], [1, 'b']] }]);
  assert.equal(log.at(-1).action, 'end');
});

Deno.test('a realm that served a list which ended early serves the next message as a new one', async () => {
  const drawn = plan([event(), iterable(), action('null.x')], place(0, place(1, place(2))));
  const { realms } = await evaluate([drawn], { list: [1, 2] });
  const realm = realms.acquire();
  assert.deepEqual([realms.made, realms.dirty, realm.uses], [1, 0, 1]);
  realm.call('begin', '{}', AT, '[1,2,3,4]', 0, '', '');
  assert.deepEqual([realm.call('value', '["___iterableItem___"]'), realm.call('iterate', '["x"]')], ['', '{"found":"missing"}']);
});

// ---- together --------------------------------------------------------------------------------------------------------

Deno.test('a list above branches above a condition', async () => {
  const kinds = multi(['a', 'b'], { logicField: '___iterableItem___.kind', logicPath: ['___iterableItem___', 'kind'], name: 'Kinds' });
  const large = forked({ conditionText: rule('___iterableItem___.n', 'greater_than', 5), name: 'Large' });
  const way = (name) => action(`way = [...(globalThis.way ?? []), '${name}' + ___iterableItem___.n]`);
  const nodes = [iterable(), kinds, branch('a'), branch('b'), large, branch('true'), branch('false'), way('large'), way('small'), way('b')];
  const tree = place(0, place(1, place(2, place(4, place(5, place(7)), place(6, place(8)))), place(3, place(9))));
  const list = [{ kind: 'a', n: 9 }, { kind: 'b', n: 1 }, { kind: 'c', n: 2 }, { kind: 'a', n: 3 }];
  const { globals, header, log } = await evaluate([plan(nodes, tree)], { list });
  assert.deepEqual([header.status, globals.way], ['success', ['large9', 'b1', 'small3']]);
  assert.deepEqual(log.filter(({ entityName }) => entityName === 'Kinds').map(({ action: what }) => what), ['condition_passed', 'condition_passed', 'no_branch', 'condition_passed']);
});

Deno.test('each pass waits for its own effects', async () => {
  const answers = ['A', 'B', 'C'].map((value, at) => ({ seq: at + 1, value }));
  const { globals, asks } = await evaluate([each('way = [...(globalThis.way ?? []), await call(___iterableItem___), ___iterableItem___]')], { list: ['a', 'b', 'c'] }, { answers });
  assert.deepEqual([globals.way, asks.map(({ args }) => args)], [['A', 'a', 'B', 'b', 'C', 'c'], [['a'], ['b'], ['c']]]);
});

Deno.test('a workflow node in a pass sends a message for each item', async () => {
  const answers = [1, 2].map((seq) => ({ seq, value: { workflowId: 'w2', workflowName: 'Other', sequenceNumber: `m${seq}` } }));
  const { asks, log } = await evaluate([plan([iterable(), node('w2')])], { list: ['a', 'b'] }, { answers });
  assert.deepEqual(asks.map(({ seq, fn }) => [seq, fn]), [[1, 'workflowNode'], [2, 'workflowNode']]);
  assert.deepEqual(log.filter(({ action: what }) => what === 'sub_workflow_triggered').map(({ messageId }) => messageId), ['m1', 'm2']);
});

// ---- many ------------------------------------------------------------------------------------------------------------

const many = (count) => Array.from({ length: count }, (_, at) => at);

// Time goes on by a millisecond each time that somebody looks at it.
async function inHaste(work) {
  const real = Date.now;
  let now = real();
  Date.now = () => now++;
  try {
    return await work();
  } finally {
    Date.now = real;
  }
}

Deno.test('20,000 items: no stack is exhausted, the log is cut, and others are let in', async () => {
  const drawn = plan([iterable(), event({ name: 'Inner' }), action('sum = (globalThis.sum ?? 0) + ___iterableItem___')], place(0, place(1, place(2))));
  const { globals, header, pauses, log } = await inHaste(() => evaluate([drawn], { list: many(20_000) }));
  assert.deepEqual([header.status, globals.sum], ['success', 199_990_000]);
  assert.ok(pauses > 10, `${pauses} pauses`);
  assert.equal(log.at(-1).action, 'cut');
  assert.equal(log.length - 1 + log.at(-1).omitted, 40_003);
});

Deno.test('a message that pauses is told to go on, and what was answered meanwhile is not lost', async () => {
  await inHaste(async () => {
    const source = 'if (___iterableIndex___ === 0) call("once").then((x) => { answered = [x, ___iterableIndex___] })';
    const { evaluation } = begun([each(source)], { list: many(400) });
    evaluation.start();
    const settle = async () => {
      do await macrotask();
      while (evaluation.advance());
    };
    await settle();
    assert.deepEqual([evaluation.isPaused, evaluation.done, JSON.parse(evaluation.asks().asks)[0].fn], [true, false, 'call']);
    evaluation.answer(1, true, '"yes"', 0);
    await settle();
    assert.deepEqual([evaluation.isPaused, evaluation.done, evaluation.asks().asks], [true, false, '[]']);
    while (!evaluation.done) {
      evaluation.goOn();
      await settle();
    }
    const { globals, header } = await ended(evaluation);
    assert.equal(header.status, 'success');
    assert.equal(globals.answered[0], 'yes');
    assert.ok(globals.answered[1] < 399, `answered at ${globals.answered[1]}`);
  });
});
