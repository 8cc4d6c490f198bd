// A stage for tests of the runtime: a realm as production makes it, or a whole message from its first byte to its verdict.

import assert from 'node:assert/strict';
import { setImmediate } from 'node:timers';
import { Evaluation } from '../../../../src/pulse/sandbox/deno/runtime/evaluation.js';
import { Places } from '../../../../src/pulse/sandbox/deno/runtime/places.js';
import { Plans, scriptOf } from '../../../../src/pulse/sandbox/deno/runtime/plans.js';
import { Realms } from '../../../../src/pulse/sandbox/deno/runtime/realms.js';

globalThis.addEventListener('unhandledrejection', (event) => event.preventDefault());

export const AT = 1_700_000_000_000;
export const SETTINGS = {
  realm: 'verified',
  functions: ['call', 'other', 'triggerWorkflow', 'executePromptWithModel', 'promptCallUniversal', 'executeResearchPlan', 'validateAssistantContext'],
  resultLimit: 10_000,
  logLimit: 10_000,
  printLimit: 100,
  effects: 10,
  effectLimit: 1_000,
  asksLimit: 3_000,
};

export const macrotask = () => new Promise((resolve) => setImmediate(resolve));

// ---- one realm ----------------------------------------------------------------------------------------------------

// A realm knows a script by its name.
let scripts = 0;

export class Stage {
  constructor(message = {}, { settings = {}, seed = [1, 2, 3, 4], at = AT, realms } = {}) {
    this.realms = realms ?? new Realms({ ...SETTINGS, ...settings });
    this.realm = this.realms.acquire();
    this.realm.call('begin', JSON.stringify(message), at, JSON.stringify(seed), 0, '', '');
    this.refused = JSON.parse(this.realm.call('spread'));
  }

  call(name, ...args) {
    return this.realm.call(name, ...args);
  }

  // Runs a script until nothing moves any more; its outcome: 'ok', the error, or '' while it waits.
  async run(source) {
    const plan = { id: `script${scripts++}`, nodes: [{ post: source }], scripts: new Map() };
    const { key, script, error } = scriptOf(plan, 0, 'post');
    if (error !== undefined) return error;
    this.realm.adopt(key, script);
    this.call('run', key);
    return await this.outcome();
  }

  async outcome() {
    await macrotask();
    const outcome = this.call('poll');
    return outcome === '' || outcome === 'ok' ? outcome : JSON.parse(outcome);
  }

  // What a script gives back.
  async value(source) {
    const outcome = await this.run(`___result___ = (${source})`);
    if (outcome !== 'ok') throw new Error(JSON.stringify(outcome));
    return this.captured().result;
  }

  captured() {
    return JSON.parse(this.call('capture'));
  }
}

// ---- one message ----------------------------------------------------------------------------------------------------

export const event = (fields = {}) => ({ kind: 'event', entityId: 'e1', name: 'Arrival', type: 'Event', mode: 'Single Path', arguments: [], ...fields });
export const action = (post, fields = {}) => ({ kind: 'action', entityId: 'a1', name: 'Deed', type: 'Action', arguments: [], post, ...fields });
export const branch = (branchValue) => ({ kind: 'logic-branch', name: branchValue, type: 'LogicBranch', branchValue });
export const end = (resultStatus) => ({ kind: 'result', entityId: 'r1', name: 'End', type: 'Result', arguments: [], resultStatus });
export const place = (node, ...children) => ({ node, children });

let plans = 0;

// A plan of these nodes: the first has all others as children, where no tree says otherwise.
export function plan(nodes, tree = place(0, ...nodes.slice(1).map((_, at) => place(at + 1))), name = 'workflow') {
  return { id: `plan${plans++}`, workflowId: 'w1', name, version: 3, nodes, refs: nodes.map((_, at) => `n${at}`), tree };
}

export const multi = (branches, fields = {}) => event({ mode: 'Multi', logicField: 'kind', logicPath: ['kind'], branches, ...fields });
export const iterable = (fields = {}) => event({ mode: 'Iterable', logicField: 'list', logicPath: ['list'], ...fields });
export const forked = (fields = {}) => event({ mode: 'True/False', branches: ['true', 'false'], ...fields });
export const node = (workflowId, fields = {}) => ({ kind: 'workflow', entityId: null, name: 'Other', type: 'Workflow', workflowId, arguments: [], ...fields });
export const rule = (field, comparison, value) => JSON.stringify({ field, path: field.split('.'), comparison, value });

// A message that is about to begin. `variables` and `workflows` are what its environment has, `entry` the entity it is entered at;
// with `pins`, or `traced`, it is a test run.
export function begun(wanted, message = {}, { settings = {}, variables = {}, workflows, entry, pins, traced = pins !== undefined } = {}) {
  const known = new Plans();
  for (const one of wanted) known.add(one);
  const all = { ...SETTINGS, ...settings };
  const realms = new Realms(all);
  const evaluation = new Evaluation({
    id: 'm1', plans: wanted.map(({ id }) => known.get(id)), at: AT, seed: [1, 2, 3, 4], payload: JSON.stringify(message), realms, settings: all, entry,
    place: placeOf(variables, workflows), trace: traced ? { pins } : undefined,
  });
  return { evaluation, realms };
}

function placeOf(variables, workflows) {
  if (Object.keys(variables).length === 0 && workflows === undefined) return undefined;
  const places = new Places();
  places.take({ id: 'place1', variables: Object.entries(variables), workflows: workflows ?? {} });
  return places.get('place1');
}

// A whole message: `answers` are what its effects come to, one after the other.
export async function evaluate(wanted, message = {}, { answers = [], ...around } = {}) {
  const { evaluation, realms } = begun(wanted, message, around);
  evaluation.start();
  const asks = [];
  let pauses = 0;
  for (;;) {
    do await macrotask();
    while (evaluation.advance());
    if (evaluation.done) break;
    asks.push(...JSON.parse(evaluation.asks().asks));
    if (evaluation.isPaused) {
      pauses += 1;
      evaluation.goOn();
      continue;
    }
    if (answers.length === 0) throw new Error('the message waits for more answers than there are');
    const { seq, ok = true, value = null, at = AT } = answers.shift();
    evaluation.answer(seq, ok, JSON.stringify(value), at);
  }
  return { asks, realms, pauses, ...(await ended(evaluation)) };
}

// How a message ended that is done.
export async function ended(evaluation) {
  evaluation.capture();
  await macrotask();
  const { header, body } = evaluation.close();
  return { header, text: body, ...JSON.parse(body) };
}

export const script = (source, ...more) => evaluate([plan([event({ post: source })])], ...more);
