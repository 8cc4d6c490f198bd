// Digests, base64 and UUIDs as scripts call them, in a realm as production makes it.

import assert from 'node:assert/strict';
import { createHash, createHmac } from 'node:crypto';
import { Realms } from '../../../../../../src/pulse/sandbox/deno/runtime/realms.js';
import { SETTINGS, Stage } from '../../stage.js';

const value = (source, ...more) => new Stage(...more).value(source);

Deno.test('digests of texts of every length around a block are those of node', async () => {
  const texts = Array.from({ length: 130 }, (_, length) => 'é'.repeat(length).slice(0, length));
  const digests = await new Stage({ texts }, { settings: { resultLimit: 100_000 } }).value('texts.map((text) => [sha256(text), hmacSha256(text, text)])');
  assert.deepEqual(digests, texts.map((text) => [createHash('sha256').update(text).digest('hex'), createHmac('sha256', text).update(text).digest('hex')]));
});

Deno.test('RFC 4231: keys that are longer than a block', async () => {
  const key = 'k'.repeat(131);
  assert.equal(await value(`hmacSha256('${key}', 'Test')`), createHmac('sha256', key).update('Test').digest('hex'));
});

Deno.test('a byte order mark is a character like any other', async () => {
  assert.deepEqual(await value(`['\\ufeff', '\\ufeffx', 'x\\ufeff'].map((text) => base64Decode(base64Encode(text)))`), ['\ufeff', '\ufeffx', 'x\ufeff']);
});

Deno.test('RFC 4648: base64 with and without its padding, and with white space', async () => {
  assert.deepEqual(await value(`['Zm8=', 'Zm8', ' Z m\\n8= ', ''].map((code) => base64Decode(code))`), ['fo', 'fo', 'fo', '']);
});

Deno.test('UUIDs come from the seed of the message, as chance does', async () => {
  const made = (seed) => value('[uuid(), uuid(), Math.random()]', {}, { seed });
  assert.deepEqual(await made([1, 2, 3, 4]), await made([1, 2, 3, 4]));
  assert.notDeepEqual(await made([1, 2, 3, 4]), await made([4, 3, 2, 1]));
  for (const uuid of (await made([7, 7, 7, 7])).slice(0, 2)) assert.match(uuid, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
});

Deno.test('no digest makes a realm dirty', async () => {
  const realms = new Realms(SETTINGS);
  for (let message = 0; message < 3; message++) {
    const stage = new Stage({}, { realms });
    assert.equal((await stage.value(`[sha256('a'), hmacSha256('a', 'b'), base64Decode(base64Encode('ä')), uuid()]`)).length, 4);
    realms.release(stage.realm);
  }
  assert.deepEqual([realms.made, realms.dirty], [1, 0]);
});

Deno.test('the functions are no constructors, and have their names and lengths', async () => {
  const told = await value(`[uuid, sha256, hmacSha256, base64Encode, base64Decode].map((f) => [f.name, f.length, 'prototype' in f])`);
  assert.deepEqual(told, [['uuid', 0, false], ['sha256', 1, false], ['hmacSha256', 2, false], ['base64Encode', 1, false], ['base64Decode', 1, false]]);
});
