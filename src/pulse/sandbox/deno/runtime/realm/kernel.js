// Runs inside a realm, before any script: everything the outer program may ask of the realm, by strings only.
// No host object ever enters: the outer program calls these functions with strings and gets strings back, and scripts
// see what is put on `globalThis` here and nothing else. The kernel uses captured primordials, so a script that breaks
// built-ins breaks its own message and nothing more.

export function kernel(p, makers, settings) {
  'use strict';
  const { makeArrival, makeConditions, makeTrees, makeWriting, makeLeftovers, makeIteration, stillClock, tamper } = makers;
  const world = globalThis;
  const factories = p.create(null);
  const taken = p.create(null);
  const MAX_TOLD = 2_000;
  let prompts, spreadOut, running, prints, asks, answers, nextAsk, asksRoom, room, clock, randomState, variables, workflows;
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
    prompts = promptCount(names);
    return `[${refused}]`;
  }

  // A message from another workflow may hold what its prompts were answered: the next one is counted on from there.
  function promptCount(names) {
    let highest = 0;
    for (let i = 0; i < names.length; i++) {
      const found = p.startsWith(names[i], 'promptResponse_') ? p.exec(/^promptResponse_(\d{1,9})$/, names[i]) : null;
      if (found !== null && p.Number(found[1]) > highest) highest = p.Number(found[1]);
    }
    return highest;
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

  // An effect: a promise that the outer program settles. What crosses is text.
  function effect(fn, args) {
    let list = '';
    for (let i = 0; i < args.length; i++) list += (i === 0 ? '' : ',') + (json(args[i]) ?? 'null');
    return ask(fn, list);
  }

  function ask(fn, list) {
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

  // A message to another workflow, with all that scripts have left so far.
  const sendTo = (fn, workflowId) => ask(fn, `${json(workflowId) ?? 'null'},${left.snapshot()}`);

  function getWorkflowByName(name) {
    const found = workflows === '' ? undefined : step(p.parse(workflows), p.String(name));
    return found === undefined ? null : found;
  }

  const getPromptResponse = (index) => world[`promptResponse_${index}`];

  function effectError(given) {
    const error = new p.Error(given.message);
    const say = (name, value) => p.defineProperty(error, name, { __proto__: null, value, writable: true, enumerable: true, configurable: true });
    say('name', 'EffectError');
    say('code', given.code);
    say('retryable', given.retryable === true);
    say('effect', given.effect);
    return error;
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

  async function superviseTrigger(workflowId, started) {
    try {
      const answer = await sendTo('workflowNode', workflowId);
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
    prompts = 0;
    spreadOut = false;
    prints = asks = '';
    answers = p.create(null);
    running = undefined;
    nextAsk = clock = 0;
    room = settings.logLimit;
    asksRoom = settings.asksLimit;
    variables = p.create(null);
    workflows = '';
    iteration.reset();
  }

  function install() {
    put('print', print, false);
    put('console', { log: print, info: print, warn: print, error: print, debug: print }, false);
    put('evaluateCondition', evaluateCondition, false);
    for (let i = 0; i < settings.functions.length; i++) {
      const fn = settings.functions[i];
      put(fn, { [fn]() { return effect(fn, arguments); } }[fn], false);
    }
    put('triggerWorkflow', { triggerWorkflow(workflowId) { return sendTo('triggerWorkflow', workflowId); } }.triggerWorkflow, false);
    p.defineProperty(world, '__prompt_count__', { __proto__: null, get: () => prompts, set: (count) => (prompts = count), enumerable: false, configurable: true });
    put('getWorkflowByName', getWorkflowByName, false);
    put('getPromptResponse', { getPromptResponse(index) { return getPromptResponse(index); } }.getPromptResponse, false);
    put('latestPromptResponse', { latestPromptResponse() { return getPromptResponse(prompts); } }.latestPromptResponse, false);
  }

  const face = {
    __proto__: null,
    // `asked` is how many effects this message has asked for already, in realms before this one.
    begin(given, at, words, asked, variableList, workflowList) {
      nextAsk = p.Number(asked);
      message.begin(given);
      clock = at;
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
      superviseTrigger(workflowId, running);
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
  stillClock(p, () => clock);
  p.defineProperty(Math, 'random', { __proto__: null, value: { random }.random, writable: true, enumerable: false, configurable: true });
  const verify = tamper({ reuse: settings.realm === 'verified' });
  const names = p.ownKeys(world);
  for (let i = 0; i < names.length; i++) if (typeof names[i] === 'string') taken[names[i]] = 1;
  taken.globalThis = taken.global = 1;
  return p.freeze(face);
}
