// Runs inside a realm, before any script: everything the outer program may ask of the realm, by strings only.
// No host object ever enters: the outer program calls these functions with strings and gets strings back, and scripts
// see what is put on `globalThis` here and nothing else. The kernel uses captured primordials, so a script that breaks
// built-ins breaks its own message and nothing more.

export function kernel(p, makeConditions, tamper, settings) {
  'use strict';
  const world = globalThis;
  const factories = p.create(null);
  const taken = p.create(null);
  const MAX_DEPTH = 128;
  const MAX_NAMED = 20;
  const MAX_TOLD = 2_000;
  let message, text, spreadOut, running, prints, asks, answers, nextAsk, asksRoom, room, clock, randomState, variables;

  // ---- looking things up -------------------------------------------------------------------------------------

  function step(value, name) {
    if (value === undefined || value === null) return undefined;
    if (typeof value === 'string') return name === 'length' ? value.length : undefined;
    if (typeof value !== 'object' && typeof value !== 'function') return undefined;
    return p.hasOwn(value, name) ? value[name] : undefined;
  }

  function follow(root, path, from) {
    let value = root;
    for (let i = from; i < path.length; i++) value = step(value, path[i]);
    return value;
  }

  const addressesMessage = (path) => path[0] === 'message' && path.length > 1 && !p.hasOwn(message, 'message');

  // Conditions: the message first, as it came; then what scripts have set.
  function lookUp(path, data) {
    if (data !== undefined) return follow(data, path, path[0] === 'message' && !p.hasOwn(data, 'message') ? 1 : 0);
    if (addressesMessage(path)) return follow(message, path, 1);
    if (p.hasOwn(message, path[0])) return follow(message, path, 0);
    return taken[path[0]] === 1 ? undefined : follow(world, path, 0);
  }

  // Templates and arguments: the globals as they are now; then the message.
  function current(path) {
    if (addressesMessage(path)) return follow(message, path, 1);
    if (p.hasOwn(world, path[0]) && taken[path[0]] !== 1) return follow(world, path, 0);
    return follow(message, path, 0);
  }

  const conditions = makeConditions(p, lookUp);

  // ---- globals -----------------------------------------------------------------------------------------------

  function put(name, value, enumerable) {
    p.defineProperty(world, name, { __proto__: null, value, writable: true, enumerable, configurable: true });
  }

  function putMessage() {
    const set = (value) => put('message', value, true);
    const get = () => {
      const copy = deepFreeze(p.parse(text));
      p.defineProperty(world, 'message', { __proto__: null, value: copy, writable: true, enumerable: false, configurable: true });
      return copy;
    };
    p.defineProperty(world, 'message', { __proto__: null, get, set, enumerable: false, configurable: true });
  }

  function deepFreeze(value) {
    if (typeof value !== 'object' || value === null) return value;
    const names = p.ownKeys(value);
    for (let i = 0; i < names.length; i++) deepFreeze(value[names[i]]);
    return p.freeze(value);
  }

  const reserved = (name) => taken[name] === 1 || p.startsWith(name, '__') || variables[name] === 1;

  // Puts the message's fields on the global; the names that may not go there, as JSON.
  function spread() {
    if (spreadOut) return '[]';
    spreadOut = true;
    putMessage();
    const fields = p.parse(text);
    const names = p.ownKeys(fields);
    let refused = '';
    for (let i = 0; i < names.length; i++) {
      if (reserved(names[i])) refused += (refused === '' ? '' : ',') + p.stringify(names[i]);
      else put(names[i], fields[names[i]], true);
    }
    return `[${refused}]`;
  }

  // ---- what scripts may call ---------------------------------------------------------------------------------

  // JSON that every reader can read: not too deep, and no half of a surrogate pair in it.
  function json(value) {
    const written = p.stringify(value);
    if (written === undefined) return undefined;
    if (isDeep(written)) throw new p.TypeError(`It is nested more than ${MAX_DEPTH} levels deep`);
    return p.indexOf(written, '\\ud') < 0 ? written : withoutHalves(written);
  }

  function openings(text, opening) {
    let count = 0;
    for (let at = p.indexOf(text, opening); at >= 0; at = p.indexOf(text, opening, at + 1)) count++;
    return count;
  }

  function isDeep(text) {
    if (openings(text, '[') + openings(text, '{') <= MAX_DEPTH) return false;
    let depth = 0, deepest = 0, inText = false;
    for (let i = 0; i < text.length; i++) {
      const c = text[i];
      if (inText) {
        if (c === '\\') i++;
        else if (c === '"') inText = false;
      } else if (c === '"') inText = true;
      else if (c === '[' || c === '{') deepest = ++depth > deepest ? depth : deepest;
      else if (c === ']' || c === '}') depth--;
    }
    return deepest > MAX_DEPTH;
  }

  // `stringify` writes only the halves of surrogate pairs as \ud….
  function withoutHalves(text) {
    let out = '', from = 0;
    for (let at = p.indexOf(text, '\\'); at >= 0; at = p.indexOf(text, '\\', at + 2)) {
      if (text[at + 1] !== 'u' || text[at + 2] !== 'd') continue;
      out += p.slice(text, from, at) + '\ufffd';
      from = at + 6;
    }
    return out + p.slice(text, from);
  }

  const shortened = (written, limit) =>
    written.length <= limit ? written : p.stringify(`${p.toWellFormed(p.slice(written, 0, limit))}… (cut)`);

  function shown(value) {
    if (typeof value === 'function') return p.stringify('[function]');
    try {
      const written = json(typeof value === 'bigint' || typeof value === 'symbol' ? p.String(value) : value);
      if (written === undefined) return 'null';
      return shortened(written, settings.printLimit);
    } catch (_error) {
      return p.stringify(isError(value) ? `${value}` : '[cannot be shown as JSON]');
    }
  }

  function isError(value) {
    try {
      return typeof value === 'object' && value !== null && p.isPrototypeOf(p.Error.prototype, value);
    } catch (_error) {
      return false; // a proxy that does not tell
    }
  }

  function print() {
    let line = '';
    for (let i = 0; i < arguments.length; i++) {
      const value = arguments[i];
      line += (i === 0 ? '' : ',') + (isError(value) ? p.stringify(describe(value).text) : shown(value));
    }
    room -= line.length + 64;
    if (room < 0) throw limitError(`This message has printed more than ${settings.logLimit} characters`);
    prints += `${prints === '' ? '' : ','}{"ts":${p.realDate.now()},"args":[${line}]}`;
  }

  function limitError(words) {
    const error = new p.RangeError(words);
    p.defineProperty(error, 'name', { __proto__: null, value: 'LimitError', configurable: true });
    return error;
  }

  function evaluateCondition(tree, data) {
    return conditions.evaluate(compiled(p.parse(p.stringify(tree)), 0), data === undefined ? message : data);
  }

  // Both documented shapes of a condition tree, as core/conditions.py compiles them.
  function compiled(tree, depth) {
    if (typeof tree !== 'object' || tree === null || depth > 32) throw new p.TypeError('A condition is an object: a rule or a group');
    if (!p.isArray(tree.conditions)) return compiledRule(tree);
    const op = tree.type === 'group' || tree.type === undefined ? (tree.operator ?? 'AND') : tree.type;
    if (op !== 'AND' && op !== 'OR' && op !== 'NOT') throw new p.TypeError(`"${op}" joins no conditions: use AND, OR or NOT`);
    const of = [];
    for (let i = 0; i < tree.conditions.length; i++) putItem(of, i, compiled(tree.conditions[i], depth + 1));
    return { __proto__: null, op, of };
  }

  function compiledRule(rule) {
    const comparison = rule.comparison ?? rule.operator;
    if (typeof rule.field !== 'string') throw new p.TypeError('A rule needs a field, which is a path such as "payload.amount"');
    if (!conditions.known(comparison)) throw new p.TypeError(`"${comparison}" is not a comparison that Pulse knows`);
    return { __proto__: null, field: rule.field, path: pathOf(rule.field), comparison, value: rule.value };
  }

  function putItem(list, index, value) {
    p.defineProperty(list, index, { __proto__: null, value, writable: true, enumerable: true, configurable: true });
  }

  function pathOf(field) {
    const path = [];
    let rest = field;
    for (let at = p.indexOf(rest, '.'); at >= 0; at = p.indexOf(rest, '.')) {
      putItem(path, path.length, p.slice(rest, 0, at));
      rest = p.slice(rest, at + 1);
    }
    putItem(path, path.length, rest);
    return path;
  }

  // An effect: a promise that the outer program settles. What crosses is text.
  function effect(fn, args) {
    let list = '';
    for (let i = 0; i < args.length; i++) list += (i === 0 ? '' : ',') + (json(args[i]) ?? 'null');
    if (list.length > settings.effectLimit) throw limitError(`The arguments of ${fn} are larger than ${settings.effectLimit} characters`);
    if (nextAsk >= settings.effects) throw limitError(`This message has asked for more than ${settings.effects} effects`);
    if (list.length > asksRoom) throw limitError(`The effects that wait for their answers have arguments of more than ${settings.asksLimit} characters`);
    asksRoom -= list.length;
    const seq = ++nextAsk;
    asks += `${asks === '' ? '' : ','}{"seq":${seq},"fn":${p.stringify(fn)},"args":[${list}]}`;
    return new p.Promise((resolve, reject) => {
      answers[seq] = { __proto__: null, resolve, reject, size: list.length };
    });
  }

  function effectError(given) {
    const error = new p.Error(given.message);
    const say = (name, value) => p.defineProperty(error, name, { __proto__: null, value, writable: true, enumerable: true, configurable: true });
    say('name', 'EffectError');
    say('code', given.code);
    say('retryable', given.retryable === true);
    say('effect', given.effect);
    return error;
  }

  // ---- time and chance: still between effects, and the same at every evaluation ---------------------------------

  function installDate() {
    const Real = p.realDate;
    function Date() {
      if (new.target === undefined) return new Real(clock).toString();
      const args = arguments.length === 0 ? [clock] : arguments;
      return p.construct(Real, args, new.target === Date ? Real : new.target);
    }
    const hide = (target, name, value) =>
      p.defineProperty(target, name, { __proto__: null, value, writable: true, enumerable: false, configurable: true });
    hide(Date, 'now', { now: () => clock }.now);
    hide(Date, 'parse', Real.parse);
    hide(Date, 'UTC', Real.UTC);
    p.defineProperty(Date, 'length', { __proto__: null, value: 7, configurable: true });
    p.defineProperty(Date, 'prototype', { __proto__: null, value: Real.prototype, writable: false });
    hide(Real.prototype, 'constructor', Date);
    hide(world, 'Date', Date);
    hide(Math, 'random', { random }.random);
  }

  // sfc32 (Chris Doty-Humphrey's PractRand, public domain): four words of state, seeded from the message.
  function random() {
    const { a, b, c, d } = randomState;
    const t = (a + b + d) | 0;
    randomState = { __proto__: null, a: b ^ (b >>> 9), b: (c + (c << 3)) | 0, c: ((c << 21) | (c >>> 11)) + t, d: (d + 1) | 0 };
    return (t >>> 0) / 4294967296;
  }

  // ---- scripts -----------------------------------------------------------------------------------------------

  async function supervise(factory, started) {
    try {
      await factory()();
      if (running === started) started.outcome = 'ok';
    } catch (error) {
      if (running === started) started.outcome = p.stringify(describe(error));
    }
  }

  function describe(error) {
    if (!isError(error)) return { __proto__: null, name: 'Error', message: thrownText(error), stack: '', text: thrownText(error) };
    const name = readText(error, 'name', 'Error');
    const words = readText(error, 'message', '');
    return { __proto__: null, name, message: words, stack: readText(error, 'stack', ''), code: readText(error, 'code', ''), text: `${name}: ${words}` };
  }

  const cut = (text) => p.toWellFormed(p.slice(text, 0, 4000));

  function readText(object, name, otherwise) {
    try {
      const value = object[name];
      return typeof value === 'string' ? cut(value) : otherwise;
    } catch (_error) {
      return otherwise;
    }
  }

  function thrownText(value) {
    try {
      return cut(typeof value === 'string' ? value : (json(value) ?? p.String(value)));
    } catch (_error) {
      return 'something that cannot be shown was thrown';
    }
  }

  // ---- what is left at the end -------------------------------------------------------------------------------

  function captured(name) {
    if (typeof name !== 'string' || p.startsWith(name, '__') || taken[name] === 1 || variables[name] === 1) return undefined;
    const slot = p.getOwnPropertyDescriptor(world, name);
    if (slot === undefined || (name === 'message' && slot.enumerable === false)) return undefined;
    return written(() => world[name]);
  }

  function written(read) {
    try {
      const value = read();
      if (typeof value === 'function' || value === undefined || typeof value === 'symbol') return undefined;
      const out = json(typeof value === 'bigint' ? p.String(value) : value);
      return typeof out === 'string' ? out : undefined;
    } catch (error) {
      return p.stringify(`[cannot be stored as JSON: ${describe(error).message}]`);
    }
  }

  // Fields of the message that no script has changed are named only: they are stored with the message already.
  function unchanged(name, out) {
    return p.hasOwn(message, name) && p.stringify(message[name]) === out;
  }

  // What does not fit is named, as far as names are worth reading.
  function naming(list, named, name) {
    if (named >= MAX_NAMED) return list;
    return `${list}${list === '' ? '' : ','}${p.stringify(cut(p.slice(name, 0, 100)))}`;
  }

  function capture() {
    let named = 0;
    let kept = '', globals = '', left = settings.resultLimit, tooLarge = '';
    const names = p.ownKeys(world);
    for (let i = 0; spreadOut && i < names.length; i++) {
      const out = captured(names[i]);
      if (out === undefined) continue;
      const name = json(names[i]);
      if (unchanged(names[i], out)) kept += (kept === '' ? '' : ',') + name;
      else if ((left -= name.length + out.length) >= 0) globals += `${globals === '' ? '' : ','}${name}:${out}`;
      else ((left += name.length + out.length), (tooLarge = naming(tooLarge, named++, names[i])));
    }
    const result = p.hasOwn(world, '___result___') ? written(() => world.___result___) : undefined;
    const fits = result === undefined || result.length <= left;
    if (!fits) tooLarge = naming(tooLarge, 0, '___result___');
    return `{"kept":[${kept}],"globals":{${globals}},"tooLarge":[${tooLarge}]${result !== undefined && fits ? `,"result":${result}` : ''}}`;
  }

  // ---- the kernel, as the outer program sees it ----------------------------------------------------------------

  function reset() {
    message = text = undefined;
    spreadOut = false;
    prints = asks = '';
    answers = p.create(null);
    running = undefined;
    nextAsk = clock = 0;
    room = settings.logLimit;
    asksRoom = settings.asksLimit;
    variables = p.create(null);
  }

  function install() {
    put('print', print, false);
    put('console', { log: print, info: print, warn: print, error: print, debug: print }, false);
    put('evaluateCondition', evaluateCondition, false);
    for (let i = 0; i < settings.functions.length; i++) {
      const fn = settings.functions[i];
      put(fn, { [fn]() { return effect(fn, arguments); } }[fn], false);
    }
  }

  const face = {
    __proto__: null,
    // `asked` is how many effects this message has asked for already, in realms before this one.
    begin(json, at, words, asked) {
      text = json;
      nextAsk = p.Number(asked);
      message = p.parse(json);
      clock = at;
      seed(words);
      return '';
    },
    spread,
    adopt(key, factory) {
      factories[key] = factory;
      return '';
    },
    has: (key) => (factories[key] === undefined ? '' : 'yes'),
    run(key) {
      running = { __proto__: null, outcome: '' };
      supervise(factories[key], running);
      return '';
    },
    poll: () => (running === undefined ? 'ok' : running.outcome),
    abandon() {
      running = undefined;
      return '';
    },
    condition(tree) {
      try {
        return conditions.evaluate(p.parse(tree), undefined) ? 'true' : 'false';
      } catch (error) {
        return p.stringify(describe(error));
      }
    },
    explain(tree) {
      try {
        return explained(conditions.explain(p.parse(tree), undefined));
      } catch (_error) {
        return 'null';
      }
    },
    bind(name, path, literal) {
      const value = path === '' ? p.parse(literal) : current(p.parse(path));
      put(name, value, true);
      return value === undefined ? 'missing' : 'ok';
    },
    render(parts) {
      return rendered(p.parse(parts));
    },
    value(path) {
      const value = current(p.parse(path));
      return written(() => value) ?? '';
    },
    asked() {
      const out = asks;
      asks = '';
      return out;
    },
    printed() {
      const out = prints;
      prints = '';
      return out;
    },
    answer(seq, ok, json, at) {
      const waiting = answers[seq];
      if (waiting === undefined) return 'unknown';
      delete answers[seq];
      asksRoom += waiting.size;
      if (at > clock) clock = at;
      if (ok === 'yes') waiting.resolve(json === '' ? undefined : p.parse(json));
      else waiting.reject(effectError(p.parse(json)));
      return '';
    },
    capture,
    finish() {
      reset();
      return verify === undefined ? 'fresh' : verify();
    },
  };

  function explained(told) {
    if (told === undefined) return 'null';
    const rule = p.stringify(told.rule);
    const seen = written(() => told.seen);
    if (rule.length > MAX_TOLD) return 'null';
    return `{"rule":${rule}${seen === undefined ? '' : `,"seen":${shortened(seen, MAX_TOLD)}`}}`;
  }

  // A template as core/templates.py cut it: strings stand for themselves, {path} for a value.
  function rendered(parts) {
    let out = '', missing = '';
    for (let i = 0; i < parts.length; i++) {
      if (typeof parts[i] === 'string') {
        out += parts[i];
        continue;
      }
      const value = current(parts[i].path);
      if (value === undefined || value === null) missing += (missing === '' ? '' : ',') + p.stringify(parts[i].name);
      else out += typeof value === 'string' ? value : (written(() => value) ?? '');
    }
    return `{"text":${p.stringify(out)},"missing":[${missing}]}`;
  }

  function seed(text) {
    const words = p.parse(text);
    randomState = { __proto__: null, a: words[0] | 0, b: words[1] | 0, c: words[2] | 0, d: words[3] | 0 };
    for (let round = 0; round < 12; round++) random();
  }

  // Numbers that no reader of JSON can hold come from `JSON.rawJSON` alone.
  p.deleteProperty(JSON, 'rawJSON');
  p.deleteProperty(JSON, 'isRawJSON');
  reset();
  install();
  installDate();
  const verify = tamper({ reuse: settings.realm === 'verified' });
  const names = p.ownKeys(world);
  for (let i = 0; i < names.length; i++) if (typeof names[i] === 'string') taken[names[i]] = 1;
  taken.globalThis = taken.global = 1;
  return p.freeze(face);
}
