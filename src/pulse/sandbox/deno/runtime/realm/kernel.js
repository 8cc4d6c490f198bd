// Runs inside a realm, before any script: everything the outer program may ask of the realm, by strings only.
// No host object ever enters: the outer program calls these functions with strings and gets strings back, and scripts
// see what is put on `globalThis` here and nothing else. The kernel uses captured primordials, so a script that breaks
// built-ins breaks its own message and nothing more.

export function kernel(p, makers, settings) {
  'use strict';
  const { makeArrival, makeConditions, makeTrees, makeWriting, makeLeftovers, makeIteration, makeAsking, makeImages, makeDigests, makeTemplates, engine, stillClock, tamper } = makers;
  const world = globalThis;
  const factories = p.create(null);
  const taken = p.create(null);
  const MAX_TOLD = 2_000;
  let spreadOut, running, prints, room, randomState, variables, workflows;
  const message = makeArrival(p);
  const writer = makeWriting(p, settings);
  const { json, shortened, shown, isError, describe, written } = writer;

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

  const addressesMessage = (path) => path[0] === 'message' && path.length > 1 && !message.has('message');
  const inMessage = (path, from) => follow(message.field(path[from]), path, from + 1);
  const isMine = (name) => variables[name] === 1 || p.startsWith(name, '__');

  // Conditions: the message first, as it came; then what scripts have set.
  function lookUp(path, data) {
    if (data !== undefined) return follow(data, path, path[0] === 'message' && !p.hasOwn(data, 'message') ? 1 : 0);
    if (addressesMessage(path)) return inMessage(path, 1);
    if (message.has(path[0]) && !isMine(path[0])) return inMessage(path, 0);
    return taken[path[0]] === 1 ? undefined : follow(world, path, 0);
  }

  // Templates and arguments: the globals as they are now; then the message.
  function current(path) {
    if (isGlobal(path)) return follow(world, path, 0);
    return inMessage(path, addressesMessage(path) ? 1 : 0);
  }

  // The same for scripts to keep: what conditions look at is never theirs.
  const currentToKeep = (path) => (isGlobal(path) ? current(path) : message.toKeep(current(path)));
  const isGlobal = (path) => !addressesMessage(path) && p.hasOwn(world, path[0]) && taken[path[0]] !== 1;

  const conditions = makeConditions(p, lookUp);
  const trees = makeTrees(p, conditions);

  // ---- globals -----------------------------------------------------------------------------------------------

  function put(name, value, enumerable) {
    p.defineProperty(world, name, { __proto__: null, value, writable: true, enumerable, configurable: true });
  }

  function putMessage() {
    const set = (value) => put('message', value, true);
    const get = () => {
      const copy = deepFreeze(message.copy());
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

  const isOurs = (name) => taken[name] === 1 || variables[name] === 1;
  const reserved = (name) => isOurs(name) || p.startsWith(name, '__');
  const left = makeLeftovers(p, writer, settings, { isOurs, original: message.original });
  const iteration = makeIteration(p, writer, { current, currentToKeep }, put);
  const effects = makeAsking(p, writer, settings, { find: current, put, snapshot: left.snapshot, limitError });
  const images = makeImages(p);
  const templates = makeTemplates(p, engine);

  // Puts the message's fields on the global; the names that may not go there, as JSON.
  function spread() {
    if (spreadOut) return '[]';
    spreadOut = true;
    putMessage();
    const fields = message.giveAway();
    const names = p.ownKeys(fields);
    let refused = '';
    for (let i = 0; i < names.length; i++) {
      if (reserved(names[i])) refused += (refused === '' ? '' : ',') + p.stringify(names[i]);
      else put(names[i], fields[names[i]], true);
    }
    effects.countPrompts(names);
    return `[${refused}]`;
  }

  // The environment's variables, as globals and by name.
  function putVariables(given) {
    if (given === '') return;
    const list = p.parse(given);
    const byName = p.create(null);
    for (let i = 0; i < list.length; i++) {
      const { name, value } = list[i];
      variables[name] = 1;
      byName[name] = value;
      put(name, value, false);
    }
    put('__variables__', list, false);
    put('__variablesByName__', byName, false);
  }

  // ---- what scripts may call ---------------------------------------------------------------------------------

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
    return conditions.evaluate(trees.compiled(p.parse(p.stringify(tree)), 0), data === undefined ? message.copy() : data);
  }

  // Without data a template sees what scripts and other templates see: the globals, and the message behind them.
  function renderTemplate(template, data, options) {
    return templates.render(template, data === undefined ? p.parse(left.snapshot()) : data, options);
  }

  function getWorkflowByName(name) {
    const found = workflows === '' ? undefined : step(p.parse(workflows), p.String(name));
    return found === undefined ? null : found;
  }

  // ---- chance: the same at every evaluation ----------------------------------------------------------------------

  // sfc32 (Chris Doty-Humphrey's PractRand, public domain): four words of state, seeded from the message.
  function random() {
    const { a, b, c, d } = randomState;
    const t = (a + b + d) | 0;
    randomState = { __proto__: null, a: b ^ (b >>> 9), b: (c + (c << 3)) | 0, c: ((c << 21) | (c >>> 11)) + t, d: (d + 1) | 0 };
    return (t >>> 0) / 4294967296;
  }

  // ---- scripts -----------------------------------------------------------------------------------------------

  // What the walk itself asks for: 'ok ' and the answer as JSON.
  async function superviseAsk(asked, started) {
    try {
      const answer = await asked();
      if (running === started) started.outcome = `ok ${json(answer)}`;
    } catch (error) {
      if (running === started) started.outcome = p.stringify(describe(error));
    }
  }

  async function supervise(factory, started) {
    try {
      await factory()();
      if (running === started) started.outcome = 'ok';
    } catch (error) {
      if (running === started) started.outcome = p.stringify(describe(error));
    }
  }

  // ---- the kernel, as the outer program sees it ----------------------------------------------------------------

  function reset() {
    message.forget();
    effects.reset();
    templates.reset();
    spreadOut = false;
    prints = '';
    running = undefined;
    room = settings.logLimit;
    variables = p.create(null);
    workflows = '';
    iteration.reset();
  }

  function install() {
    put('print', print, false);
    put('console', { log: print, info: print, warn: print, error: print, debug: print }, false);
    put('evaluateCondition', evaluateCondition, false);
    effects.install();
    put('getWorkflowByName', getWorkflowByName, false);
    put('renderTemplate', renderTemplate, false);
    const { uuid, sha256, hmacSha256, base64Encode, base64Decode } = makeDigests(p, random);
    put('uuid', { uuid() { return uuid(); } }.uuid, false);
    put('sha256', { sha256(text) { return sha256(text); } }.sha256, false);
    put('hmacSha256', { hmacSha256(key, text) { return hmacSha256(key, text); } }.hmacSha256, false);
    put('base64Encode', { base64Encode(text) { return base64Encode(text); } }.base64Encode, false);
    put('base64Decode', { base64Decode(text) { return base64Decode(text); } }.base64Decode, false);
  }

  const face = {
    __proto__: null,
    begin(given, at, words, asked, variableList, workflowList) {
      message.begin(given);
      effects.begin(at, asked);
      seed(words);
      workflows = workflowList;
      putVariables(variableList);
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
    trigger(workflowId) {
      running = { __proto__: null, outcome: '' };
      superviseAsk(() => effects.sendTo('workflowNode', workflowId), running);
      return '';
    },
    // What a prompt asks of which model, where its script finds it too; `seen`: with the pictures of the message.
    pose(text, model, seen) {
      put('__promptText__', text, false);
      variables.modelConfiguration = 1;
      put('modelConfiguration', model === '' ? null : { id: model }, false);
      put('__promptImageUrls__', seen === '' ? '[]' : p.stringify(images.of(message.copy())), false);
      return '';
    },
    prompt() {
      running = { __proto__: null, outcome: '' };
      superviseAsk(effects.ownPrompt, running);
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
      const value = path === '' ? p.parse(literal) : currentToKeep(p.parse(path));
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
    asked: effects.asked,
    printed() {
      const out = prints;
      prints = '';
      return out;
    },
    answer: effects.answer,
    select: iteration.select,
    iterate: iteration.iterate,
    pass: iteration.pass,
    passed: iteration.passed,
    capture: () => (spreadOut ? left.capture() : '{"kept":[],"globals":{},"tooLarge":[]}'),
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
  stillClock(p, effects.now);
  p.defineProperty(Math, 'random', { __proto__: null, value: { random }.random, writable: true, enumerable: false, configurable: true });
  const verify = tamper({ reuse: settings.realm === 'verified' });
  const names = p.ownKeys(world);
  for (let i = 0; i < names.length; i++) if (typeof names[i] === 'string') taken[names[i]] = 1;
  taken.globalThis = taken.global = 1;
  return p.freeze(face);
}
