// Runs inside a realm: what scripts ask of the world. An effect is a promise that the outer program settles; what crosses
// is text. Of `reach`, `find` finds a value by its path, `put` sets a global, `snapshot` is all that scripts have left so far.

export function asking(p, writer, settings, reach) {
  'use strict';
  const { find, put, snapshot, limitError } = reach;
  const { json } = writer;
  const world = globalThis;
  // Whatever way a model was called: its answer is the next promptResponse_n.
  const PROMPTS = { __proto__: null, promptCallUniversal: 1, executePromptWithModel: 1, promptCallToken: 1, promptCallKeys: 1 };
  const RESEARCHED = ['researchResults', 'intent', 'navigationSuggestion', 'reasoning'];
  let asks, answers, nextAsk, room, clock, prompts;

  function ask(fn, list) {
    if (list.length > settings.effectLimit) throw limitError(`The arguments of ${fn} are larger than ${settings.effectLimit} characters`);
    if (nextAsk >= settings.effects) throw limitError(`This message has asked for more than ${settings.effects} effects`);
    if (list.length > room) throw limitError(`The effects that wait for their answers have arguments of more than ${settings.asksLimit} characters`);
    room -= list.length;
    const seq = ++nextAsk;
    asks += `${asks === '' ? '' : ','}{"seq":${seq},"fn":${p.stringify(fn)},"args":[${list}]}`;
    return new p.Promise((resolve, reject) => {
      answers[seq] = { __proto__: null, resolve, reject, size: list.length, fn };
    });
  }

  function effect(fn, args) {
    let list = '';
    for (let i = 0; i < args.length; i++) list += (i === 0 ? '' : ',') + (json(args[i]) ?? 'null');
    return ask(fn, list);
  }

  // A message to another workflow, with all that scripts have left so far.
  const sendTo = (fn, workflowId) => ask(fn, `${json(workflowId) ?? 'null'},${snapshot()}`);

  // ---- prompts -----------------------------------------------------------------------------------------------

  const getPromptResponse = (index) => world[`promptResponse_${index}`];
  const latest = () => getPromptResponse(prompts);

  // A message from another workflow may hold what its prompts were answered: the next one is counted on from there.
  function countPrompts(names) {
    prompts = 0;
    for (let i = 0; i < names.length; i++) {
      const found = p.startsWith(names[i], 'promptResponse_') ? p.exec(/^promptResponse_(\d{1,9})$/, names[i]) : null;
      if (found !== null && p.Number(found[1]) > prompts) prompts = p.Number(found[1]);
    }
  }

  // What a prompt's own step asks, and what a script that does it itself asks for.
  const ownPrompt = () => effect('executePromptWithModel', [world.modelConfiguration, p.String(world.__promptText__ ?? ''), world.__promptImageUrls__]);

  function said(name) {
    return find([name]) ?? find(['payload', name]);
  }

  const special = {
    __proto__: null,
    executePromptWithModel: () => ownPrompt(),
    postLatestPromptToMastodon: () => effect('postLatestPromptToMastodon', [latest()]),
    executeResearchPlan: () => effect('executeResearchPlan', [latest()]),
    validateAssistantContext: () => effect('validateAssistantContext', [said('clientOrganizationId'), said('clientEnvironmentId')]),
    triggerWorkflow: (workflowId) => sendTo('triggerWorkflow', workflowId),
  };

  // ---- answers -----------------------------------------------------------------------------------------------

  function effectError(given) {
    const error = new p.Error(given.message);
    const say = (name, value) => p.defineProperty(error, name, { __proto__: null, value, writable: true, enumerable: true, configurable: true });
    say('name', 'EffectError');
    say('code', given.code);
    say('retryable', given.retryable === true);
    say('effect', given.effect);
    return error;
  }

  // What an answer leaves in the globals, whoever waits for it.
  function keep(fn, value) {
    if (PROMPTS[fn] === 1) put(`promptResponse_${++prompts}`, value, true);
    if (fn !== 'executeResearchPlan') return;
    for (let i = 0; i < RESEARCHED.length; i++) put(RESEARCHED[i], value?.[RESEARCHED[i]], true);
  }

  function answer(seq, ok, text, at) {
    const waiting = answers[seq];
    if (waiting === undefined) return 'unknown';
    delete answers[seq];
    room += waiting.size;
    if (at > clock) clock = at;
    if (ok !== 'yes') waiting.reject(effectError(p.parse(text)));
    else {
      const value = text === '' ? undefined : p.parse(text);
      keep(waiting.fn, value);
      waiting.resolve(value);
    }
    return '';
  }

  function asked() {
    const out = asks;
    asks = '';
    return out;
  }

  function reset() {
    asks = '';
    answers = p.create(null);
    nextAsk = clock = prompts = 0;
    room = settings.asksLimit;
  }

  // `count` is how many effects this message has asked for already, in realms before this one.
  function begin(at, count) {
    clock = at;
    nextAsk = p.Number(count);
  }

  function install() {
    for (let i = 0; i < settings.functions.length; i++) {
      const fn = settings.functions[i];
      const call = special[fn];
      put(fn, call === undefined ? { [fn]() { return effect(fn, arguments); } }[fn] : { [fn](first) { return call(first); } }[fn], false);
    }
    p.defineProperty(world, '__prompt_count__', { __proto__: null, get: () => prompts, set: (count) => (prompts = count), enumerable: false, configurable: true });
    put('getPromptResponse', { getPromptResponse(index) { return getPromptResponse(index); } }.getPromptResponse, false);
    put('latestPromptResponse', { latestPromptResponse() { return latest(); } }.latestPromptResponse, false);
  }

  return { __proto__: null, install, begin, reset, asked, answer, countPrompts, ownPrompt, sendTo, now: () => clock };
}
