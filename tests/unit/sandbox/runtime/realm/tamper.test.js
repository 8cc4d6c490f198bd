// Does the proof hold? Every attack is seen twice: by `verify`, and by an oracle that knows nothing of how `verify` works:
// it walks the realm from outside with the outer program's own `Reflect` and compares all it finds. A realm that is
// called clean while the oracle sees a difference is a failure. Run: deno test tests/unit/sandbox/runtime/tamper.test.js

import assert from 'node:assert/strict';
import vm from 'node:vm';
import { tamper } from '../../../../../src/pulse/sandbox/deno/runtime/realm/tamper.js';
import { DETECTED, IDIOMS, POLYFILLS, PREVENTED, REMOVED, ROUTES } from './tamper.cases.js';
import { dice, message } from './tamper.grammar.js';
import { graphOf, privateKinds, Realm, scriptFor, unknownSlots } from './tamper.oracle.js';

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

Deno.test('a global that V8 or Deno adds is absent until it is allowed', () => {
  const context = vm.createContext(vm.constants.DONT_CONTEXTIFY);
  vm.runInContext(`globalThis.Novelty = Map; globalThis.Novelties = { make: Set }; globalThis.console = { log() {} }; globalThis.own = () => 1`, context);
  new vm.Script(`(${tamper})()`).runInContext(context);
  assert.equal(vm.runInContext(`[typeof Novelty, typeof Novelties, typeof console, typeof own].join()`, context), 'undefined,undefined,object,function');
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
const MESSAGES = 800;

// Runs messages, each in the realm of the one before while that is called clean; how many verdicts were clean, dirty and wrong.
async function torment(script, seed, messages) {
  const roll = dice(seed);
  const counts = { clean: 0, dirty: 0, wrong: 0, needless: 0, first: '' };
  for (let i = 0, realm; i < messages; i++) {
    realm ??= new Realm(script);
    const { body, fields } = message(roll, realm.before, i % 4 === 0 ? 60 : 12);
    await realm.run(body, fields);
    const verdict = realm.verify();
    const difference = realm.difference();
    counts[verdict === '' ? 'clean' : 'dirty']++;
    if (verdict === '' && difference !== '' && counts.wrong++ === 0) counts.first = `${difference} after\n${body}`;
    if (verdict !== '' && difference === '') counts.needless++;
    if (verdict !== '' || difference !== '') realm = undefined;
  }
  return counts;
}

Deno.test(`no realm is called clean that is not (seed ${SEED})`, async () => {
  const { clean, dirty, wrong, needless, first } = await torment(scriptFor(tamper), SEED, MESSAGES);
  assert.equal(wrong, 0, first);
  assert.equal(needless, 0, 'a realm is called dirty that is not');
  assert.ok(clean > MESSAGES / 10 && dirty > MESSAGES / 10, `${clean} clean, ${dirty} dirty`);
});

Deno.test('negative control: random messages find a proof that watches nothing', async () => {
  const blind = scriptFor(String(tamper).replace('watched.push(record(object, label))', 'undefined'));
  assert.ok((await torment(blind, SEED, 60)).wrong > 0);
});

// Each takes one part of the proof away; if the tests above could not tell, they would prove nothing.
const BLIND = {
  'replace a method': ['watched.push(record(object, label))', 'undefined'],
  'a property of a method': ['    freeze(object);\n    visit(', '    visit('],
  'an array iterator': ['if (CLOSED.test(label)) freeze(object)', 'if (CLOSED.test(label)) return'],
  'delete a method and put it back': ['if (now[i] !== keys[i]) return', 'if (false) return'],
  'add a symbol key': ['if (now.length !== keys.length) return', 'if (now.length < keys.length) return'],
  'setPrototypeOf': ['if (getPrototypeOf(object) !== parent)', 'if (false)'],
  'preventExtensions': ['if (!isExtensible(object))', 'if (false)'],
  'replace JSON.parse': ['is(now.value, was.value)', 'true'],
  'make a method read-only': ['(writable === true ? WRITABLE : 0)', '(writable !== undefined ? WRITABLE : 0)'],
  'replace a getter': ['now.get === was.get', 'true'],
  'replace a setter only': ['now.set === was.set', 'true'],
  'make a method enumerable': ['(enumerable ? ENUMERABLE : 0)', '0'],
  'make a method permanent': ['(configurable ? CONFIGURABLE : 0)', '(configurable !== undefined ? CONFIGURABLE : 0)'],
  'an undeclared assignment': ['!deleteProperty(world, now[i])', 'false'],
  'a permanent global': ['!deleteProperty(world, now[i])', '(deleteProperty(world, now[i]), false)'],
  'replace a global constructor': ["return fault === '' ? slotFault(self) : fault", 'return fault'],
  'the prototype of the global': ['if (getPrototypeOf(world) !== parent)', 'if (false)'],
  'preventExtensions of the global': ['if (!isExtensible(world))', 'if (false)'],
  'the last match': ['    if (fault === \'\') forgetMatch();', ''],
  'a stack hidden in a built-in': ['    for (let i = 0; fault === \'\' && i < watched.length; i++) fault = stackFault(watched[i]);', ''],
  'a stack hidden in the global': ['fault = stackFault(self)', 'fault = \'\''],
  'nothing hidden in place of a stack': ['    apply(writeStack, object, probe);', ''],
  'a map iterator': ['ownKeys(found).forEach(', '[].forEach('],
  'patch an error that only a call hands out': ['handedOut.forEach(', '[].forEach('],
};

for (const [name, [part, instead]] of Object.entries(BLIND)) {
  Deno.test(`negative control: ${name}, without ${part.trim().slice(0, 40)}`, async () => {
    const source = String(tamper);
    assert.equal(source.split(part).length, 2, 'the part to take away is there once');
    const code = { ...DETECTED, ...REMOVED, ...PREVENTED }[name];
    const { verdict, left } = await attack(code, scriptFor(source.replace(part, () => instead)));
    assert.equal(verdict, '', 'the attack gets through');
    assert.notEqual(left, '', 'the oracle sees it');
  });
}

Deno.test('negative control: call sites are not silenced', async () => {
  const realm = new Realm(scriptFor(String(tamper).replace('    silenceCallSites();', '')));
  const body = `let got; Error.prepareStackTrace = (e, sites) => { got = sites }; new Error().stack; answer = got[0].getThis.constructor !== Function`;
  assert.equal((await realm.run(body)).answer, true, 'call sites no longer come from outside: Deno has changed');
});

// ---- the graph is whole -------------------------------------------------------------------------------------------

// What V8 keeps for itself and no script can reach. A name that is not here is either such a thing too, new in this V8, or an
// intrinsic that the walk must learn of: add it to `samples` of tamper.js.
const UNREACHABLE = new Set(
  `abstract_module_source_function abstract_module_source_prototype array_buffer_noinit_fun async_from_sync_iterator_map.prototype
  async_module_evaluate_internal call_as_constructor_delegate call_as_function_delegate callsite_function context_extension_function
  extras_binding_object fast_aliased_arguments_map.constructor generator_next_internal global_object global_proxy_function
  initial_array_iterator_map.constructor initial_regexp_string_iterator_prototype_map.constructor initial_string_iterator_map.constructor
  intl_segment_iterator_map.constructor intl_segments_map.constructor js_finalization_registry_fun js_weak_ref_fun
  map_key_iterator_map.constructor perform_promise_then security_token set_value_iterator_map.constructor shared_array_buffer_fun`.split(/\s+/),
);
const isInternal = (slot) => UNREACHABLE.has(slot) || /^wasm_|_template_instantiations_cache/.test(slot);

Deno.test('V8 holds no object of the realm that the walk does not know', async () => {
  const realm = new Realm();
  for (const code of Object.values(IDIOMS)) await realm.run(code);
  assert.equal(realm.verify(), '');
  const slots = await unknownSlots(realm.before.keys());
  assert.deepEqual(slots.filter((slot) => !isInternal(slot)), []);
  assert.ok(slots.includes('js_weak_ref_fun'), 'the snapshot was read rightly');
});

Deno.test('negative control: an intrinsic that the walk does not know is found in the heap', async () => {
  const realm = new Realm();
  const hidden = vm.runInContext(`Object.getPrototypeOf(new Map().keys())`, realm.context);
  const slots = await unknownSlots([...realm.before.keys()].filter((object) => object !== hidden));
  assert.notDeepEqual(slots.filter((slot) => !isInternal(slot)), []);
});

Deno.test('V8 hides nothing in the objects of a clean realm', async () => {
  const realm = new Realm();
  const before = await privateKinds(realm.before.keys());
  const roll = dice(SEED);
  for (const code of Object.values({ ...IDIOMS, ...REMOVED, ...PREVENTED })) await realm.run(tried(code));
  for (let i = 0; i < 300; i++) await realm.run(...Object.values(message(roll, realm.before, 0)));
  assert.equal(realm.verify(), '');
  assert.deepEqual(await privateKinds(realm.before.keys()), before);
});

Deno.test('negative control: a hidden stack is found in the heap', async () => {
  const realm = new Realm();
  const before = await privateKinds(realm.before.keys());
  await realm.run(DETECTED['a stack hidden in a built-in']);
  assert.notDeepEqual(await privateKinds(realm.before.keys()), before);
});
