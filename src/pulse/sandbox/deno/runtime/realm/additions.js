/**
 * The plain additions to a realm: URL, URLSearchParams, TextEncoder, TextDecoder, atob, btoa and structuredClone.
 *
 * A realm has ECMAScript's globals only, and no object of the host may enter it; so these are plain JavaScript, made
 * inside the realm from its source before any script runs there. Compile once, run in every new realm:
 *
 *     new vm.Script(`(${additions})(${url})`).runInContext(realm)        (without `url` there is no URL)
 *
 * Neither function closes over anything of its module. What scripts may change later is captured first; from then on no
 * method is looked up on a prototype and no array is iterated, spread or destructured. Lists have no prototype: a setter
 * planted on `Array.prototype` meets none of their writes. Nothing outlives a message: there is no cache, and all state
 * is in private fields of objects that a script made itself.
 */
export function additions(url) {
  'use strict';
  const {
    Array, ArrayBuffer, BigInt, BigInt64Array, BigUint64Array, Boolean, DataView, Date, Error, EvalError, Float16Array, Float32Array,
    Float64Array, Int16Array, Int32Array, Int8Array, Iterator, Map, Number, Object, RangeError, ReferenceError, Reflect, RegExp, Set,
    String, Symbol, SyntaxError, TypeError, URIError, Uint16Array, Uint32Array, Uint8Array, Uint8ClampedArray, encodeURIComponent,
    parseInt,
  } = globalThis;
  const { apply, defineProperty, getOwnPropertyDescriptor, getPrototypeOf, ownKeys } = Reflect;
  const { assign, hasOwn, keys: keysOf, prototype: objectPrototype, setPrototypeOf } = Object;
  const { iterator: iteratorSymbol, toStringTag } = Symbol;
  const { fromCodePoint, prototype: string } = String;
  const isArray = Array.isArray, isView = ArrayBuffer.isView, isError = Error.isError, fromBase64 = Uint8Array.fromBase64;
  const array = Array.prototype, buffer = ArrayBuffer.prototype, view = DataView.prototype, octets = Uint8Array.prototype;
  const typed = getPrototypeOf(octets);

  const uncurry = Function.prototype.bind.bind(Function.prototype.call);
  const lookup = uncurry(objectPrototype.__lookupGetter__);
  const getter = (prototype, name) => uncurry(lookup(prototype, name));
  const { lastIndexOf, normalize, toUpperCase, toWellFormed } = string;
  const sort = array.sort, toBase64 = octets.toBase64, exec = RegExp.prototype.exec, getTime = Date.prototype.getTime;
  const booleanValue = Boolean.prototype.valueOf, bigintValue = BigInt.prototype.valueOf, stringValue = string.valueOf;
  const numberValue = Number.prototype.valueOf, numberText = Number.prototype.toString, tagOf = objectPrototype.toString;
  const eachEntry = Map.prototype.forEach, eachItem = Set.prototype.forEach, addItem = Set.prototype.add;
  const charAt = uncurry(string.charAt), charCodeAt = uncurry(string.charCodeAt), codePointAt = uncurry(string.codePointAt);
  const indexOf = uncurry(string.indexOf), slice = uncurry(string.slice), toLowerCase = uncurry(string.toLowerCase);
  const join = uncurry(array.join), transfer = uncurry(buffer.transfer), typedSet = uncurry(typed.set);
  const mapGet = uncurry(Map.prototype.get), mapSet = uncurry(Map.prototype.set);
  const mapSize = getter(Map.prototype, 'size'), setSize = getter(Set.prototype, 'size'), sourceOf = getter(RegExp.prototype, 'source');
  const bufferSize = getter(buffer, 'byteLength'), bufferMaximum = getter(buffer, 'maxByteLength'), isResizable = getter(buffer, 'resizable');
  const typedBuffer = getter(typed, 'buffer'), typedOffset = getter(typed, 'byteOffset'), typedSize = getter(typed, 'byteLength');
  const typedLength = getter(typed, 'length'), typedTag = getter(typed, toStringTag);
  const viewBuffer = getter(view, 'buffer'), viewOffset = getter(view, 'byteOffset'), viewSize = getter(view, 'byteLength');

  const list = () => setPrototypeOf([], null);
  const usv = (value) => apply(toWellFormed, `${value}`, []);
  const isObject = (value) => (typeof value === 'object' && value !== null) || typeof value === 'function';
  function define(target, name, value, enumerable = false) {
    defineProperty(target, name, { __proto__: null, value, writable: true, enumerable, configurable: true });
  }
  function named(name, message) {
    const error = new Error(message);
    define(error, 'name', name);
    return error;
  }
  function need(given, wanted) {
    if (given < wanted) throw new TypeError(`${wanted} argument${wanted > 1 ? 's' : ''} required, but only ${given} present`);
  }
  function members(options) {
    if (options === undefined || options === null) return { __proto__: null };
    if (!isObject(options)) throw new TypeError('The options are not an object');
    return options;
  }

  /** Calls `each` with every item; false for what is not iterable. A plain array is read by index, whatever its iterator became. */
  function iterate(iterable, each) {
    if (isArray(iterable) && getPrototypeOf(iterable) === array && !hasOwn(iterable, iteratorSymbol)) {
      for (let i = 0; i < iterable.length; i++) each(iterable[i]);
      return true;
    }
    const method = iterable[iteratorSymbol];
    if (method === undefined || method === null) return false;
    const iterator = apply(method, iterable, []);
    const { next } = iterator;
    for (;;) {
      const step = apply(next, iterator, []);
      if (!isObject(step)) throw new TypeError('The result of an iterator is not an object');
      if (step.done) return true;
      each(step.value);
    }
  }

  // Text

  /** Where the first character that is not accepted stands, at or after `from`. */
  function skip(text, from, accepts) {
    let i = from;
    while (i < text.length && accepts(text[i])) i++;
    return i;
  }
  const find = (text, from, characters) => skip(text, from, (c) => indexOf(characters, c) < 0);
  function split(text, separators) {
    const parts = list();
    for (let from = 0, to = 0; from <= text.length; from = to + 1) {
      to = find(text, from, separators);
      parts[parts.length] = slice(text, from, to);
    }
    return parts;
  }

  /** What the digits of a radix say; -1 when the text is empty or has another character. */
  function numeral(text, radix) {
    const digits = slice('0123456789abcdefABCDEF', 0, radix > 10 ? 22 : radix);
    return text !== '' && skip(text, 0, (c) => indexOf(digits, c) >= 0) === text.length ? parseInt(text, radix) : -1;
  }

  /** UTF-8 percent-encodes controls, whatever is not ASCII, and the characters named. */
  function encode(text, characters) {
    const hex = '0123456789ABCDEF';
    let out = '', from = 0;
    for (let i = 0; i < text.length; i++) {
      const code = charCodeAt(text, i);
      if (code > 0x1f && code < 0x7f && indexOf(characters, text[i]) < 0) continue;
      out += slice(text, from, i);
      from = i + 1;
      while (code > 0x7f && charCodeAt(text, from) > 0x7f) from++;
      out += code > 0x7f ? encodeURIComponent(slice(text, i, from)) : `%${hex[code >> 4]}${hex[code & 15]}`;
      i = from - 1;
    }
    return out + slice(text, from);
  }
  function decode(text) {
    if (indexOf(text, '%') < 0) return text;
    const ascii = encode(text, '');
    const bytes = list();
    for (let i = 0; i < ascii.length; i++) {
      const byte = ascii[i] === '%' && i + 2 < ascii.length ? numeral(slice(ascii, i + 1, i + 3), 16) : -1;
      bytes[bytes.length] = byte < 0 ? charCodeAt(ascii, i) : byte;
      if (byte >= 0) i += 2;
    }
    return fromUtf8(bytes, bytes.length, false, replaced).text;
  }

  // UTF-8

  /** Writes as many whole code points as fit; how many units were read and bytes written. */
  function putUtf8(text, bytes, room) {
    let read = 0, written = 0;
    while (read < text.length) {
      const point = codePointAt(text, read);
      const width = point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
      if (written + width > room) break;
      bytes[written++] = width === 1 ? point : (0xf00 >> width) | (point >> (6 * (width - 1)));
      for (let i = width - 2; i >= 0; i--) bytes[written++] = 0x80 | ((point >> (6 * i)) & 0x3f);
      read += width === 4 ? 2 : 1;
    }
    return { read, written };
  }
  const replaced = () => 0xfffd;
  function refused() {
    throw new TypeError('The encoded data was not valid for encoding utf-8');
  }

  /** Bounds of the second byte refuse overlong forms, surrogates and what is beyond U+10FFFF. */
  function follows(first, at, byte) {
    const lower = at > 1 ? 0x80 : first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80;
    const upper = at > 1 ? 0xbf : first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf;
    return byte >= lower && byte <= upper;
  }

  /** The text, and where a sequence begins that the bytes break off in (if there may be `more`); `broken` answers an error. */
  function fromUtf8(bytes, length, more, broken) {
    let text = '', points = list(), i = 0;
    while (i < length) {
      const first = bytes[i];
      const width = first < 0x80 ? 1 : first < 0xc2 || first > 0xf4 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
      let point = width < 2 ? first : first & (0x7f >> width);
      let size = 1;
      while (size < width && follows(first, size, bytes[i + size])) point = (point << 6) | (bytes[i + size++] & 0x3f);
      if (more && size < width && i + size === length) break;
      points[points.length] = size === width ? point : broken();
      i += size;
      if (points.length < 2048) continue;
      text += apply(fromCodePoint, undefined, points);
      points = list();
    }
    return { text: text + apply(fromCodePoint, undefined, points), end: i };
  }
  function bytesOf(source) {
    if (typedTag(source) !== undefined) return new Uint8Array(typedBuffer(source), typedOffset(source), typedSize(source));
    if (isView(source)) return new Uint8Array(viewBuffer(source), viewOffset(source), viewSize(source));
    return new Uint8Array(source, 0, bufferSize(source));
  }
  function isUtf8(label) {
    const isBlank = (c) => indexOf('\t\n\f\r ', c) >= 0;
    const from = skip(label, 0, isBlank);
    const name = slice(label, from, find(label, from, '\t\n\f\r ,'));
    const known = indexOf(',utf-8,utf8,unicode-1-1-utf-8,unicode11utf8,unicode20utf8,x-unicode20utf8,', `,${toLowerCase(name)},`) >= 0;
    return known && skip(label, from + name.length, isBlank) === label.length;
  }
  class TextEncoder {
    get encoding() { return 'utf-8'; }
    encode(input = '') {
      const text = usv(input);
      const bytes = new Uint8Array(text.length * 3);
      const { written } = putUtf8(text, bytes, text.length * 3);
      return new Uint8Array(transfer(typedBuffer(bytes), written));
    }
    encodeInto(source, destination) {
      const text = usv(source);
      if (typedTag(destination) !== 'Uint8Array') throw new TypeError('The destination is not a Uint8Array');
      return putUtf8(text, destination, typedLength(destination));
    }
  }
  class TextDecoder {
    #broken;
    #ignoreBOM;
    #begun = false;
    #rest = new Uint8Array(0);
    constructor(label = 'utf-8', options = undefined) {
      const name = `${label}`;
      if (!isUtf8(name)) throw new RangeError(`The encoding '${name}' is not known: only utf-8 is`);
      const { fatal, ignoreBOM } = members(options);
      this.#broken = fatal ? refused : replaced;
      this.#ignoreBOM = !!ignoreBOM;
    }
    get encoding() { return 'utf-8'; }
    get fatal() { return this.#broken === refused; }
    get ignoreBOM() { return this.#ignoreBOM; }
    decode(input = undefined, options = undefined) {
      const stream = !!members(options).stream;
      const begun = this.#begun;
      const head = this.#rest;
      const tail = input === undefined ? new Uint8Array(0) : bytesOf(input);
      const bytes = new Uint8Array(typedLength(head) + typedLength(tail));
      typedSet(bytes, head);
      typedSet(bytes, tail, typedLength(head));
      this.#begun = false;
      this.#rest = new Uint8Array(0);
      const { text, end } = fromUtf8(bytes, typedLength(bytes), stream, this.#broken);
      this.#begun = stream && (begun || text !== '');
      this.#rest = new Uint8Array(typedBuffer(bytes), end);
      return !begun && !this.#ignoreBOM && charCodeAt(text, 0) === 0xfeff ? slice(text, 1) : text;
    }
  }

  // URLSearchParams
  const plain = (text) => decode(join(split(text, '+'), ' '));
  const form = (text) => join(split(encode(text, '!"#$%&\'()+,/:;<=>?@[\\]^`{|}~'), ' '), '+');
  function parseForm(text) {
    const pairs = list();
    const parts = split(text, '&');
    for (let i = 0; i < parts.length; i++) {
      const equals = find(parts[i], 0, '=');
      if (parts[i] === '') continue;
      pairs[pairs.length] = { name: plain(slice(parts[i], 0, equals)), value: plain(slice(parts[i], equals + 1)) };
    }
    return pairs;
  }
  function formText(pairs) {
    const parts = list();
    for (let i = 0; i < pairs.length; i++) parts[i] = `${form(pairs[i].name)}=${form(pairs[i].value)}`;
    return join(parts, '&');
  }
  const matches = (pair, name, value) => pair.name === name && (value === undefined || pair.value === value);
  function indexOfPair(pairs, name, value) {
    let i = 0;
    while (i < pairs.length && !matches(pairs[i], name, value)) i++;
    return i;
  }
  function without(pairs, name, value, from = 0) {
    const kept = list();
    for (let i = 0; i < pairs.length; i++) if (i < from || !matches(pairs[i], name, value)) kept[kept.length] = pairs[i];
    return kept;
  }
  function pairOf(items) {
    const pair = list();
    const listed = isObject(items) && iterate(items, (item) => { pair[pair.length] = usv(item); });
    if (!listed || pair.length !== 2) throw new TypeError('A pair of a query is not an iterable of a name and a value');
    return { name: pair[0], value: pair[1] };
  }
  function pairsOf(init) {
    const pairs = list();
    if (iterate(init, (items) => { pairs[pairs.length] = pairOf(items); })) return pairs;
    const keys = ownKeys(init);
    const places = new Map();
    for (let i = 0; i < keys.length; i++) {
      if (!getOwnPropertyDescriptor(init, keys[i])?.enumerable) continue;
      const pair = { name: usv(keys[i]), value: usv(init[keys[i]]) };
      mapSet(places, pair.name, mapGet(places, pair.name) ?? pairs.length);
      pairs[mapGet(places, pair.name)] = pair;
    }
    return pairs;
  }

  let link;
  class URLSearchParams {
    #pairs;
    #changed = null;
    static {
      link = (params, text, changed) => {
        params.#pairs = parseForm(text);
        params.#changed = changed;
        return params;
      };
    }
    constructor(init = '') {
      const text = isObject(init) ? '' : usv(init);
      this.#pairs = isObject(init) ? pairsOf(init) : parseForm(charAt(text, 0) === '?' ? slice(text, 1) : text);
    }
    #change(pairs) {
      this.#pairs = pairs;
      if (this.#changed !== null) this.#changed(formText(pairs));
    }
    get size() { return this.#pairs.length; }
    append(name, value) {
      need(arguments.length, 2);
      this.#pairs[this.#pairs.length] = { name: usv(name), value: usv(value) };
      this.#change(this.#pairs);
    }
    delete(name, value = undefined) {
      need(arguments.length, 1);
      this.#change(without(this.#pairs, usv(name), value === undefined ? value : usv(value)));
    }
    get(name) {
      need(arguments.length, 1);
      return this.#pairs[indexOfPair(this.#pairs, usv(name))]?.value ?? null;
    }
    getAll(name) {
      need(arguments.length, 1);
      const key = usv(name);
      const values = list();
      for (let i = 0; i < this.#pairs.length; i++) if (this.#pairs[i].name === key) values[values.length] = this.#pairs[i].value;
      return setPrototypeOf(values, array);
    }
    has(name, value = undefined) {
      need(arguments.length, 1);
      return indexOfPair(this.#pairs, usv(name), value === undefined ? value : usv(value)) < this.#pairs.length;
    }
    set(name, value) {
      need(arguments.length, 2);
      const pair = { name: usv(name), value: usv(value) };
      const first = indexOfPair(this.#pairs, pair.name);
      this.#pairs[first] = pair;
      this.#change(without(this.#pairs, pair.name, undefined, first + 1));
    }
    sort() {
      this.#change(apply(sort, this.#pairs, [(a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0)]));
    }
    forEach(callback, thisArg = undefined) {
      if (typeof callback !== 'function') throw new TypeError('The callback is not a function');
      for (let i = 0; i < this.#pairs.length; i++) apply(callback, thisArg, [this.#pairs[i].value, this.#pairs[i].name, this]);
    }
    entries() { return iteratorOf(() => this.#pairs, (pair) => [pair.name, pair.value]); }
    keys() { return iteratorOf(() => this.#pairs, (pair) => pair.name); }
    values() { return iteratorOf(() => this.#pairs, (pair) => pair.value); }
    toString() { return formText(this.#pairs); }
  }

  /** Live, as the standard has it; scripts get no constructor of it. */
  function iteratorOf(pairs, pick) {
    let at = 0;
    pairs();
    const next = () => {
      const pair = pairs()[at];
      at += pair === undefined ? 0 : 1;
      return { value: pair && pick(pair), done: pair === undefined };
    };
    return setPrototypeOf({ next }, Iterator.prototype);
  }

  // structuredClone
  const errors = () => ({ __proto__: null, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError });
  const views = () => ({
    Int8Array, Uint8Array, Uint8ClampedArray, Int16Array, Uint16Array, Int32Array, Uint32Array, Float16Array, Float32Array, Float64Array,
    BigInt64Array, BigUint64Array,
  });
  const UNCLONEABLE = '|Promise|WeakMap|WeakSet|WeakRef|FinalizationRegistry|Symbol|Generator|AsyncGenerator|Iterator Helper' +
    '|DisposableStack|AsyncDisposableStack|URL|URLSearchParams|TextEncoder|TextDecoder|';
  const uncloneable = (what) => named('DataCloneError', `${what} could not be cloned`);
  function isUncloneable(tag) {
    const name = slice(tag, 8, -1);
    const family = slice(name, 0, indexOf(name, '.') + 1);
    return family === 'Intl.' || family === 'Temporal.' || slice(name, -9) === ' Iterator' || indexOf(UNCLONEABLE, `|${name}|`) >= 0;
  }
  function copyBuffer(source) {
    const maxByteLength = isResizable(source) ? bufferMaximum(source) : undefined;
    const copy = new ArrayBuffer(bufferSize(source), { __proto__: null, maxByteLength });
    typedSet(new Uint8Array(copy), new Uint8Array(source));
    return copy;
  }
  function copyView(source, memory) {
    const name = typedTag(source);
    if (name === undefined) return new DataView(clone(viewBuffer(source), memory), viewOffset(source), viewSize(source));
    return new (views()[name])(clone(typedBuffer(source), memory), typedOffset(source), typedLength(source));
  }

  /** Undefined when `prototype` is no built-in's; throws when it is, but the source only inherits from it. */
  function copyBuiltIn(source, prototype) {
    try {
      switch (prototype) {
        case Map.prototype: return mapSize(source) < 0 ? null : new Map();
        case Set.prototype: return setSize(source) < 0 ? null : new Set();
        case Date.prototype: return new Date(apply(getTime, source, []));
        case RegExp.prototype: return sourceOf(source) === null ? null : new RegExp(source);
        case Boolean.prototype: return Object(apply(booleanValue, source, []));
        case Number.prototype: return Object(apply(numberValue, source, []));
        case BigInt.prototype: return Object(apply(bigintValue, source, []));
        case string: return Object(apply(stringValue, source, []));
        case buffer: return copyBuffer(source);
      }
    } catch {
      throw uncloneable(apply(tagOf, source, []));
    }
  }

  /** The copy as it is before the properties, items or cause that may lead back to it. */
  function begin(source, memory) {
    if (isArray(source)) return [];
    if (isView(source)) return copyView(source, memory);
    if (isError(source)) return new (errors()[`${source.name}`] ?? Error)();
    let known = getPrototypeOf(source);
    if (known === null || known === objectPrototype) return {};
    for (; known !== null; known = getPrototypeOf(known)) {
      const copy = copyBuiltIn(source, known);
      if (copy !== undefined) return copy;
    }
    const tag = apply(tagOf, source, []);
    if (isUncloneable(tag)) throw uncloneable(tag);
    return {};
  }
  function fillProperties(copy, source, memory) {
    const keys = keysOf(source);
    if (isArray(source)) copy.length = source.length;
    for (let i = 0; i < keys.length; i++) {
      const key = keys[i];
      if (!hasOwn(source, key)) continue;
      const value = clone(source[key], memory);
      if (key in copy) define(copy, key, value, true);
      else copy[key] = value;
    }
  }
  const hasData = (source, name) => hasOwn(getOwnPropertyDescriptor(source, name) ?? '', 'value');
  function fillError(copy, source, memory) {
    if (hasData(source, 'message')) define(copy, 'message', `${source.message}`);
    if (hasData(source, 'cause')) define(copy, 'cause', clone(source.cause, memory));
    define(copy, 'stack', source.stack);
  }

  /** `memory` maps what was met to its copy: cycles and shared references keep their shape. */
  function clone(value, memory) {
    if (typeof value === 'symbol' || typeof value === 'function') throw uncloneable(`A ${typeof value}`);
    if (typeof value !== 'object' || value === null) return value;
    const known = mapGet(memory, value);
    if (known !== undefined) return known;
    const copy = begin(value, memory);
    const kind = getPrototypeOf(copy);
    mapSet(memory, value, copy);
    if (kind === array || kind === objectPrototype) fillProperties(copy, value, memory);
    else if (kind === Map.prototype) apply(eachEntry, value, [(item, key) => mapSet(copy, clone(key, memory), clone(item, memory))]);
    else if (kind === Set.prototype) apply(eachItem, value, [(item) => apply(addItem, copy, [clone(item, memory)])]);
    else if (isError(copy)) fillError(copy, value, memory);
    return copy;
  }

  function atob(data) {
    need(arguments.length, 1);
    const text = `${data}`;
    let decoded = '';
    try {
      const bytes = apply(fromBase64, Uint8Array, [text]);
      for (let i = 0, end = typedLength(bytes); i < end; i++) decoded += fromCodePoint(bytes[i]);
    } catch {
      throw named('InvalidCharacterError', 'The text to decode is not base64');
    }
    return decoded;
  }
  function btoa(data) {
    need(arguments.length, 1);
    const text = `${data}`;
    const bytes = new Uint8Array(text.length);
    for (let i = 0; i < text.length; i++) bytes[i] = charCodeAt(text, i);
    if (skip(text, 0, (c) => c <= '\xff') < text.length) throw named('InvalidCharacterError', 'The text to encode is not Latin-1');
    return apply(toBase64, bytes, []);
  }
  function structuredClone(value, options = undefined) {
    need(arguments.length, 1);
    if (members(options).transfer !== undefined) throw uncloneable('What is to be transferred');
    return clone(value, new Map());
  }
  const URL = url?.(
    TypeError, URLSearchParams, apply, assign, charAt, codePointAt, decode, encode, exec, find, fromCodePoint, indexOf, join, lastIndexOf, link,
    list, need, normalize, numberText, numeral, skip, slice, split, toLowerCase, toUpperCase, usv,
  );
  // One descriptor for all: making each afresh would take a third of the time that a realm's additions take.
  const slot = { value: undefined, writable: true, enumerable: false, configurable: true };
  function expose(target, name, value) {
    slot.value = value;
    defineProperty(target, name, slot);
  }
  const added = [URL, URLSearchParams, TextEncoder, TextDecoder, atob, btoa, structuredClone];
  for (let i = URL === undefined ? 1 : 0; i < added.length; i++) {
    expose(globalThis, added[i].name, added[i]);
    if (i < 4) expose(added[i].prototype, toStringTag, added[i].name);
  }
  expose(URLSearchParams.prototype, iteratorSymbol, URLSearchParams.prototype.entries);
}
