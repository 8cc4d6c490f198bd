// A realm as the runtime makes it, and two witnesses of its state that know nothing of how `verify` works: a walk from
// outside with the outer program's own `Reflect`, and V8's heap snapshot.

import { setImmediate } from 'node:timers';
import v8 from 'node:v8';
import vm from 'node:vm';
import { tamper } from '../../../../../src/pulse/sandbox/deno/runtime/realm/tamper.js';

// ---- a realm with a small kernel --------------------------------------------------------------------------------

// What a kernel puts within a script's reach: functions, a namespace, a class, an error that only a call hands out.
function standIn() {
  'use strict';
  const hide = (name, value) => Object.defineProperty(globalThis, name, { value, writable: true, enumerable: false, configurable: true });
  class Problem extends Error {}
  class Link {
    #href;
    constructor(href) {
      this.#href = String(href);
    }
    get href() {
      return this.#href;
    }
    *parts() {
      yield this.#href;
    }
    toString() {
      return this.#href;
    }
    static parse(href) {
      return new Link(href);
    }
  }
  const { print, fail } = {
    print: (..._values) => undefined,
    fail() {
      throw new Problem('no');
    },
  };
  hide('print', print);
  hide('fail', fail);
  hide('console', { log: print, error: print });
  hide('Link', Link);
  hide('LIMIT', 10);
  return [Problem.prototype];
}

// The intrinsics that syntax and calls lead to; a second list, on purpose not the one of tamper.js.
const HIDDEN = `[
  Object.getPrototypeOf(async function () {}), Object.getPrototypeOf(function* () {}), Object.getPrototypeOf(async function* () {}),
  Object.getPrototypeOf((function* () {})()).__proto__, Object.getPrototypeOf((async function* () {})()).__proto__,
  ...[[].keys(), new Map().entries(), new Set().entries(), 'a'[Symbol.iterator](), /a/g[Symbol.matchAll]('a'), new Uint8Array().values(),
    [].values().map((x) => x), [].values().flatMap((x) => [x]), Iterator.from({ __proto__: null, next() {} }), new Map().keys().drop(1),
    new Intl.Segmenter('en').segment('a'), new Intl.Segmenter('en').segment('a')[Symbol.iterator](), new Intl.Locale('en'),
    new Intl.NumberFormat(), new Intl.DateTimeFormat(), new Intl.Collator(), Temporal.Now.instant(), Temporal.Now.plainDateISO(),
    new DisposableStack(), new AsyncDisposableStack(), Promise.resolve(1), new Proxy({}, {}), new Date(0).toTemporalInstant(),
    (function () { return arguments; })(), new AggregateError([]), /a/.exec('a'), /(?<n>a)/d.exec('a').indices].map(Object.getPrototypeOf),
  ...[new Error(), new TypeError(), (() => { const o = {}; Error.captureStackTrace(o); return o; })(), (() => { try { null.x; } catch (e) { return e; } })()]
    .flatMap((e) => [Object.getOwnPropertyDescriptor(e, 'stack').get, Object.getOwnPropertyDescriptor(e, 'stack').set]),
  Object.getOwnPropertyDescriptor((function () { 'use strict'; return arguments; })(), 'callee').get,
  Array.prototype[Symbol.unscopables], Object.getPrototypeOf(Int8Array), (() => { try { fail(); } catch (e) { return Object.getPrototypeOf(e); } })(),
]`;

const hiddenScript = new vm.Script(HIDDEN);
export const scriptFor = (proof) => new vm.Script(`(${proof})({ handedOut: (${standIn})() })`);
const usual = scriptFor(tamper);

export class Realm {
  constructor(script = usual) {
    this.context = vm.createContext(vm.constants.DONT_CONTEXTIFY);
    this.verify = script.runInContext(this.context);
    this.world = vm.runInContext('globalThis', this.context);
    this.hidden = Array.from(hiddenScript.runInContext(this.context)).filter((object) => object !== undefined && object !== null);
    this.verify();
    this.before = this.graph();
  }

  // Runs a message as the runtime does, waits until it has drained, and gives what the script left in `answer`.
  async run(body, fields = {}) {
    for (const name of Object.keys(fields)) this.put(name, fields[name]);
    this.put('answer', undefined);
    const factory = new vm.Script(`(function () { return async function () {\n${body}\n}; })`).runInContext(this.context);
    const outcome = { error: undefined };
    this.put('report', (error) => (outcome.error = String(error)));
    const supervise = vm.runInContext(`((factory, report) => { (async () => { try { await factory()(); } catch (e) { report(e); } })(); })`, this.context);
    supervise(factory, this.world.report);
    for (let i = 0; i < 3; i++) await new Promise((resolve) => setImmediate(resolve));
    Reflect.deleteProperty(this.world, 'report');
    return { ...outcome, answer: Reflect.getOwnPropertyDescriptor(this.world, 'answer')?.value };
  }

  put(name, value) {
    Reflect.defineProperty(this.world, name, { value, writable: true, enumerable: true, configurable: true });
  }

  graph() {
    return graphOf([this.world, ...this.hidden]);
  }

  difference() {
    try {
      return difference(this.before, this.graph()) || this.statics();
    } catch (error) {
      return `a script's object in the graph: ${error.message}`;
    }
  }

  // What is no property: the realm's last match, names in the scope of scripts, stacks that V8 hides in objects.
  statics() {
    const names = ['$1', '$9', 'input', '$_', 'lastMatch', 'lastParen', 'leftContext', 'rightContext'];
    const left = names.filter((name) => Reflect.get(this.world.RegExp, name) !== '');
    const scope = ['leaked', 'leaked2', 'leaked3'].filter((name) => vm.runInContext(`typeof ${name}`, this.context) !== 'undefined');
    const { get, set } = Reflect.getOwnPropertyDescriptor(vm.runInContext('new (class extends TypeError {})()', this.context), 'stack');
    const hidden = [...this.before.keys()].some((object) => {
      const was = Reflect.apply(get, object, []);
      Reflect.apply(set, object, ['mark']);
      const now = Reflect.apply(get, object, []);
      Reflect.apply(set, object, [was]);
      return now !== undefined;
    });
    return [...left.map((name) => `RegExp.${name}`), ...scope, ...(hidden ? ['a stack'] : [])].join();
  }
}

// ---- the oracle -------------------------------------------------------------------------------------------------

const isObject = (value) => (typeof value === 'object' && value !== null) || typeof value === 'function';

export function graphOf(roots) {
  const graph = new Map();
  const stack = roots.filter(isObject);
  while (stack.length > 0) {
    const object = stack.pop();
    if (graph.has(object)) continue;
    const slots = Reflect.ownKeys(object).map((key) => [key, Reflect.getOwnPropertyDescriptor(object, key)]);
    const parent = Reflect.getPrototypeOf(object);
    graph.set(object, { parent, open: Reflect.isExtensible(object), slots });
    stack.push(...[parent, ...slots.flatMap(([, slot]) => [slot.value, slot.get, slot.set])].filter((next) => isObject(next) && !graph.has(next)));
  }
  return graph;
}

function difference(before, after) {
  if (before.size !== after.size) return `${after.size - before.size} more objects`;
  for (const [object, was] of before) {
    const now = after.get(object);
    if (now === undefined) return 'an object is gone';
    if (now.parent !== was.parent || now.open !== was.open) return 'a prototype or extensibility';
    if (now.slots.length !== was.slots.length) return 'a number of keys';
    const slot = was.slots.findIndex(([key, old], i) => now.slots[i][0] !== key || !sameSlot(old, now.slots[i][1]));
    if (slot >= 0) return `key ${String(was.slots[slot][0])}`;
  }
  return '';
}

const FIELDS = ['value', 'writable', 'get', 'set', 'enumerable', 'configurable'];
const sameSlot = (a, b) => FIELDS.every((field) => Object.is(a[field], b[field]));

// ---- the heap ---------------------------------------------------------------------------------------------------

class Known {
  constructor(list) {
    this.list = list;
  }
}

// Where V8's native context of a realm holds an object that is not known: the names of the slots that lead to it.
export async function unknownSlots(list) {
  const { heap, known } = await heapWith(list);
  const paths = new Map([[heap.nativeContextOf(known), '']]);
  const found = [];
  for (const [node, path] of paths) {
    for (const { type, name, to } of heap.edges(node)) {
      if (type === 'weak' || paths.has(to) || known.has(to) || heap.isOutside(to)) continue;
      const here = path === '' ? name : `${path}.${name}`;
      if (heap.isObject(to)) {
        found.push(here);
        known.add(to);
      } else paths.set(to, here);
    }
  }
  return found;
}

// What the objects hold under V8's private symbols, which have no name: the sorted kinds of holder and held.
export async function privateKinds(list) {
  const { heap, known } = await heapWith(list);
  const kinds = [...known].flatMap((node) =>
    heap.edges(node).filter(({ name }) => name === '<symbol>').map(({ to }) => `${heap.name(node)}: ${heap.name(to)}`)
  );
  return kinds.sort();
}

async function heapWith(list) {
  const holder = new Known([...list]);
  const heap = new Heap(await text(v8.getHeapSnapshot()));
  return { heap, known: heap.listed(holder.constructor.name) };
}

async function text(stream) {
  let all = '';
  for await (const chunk of stream) all += chunk;
  return all;
}

class Heap {
  #nodes;
  #edges;
  #strings;
  #types;
  #edgeTypes;
  #width;
  #starts = [];

  constructor(json) {
    const { snapshot, nodes, edges, strings } = JSON.parse(json);
    const { node_fields: fields, node_types: types, edge_types: edgeTypes } = snapshot.meta;
    const index = Object.fromEntries(fields.map((name, i) => [name, i]));
    this.#width = fields.length;
    this.#nodes = { at: (node, field) => nodes[node * this.#width + index[field]], count: nodes.length / this.#width };
    [this.#edges, this.#strings, this.#types, this.#edgeTypes] = [edges, strings, types[0], edgeTypes[0]];
    for (let node = 0, start = 0; node < this.#nodes.count; node++) {
      this.#starts.push(start);
      start += this.#nodes.at(node, 'edge_count');
    }
  }

  name = (node) => this.#strings[this.#nodes.at(node, 'name')];
  type = (node) => this.#types[this.#nodes.at(node, 'type')];

  edges(node) {
    return Array.from({ length: this.#nodes.at(node, 'edge_count') }, (_, i) => {
      const at = (this.#starts[node] + i) * 3;
      const type = this.#edgeTypes[this.#edges[at]];
      const name = type === 'element' || type === 'hidden' ? this.#edges[at + 1] : this.#strings[this.#edges[at + 1]];
      return { type, name, to: this.#edges[at + 2] / this.#width };
    });
  }

  to = (node, name) => this.edges(node).find((edge) => edge.name === name)?.to;

  // The items of the list that the one instance of `className` holds.
  listed(className) {
    for (let node = 0; node < this.#nodes.count; node++) {
      if (this.type(node) !== 'object' || this.name(node) !== className) continue;
      const list = this.to(node, 'list');
      if (list !== undefined) return new Set(this.edges(list).filter(({ type }) => type === 'element').map(({ to }) => to));
    }
    throw new Error(`no ${className} in the snapshot`);
  }

  nativeContextOf(known) {
    const contexts = [...known].map((node) => this.to(node, 'context')).filter((node) => node !== undefined);
    return contexts.find((node) => this.name(node) === 'system / NativeContext');
  }

  isOutside = (node) => this.type(node) === 'synthetic' || this.name(node).includes('NativeContext');
  isObject = (node) => ['object', 'closure', 'regexp'].includes(this.type(node)) && !this.name(node).startsWith('system /');
}
