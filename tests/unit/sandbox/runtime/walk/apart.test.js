// What must be kept apart: the message as it came and what scripts have of it, the workflows that are tried one after the other, and
// the names that are Pulse's and those of the message (platform.md 12, Globals and Traversal).

import assert from 'node:assert/strict';
import { action, evaluate, event, iterable, place, plan, rule } from '../stage.js';

const seesOne = (fields = {}) => event({ conditionText: rule('payload.n', 'equals', 1), name: 'Inner', post: 'passed = 1', ...fields });
const bound = (source, ...path) => action(source, { arguments: [{ name: 'given', path }] });

// ---- the message as it came --------------------------------------------------------------------------------------------

for (const source of ['payload.n = 99', 'payload = { n: 99 }', 'delete globalThis.payload', 'delete payload.n', 'Object.assign(payload, { n: 99 })', 'message = { payload: { n: 99 } }', 'payload.toJSON = () => ({ n: 99 })']) {
  Deno.test(`a condition sees the message as it came, whatever scripts do: ${source}`, async () => {
    const { globals } = await evaluate([plan([event({ post: source }), seesOne(), seesOne({ conditionText: rule('message.payload.n', 'equals', 1), post: 'passed += 1' })])], { payload: { n: 1 } });
    assert.equal(globals.passed, 2);
  });
}

Deno.test('what an argument takes from the globals is what is there, and changes with it', async () => {
  const { globals } = await evaluate([plan([event({ post: 'payload.n = 2' }), bound('given.n += 1', 'payload')])], { payload: { n: 1 } });
  assert.deepEqual(globals, { payload: { n: 3 }, given: { n: 3 } });
});

Deno.test('the copy of the message cannot be changed', async () => {
  const { globals, errors } = await evaluate([plan([event({ post: 'message.payload.n = 2; message.payload = 3; delete message.payload; seen = message.payload.n' })])], { payload: { n: 1 } });
  assert.deepEqual([errors, globals.seen], [[], 1]);
});

Deno.test('an argument that takes a part of the message is the very part that conditions look at', async () => {
  const { globals } = await evaluate([plan([event(), bound('given.n = 99', 'message', 'payload'), seesOne()])], { payload: { n: 1 } });
  assert.equal(globals.passed, 1);
});

Deno.test('so is one that takes a field whose global is gone', async () => {
  const { globals } = await evaluate([plan([event({ post: 'delete globalThis.payload' }), bound('given.n = 99', 'payload'), seesOne()])], { payload: { n: 1 } });
  assert.equal(globals.passed, 1);
});

Deno.test('so is an item of a list of the message', async () => {
  const list = iterable({ logicField: 'message.payload', logicPath: ['message', 'payload'] });
  const inner = event({ conditionText: rule('payload.0.n', 'equals', 1), post: 'passed = 1' });
  const { globals } = await evaluate([plan([event({ post: '1' }), list, action('___iterableItem___.n = 99'), inner], place(0, place(1, place(2)), place(3)))], { payload: [{ n: 1 }] });
  assert.equal(globals.passed, 1);
});

// ---- workflows that are tried one after the other -----------------------------------------------------------------------

const FALSE = '{"op":"OR","of":[]}';
const second = (post) => plan([event({ post })], place(0), 'second');

for (const [what, pre] of [
  ['a continuation', '(async () => { for (let i = 0; i < 9; i++) await null; leaked = Array.prototype.leaked = 1 })()'],
  ['the answer of an effect', 'call(1).then(() => { leaked = Array.prototype.leaked = 1 })'],
  ['a global of its own', 'leaked = 1'],
  ['a built-in', 'Array.prototype.leaked = leaked = 1'],
]) {
  for (const ending of ['', 'null.x']) {
    Deno.test(`nothing of a workflow that did not fire reaches the next: ${what}${ending && ', and an error'}`, async () => {
      const first = plan([event({ pre: `${pre}; ${ending}`, conditionText: FALSE })]);
      const { globals, header } = await evaluate([first, second('seen = [typeof leaked, typeof [].leaked]')], {}, { answers: [{ seq: 1 }] });
      assert.deepEqual([header.workflowName, globals], ['second', { seen: ['undefined', 'undefined'] }]);
    });
  }
}

Deno.test('what is set off where the leftovers of a workflow are read goes on in the next one', async () => {
  const first = plan([event({ pre: 'x = { toJSON() { Promise.resolve().then(() => { leaked = Array.prototype.leaked = 1 }); return 1 } }; null.x' })]);
  const { globals } = await evaluate([first, second('seen = [typeof leaked, typeof [].leaked]')]);
  assert.deepEqual(globals, { seen: ['undefined', 'undefined'] });
});

Deno.test('where no workflow fires, what the last one that failed has left is kept', async () => {
  const fails = (source) => plan([event({ pre: `${source}; null.x` })]);
  const { globals, header, errors } = await evaluate([fails('a = 1'), fails('b = 2'), plan([event({ pre: 'c = 3', conditionText: FALSE })])]);
  assert.deepEqual([header.status, errors.length, globals], ['fail', 2, { b: 2 }]);
});

// ---- names that are Pulse's ----------------------------------------------------------------------------------------------

Deno.test('a field of the message takes no name of Pulse’s in scripts and templates', async () => {
  const deed = action('seen = [given, ___iterableItem___, typeof print, __prompt_count__]', { arguments: [{ name: 'given', path: ['___iterableItem___'] }] });
  const { globals } = await evaluate([plan([iterable(), deed])], { list: ['item'], ___iterableItem___: 'mine', print: 'mine', __prompt_count__: 'mine' });
  assert.deepEqual(globals.seen, ['item', 'item', 'function', 0]);
});

Deno.test('in a condition, a field of the message stands for the item of a list', async () => {
  const inner = event({ conditionText: rule('___iterableItem___.ok', 'equals', true), post: 'passed = 1' });
  const { globals } = await evaluate([plan([iterable(), inner])], { list: [{ ok: false }], ___iterableItem___: { ok: true } });
  assert.deepEqual(globals, {});
});
