// The kernel: where names lead, what is left at the end, time and chance, effects, output.

import assert from 'node:assert/strict';
import { AT, Stage } from '../stage.js';

const rule = (field, comparison, value) => JSON.stringify({ field, path: field.split('.'), comparison, value });

// ---- looking things up ------------------------------------------------------------------------------------------------

Deno.test('conditions see the message first, then what scripts have set', async () => {
  const stage = new Stage({ a: 1 });
  await stage.run('a = 2; b = 3; list = [{ x: 4 }]');
  const seen = (field, value) => stage.call('condition', rule(field, 'equals', value));
  assert.deepEqual([seen('a', 1), seen('a', 2), seen('b', 3), seen('list.0.x', 4), seen('message.a', 1), seen('message.b', 3)], ['true', 'false', 'true', 'true', 'true', 'false']);
});

Deno.test('a message with a field "message": the field wins', async () => {
  const stage = new Stage({ message: { a: 5 }, a: 1 });
  assert.deepEqual(await stage.value('message'), { a: 5 });
  assert.deepEqual([stage.call('condition', rule('message.a', 'equals', 5)), stage.call('condition', rule('a', 'equals', 1))], ['true', 'true']);
  assert.equal(stage.call('value', '["message","a"]'), '5');
});

Deno.test('nothing is found on prototypes or among the built-ins', () => {
  const stage = new Stage({ a: {}, s: 'x', l: [1] });
  for (const field of ['a.constructor', 'a.toString', 's.trim', 'l.map', 'constructor', 'Object', 'Object.keys', 'globalThis.a', 'print', 'print.name', 'Math.PI'])
    assert.equal(stage.call('condition', rule(field, 'exists')), 'false', field);
});

Deno.test('arguments and templates see the globals as they are, then the message', async () => {
  const stage = new Stage({ a: { b: [1, 2] }, gone: 1, who: 'Ann' });
  await stage.run('a.b.push(3); delete globalThis.gone; late = new Date(0)');
  const value = (...path) => stage.call('value', JSON.stringify(path));
  assert.deepEqual([value('a', 'b'), value('message', 'a', 'b'), value('gone'), value('late'), value('nowhere')], ['[1,2,3]', '[1,2]', '1', '"1970-01-01T00:00:00.000Z"', '']);
  const parts = ['Hi ', { name: 'who', path: ['who'] }, ': ', { name: 'a.b', path: ['a', 'b'] }, { name: 'no.thing', path: ['no', 'thing'] }];
  assert.deepEqual(JSON.parse(stage.call('render', JSON.stringify(parts))), { text: 'Hi Ann: [1,2,3]', missing: ['no.thing'] });
});

Deno.test('an argument keeps its type', async () => {
  const stage = new Stage({ user: { id: 7, tags: ['x'] } });
  const bound = [stage.call('bind', 'id', '["user","id"]', ''), stage.call('bind', 'tags', '["user","tags"]', ''), stage.call('bind', 'no', '["x"]', ''), stage.call('bind', 'lit', '', '{"a":[1]}')];
  assert.deepEqual(bound, ['ok', 'ok', 'missing', 'ok']);
  assert.deepEqual(await stage.value('[id, tags, tags === user.tags, typeof no, lit]'), [7, ['x'], true, 'undefined', { a: [1] }]);
});

Deno.test('the message as a whole is a frozen copy, made when it is first read', async () => {
  const stage = new Stage({ a: { b: [1] } });
  const value = await stage.value(`(() => { 'use strict';
    const tried = [() => { message.a = 1 }, () => { message.a.b.push(2) }, () => { delete message.a }].map((f) => { try { f(); return 'done' } catch (e) { return e.name } });
    a.b = 'changed'; return [tried, message, message === message, message.a === a, Object.keys(globalThis).includes('message')] })()`);
  assert.deepEqual(value, [['TypeError', 'TypeError', 'TypeError'], { a: { b: [1] } }, true, false, false]);
  assert.equal('message' in stage.captured().globals, false);
});

Deno.test('fields that may not be globals are told, and reached through the message', async () => {
  const fields = ['print', 'Object', 'JSON', 'globalThis', 'global', 'undefined', '__proto__', '__x', '___result___', 'call', 'eval', 'console', 'URL'];
  const stage = new Stage(JSON.parse(`{${fields.map((name) => `"${name}":1`)},"fine":2}`));
  assert.deepEqual(stage.refused, fields);
  assert.deepEqual(await stage.value('[typeof print, typeof Object.keys, fine, message.print, message.__x]'), ['function', 'function', 2, 1, 1]);
});

// ---- what is left -------------------------------------------------------------------------------------------------------

Deno.test('captured: what scripts set, and of the message only the names of what they left alone', async () => {
  const stage = new Stage({ same: { a: [1] }, changed: { a: 1 }, replaced: 1, deleted: 1 });
  await stage.run('changed.a = 2; replaced = { x: 1 }; delete globalThis.deleted; added = [1]; var hidden = 1; let alsoHidden = 2');
  const { kept, globals, tooLarge } = stage.captured();
  assert.deepEqual({ kept, globals, tooLarge }, { kept: ['same'], globals: { changed: { a: 2 }, replaced: { x: 1 }, added: [1] }, tooLarge: [] });
});

Deno.test('captured: no functions, no names with __, no built-ins, nothing that JSON has not', async () => {
  const stage = new Stage({});
  await stage.run('f = () => 1; class C {} g = C; __secret = 1; ____x = 2; Object = 1; print = 2; u = undefined; s = Symbol("x"); globalThis[Symbol("y")] = 1; _one = 1; $ = 2');
  assert.deepEqual(stage.captured().globals, { _one: 1, $: 2 });
});

const CAPTURED = [
  ['10n ** 20n', '100000000000000000000'], ['new Date(0)', '1970-01-01T00:00:00.000Z'], ['NaN', null], ['[undefined, () => 1]', [null, null]], ['new Map([[1, 2]])', {}],
  ['new Error("x")', {}], ['Object(1n)', '[cannot be stored as JSON: Do not know how to serialize a BigInt]'], ['new Uint8Array(2)', { 0: 0, 1: 0 }], ['null', null],
  ['{ toJSON: () => 7 }', 7], ["'\\ud800x'", '\ufffdx'], ["{ '\\udfff': ['\\\\ud800'] }", { '\ufffd': ['\\ud800'] }], ["'\\\\\\ud800'", '\\\ufffd'],
  ['{ get x() { throw new TypeError("no") } }', '[cannot be stored as JSON: no]'], ['new Proxy({}, { ownKeys() { throw 1 } })', '[cannot be stored as JSON: 1]'],
  ['{ toJSON() { return undefined } }', undefined], ['new String("x")', 'x'], ['/x/g', {}], ['Object.create(null)', {}],
];

for (const [source, right] of CAPTURED) {
  Deno.test(`captured: ${source}`, async () => {
    const stage = new Stage({});
    assert.equal(await stage.run(`___result___ = x = (${source})`), 'ok');
    const { globals, result } = stage.captured();
    if (right === undefined) assert.deepEqual([globals, result], [{}, undefined]);
    else assert.deepEqual([globals.x, result], [right, right]);
  });
}

Deno.test('captured: a cycle, a deep value and a getter that throws do not spoil the rest', async () => {
  const stage = new Stage({});
  await stage.run(`a = {}; a.a = a; d = []; for (let i = 0; i < 200; i++) d = [d]; ok = [[[1]]];
    Object.defineProperty(globalThis, 'g', { enumerable: true, configurable: true, get() { throw new Error('mine') } }); z = 1`);
  const { globals } = stage.captured();
  assert.match(globals.a, /circular/);
  assert.match(globals.d, /nested more than 128/);
  assert.match(globals.g, /mine/);
  assert.deepEqual([globals.ok, globals.z], [[[[1]]], 1]);
});

Deno.test('a value of 128 levels is stored, brackets in its strings do not count', async () => {
  const stage = new Stage({});
  await stage.run(`a = 1; for (let i = 0; i < 128; i++) a = [a]; b = '['.repeat(500) + '"\\\\' + '{'.repeat(500); c = Array.from({ length: 300 }, () => [{}])`);
  const { globals } = stage.captured();
  assert.deepEqual([Array.isArray(globals.a), globals.b.length, globals.c.length], [true, 1002, 300]);
});

Deno.test('captured: what is too large is named, the rest is kept', async () => {
  const stage = new Stage({});
  await stage.run(`a = 'x'.repeat(6000); b = 'y'.repeat(6000); c = 1; ___result___ = 'z'.repeat(5000)`);
  const { globals, tooLarge, result } = stage.captured();
  assert.deepEqual([Object.keys(globals), tooLarge, result], [['a', 'c'], ['b', '___result___'], undefined]);
});

Deno.test('captured: long names count, and only the first of many are named', async () => {
  const stage = new Stage({});
  await stage.run(`for (let i = 0; i < 200; i++) globalThis['n'.repeat(500) + i] = i`);
  const text = stage.call('capture');
  const { tooLarge } = JSON.parse(text);
  assert.ok(text.length < 15_000, String(text.length));
  assert.deepEqual([tooLarge.length, tooLarge[0].length], [20, 100]);
});

// ---- time and chance -------------------------------------------------------------------------------------------------------

const NUMBERS = 'Array.from({ length: 20 }, Math.random)';

Deno.test('the same seed gives the same numbers, another seed others', async () => {
  const draws = await Promise.all([[1, 2, 3, 4], [1, 2, 3, 4], [0, 2, 3, 4], [1, 0, 3, 4], [1, 2, 0, 4], [1, 2, 3, 0], [0, 0, 0, 0], [4294967295, 2, 3, 4]].map((seed) => new Stage({}, { seed }).value(NUMBERS)));
  assert.deepEqual(draws[0], draws[1]);
  assert.equal(new Set(draws.map(String)).size, 7);
  for (const draw of draws) assert.ok(draw.every((x) => x >= 0 && x < 1) && new Set(draw).size === 20);
});

Deno.test('the numbers are those that every version must give', async () => {
  assert.deepEqual(await new Stage({}, { seed: [1, 2, 3, 4] }).value('[Math.random(), Math.random()]'), sfc32(1, 2, 3, 4));
});

// PractRand's sfc32 by its definition: 12 rounds thrown away.
function sfc32(a, b, c, d) {
  const next = () => {
    const t = (((a + b) | 0) + d) | 0;
    d = (d + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (c << 21) | (c >>> 11);
    c = (c + t) | 0;
    return (t >>> 0) / 2 ** 32;
  };
  for (let i = 0; i < 12; i++) next();
  return [next(), next()];
}

Deno.test('the time is that of the message, and stands still', async () => {
  const stage = new Stage({});
  const now = await stage.value('[Date.now(), new Date().getTime(), +new Date, Date(), new Date().toISOString(), Date.now()]');
  assert.deepEqual(now, [AT, AT, AT, new Date(AT).toString(), new Date(AT).toISOString(), AT]);
});

Deno.test('whoever is asked for the time says the same', async () => {
  const asked = await new Stage({}).value(`[typeof Temporal, typeof new Date().toTemporalInstant,
    new Intl.DateTimeFormat('sv', { timeZone: 'UTC', dateStyle: 'short' }).format(), new Intl.DateTimeFormat('sv', { timeZone: 'UTC' }).formatToParts().length,
    new Intl.DateTimeFormat('sv', { timeZone: 'UTC', dateStyle: 'short' }).format(new Date(0)), [0].map(new Intl.DateTimeFormat('sv', { timeZone: 'UTC' }).format)[0]]`);
  const moment = ['undefined', 'undefined', new Date(AT).toISOString().slice(0, 10), 5, '1970-01-01', '1970-01-01'];
  assert.deepEqual(asked, moment);
});

Deno.test('Date is otherwise as everybody knows it', async () => {
  const value = await new Stage({}).value(`[new Date(5).getTime(), new Date('2020-01-01').getTime(), new Date(2020, 1).getMonth(), Date.UTC(2020, 0), Date.parse('2020-01-01'),
    Date.length, Date.name, new Date() instanceof Date, new (class Day extends Date {})() instanceof Date, new (class Day extends Date {})(7).getTime(),
    new Date().constructor === Date, Object.prototype.toString.call(new Date()), new Date(NaN).getTime(), typeof Date(), structuredClone(new Date(3)).getTime()]`);
  assert.deepEqual(value, [5, Date.UTC(2020, 0), 1, Date.UTC(2020, 0), Date.UTC(2020, 0), 7, 'Date', true, true, 7, true, '[object Date]', null, 'string', 3]);
});

Deno.test('an answer brings the time along, and it never goes back', async () => {
  const stage = new Stage({});
  assert.equal(await stage.run('times = []; for (let i = 0; i < 3; i++) { await call(i); times.push(Date.now()) }'), '');
  for (const [seq, at] of [[1, AT + 500], [2, AT + 100], [3, AT + 900]]) {
    stage.call('answer', seq, 'yes', 'null', at);
    await stage.outcome();
  }
  assert.deepEqual(stage.captured().globals.times, [AT + 500, AT + 500, AT + 900]);
});

// ---- effects and output ------------------------------------------------------------------------------------------------------

const asks = (stage) => JSON.parse(`[${stage.call('asked')}]`);

Deno.test('effects are asked for by number and name, and told once', async () => {
  const stage = new Stage({});
  await stage.run('call(1, "two", { three: [3] }, undefined); await other()');
  assert.deepEqual(asks(stage), [{ seq: 1, fn: 'call', args: [1, 'two', { three: [3] }, null] }, { seq: 2, fn: 'other', args: [] }]);
  assert.deepEqual(asks(stage), []);
  assert.deepEqual([stage.call('answer', 2, 'yes', '1', AT), stage.call('answer', 2, 'yes', '1', AT), stage.call('answer', 9, 'yes', '1', AT)], ['', 'unknown', 'unknown']);
  assert.equal(await stage.outcome(), 'ok');
});

const OVER = [
  ['too many', 'for (let i = 0; i < 11; i++) call(i)', 10], ['too large', "call('x'.repeat(1000))", 0], ['too much at once', "for (;;) call('x'.repeat(900))", 3],
];

for (const [name, source, sent] of OVER) {
  Deno.test(`effects: ${name}`, async () => {
    const stage = new Stage({});
    const { name: error } = await stage.run(source);
    assert.deepEqual([error, asks(stage).length], ['LimitError', sent]);
  });
}

Deno.test('effects that were answered make room', async () => {
  const stage = new Stage({});
  assert.equal(await stage.run("for (let i = 0; i < 9; i++) await call('x'.repeat(900))"), '');
  for (let seq = 1; seq <= 9; seq++) {
    stage.call('answer', seq, 'yes', '', AT);
    await stage.outcome();
  }
  assert.equal(await stage.outcome(), 'ok');
});

Deno.test('prints: values as JSON, errors as text, long ones cut, all of them limited', async () => {
  const stage = new Stage({});
  await stage.run(`print(1, 'a', { a: [1] }, undefined, () => 1, 2n, Symbol('s'), new TypeError('no'), null); console.log(); console.error('e'); print('x'.repeat(500))`);
  const entries = JSON.parse(`[${stage.call('printed')}]`);
  assert.deepEqual(entries[0].args, [1, 'a', { a: [1] }, null, '[function]', '2', 'Symbol(s)', 'TypeError: no', null]);
  assert.deepEqual([entries[1].args, entries[2].args], [[], ['e']]);
  assert.ok(entries[3].args[0].endsWith('… (cut)') && entries[3].args[0].length < 120);
  assert.ok(Math.abs(entries[0].ts - Date.now()) < 60_000, 'the time of the log is the real one');
  assert.equal((await stage.run(`for (;;) print('x'.repeat(90))`)).name, 'LimitError');
  assert.ok(stage.call('printed').length < 11_000);
});

Deno.test('what is printed but is no JSON', async () => {
  const stage = new Stage({});
  await stage.run(`const a = {}; a.a = a; print(a); print({ toJSON() { throw 1 } }); print(new Proxy({}, { get() { throw 1 } })); print('\\ud800', [1n])`);
  const cannot = '[cannot be shown as JSON]';
  assert.deepEqual(JSON.parse(`[${stage.call('printed')}]`).map(({ args }) => args), [[cannot], [cannot], [cannot], ['\ufffd', cannot]]);
});

Deno.test('a realm is used again when it is clean, and only then', async () => {
  const stage = new Stage({ a: 1 });
  await stage.run('b = 1');
  stage.realms.release(stage.realm);
  const again = stage.realms.acquire();
  assert.equal(again, stage.realm);
  again.call('begin', '{}', AT, '[1,2,3,4]', 0, '', '');
  await stage.run('Array.prototype.x = 1');
  stage.realms.release(again);
  assert.notEqual(stage.realms.acquire(), again);
  assert.deepEqual([stage.realms.made, stage.realms.dirty], [2, 1]);
});

Deno.test('who spoils every realm gets new ones, in which scripts end as in any other', async () => {
  const { realms } = new Stage();
  const message = async (script) => {
    const stage = new Stage({}, { realms });
    await stage.run(script);
    const { result } = stage.captured();
    realms.release(stage.realm);
    return result;
  };
  const source = 'Object.getPrototypeOf([].values()).next = () => ({ done: true }); ___result___ = [typeof new Map([[1, 2]]).get(1)]';
  const before = await message(source);
  for (let i = 0; i < 12; i++) await message('Array.prototype.extra = 1');
  assert.deepEqual(await message(source), before);
  await message('x = 1');
  const { made } = realms;
  await message('x = 1');
  assert.equal(realms.made, made, 'one that leaves nothing is used again');
});
