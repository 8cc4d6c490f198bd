// The steps that every node's pipeline is made of (platform.md 2.4): scripts, arguments, the condition, and what the log
// and the errors say of each. The scripts run in the realm; this runs outside.

import { placeOf, suggestionFor } from '../mistakes.js';
import { scriptOf } from '../plans.js';

const PREVIEW = 200;

// A node's failure: recorded where it happened, carried up to whoever decides what goes on.
export class NodeFailure {}

export class Steps {
  #plan;
  #evaluation;
  #log;
  // Whether anything of this workflow has run in the realm.
  touched = false;
  // The message's fields that may not be globals.
  refused = new Set();

  constructor(plan, evaluation, log) {
    this.#plan = plan;
    this.#evaluation = evaluation;
    this.#log = log;
  }

  condition(node) {
    if (node.conditionText === undefined) return true;
    const outcome = this.call('condition', node.conditionText);
    if (outcome !== 'true' && outcome !== 'false') this.fail(node, JSON.parse(outcome));
    return outcome === 'true';
  }

  // Why a condition is false: the rule that decided, and what it saw.
  why(node) {
    if (node.conditionText === undefined) return {};
    return JSON.parse(this.call('explain', node.conditionText)) ?? {};
  }

  bindArguments(node) {
    if (node.arguments.length > 0) this.touch(node);
    for (const { name, path, literal, parts } of node.arguments) {
      const missing = parts === undefined ? this.#bindOne(name, path, literal) : this.#bindText(name, parts);
      for (const placeholder of missing) this.note(node, { type: 'template', action: 'missing_value', argument: name, placeholder });
    }
  }

  #bindOne(name, path, literal) {
    const pathText = path === undefined ? '' : JSON.stringify(path);
    const bound = this.call('bind', name, pathText, literal === undefined ? '' : JSON.stringify(literal));
    return bound === 'missing' ? [path.join('.')] : [];
  }

  #bindText(name, parts) {
    const { text, missing } = JSON.parse(this.call('render', JSON.stringify(parts)));
    this.call('bind', name, '', JSON.stringify(text));
    return missing;
  }

  // Puts the text of a prompt, its model and the message's pictures where scripts and the model's call find them.
  pose(node) {
    this.touch(node);
    this.#evaluation.node = identity(node);
    const { text, missing } = JSON.parse(this.call('render', JSON.stringify(node.promptParts)));
    for (const placeholder of missing) this.note(node, { type: 'template', action: 'missing_value', placeholder });
    this.call('pose', text, node.model ?? '', node.imageRecognition ? 'yes' : '');
  }

  async script(node, place, phase) {
    if (node[phase] === undefined) return;
    this.touch(node);
    const compiled = scriptOf(this.#plan, place.node, phase);
    const started = Date.now();
    this.#evaluation.node = identity(node);
    const outcome = compiled.error === undefined ? await this.#evaluation.runScript(compiled) : JSON.stringify(compiled.error);
    this.#notePrints(node);
    const durationMs = Date.now() - started;
    if (outcome !== 'ok') this.fail(node, JSON.parse(outcome), { phase, key: compiled.key, source: node[phase], durationMs });
    // An action's own entry says as much.
    if (node.kind !== 'action') this.note(node, { type: 'script', action: 'executed', phase, durationMs, success: true });
  }

  // The message's fields become globals when the first script or argument needs them.
  touch(node) {
    this.touched = true;
    for (const name of JSON.parse(this.call('spread'))) {
      this.refused.add(name);
      this.note(node, { type: 'message', action: 'field_not_global', field: name, hint: `Read it as message.${name}.` });
    }
  }

  note(node, entry) {
    this.#log.add({ ...identity(node), ...entry });
  }

  #notePrints(node) {
    const printed = this.#evaluation.prints();
    if (printed === '') return;
    for (const { ts, args } of JSON.parse(`[${printed}]`)) this.#log.add({ ...identity(node), type: 'print', args }, ts);
  }

  // Records a failure of the node and carries it up; `where` names the script that failed, if one did.
  fail(node, error, where = {}, more = {}) {
    const { phase, key } = where;
    const told = {
      error: error.message,
      errorType: error.name,
      ...(error.code ? { code: error.code } : {}),
      ...(key === undefined ? {} : { phase, ...placeOf(error.stack, key) }),
      suggestion: error.suggestion ?? suggestionFor(error),
    };
    if (where.source !== undefined) this.#noteScript(node, told, where);
    this.note(node, { type: 'error', ...more, ...told });
    this.#evaluation.addError({ ...identity(node), ...told, timestamp: new Date().toISOString() });
    throw new NodeFailure();
  }

  #noteScript(node, told, { source, durationMs }) {
    const script = { scriptPreview: source.slice(0, PREVIEW).toWellFormed(), scriptLength: source.length };
    const messageSummary = summaryOf(this.#evaluation.payload);
    this.note(node, { type: 'script', action: 'executed', success: false, durationMs, ...told, ...script, messageSummary });
  }

  call(name, ...args) {
    return this.#evaluation.realm.call(name, ...args);
  }
}

function identity({ entityId, name, type }) {
  return { entityId, entityName: name, entityType: type };
}

// What an error says of its message (platform.md 2.9).
function summaryOf(payload) {
  const { organizationId, environmentId, type } = JSON.parse(payload);
  return { organizationId: brief(organizationId), environmentId: brief(environmentId), eventType: brief(type) };
}

const brief = (value) => (typeof value === 'string' ? value.slice(0, 200).toWellFormed() : undefined);
