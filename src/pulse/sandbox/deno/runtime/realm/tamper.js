// Proves that a realm is as it was before a script ran in it, so that it can serve another message.
//
// A realm is a graph of objects and a few slots beside it. Before any script runs, `tamper` walks the graph, from the global
// and from samples of the intrinsics that no name leads to, and leaves each object in one of two states:
//
//   frozen    every method and getter, and the prototypes that nobody extends. A frozen object cannot change: not its
//             properties, its prototype nor its extensibility. Nothing is left to check.
//   watched   what people extend or patch: `Array.prototype`, `Object`, `Math`, the errors... It stays exactly as the engine
//             made it, so that scripts see and V8 optimizes the real thing. `verify` compares all that ECMA-262 lets an
//             ordinary object hold: prototype, extensibility, own keys in their order, and the six fields of each property.
//
// So the verdict rests on comparing states, not on knowing the ways to change them: no setter, wrapper or list of dangerous
// functions has to be complete. What has to be complete is the graph (the test walks it a second time, and asks V8's heap
// snapshot for objects and hidden properties of the native context that both walks missed) and what is not a property:
//
//   global scope      names made by `var`, functions or assignment are keys of the global: swept. A `let` of an indirect eval
//                     ends with that eval, and scripts are function bodies: none reaches the scope that scripts share.
//   RegExp.$1 and kin the last match is a slot of the realm: an empty match blanks it.
//   error stacks      V8 hides a stack in any extensible object given to `Error.captureStackTrace`; deleting `stack` leaves it,
//                     and the accessor of any error reads and writes it. `verify` tries that accessor on each object.
//   call sites        `Error.prepareStackTrace` is inert. Deno looks it up on the global's `Error` and hands it call sites of
//                     the *outer* realm: one call, and a script holds `Deno`. So both names are nailed down.
//   jobs, memory      what could run code later or share memory (WeakRef, Atomics, WebAssembly...) is removed; an allow-list
//                     decides, so that what V8 adds tomorrow is absent until somebody has looked at it. The caller verifies
//                     only after microtasks have drained, and drops its own promises.
//   private elements  `#x` can be stamped on any object, frozen or not, but only the class that declared it sees it, and that
//                     class died with its message. The same holds for a script's WeakMap and its entries.
//   the rest          template objects are frozen; Symbol.for, Date, Intl and compiled code hold nothing a script could put
//                     there and read back. The kernel sees to its own: closures, a Map within reach, and classes with
//                     private elements, which must extend nothing (a script can make `super` return any object).
//
// `verify` runs no code of a script: it calls captured functions, which on ordinary objects call nothing, and reads own
// properties. A field that a descriptor lacks is looked up on `Object.prototype`, which by then has no unknown keys.
//
// `tamper` is turned into text and runs inside the realm, after the kernel has put its functions (no bound ones: they look
// native, and go) on the global. It returns `verify`, which answers '' or what has changed; after one fault never '' again.
//   handedOut   objects no property leads to, but that a kernel function may return or throw an instance of
//   reuse       false: take away what must not be there, and prove nothing (a realm for one message needs that too)

export function tamper(options) {
  'use strict';
  const { handedOut = [], reuse = true } = options ?? {};
  const world = globalThis;
  const { apply, defineProperty, deleteProperty, getOwnPropertyDescriptor, getPrototypeOf, isExtensible, ownKeys, setPrototypeOf } = Reflect;
  const { freeze, is, isFrozen, prototype: objectPrototype } = Object;
  const matchNext = RegExp.prototype.exec;
  const sourceOf = Function.prototype.toString;
  const emptyPattern = /^/;
  const { get: readStack, set: writeStack } = getOwnPropertyDescriptor(new Error(), 'stack');
  const probe = [''];
  const nothing = [];
  const MOST_GLOBALS = 2_000;
  const WRITABLE = 1, CONFIGURABLE = 2, ENUMERABLE = 4;
  const CHANGEABLE = WRITABLE | CONFIGURABLE;

  // ---- taking away -------------------------------------------------------------------------------------------

  const ALLOWED = new Set(
    `AggregateError Array ArrayBuffer AsyncDisposableStack BigInt BigInt64Array BigUint64Array Boolean DataView Date
    DisposableStack Error EvalError Float16Array Float32Array Float64Array Function Infinity Int16Array Int32Array Int8Array
    Intl Iterator JSON Map Math NaN Number Object Promise Proxy RangeError ReferenceError Reflect RegExp Set String
    SuppressedError Symbol SyntaxError Temporal TypeError URIError Uint16Array Uint32Array Uint8Array Uint8ClampedArray
    WeakMap WeakSet decodeURI decodeURIComponent encodeURI encodeURIComponent escape eval globalThis isFinite isNaN
    parseFloat parseInt undefined unescape`.split(/\s+/),
  );

  const UNWANTED = ['Atomics', 'FinalizationRegistry', 'SharedArrayBuffer', 'WeakRef', 'WebAssembly'];
  const REPLACED = ['console', 'queueMicrotask'];

  const isObject = (value) => (typeof value === 'object' && value !== null) || typeof value === 'function';
  const isNative = (value) => typeof value === 'function' && apply(sourceOf, value, []).endsWith('{ [native code] }');
  const hasNative = (object) => ownKeys(object).some((key) => isNative(getOwnPropertyDescriptor(object, key).value));

  function strip() {
    // Deleted unread: reading `WebAssembly` makes all of it, which takes 0.3 ms.
    UNWANTED.forEach((key) => deleteProperty(world, key));
    deleteForeign();
    deleteProperty(Intl, 'v8BreakIterator');
    setPrototypeOf(world, objectPrototype);
    silenceCallSites();
  }

  // V8's and Deno's globals are native functions or namespaces of such, and stand before the kernel's, which are neither.
  function deleteForeign() {
    for (const key of ownKeys(world)) {
      if (ALLOWED.has(key)) continue;
      const { value } = getOwnPropertyDescriptor(world, key);
      if (isObject(value) && (isNative(value) || hasNative(value))) deleteProperty(world, key);
      else if (!REPLACED.includes(key)) return;
    }
  }

  function silenceCallSites() {
    const inert = { get: () => undefined, set: (_ignored) => undefined };
    defineProperty(Error, 'prepareStackTrace', { __proto__: null, ...inert, enumerable: false, configurable: false });
    defineProperty(world, 'Error', { __proto__: null, writable: false, configurable: false });
  }

  // ---- walking -----------------------------------------------------------------------------------------------

  // The prototypes and constructors nobody extends; assigning to what they name has no effect on objects below them.
  const CLOSED = new RegExp(
    '^%|^Intl\\.|^Temporal\\.(?!Now$)|^(Async)?DisposableStack|^DataView|^Proxy$|^(Big|Float|Uint8C|Uint16|Uint32|Int)\\w*Array' +
      '|^(Aggregate|Eval|Range|Reference|Suppressed|Syntax|Type|URI)Error$|\\[Symbol\\.unscopables\\]$',
  );
  const known = new Set();
  const waiting = [];
  const watched = [];
  let walked = 0;

  // Visits the accessors that errors and arguments carry; gives an object for each prototype that no name leads to.
  function samples() {
    const captured = {};
    Error.captureStackTrace(captured);
    const segments = new Intl.Segmenter().segment('');
    visitParts(new Error(), '%Error%');
    visitParts(captured, '%captureStackTrace%');
    visitParts((function () { return arguments; })(), '%arguments%');
    return {
      AsyncFunction: async () => {},
      GeneratorFunction: function* () {},
      AsyncGeneratorFunction: async function* () {},
      ArrayIterator: [].values(),
      MapIterator: new Map().values(),
      SetIterator: new Set().values(),
      StringIterator: ''[Symbol.iterator](),
      RegExpStringIterator: ''.matchAll(/^/g),
      IteratorHelper: [].values().take(0),
      WrapForValidIterator: Iterator.from({ next() {} }),
      Segments: segments,
      SegmentIterator: segments[Symbol.iterator](),
    };
  }

  // Names first, so that an object is known by its name; the kernel's own objects, which may lead anywhere, last.
  function walk() {
    known.add(world);
    visit(objectPrototype, 'Object.prototype');
    visit(Function.prototype, 'Function.prototype');
    visit(getPrototypeOf(Uint8Array), 'TypedArray');
    ALLOWED.forEach((name) => isObject(world[name]) && visit(world[name], name));
    goOn();
    const found = samples();
    ownKeys(found).forEach((name) => visit(getPrototypeOf(found[name]), `%${name}Prototype%`));
    goOn();
    visitParts(world, '');
    handedOut.forEach((object, index) => visit(object, `handedOut[${index}]`));
    goOn();
  }

  function goOn() {
    for (; walked < waiting.length; walked++) visitParts(waiting[walked].object, waiting[walked].label);
  }

  function visitParts(object, label) {
    const keys = ownKeys(object);
    for (let i = 0; i < keys.length; i++) {
      const slot = getOwnPropertyDescriptor(object, keys[i]);
      if (isObject(slot.value)) visit(slot.value, label, keys[i]);
      if (slot.get !== undefined) visit(slot.get, label, keys[i]);
      if (slot.set !== undefined) visit(slot.set, label, keys[i]);
    }
    visit(getPrototypeOf(object), label, '[[Prototype]]');
  }

  function visit(object, label, key) {
    if (object === null || known.has(object)) return;
    known.add(object);
    if (isPlain(object)) freezePlain(object);
    else waiting.push({ object, label: key === undefined ? label : named(label, key) });
  }

  function freezePlain(object) {
    freeze(object);
    visit(getPrototypeOf(object), 'a function', '[[Prototype]]');
  }

  function named(label, key) {
    if (typeof key === 'symbol') return `${label}[${key.description}]`;
    return label === '' ? key : `${label}.${key}`;
  }

  // A function that holds no more than its length and name: nobody puts anything on those.
  function isPlain(object) {
    if (typeof object !== 'function') return false;
    const keys = ownKeys(object);
    return keys.length === 2 && keys[0] === 'length' && keys[1] === 'name' && typeof object.name === 'string';
  }

  function settle({ object, label }) {
    if (isFrozen(object)) return;
    if (CLOSED.test(label)) freeze(object);
    else watched.push(record(object, label));
  }

  // What may change of an object. Properties that are neither writable nor configurable never do.
  function record(object, label) {
    const keys = ownKeys(object);
    const slots = keys.map((key) => slotOf(object, key)).filter((slot) => slot.traits & CHANGEABLE);
    return { object, label, parent: getPrototypeOf(object), keys, slots };
  }

  // Small: every realm has a thousand of them.
  function slotOf(object, key) {
    const now = getOwnPropertyDescriptor(object, key);
    return { key, value: now.value, get: now.get, set: now.set, traits: traitsOf(now) };
  }

  const traitsOf = ({ writable, configurable, enumerable }) =>
    (writable === true ? WRITABLE : 0) | (configurable ? CONFIGURABLE : 0) | (enumerable ? ENUMERABLE : 0);

  // ---- proving -----------------------------------------------------------------------------------------------

  function shapeFault({ object, label, parent, keys }) {
    if (getPrototypeOf(object) !== parent) return `${label} has another prototype`;
    if (!isExtensible(object)) return `${label} can no longer be extended`;
    const now = ownKeys(object);
    if (now.length !== keys.length) return `${label} has other properties`;
    for (let i = 0; i < keys.length; i++) if (now[i] !== keys[i]) return `${label} has other properties`;
    return '';
  }

  function slotFault({ object, label, slots }) {
    for (let i = 0; i < slots.length; i++) {
      const was = slots[i];
      const now = getOwnPropertyDescriptor(object, was.key);
      const same = is(now.value, was.value) && now.get === was.get && now.set === was.set;
      if (!same || traitsOf(now) !== was.traits) return `${named(label, was.key)} was changed`;
    }
    return '';
  }

  // New names are deleted; the old ones must all be there, in their order: a name that was deleted and put back comes last.
  function sweep(keys) {
    const now = ownKeys(world);
    if (now.length > keys.length + MOST_GLOBALS) return 'globalThis has too many properties to delete';
    let at = 0;
    for (let i = 0; i < now.length; i++) {
      if (at < keys.length && now[i] === keys[at]) at++;
      else if (!deleteProperty(world, now[i])) return 'globalThis has a property that cannot be deleted';
    }
    return at === keys.length ? '' : 'globalThis has lost a property';
  }

  function worldFault(self) {
    const { parent, keys } = self;
    if (getPrototypeOf(world) !== parent) return 'globalThis has another prototype';
    if (!isExtensible(world)) return 'globalThis can no longer be extended';
    const fault = sweep(keys);
    return fault === '' ? slotFault(self) : fault;
  }

  // Writing has no effect where there is no slot; where there is one, it may hold `undefined`.
  function stackFault({ object, label }) {
    apply(writeStack, object, probe);
    return apply(readStack, object, nothing) === undefined ? '' : `${label} carries a stack`;
  }

  // All shapes first, `Object.prototype` before any: only then is a missing field of a descriptor surely undefined.
  function findFault(self) {
    let fault = '';
    for (let i = 0; fault === '' && i < watched.length; i++) fault = shapeFault(watched[i]);
    for (let i = 0; fault === '' && i < watched.length; i++) fault = slotFault(watched[i]);
    if (fault === '') fault = worldFault(self);
    for (let i = 0; fault === '' && i < watched.length; i++) fault = stackFault(watched[i]);
    if (fault === '') fault = stackFault(self);
    if (fault === '') forgetMatch();
    return fault;
  }

  const forgetMatch = () => apply(matchNext, emptyPattern, ['']);

  function prover() {
    const self = record(world, 'globalThis');
    let verdict = '';
    return () => {
      try {
        if (verdict === '') verdict = findFault(self);
      } catch (_error) {
        verdict = 'the proof could not be made';
      }
      return verdict;
    };
  }

  function prepare() {
    walk();
    waiting.forEach(settle);
    known.clear();
    waiting.length = 0;
  }

  strip();
  if (reuse) prepare();
  forgetMatch();
  return reuse ? prover() : undefined;
}
