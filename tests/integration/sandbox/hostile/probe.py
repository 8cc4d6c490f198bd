"""A look at a realm: everything that scripts can see of it, as lines of text. Two clean realms give the same lines."""
# ruff: noqa: E501 - scripts are read as JavaScript

PROBE = r"""
const lines = [], seen = new Map(), queue = [];
const isObject = (value) => (typeof value === 'object' && value !== null) || typeof value === 'function';
const say = (key) => typeof key === 'symbol' ? `@@${key.description}` : key;
const visit = (value, path) => {
  if (!isObject(value)) return Object.is(value, -0) ? '-0' : `${typeof value} ${String(value)}`;
  if (!seen.has(value)) { seen.set(value, path); queue.push(value) }
  return seen.get(value);
};
const frames = {};
Error.captureStackTrace(frames);
const segments = new Intl.Segmenter().segment('x');
const samples = [async () => {}, function* () {}, async function* () {}, (function* () {})(), (async function* () {})(), [].values(),
  new Map().values(), new Set().values(), ''[Symbol.iterator](), ''.matchAll(/x/g), [].values().take(0), Iterator.from({ next() {} }),
  segments, segments[Symbol.iterator](), new Uint8Array().values(), (function () { return arguments })(), frames, new Error()];
const statics = () => ['$1', '$2', '$9', 'input', 'lastMatch', 'lastParen', 'leftContext', 'rightContext', '$_'].map((name) => RegExp[name]);
lines.push(JSON.stringify(statics()));
visit(globalThis, 'globalThis');
samples.forEach((sample, at) => visit(Object.getPrototypeOf(sample), `sample ${at}`));
for (let i = 0; i < queue.length; i++) {
  const object = queue[i], path = seen.get(object);
  const state = Object.isFrozen(object) ? 'frozen' : Object.isExtensible(object) ? 'open' : 'closed';
  lines.push(`${path}: ${state}, of ${visit(Object.getPrototypeOf(object), `${path}^`)}`);
  if (typeof object === 'function') lines.push(`${path} = ${Function.prototype.toString.call(object)}`);
  for (const key of Reflect.ownKeys(object)) {
    if (object === globalThis && (key === 'message' || key === '___result___')) continue;
    const { value, get, set, writable, enumerable, configurable } = Object.getOwnPropertyDescriptor(object, key);
    const at = `${path}.${say(key)}`;
    const held = get || set ? `get ${visit(get, `${at}<`)} set ${visit(set, `${at}>`)}` : visit(value, at);
    lines.push(`${at} ${writable ? 'w' : ''}${enumerable ? 'e' : ''}${configurable ? 'c' : ''} ${held}`);
  }
}
const inherited = [];
for (const name in {}) inherited.push(name);
lines.push(inherited.join(), [...'ab', ...[1]].join(), `${new Error('x')}`, JSON.stringify({ a: [1] }), String(Date.now()), `${[3, 1].sort()}`);
___result___ = lines;
"""
