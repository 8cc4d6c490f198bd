// Messages to other workflows: from a workflow node, and from a script; and what comes along from prompts (platform.md 2.2, 2.10).

import assert from 'node:assert/strict';
import { action, AT, evaluate, event, iterable, node, place, plan, rule, script } from '../stage.js';

const sent = (seq = 1) => ({ seq, value: { workflowId: 'w2', workflowName: 'Second', sequenceNumber: `m${seq}` } });
const refused = (seq = 1, code = 'too_deep') => ({ seq, ok: false, value: { code, message: 'It is too deep', effect: 'workflowNode', retryable: false } });
const noted = (log) => log.filter(({ entityName }) => entityName === 'Other').map(({ ts: _ts, elapsed: _elapsed, ...entry }) => entry);

// What goes along to a workflow that stands below an event with this script.
async function state(source, message = {}, more = {}) {
  const { asks } = await evaluate([plan([event({ post: source }), node('w2')])], message, { answers: [sent()], ...more });
  assert.deepEqual([asks.length, asks[0].seq, asks[0].fn, asks[0].args[0], asks[0].args.length], [1, 1, 'workflowNode', 'w2', 2]);
  return asks[0].args[1];
}

// ---- what goes along -------------------------------------------------------------------------------------------------

Deno.test('the message and what scripts have left go along, as they are now', async () => {
  assert.deepEqual(await state('made = { a: [1] }; n += 1; delete globalThis.gone', { type: 't', n: 1, gone: 1, payload: { x: null } }), { type: 't', n: 2, payload: { x: null }, made: { a: [1] } });
  assert.deepEqual(await state('1', { type: 't', payload: [1] }), { type: 't', payload: [1] });
});

Deno.test('a workflow whose nodes have no scripts sends the message as it came', async () => {
  const { asks } = await evaluate([plan([event(), node('w2')])], { type: 't', n: 1.5, deep: { er: [null, 'ä'] } }, { answers: [sent()] });
  assert.deepEqual(asks[0].args[1], { type: 't', n: 1.5, deep: { er: [null, 'ä'] } });
});

for (const [what, source] of [
  ['functions', 'f = () => 1; g = class {}; function local() {}; h = print'],
  ['what is local', 'var a = 1; let b = 2; const c = 3'],
  ['names that begin with two underscores', '__mine = 1; ___result___ = 2; __proto = 3; globalThis["__"] = 4'],
  ['built-ins that a script has replaced', 'Math = 1; JSON = 2; print = 3; console = 4; triggerWorkflow = 5; undefined = 6; URL = 7; call = 8'],
  ['the copy of the message', 'seen = message.n; delete globalThis.seen'],
  ['the global by any name', 'self = globalThis; delete globalThis.self; globalThis.global = 1'],
  ['symbols, and what is undefined', 'globalThis[Symbol("s")] = 1; s = Symbol("s"); u = undefined'],
]) {
  Deno.test(`these do not go along: ${what}`, async () => assert.deepEqual(await state(source, { n: 1 }), { n: 1 }));
}

Deno.test('variables do not go along, whatever is done to them', async () => {
  assert.deepEqual(await state('KEY = "changed"; __variables__ = [1]; globalThis.OTHER += 1', {}, { variables: { KEY: 'k', OTHER: 'o' } }), {});
});

Deno.test("a message's own field `message` goes along", async () => {
  assert.deepEqual(await state('1', { message: 'hello' }), { message: 'hello' });
  assert.deepEqual(await state('message = "mine"', {}), { message: 'mine' });
});

Deno.test('a field that is no global stays behind', async () => {
  assert.deepEqual(await state('1', { __own: 1, print: 2, Math: 3, KEY: 4, fine: 5 }, { variables: { KEY: 'value' } }), { fine: 5 });
});

Deno.test('arguments and answers of prompts go along', async () => {
  const first = event({ arguments: [{ name: 'who', path: ['user', 'id'] }], post: 'promptResponse_2 = "two"' });
  const { asks } = await evaluate([plan([first, node('w2')])], { user: { id: 7 }, promptResponse_1: 'one' }, { answers: [sent()] });
  assert.deepEqual(asks[0].args[1], { user: { id: 7 }, promptResponse_1: 'one', who: 7, promptResponse_2: 'two' });
});

Deno.test('odd values go as JSON says them, and none stops the message', async () => {
  const source = 'big = 10n; nan = NaN; date = new Date(0); map = new Map([[1, 2]]); cycle = {}; cycle.cycle = cycle; half = "\\ud800"; bad = { toJSON() { throw new Error("mine") } }';
  const { cycle, ...rest } = await state(source);
  assert.deepEqual(rest, { big: '10', nan: null, date: '1970-01-01T00:00:00.000Z', map: {}, half: '\ufffd', bad: '[cannot be stored as JSON: mine]' });
  assert.match(cycle, /^\[cannot be stored as JSON: Converting circular structure/);
});

Deno.test('getters are read, and what one of them throws is no error of the message', async () => {
  const source = 'Object.defineProperty(globalThis, "good", { get: () => 1, enumerable: true, configurable: true }); Object.defineProperty(globalThis, "bad", { get() { throw new Error("no") }, configurable: true })';
  assert.deepEqual(await state(source), { good: 1, bad: '[cannot be stored as JSON: no]' });
});

// ---- the node ----------------------------------------------------------------------------------------------------------

Deno.test('a workflow node notes what it sent, and goes straight on to its own children', async () => {
  const nodes = [event(), node('w2'), action('below = [typeof workflowId, typeof sequenceNumber]'), action('beside = 1')];
  const { log, globals, header } = await evaluate([plan(nodes, place(0, place(1, place(2)), place(3)))], {}, { answers: [sent()] });
  assert.deepEqual([header.status, globals], ['success', { below: ['undefined', 'undefined'], beside: 1 }]);
  assert.deepEqual(noted(log), [{ entityId: null, entityName: 'Other', entityType: 'Workflow', type: 'workflow', action: 'sub_workflow_triggered', workflowId: 'w2', workflowName: 'Second', messageId: 'm1' }]);
});

Deno.test('what the trigger fails with is in the log and in the errors, and ends the workflow', async () => {
  const { log, errors, header, globals } = await evaluate([plan([event(), node('w2'), action('after = 1')])], {}, { answers: [refused()] });
  assert.deepEqual([header.status, header.errorType, header.error, header.workflow, globals], ['fail', 'EffectError', 'It is too deep', 'w1', {}]);
  const [entry] = noted(log);
  assert.deepEqual([entry.type, entry.action, entry.workflowId, entry.error, entry.errorType, entry.code], ['error', 'sub_workflow_trigger_failed', 'w2', 'It is too deep', 'EffectError', 'too_deep']);
  assert.deepEqual([errors.length, errors[0].error, errors[0].code, errors[0].entityName], [1, 'It is too deep', 'too_deep', 'Other']);
  assert.ok(errors[0].suggestion.length > 10);
});

Deno.test('onError "continue": the node and its children are skipped, its neighbours are not', async () => {
  const nodes = [event(), node('w2', { onError: 'continue' }), action('below = 1'), node('w3'), action('beside = 1')];
  const { globals, header, asks, log } = await evaluate([plan(nodes, place(0, place(1, place(2)), place(3), place(4)))], {}, { answers: [refused(1), sent(2)] });
  assert.deepEqual([header.status, globals, asks.map(({ args }) => args[0])], ['fail', { beside: 1 }, ['w2', 'w3']]);
  assert.deepEqual(noted(log).map(({ action: what }) => what), ['sub_workflow_trigger_failed', 'sub_workflow_triggered']);
});

for (const [source, code] of [['large = "x".repeat(2000)', undefined], ['for (let i = 0; i < 10; i++) call(i)', undefined]]) {
  Deno.test(`more than there may be is an error of the node: ${source.slice(0, 12)}`, async () => {
    const answers = source.startsWith('for') ? Array.from({ length: 10 }, (_, at) => ({ seq: at + 1 })) : [];
    const { header, errors, log } = await evaluate([plan([event({ post: source }), node('w2')])], {}, { answers });
    assert.deepEqual([header.status, errors.map(({ errorType, entityName, code: told }) => [errorType, entityName, told])], ['fail', [['LimitError', 'Other', code]]]);
    assert.equal(noted(log)[0].action, 'sub_workflow_trigger_failed');
  });
}

Deno.test('what scripts do to the function of that name is nothing to a node', async () => {
  const source = 'triggerWorkflow = () => { throw new Error("mine") }; Promise.prototype.then = 1; JSON.stringify = null; Object.prototype.toJSON = undefined';
  const { header, asks } = await evaluate([plan([event({ post: source }), node('w2')])], { n: 1 }, { answers: [sent()] });
  assert.deepEqual([header.status, asks.map(({ fn, args }) => [fn, args[0], args[1].n])], ['success', [['workflowNode', 'w2', 1]]]);
});

Deno.test('a node is reached once its workflow has fired, and not before', async () => {
  const turned = plan([event({ conditionText: rule('n', 'equals', 1) }), node('w2')]);
  const { asks, header } = await evaluate([turned], { n: 2 });
  assert.deepEqual([asks, header.status], [[], 'ignore']);
});

Deno.test('effects that are under way do not keep a node from being sent, and numbers go on', async () => {
  const drawn = plan([event({ post: 'call(1)' }), node('w2'), action('x = await other(2)')]);
  const { asks, globals } = await evaluate([drawn], {}, { answers: [sent(2), { seq: 3, value: 'three' }, { seq: 1 }] });
  assert.deepEqual([asks.map(({ seq, fn }) => [seq, fn]), globals], [[[1, 'call'], [2, 'workflowNode'], [3, 'other']], { x: 'three' }]);
});

Deno.test('numbers go on over the workflows that are tried', async () => {
  const turned = plan([event({ pre: 'await call(1); triggerWorkflow("w9")', conditionText: rule('n', 'equals', 1) })]);
  const { asks } = await evaluate([turned, plan([event(), node('w2')])], { n: 2 }, { answers: [{ seq: 1 }, { seq: 2 }, sent(3)] });
  assert.deepEqual(asks.map(({ seq, fn }) => [seq, fn]), [[1, 'call'], [2, 'triggerWorkflow'], [3, 'workflowNode']]);
});

// ---- triggerWorkflow -----------------------------------------------------------------------------------------------------

Deno.test('a script sends a message and goes on with the answer', async () => {
  const answer = { success: true, workflowId: 'w2', sequenceNumber: 'm5' };
  const { asks, globals } = await script('n = 2; answer = await triggerWorkflow("w2"); n = 3', { n: 1, type: 't' }, { answers: [{ seq: 1, value: answer }] });
  assert.deepEqual([asks[0].fn, asks[0].args, globals.answer, globals.n], ['triggerWorkflow', ['w2', { n: 2, type: 't' }], answer, 3]);
});

Deno.test('what is sent is what is there when it is called, not when it leaves', async () => {
  const { asks } = await script('n = 1; const first = triggerWorkflow("a"); n = 2; const second = triggerWorkflow("b"); await Promise.all([first, second])', {}, { answers: [{ seq: 2 }, { seq: 1 }] });
  assert.deepEqual(asks.map(({ args }) => args), [['a', { n: 1 }], ['b', { n: 2 }]]);
});

for (const [given, taken] of [['', null], ['undefined', null], ['null', null], ['5', 5], ['{ id: "w2" }', { id: 'w2' }], ['"w2", { mine: 1 }', 'w2'], ['getWorkflowByName("none")', null]]) {
  Deno.test(`what is given as the workflow is passed on, to be judged there: triggerWorkflow(${given})`, async () => {
    const { asks } = await script(`await triggerWorkflow(${given})`, { n: 1 }, { answers: [{ seq: 1 }] });
    assert.deepEqual(asks[0].args, [taken, { n: 1 }]);
  });
}

Deno.test('a failure can be caught, with its code', async () => {
  const { globals, header } = await script('try { await triggerWorkflow("w2") } catch (error) { caught = [error.name, error.code, error.retryable, error.effect, error.message] }', {}, { answers: [refused()] });
  assert.deepEqual([header.status, globals.caught], ['success', ['EffectError', 'too_deep', false, 'workflowNode', 'It is too deep']]);
});

// ---- names of workflows ----------------------------------------------------------------------------------------------------

const workflows = { Billing: { id: 'w7', workflowId: 'w7', name: 'Billing', isActive: false }, 'ä 😀': { id: 'w8', name: 'ä 😀' } };

Deno.test('workflows are found by their names, and each time anew', async () => {
  const source = 'found = getWorkflowByName("Billing"); found.id = "changed"; again = getWorkflowByName("Billing").id; odd = getWorkflowByName("ä 😀").id';
  const { globals } = await script(source, {}, { workflows });
  assert.deepEqual(globals, { found: { ...workflows.Billing, id: 'changed' }, again: 'w7', odd: 'w8' });
});

for (const name of ['"billing"', '"none"', '"__proto__"', '"constructor"', '"toString"', 'undefined', 'null', '{}', '""', '']) {
  Deno.test(`no workflow has the name ${name || 'that is not given'}`, async () => {
    assert.deepEqual((await script(`found = getWorkflowByName(${name})`, {}, { workflows })).globals, { found: null });
    assert.deepEqual((await script(`found = getWorkflowByName(${name})`)).globals, { found: null });
  });
}

// ---- prompts -----------------------------------------------------------------------------------------------------------------

for (const [fields, count] of [
  [{}, 0], [{ promptResponse_1: 'a' }, 1], [{ promptResponse_2: 'b', promptResponse_10: 'j', promptResponse_9: 'i' }, 10], [{ promptResponse_3: null }, 3],
  [{ promptResponse_: 'x', promptResponse_1a: 'x', 'promptResponse_-4': 'x', 'promptResponse_1.5': 'x', xpromptResponse_7: 'x', promptResponse_99999999999: 'x', PromptResponse_5: 'x' }, 0],
  [{ deep: { promptResponse_4: 'x' }, __prompt_count__: 12 }, 0],
]) {
  Deno.test(`prompts are counted on from ${count}: ${Object.keys(fields).join(', ')}`, async () => {
    const { globals } = await script('count = __prompt_count__; latest = latestPromptResponse() ?? null', fields);
    assert.deepEqual(globals, { count, latest: fields[`promptResponse_${count}`] ?? null });
  });
}

Deno.test('answers of prompts are found by their numbers', async () => {
  const { globals } = await script('seen = [1, "2", 3, -1, NaN, {}].map((n) => getPromptResponse(n) ?? null); promptResponse_3 = { c: 3 }; __prompt_count__ = 3; latest = latestPromptResponse()', { promptResponse_1: 'a', promptResponse_2: 'b' });
  assert.deepEqual([globals.seen, globals.latest], [['a', 'b', null, null, null, null], { c: 3 }]);
});

Deno.test('the count is anew for each workflow that is tried', async () => {
  const turned = plan([event({ pre: '__prompt_count__ = 7; promptResponse_7 = 1', conditionText: rule('n', 'equals', 1) })]);
  assert.deepEqual((await evaluate([turned, plan([event({ post: 'count = __prompt_count__' })])], { promptResponse_2: 'b' })).globals, { count: 2 });
});

Deno.test('the time does not go on while a node is sent but by the answer', async () => {
  const drawn = plan([event({ post: 'before = Date.now()' }), node('w2'), action('after = Date.now()')]);
  assert.deepEqual((await evaluate([drawn], {}, { answers: [{ ...sent(), at: AT + 50 }] })).globals, { before: AT, after: AT + 50 });
});

Deno.test('as many messages as effects are allowed, from one list', async () => {
  const answers = Array.from({ length: 10 }, (_, at) => sent(at + 1));
  const { asks, errors } = await evaluate([plan([iterable(), node('w2')])], { list: Array.from({ length: 12 }, (_, at) => at) }, { answers });
  assert.deepEqual([asks.length, errors.map(({ error }) => error)], [10, ['This message has asked for more than 10 effects']]);
});

// ---- what went wrong once ---------------------------------------------------------------------------------------------

Deno.test('a node whose trigger is answered with nothing, as a test may say', async () => {
  const { header } = await evaluate([plan([event(), node('w2')])], {}, { answers: [{ seq: 1, value: null }] });
  assert.notEqual(header.errorType, 'SandboxError');
});
