// The walk through one plan: which node comes next, and what each does (platform.md 2.5, 3.2).

import { DECIDED_BY_CONDITION, MODES } from './branching.js';
import { Log } from '../told/log.js';
import { NodeFailure, Steps } from './steps.js';
import { Trace } from './trace.js';

const COMPLETE = { complete: true, places: [] };
const NOTHING = { places: [] };

export class Walk {
  #plan;
  #evaluation;
  #steps;
  #trace;
  #entry;
  #fired = false;
  log;
  reason;
  resultStatus;

  constructor(plan, evaluation) {
    this.#plan = plan;
    this.#evaluation = evaluation;
    this.log = new Log(evaluation.began);
    this.#steps = new Steps(plan, evaluation, this.log);
    this.#trace = new Trace(plan, evaluation);
  }

  get touched() {
    return this.#steps.touched;
  }

  // Walks from the root, or from the place of the given entity; true if the workflow fired.
  async go(entity) {
    const { workflowId, name } = this.#plan;
    const started = Date.now();
    this.log.add({ type: 'workflow', action: 'start', workflowId, workflowName: name, ...this.#evaluation.times });
    this.#entry = entity === undefined ? this.#plan.tree : this.#find(entity, this.#plan.tree);
    try {
      if (this.#isOpen(entity)) await this.#visit(this.#entry);
    } catch (failure) {
      if (!(failure instanceof NodeFailure)) throw failure;
    }
    this.log.add({ type: 'workflow', action: 'end', workflowId, workflowName: name, totalDurationMs: Date.now() - started });
    return this.#fired;
  }

  // A workflow begins with an event; an entity that was asked for by name may be of any kind.
  #isOpen(entity) {
    if (this.#entry === undefined) return this.#refuse('unknown_entity', { entity });
    const { kind } = this.#plan.nodes[this.#entry.node];
    if (kind !== 'event' && entity === undefined) return this.#refuse('no_event', {});
    this.#fired = kind !== 'event';
    return true;
  }

  #refuse(code, more) {
    this.reason = { code, ...more };
    return false;
  }

  #find(entity, place) {
    if (this.#plan.nodes[place.node].entityId === entity) return place;
    for (const child of place.children) {
      const found = this.#find(entity, child);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  // True if the workflow is complete and nothing more is to be visited.
  async #visit(place) {
    if (this.#evaluation.isLong) await this.#evaluation.pause();
    const node = this.#plan.nodes[place.node];
    let next;
    try {
      next = await KINDS[node.kind].call(this, node, place);
    } catch (failure) {
      this.#trace.note(place, NOTHING, this.#steps);
      if (!(failure instanceof NodeFailure) || node.onError !== 'continue' || place === this.#entry) throw failure;
      return false;
    }
    this.#trace.note(place, next, this.#steps);
    return next.complete || (next.passes === undefined ? this.#visitAll(next.places) : this.#visitPasses(next));
  }

  async #visitAll(places) {
    for (const place of places) if (await this.#visit(place)) return true;
    return false;
  }

  // Once for each item, on the same globals (platform.md 12, Iterable).
  async #visitPasses({ places, passes }) {
    let complete = false;
    for (let index = 0; index < passes && !complete; index++) {
      this.#steps.call('pass', index);
      complete = await this.#visitAll(places);
    }
    this.#steps.call('passed');
    return complete;
  }

  async event(node, place) {
    await this.#prepare(node, place);
    const outcome = this.#trace.condition(place) ?? this.#steps.condition(node);
    const early = DECIDED_BY_CONDITION[node.mode] === true;
    if (!outcome && node.mode !== 'True/False') return this.#turnedAway(node, place, { action: 'condition_failed' }, this.#steps.why(node));
    // A Multi event has fired when it has found a branch; any other by its condition.
    if (node.mode !== 'Multi' && place === this.#entry) this.#fired = true;
    if (early) this.#pass(node, place, outcome);
    if (!this.#trace.isPinned(place)) await this.#steps.script(node, place, 'post');
    return early ? this.#branch(node, place, outcome) : this.#pass(node, place, outcome);
  }

  // The event is passed if its mode finds a way: then the workflow has fired.
  #pass(node, place, outcome) {
    const branch = this.#branch(node, place, outcome);
    if (branch.none) return this.#turnedAway(node, place, { action: 'no_branch', conditionResult: true }, branch.reason);
    if (place === this.#entry) this.#fired = true;
    const action = outcome ? 'condition_passed' : 'condition_failed';
    const taken = branch.taken === undefined ? {} : { branchTaken: branch.taken };
    const passes = branch.passes === undefined ? {} : { passes: branch.passes };
    const childCount = branch.places.length;
    this.#steps.note(node, { type: 'event', action, mode: node.mode, conditionResult: outcome, ...taken, ...passes, childCount });
    return branch;
  }

  #branch(node, place, outcome) {
    return MODES[node.mode]({ plan: this.#plan, node, place, outcome, steps: this.#steps });
  }

  #turnedAway(node, place, told, why) {
    this.#steps.note(node, { type: 'event', mode: node.mode, conditionResult: false, ...told, childCount: 0 });
    if (place === this.#entry) this.reason = { entity: node.name, ...why };
    return NOTHING;
  }

  async action(node, place) {
    const started = Date.now();
    if (!(await this.#run(node, place))) return NOTHING;
    this.#steps.note(node, { type: 'action', action: 'script_executed', durationMs: Date.now() - started, success: true });
    return { places: place.children };
  }

  // The model is asked by the node itself, unless its script does that (platform.md 2.4).
  async prompt(node, place) {
    const started = Date.now();
    await this.#prepare(node, place);
    if (this.#trace.isPinned(place)) return { places: place.children };
    if (!this.#isWanted(node)) return NOTHING;
    this.#steps.pose(node);
    if (node.asks) await this.#askModel(node);
    await this.#steps.script(node, place, 'post');
    this.#steps.note(node, { type: 'prompt', action: 'complete', durationMs: Date.now() - started });
    return { places: place.children };
  }

  async #askModel(node) {
    const outcome = await this.#evaluation.prompt();
    if (!outcome.startsWith('ok ')) this.#steps.fail(node, JSON.parse(outcome));
  }

  async result(node, place) {
    if (!(await this.#run(node, place))) return NOTHING;
    const status = node.resultStatus ?? 'Success';
    this.#steps.note(node, { type: 'result', status });
    this.resultStatus = STATUSES[status.toLowerCase()];
    const hasResultValue = this.#steps.call('value', '["___result___"]') !== '';
    this.#steps.note(node, { type: 'complete', status, hasResultValue });
    return COMPLETE;
  }

  // Sends a message that the other workflow runs on, and goes straight on to its own children (platform.md 2.10).
  async workflow(node, place) {
    const { workflowId } = node;
    await this.#prepare(node, place);
    if (this.#trace.isPinned(place)) return { places: place.children };
    this.#steps.touch(node);
    const outcome = await this.#evaluation.trigger(workflowId);
    if (!outcome.startsWith('ok ')) this.#triggerFailed(node, JSON.parse(outcome));
    const { workflowName, sequenceNumber } = JSON.parse(outcome.slice(3)) ?? {};
    this.#steps.note(node, { type: 'workflow', action: 'sub_workflow_triggered', workflowId, workflowName, messageId: sequenceNumber });
    return { places: place.children };
  }

  #triggerFailed(node, error) {
    const suggestion = TRIGGER_ADVICE[error.code] ?? 'Look at the message of this error, then replay this message.';
    this.#steps.fail(node, { ...error, suggestion }, {}, { action: 'sub_workflow_trigger_failed', workflowId: node.workflowId });
  }

  async branch(_node, place) {
    return { places: place.children };
  }

  // The whole pipeline; false where the node's own condition is: then it is skipped, with all below it.
  async #run(node, place) {
    await this.#prepare(node, place);
    if (this.#trace.isPinned(place)) return true;
    if (!this.#isWanted(node)) return false;
    await this.#steps.script(node, place, 'post');
    return true;
  }

  #isWanted(node) {
    if (this.#steps.condition(node)) return true;
    this.#steps.note(node, { type: node.kind, action: 'condition_failed', conditionResult: false });
    return false;
  }

  // Up to the condition; what a test has pinned takes the place of the node's own work.
  async #prepare(node, place) {
    const pinned = this.#trace.pinned(place);
    if (pinned === undefined) {
      await this.#steps.script(node, place, 'pre');
      return this.#steps.bindArguments(node);
    }
    this.#steps.touch(node);
    for (const [name, value] of Object.entries(pinned)) this.#steps.call('bind', name, '', JSON.stringify(value));
    this.#steps.note(node, { type: node.kind, action: 'pinned', names: Object.keys(pinned) });
  }
}

const KINDS = {
  __proto__: null,
  event: Walk.prototype.event,
  prompt: Walk.prototype.prompt,
  action: Walk.prototype.action,
  result: Walk.prototype.result,
  workflow: Walk.prototype.workflow,
  'logic-branch': Walk.prototype.branch,
};

const TRIGGER_ADVICE = {
  __proto__: null,
  unknown_workflow: 'The workflow was deleted, or belongs to another environment: choose another one in this node.',
  too_deep: 'Workflows start each other in a circle. Let a condition end it.',
  too_many_messages: 'Workflows start each other without end, or too many times. Let a condition end it, or send lists instead of items.',
  too_large: 'Delete global names that the other workflow does not need, in a script before this node.',
};

const STATUSES = { __proto__: null, success: 'success', fail: 'fail', ignore: 'ignore' };
