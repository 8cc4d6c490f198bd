// `renderTemplate` within a realm that is used again: the engine is made for a message, and goes with it.

import assert from 'node:assert/strict';
import { Realms } from '../../../../../../src/pulse/sandbox/deno/runtime/realms.js';
import { SETTINGS, Stage } from '../../stage.js';

async function inTurn(realm, ...sources) {
  const realms = new Realms({ ...SETTINGS, realm });
  const values = [];
  for (const source of sources) {
    const stage = new Stage({}, { realms });
    values.push(await stage.value(source));
    realms.release(stage.realm);
  }
  return { values, realms };
}

Deno.test('a realm in which a template was rendered stays clean', async () => {
  const { values, realms } = await inTurn('verified', ...Array(4).fill(`renderTemplate('{% for n in [1, 2] %}{{ n | string | upper }}{{ ob.a }}{% endfor %}', { ob: { a: '<' } })`));
  assert.deepEqual([values, realms.made, realms.dirty], [Array(4).fill('1&lt;2&lt;'), 1, 0]);
});

Deno.test('so it does after a template with a mistake', async () => {
  const { realms } = await inTurn('verified', `(() => { try { renderTemplate('{{ a', {}) } catch (e) { return e.message } })()`, '1');
  assert.deepEqual([realms.made, realms.dirty], [1, 0]);
});

const LEFT = `renderTemplate("{{ range.constructor('r', 'r.left = 1')(range) }}{{ cycler.constructor('c', 'c.left = 1')(cycler) }}[{{ range.left }}{{ cycler.left }}]", {})`;

for (const realm of ['fresh', 'verified']) {
  Deno.test(`what a template leaves on the engine's own functions is gone (${realm})`, async () => {
    const { values } = await inTurn(realm, LEFT, `renderTemplate('[{{ range.left }}{{ cycler.left }}{{ joiner.left }}]', {})`);
    assert.match(values[0], /\[11\]$/);
    assert.equal(values[1], '[]');
  });
}

Deno.test('a template that changes a built-in makes the realm dirty, and nobody gets it again', async () => {
  const { values, realms } = await inTurn('verified', `renderTemplate("{{ range.constructor('Array.prototype.left = 1')() }}", {})`, '[].left ?? null');
  assert.deepEqual([values[1], realms.made, realms.dirty], [null, 2, 1]);
});

Deno.test('rendering twice in one message uses one engine, and sees changed data', async () => {
  const { values } = await inTurn('verified', `[1, 2].map((n) => renderTemplate('{{ n }}', { n }))`);
  assert.deepEqual(values, [['1', '2']]);
});

Deno.test('data is only read', async () => {
  const source = `(() => { const data = Object.freeze({ a: Object.freeze([1]) }); return [renderTemplate('{% set b = 1 %}{% set a = 2 %}{{ a }}', data), Object.keys(data)] })()`;
  assert.deepEqual((await inTurn('verified', source)).values, [['2', ['a']]]);
});

Deno.test('nobody stands beside the template: no timers, no document, no module', async () => {
  const names = ['setTimeout', 'setImmediate', 'MutationObserver', 'window', 'self', 'module', 'exports', 'require', 'process', 'Deno'];
  const { values } = await inTurn('fresh', `[renderTemplate('1', {}), ...${JSON.stringify(names)}.map((name) => typeof globalThis[name])]`);
  assert.deepEqual(values[0], ['1', ...names.map(() => 'undefined')]);
});
