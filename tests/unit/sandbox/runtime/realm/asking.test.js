// What scripts ask of the world: arguments that cross as text, answers that come back, and what they leave.

import assert from 'node:assert/strict';
import { event, evaluate, plan, script, Stage } from '../stage.js';

const prompt = (fields = {}) => ({ kind: 'prompt', entityId: 'p1', name: 'Ask', type: 'Prompt', arguments: [], promptParts: ['Hi ', { name: 'who', path: ['who'] }], ...fields });

Deno.test('arguments cross as JSON, and what JSON cannot say is null', async () => {
  const { asks } = await script('await call(1, "a", undefined, () => 1, NaN, [undefined], { a: undefined }, new Date(0), Symbol("x"))', {}, { answers: [{ seq: 1 }] });
  assert.deepEqual(asks[0].args, [1, 'a', null, null, null, [null], {}, '1970-01-01T00:00:00.000Z', null]);
});

Deno.test('an argument that cannot be written fails where it is given', async () => {
  const { globals } = await script('try { const a = {}; a.a = a; await call(a) } catch (e) { caught = e.name } try { await call({ toJSON() { throw new RangeError("mine") } }) } catch (e) { second = e.message }');
  assert.deepEqual(globals, { caught: 'TypeError', second: 'mine' });
});

Deno.test('an error has a code, the function, and whether to try again; it is an Error, and its fields can be listed', async () => {
  const value = { code: 'rate_limited', message: 'Too many.', retryable: true, effect: 'call' };
  const { globals } = await script('try { await call() } catch (e) { caught = [e instanceof Error, e.name, e.code, e.message, e.retryable, e.effect, Object.keys(e)] }', {}, { answers: [{ seq: 1, ok: false, value }] });
  assert.deepEqual(globals.caught, [true, 'EffectError', 'rate_limited', 'Too many.', true, 'call', ['name', 'code', 'retryable', 'effect']]);
});

Deno.test('an error that nobody catches fails the message in its own words', async () => {
  const value = { code: 'refused', message: 'No.', retryable: false, effect: 'call' };
  const { header, errors } = await script('await call()', {}, { answers: [{ seq: 1, ok: false, value }] });
  assert.deepEqual([header.status, header.errorType, errors[0].error.includes('No.')], ['fail', 'EffectError', true]);
});

for (const fn of ['promptCallUniversal', 'executePromptWithModel']) {
  Deno.test(`what ${fn} answers is the next promptResponse, a failure is none`, async () => {
    const answers = [{ seq: 1, value: 'one' }, { seq: 2, ok: false, value: { code: 'x', message: 'x', effect: fn } }, { seq: 3, value: { n: 3 } }];
    const { globals } = await script(`__promptText__ = 'x'; a = await ${fn}(null, 'a'); try { await ${fn}(null, 'b') } catch {} await ${fn}(null, 'c'); last = [latestPromptResponse(), getPromptResponse(1), getPromptResponse(3) ?? null]`, {}, { answers });
    assert.deepEqual([globals.promptResponse_1, globals.promptResponse_2, globals.last], ['one', { n: 3 }, [{ n: 3 }, 'one', null]]);
  });
}

Deno.test('answers are numbered in the order in which they come, not in that of the questions', async () => {
  const answers = [{ seq: 2, value: 'second' }, { seq: 1, value: 'first' }];
  const { globals } = await script('await Promise.all([promptCallUniversal(null, "a"), promptCallUniversal(null, "b")])', {}, { answers });
  assert.deepEqual([globals.promptResponse_1, globals.promptResponse_2], ['second', 'first']);
});

Deno.test('a prompt asks its model for its text with its pictures', async () => {
  const image = 'https://example.com/a.png';
  const wanted = [event(), prompt({ asks: true, model: 'm1', imageRecognition: true })];
  const { asks, globals } = await evaluate([plan(wanted)], { who: 'Ada', image }, { answers: [{ seq: 1, value: 'Hello' }] });
  assert.deepEqual([asks[0].fn, asks[0].args], ['executePromptWithModel', [{ id: 'm1' }, 'Hi Ada', JSON.stringify([image])]]);
  assert.equal(globals.promptResponse_1, 'Hello');
});

Deno.test('the script of a prompt finds what it asks, and may ask otherwise', async () => {
  const post = 'seen = [modelConfiguration, __promptText__, __promptImageUrls__]; await executePromptWithModel("not taken"); await promptCallUniversal({ ...modelConfiguration, temperature: 0 }, __promptText__ + "!")';
  const { asks, globals } = await evaluate([plan([event(), prompt({ post })])], { who: 'Ada' }, { answers: [{ seq: 1, value: 'a' }, { seq: 2, value: 'b' }] });
  assert.deepEqual(globals.seen, [null, 'Hi Ada', '[]']);
  assert.deepEqual(asks.map(({ args }) => args), [[null, 'Hi Ada', '[]'], [{ temperature: 0 }, 'Hi Ada!']]);
});

Deno.test('research sets its four globals, whoever waits for it', async () => {
  const value = { researchResults: { a: { success: true, data: 1 } }, intent: 'look', navigationSuggestion: null, reasoning: 'because' };
  const { asks, globals } = await script('promptResponse_1 = 1; executeResearchPlan()', { promptResponse_1: '{"researchPlan": []}' }, { answers: [{ seq: 1, value }] });
  assert.deepEqual(asks[0].args, [1]);
  const { promptResponse_1: _, ...left } = globals;
  assert.deepEqual(left, value);
});

Deno.test('the assistant says for whom it speaks: a global, or else the payload', async () => {
  const of = async (message, source = '') => (await script(`${source} await validateAssistantContext()`, message, { answers: [{ seq: 1, value: {} }] })).asks[0].args;
  assert.deepEqual(await of({ clientOrganizationId: 'o', payload: { clientOrganizationId: 'p', clientEnvironmentId: 'e' } }), ['o', 'e']);
  assert.deepEqual(await of({ payload: { clientOrganizationId: 'p' } }, 'clientEnvironmentId = "mine";'), ['p', 'mine']);
  assert.deepEqual(await of({}), [null, null]);
});

Deno.test('the functions cannot be called in the name of another, and are no constructors', async () => {
  const stage = new Stage();
  assert.deepEqual(await stage.value(`[call.name, promptCallUniversal.name, executePromptWithModel.name, 'prototype' in call, typeof call.call(null, 1).then]`), ['call', 'promptCallUniversal', 'executePromptWithModel', false, 'function']);
});

Deno.test('a script that breaks promises and arrays asks all the same', async () => {
  const source = 'Array.prototype.push = Array.prototype.join = JSON.stringify = () => "x"; Promise.prototype.then = null; globalThis.Promise = null; got = await call([1, { a: 2 }])';
  const { asks, globals } = await script(source, {}, { answers: [{ seq: 1, value: [3] }] });
  assert.deepEqual([asks[0].args, globals.got], [[[1, { a: 2 }]], [3]]);
});
