// The walk through one plan: which node comes next, and what each does. The scripts run in the realm; this runs outside.

import { Log } from './log.js';
import { placeOf, suggestionFor } from './mistakes.js';
import { scriptOf } from './plans.js';

const PREVIEW = 200;

// A node's failure: recorded where it happened, carried up to whoever decides what goes on.
class NodeFailure {}

export class Walk {
  #plan;
  #evaluation;
  #fired = false;
  #entry;
  log;
  reason;
  resultStatus;
  touched = false;

  constructor(plan, evaluation) {
    this.#plan = plan;
    this.#evaluation = evaluation;
    this.log = new Log(evaluation.began);
  }

  // Walks from the root; true if the workflow fired.
  async go() {
    const { workflowId, name, tree } = this.#plan;
    const started = Date.now();
    this.log.add({ type: 'workflow', action: 'start', workflowId, workflowName: name });
    this.#entry = tree;
    try {
      await this.#visit(tree);
    } catch (failure) {
      if (!(failure instanceof NodeFailure)) throw failure;
    }
    this.log.add({ type: 'workflow', action: 'end', workflowId, workflowName: name, totalDurationMs: Date.now() - started });
    return this.#fired;
  }

  // True if the workflow is complete and nothing more is to be visited.
  async #visit(place) {
    const node = this.#plan.nodes[place.node];
    try {
      return await KINDS[node.kind].call(this, node, place);
    } catch (failure) {
      if (failure instanceof NodeFailure && node.onError === 'continue' && place !== this.#entry) return false;
      throw failure;
    }
  }

  async #visitAll(places) {
    for (const place of places) if (await this.#visit(place)) return true;
    return false;
  }

  async event(node, place) {
    await this.#script(node, place, 'pre');
    this.#bindArguments(node);
    const outcome = this.#condition(node);
    const branch = MODES[node.mode](this, node, place, outcome);
    if (branch === undefined) return this.#turnedAway(node, place);
    if (place === this.#entry) this.#fired = true;
    this.#logEvent(node, outcome, branch);
    await this.#script(node, place, 'post');
    return this.#visitAll(branch.places);
  }

  #logEvent(node, outcome, branch) {
    const action = outcome ? 'condition_passed' : 'condition_failed';
    const taken = branch.taken === undefined ? {} : { branchTaken: branch.taken };
    this.#note(node, { type: 'event', action, mode: node.mode, conditionResult: outcome, ...taken, childCount: branch.places.length });
  }

  #turnedAway(node, place) {
    this.#note(node, { type: 'event', action: 'condition_failed', mode: node.mode, conditionResult: false, childCount: 0 });
    if (place === this.#entry) this.reason = { entity: node.name, ...this.#why(node) };
    return false;
  }

  #why(node) {
    const told = JSON.parse(this.#evaluation.realm.call('explain', node.conditionText));
    return told ?? {};
  }

  async action(node, place) {
    const started = Date.now();
    await this.#script(node, place, 'pre');
    this.#bindArguments(node);
    await this.#script(node, place, 'post');
    this.#note(node, { type: 'action', action: 'script_executed', durationMs: Date.now() - started, success: true });
    return this.#visitAll(place.children);
  }

  async result(node, place) {
    await this.#script(node, place, 'pre');
    this.#bindArguments(node);
    await this.#script(node, place, 'post');
    const status = node.resultStatus ?? 'Success';
    this.#note(node, { type: 'result', status });
    this.resultStatus = STATUSES[status.toLowerCase()];
    this.#note(node, { type: 'complete', status, hasResultValue: this.#evaluation.realm.call('value', '["___result___"]') !== '' });
    return true;
  }

  async branch(_node, place) {
    return this.#visitAll(place.children);
  }

  branches(place, value) {
    return place.children.filter((child) => this.#plan.nodes[child.node].branchValue === value);
  }

  // ---- the steps of the pipeline ----------------------------------------------------------------------------

  #condition(node) {
    if (node.conditionText === undefined) return true;
    const outcome = this.#evaluation.realm.call('condition', node.conditionText);
    if (outcome !== 'true' && outcome !== 'false') this.#failed(node, JSON.parse(outcome), {});
    return outcome === 'true';
  }

  #bindArguments(node) {
    if (node.arguments.length > 0) this.#touch(node);
    for (const { name, path, literal, parts } of node.arguments) {
      const missing = parts === undefined ? this.#bindOne(name, path, literal) : this.#bindText(name, parts);
      for (const placeholder of missing) this.#note(node, { type: 'template', action: 'missing_value', argument: name, placeholder });
    }
  }

  #bindOne(name, path, literal) {
    const pathText = path === undefined ? '' : JSON.stringify(path);
    const bound = this.#evaluation.realm.call('bind', name, pathText, literal === undefined ? '' : JSON.stringify(literal));
    return bound === 'missing' ? [path.join('.')] : [];
  }

  #bindText(name, parts) {
    const { text, missing } = JSON.parse(this.#evaluation.realm.call('render', JSON.stringify(parts)));
    this.#evaluation.realm.call('bind', name, '', JSON.stringify(text));
    return missing;
  }

  async #script(node, place, phase) {
    if (node[phase] === undefined) return;
    this.#touch(node);
    const compiled = scriptOf(this.#plan, place.node, phase);
    const started = Date.now();
    const outcome = compiled.error === undefined ? await this.#evaluation.runScript(compiled) : JSON.stringify(compiled.error);
    this.#notePrints(node);
    if (outcome !== 'ok') this.#failed(node, JSON.parse(outcome), { phase, key: compiled.key, source: node[phase], started });
  }

  // The message's fields become globals when the first script or argument needs them.
  #touch(node) {
    this.touched = true;
    for (const name of JSON.parse(this.#evaluation.realm.call('spread'))) {
      this.#note(node, { type: 'message', action: 'field_not_global', field: name, hint: `Read it as message.${name}.` });
    }
  }

  #notePrints(node) {
    const printed = this.#evaluation.prints();
    if (printed === '') return;
    for (const { ts, args } of JSON.parse(`[${printed}]`)) this.log.add({ ...identity(node), type: 'print', args }, ts);
  }

  #note(node, entry) {
    this.log.add({ ...identity(node), ...entry });
  }

  #failed(node, error, { phase, key, source, started }) {
    const told = {
      error: error.message,
      errorType: error.name,
      ...(error.code ? { code: error.code } : {}),
      ...(key === undefined ? {} : { phase, ...placeOf(error.stack, key) }),
      suggestion: suggestionFor(error),
    };
    if (source !== undefined) this.#noteScript(node, told, source, started);
    this.#note(node, { type: 'error', ...told });
    this.#evaluation.addError({ ...identity(node), ...told, timestamp: new Date().toISOString() });
    throw new NodeFailure();
  }

  #noteScript(node, told, source, started) {
    const script = { scriptPreview: source.slice(0, PREVIEW).toWellFormed(), scriptLength: source.length };
    const messageSummary = this.#evaluation.summary;
    this.#note(node, { type: 'script', action: 'executed', success: false, durationMs: Date.now() - started, ...told, ...script, messageSummary });
  }
}

const KINDS = {
  event: Walk.prototype.event,
  action: Walk.prototype.action,
  result: Walk.prototype.result,
  'logic-branch': Walk.prototype.branch,
};

// Where an event leads: the places to visit and the branch's name, or undefined where it is not passed.
const MODES = {
  'Single Path': (_walk, _node, place, outcome) => (outcome ? { places: place.children } : undefined),
  'True/False': (walk, _node, place, outcome) => ({ taken: `${outcome}`, places: walk.branches(place, `${outcome}`) }),
};

const STATUSES = { __proto__: null, success: 'success', fail: 'fail', ignore: 'ignore' };

function identity({ entityId, name, type }) {
  return { entityId, entityName: name, entityType: type };
}
