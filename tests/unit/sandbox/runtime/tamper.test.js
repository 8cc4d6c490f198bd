// Does the proof hold? Every attack is seen twice: by `verify`, and by an oracle that knows nothing of how `verify` works:
// it walks the realm from outside with the outer program's own `Reflect` and compares all it finds. A realm that is
// called clean while the oracle sees a difference is a failure. Run: deno test tests/unit/sandbox/runtime/tamper.test.js

import assert from 'node:assert/strict';
import vm from 'node:vm';
import { tamper } from '../../../../src/pulse/sandbox/deno/runtime/tamper.js';
import { DETECTED, IDIOMS, POLYFILLS, PREVENTED, REMOVED, ROUTES } from './tamper.cases.js';
import { dice, message } from './tamper.grammar.js';
import { graphOf, Realm, scriptFor, unknownSlots } from './tamper.oracle.js';

globalThis.addEventListener('unhandledrejection', (event) => event.preventDefault());

// ---- attacks ----------------------------------------------------------------------------------------------------

const tried = (code) => `try { ${code} } catch (error) { if (error instanceof SyntaxError) throw error }`;

async function attack(code, script) {
  const realm = new Realm(script);
  const { error } = await realm.run(tried(code));
  assert.equal(error, undefined, code);
  delete realm.world.answer;
  const seen = realm.difference();
  return { realm, seen, verdict: realm.verify(), left: realm.difference() };
}

for (const [name, code] of Object.entries(DETECTED)) {
  Deno.test(`detected: ${name}`, async () => {
    const { realm, seen, verdict } = await attack(code);
    assert.notEqual(seen, '', 'the attack did nothing');
    assert.notEqual(verdict, '');
    assert.equal(realm.verify(), verdict, 'a verdict stands');
  });
}

for (const [name, code] of Object.entries(REMOVED)) {
  Deno.test(`removed: ${name}`, async () => {
    const { seen, verdict, left } = await attack(code);
    assert.notEqual(seen, '', 'the attack did nothing');
    assert.deepEqual([verdict, left], ['', '']);
  });
}

for (const [name, code] of Object.entries(PREVENTED)) {
  Deno.test(`prevented: ${name}`, async () => {
    const { seen, verdict, left } = await attack(code);
    assert.deepEqual([seen, verdict, left], ['', '', '']);
  });
}

Deno.test('there are attacks enough', () => {
  assert.ok(Object.keys(DETECTED).length >= 80);
});

// ---- idioms -----------------------------------------------------------------------------------------------------

for (const [name, code] of Object.entries(IDIOMS)) {
  Deno.test(`idiom: ${name}`, async () => {
    const realm = new Realm();
    const { error, answer } = await realm.run(code);
    assert.deepEqual([error, answer, realm.verify(), realm.difference()], [undefined, true, '', '']);
    const again = await realm.run(code);
    assert.deepEqual([again.error, again.answer, realm.verify()], [undefined, true, ''], 'the next message sees the same');
  });
}

for (const [name, code] of Object.entries(POLYFILLS)) {
  Deno.test(`polyfill: ${name}`, async () => {
    const realm = new Realm();
    const { error, answer } = await realm.run(code);
    assert.deepEqual([error, answer], [undefined, true]);
    assert.notEqual(realm.verify(), '');
  });
}

// ---- what must not be there ---------------------------------------------------------------------------------------

Deno.test('nothing can run later, share memory or reach the host', async () => {
  const realm = new Realm();
  const { answer } = await realm.run(`
    const names = ['WebAssembly', 'Atomics', 'SharedArrayBuffer', 'WeakRef', 'FinalizationRegistry', 'queueMicrotask', 'setTimeout', 'Deno', 'process', 'gc'];
    answer = [names.filter((name) => name in globalThis).join(), typeof Intl.v8BreakIterator, Object.getPrototypeOf(globalThis) === Object.prototype].join('|')`);
  assert.equal(answer, '|undefined|true');
});

Deno.test('no script gets hold of a call site', async () => {
  for (const reuse of [true, false]) {
    for (const route of ROUTES) {
      const realm = new Realm(new vm.Script(`((verify) => verify ?? (() => ''))((${tamper})({ reuse: ${reuse} }))`));
      const body = `let got; function take(e, sites) { got = sites; return 'x' } ${route}; const held = {}; Error.captureStackTrace?.(held);
        held.stack; new TypeError('a').stack; try { null.x } catch (e) { e.stack } answer = typeof got`;
      assert.equal((await realm.run(body)).answer, 'undefined', route);
    }
  }
});

Deno.test('a realm for one message is stripped and proves nothing', () => {
  const context = vm.createContext(vm.constants.DONT_CONTEXTIFY);
  assert.equal(new vm.Script(`(${tamper})({ reuse: false })`).runInContext(context), undefined);
  assert.equal(vm.runInContext(`typeof WebAssembly + typeof console + typeof Map`, context), 'undefinedundefinedfunction');
});

Deno.test('no object of the realm comes from outside', () => {
  const outside = graphOf([Object.prototype, Function.prototype, Error.prototype]);
  for (const object of new Realm().before.keys()) assert.ok(!outside.has(object));
});

// ---- the proof itself ---------------------------------------------------------------------------------------------

Deno.test('verify runs no code of the script', async () => {
  const realm = new Realm();
  await realm.run(`
    const trap = new Proxy({}, new Proxy({}, { get() { counted.n++ } }));
    const spy = { get() { counted.n++ }, set() { counted.n++ }, configurable: true, enumerable: true };
    for (const name of ['value', 'writable', 'get', 'set', 'enumerable', 'configurable', 'length', 'parent', 'keys', '0', '1', 'then'])
      for (const object of [Object.prototype, Array.prototype, Function.prototype]) try { Object.defineProperty(object, name, spy) } catch {}
    for (const key of Reflect.ownKeys(globalThis)) if (key !== 'globalThis' && key !== 'answer') try { Object.defineProperty(globalThis, key, spy) } catch {}
    Object.defineProperty(globalThis, 'spied', spy);
    globalThis.trapped = trap;
    RegExp.prototype.exec = RegExp.prototype.test = Symbol.prototype.toString = () => counted.n++;
    Object.setPrototypeOf(globalThis, trap);
    Object.setPrototypeOf(Math, trap)`, { counted: { n: 0 } });
  const { counted } = realm.world;
  counted.n = 0;
  assert.notEqual(realm.verify(), '');
  assert.equal(counted.n, 0);
});

Deno.test('a private element outlives its message, but nobody can see it', async () => {
  const realm = new Realm();
  const body = `class Stamp extends (function (o) { return o }) { #x = 1; static on(o) { return #x in o } }
    answer = [Stamp.on(Array.prototype), Stamp.on(Math.max)].join(); new Stamp(Array.prototype); new Stamp(Math.max)`;
  assert.equal((await realm.run(body)).answer, 'false,false');
  assert.equal(realm.verify(), '');
  assert.equal((await realm.run(body)).answer, 'false,false');
});

Deno.test('more globals than are worth deleting cost the realm', async () => {
  const realm = new Realm();
  await realm.run(`for (let i = 0; i < 5000; i++) globalThis['g' + i] = i`);
  assert.match(realm.verify(), /too many/);
});

// ---- random messages ----------------------------------------------------------------------------------------------

const SEED = 20_250_610;
const MESSAGES = 1_500;

// Runs messages, each in the realm of the one before while that is called clean; how many verdicts were clean, dirty and wrong.
async function torment(script, seed, messages) {
  const roll = dice(seed);
  const counts = { clean: 0, dirty: 0, wrong: 0, needless: 0, first: '' };
  for (let i = 0, realm; i < messages; i++) {
    realm ??= new Realm(script);
    const { body, fields } = message(roll, [...realm.before.keys()], i % 4 === 0 ? 60 : 12);
    await realm.run(body, fields);
    const verdict = realm.verify();
    const difference = realm.difference();
    counts[verdict === '' ? 'clean' : 'dirty']++;
    if (verdict === '' && difference !== '' && counts.wrong++ === 0) counts.first = `${difference} after\n${body}`;
    if (verdict !== '' || difference !== '') realm = undefined;
  }
  return counts;
}

Deno.test(`no realm is called clean that is not (seed ${SEED})`, async () => {
  const { clean, dirty, wrong, first } = await torment(scriptFor(tamper), SEED, MESSAGES);
  assert.equal(wrong, 0, first);
  assert.ok(clean > MESSAGES / 10 && dirty > MESSAGES / 10, `${clean} clean, ${dirty} dirty`);
});

// Each takes one part of the proof away; if the tests above could not tell, they would prove nothing.
const BLIND = {
  'objects are not watched': ['watched.push(record(object, label))', 'undefined'],
  'methods are not frozen': ['    freeze(object);\n    visit(', '    visit('],
  'closed prototypes are not frozen': ['if (CLOSED.test(label)) freeze(object)', 'if (CLOSED.test(label)) return'],
  'keys are not compared': ['if (now[i] !== keys[i]) return', 'if (now[i] !== keys[i] && false) return'],
  'numbers of keys are not compared': ['if (now.length !== keys.length) return', 'if (now.length < keys.length) return'],
  'prototypes are not compared': ['if (getPrototypeOf(object) !== parent)', 'if (false)'],
  'extensibility is not compared': ['if (!isExtensible(object))', 'if (false)'],
  'values are not compared': ['is(now.value, was.value)', 'true'],
  'writable is not compared': ['now.writable === was.writable', 'true'],
  'getters are not compared': ['now.get === was.get', 'true'],
  'setters are not compared': ['now.set === was.set', 'true'],
  'enumerable is not compared': ['now.enumerable !== was.enumerable', 'false'],
  'configurable is not compared': ['now.configurable !== was.configurable', 'false'],
  'new globals stay': ['!deleteProperty(world, now[i])', 'false'],
  'old globals are not compared': ["return fault === '' ? slotFault(world, slots) : fault", 'return fault'],
  'the prototype of the global is not compared': ['if (getPrototypeOf(world) !== parent)', 'if (false)'],
  'the last match stays': ["apply(matchNext, emptyPattern, [''])", 'undefined'],
  'the samples are forgotten': ['ownKeys(found).forEach(', '[].forEach('],
  'what is handed out is forgotten': ['handedOut.forEach(', '[].forEach('],
};

for (const [name, [part, instead]] of Object.entries(BLIND)) {
  Deno.test(`negative control: ${name}`, async () => {
    const source = String(tamper);
    assert.equal(source.split(part).length, 2, 'the part to take away is there once');
    const script = scriptFor(source.replace(part, () => instead));
    for (const code of Object.values({ ...DETECTED, ...REMOVED, ...PREVENTED })) {
      const { verdict, left } = await attack(code, script);
      if (verdict === '' && left !== '') return;
    }
    assert.fail('no attack got through');
  });
}

Deno.test('negative control: call sites are not silenced', async () => {
  const realm = new Realm(scriptFor(String(tamper).replace('    silenceCallSites();', '')));
  const body = `let got; Error.prepareStackTrace = (e, sites) => { got = sites }; new Error().stack; answer = got[0].getThis.constructor !== Function`;
  assert.equal((await realm.run(body)).answer, true, 'call sites no longer come from outside: Deno has changed');
});

// ---- the graph is whole -------------------------------------------------------------------------------------------

Deno.test('V8 holds no object of the realm that the walk does not know', async () => {
  const realm = new Realm();
  for (const code of Object.values(IDIOMS)) await realm.run(code);
  assert.equal(realm.verify(), '');
  console.log(await unknownSlots(realm.before.keys()));
});
