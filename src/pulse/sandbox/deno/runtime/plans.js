// Plans come once to a process; their scripts are compiled once, and bound to a realm where they run.

import vm from 'node:vm';

const AsyncFunction = (async () => {}).constructor;
const ENDS = 'The script ends too early: something is not closed';
const ESCAPES = 'The script is not the body of one function: a brace closes too early';
const HEAD = '(async function () {\n';

export class Plans {
  #plans = new Map();

  add(plan) {
    this.#plans.set(plan.id, { ...plan, scripts: new Map() });
  }

  get(id) {
    return this.#plans.get(id);
  }
}

// The script of a node's phase ('pre' or 'post') as {key, script} or {key, error}.
export function scriptOf(plan, index, phase) {
  const key = `${plan.id}#${index}.${phase}`;
  const known = plan.scripts.get(key);
  if (known !== undefined) return known;
  const compiled = { key, ...compile(plan.nodes[index][phase], key) };
  plan.scripts.set(key, compiled);
  return compiled;
}

// A script must be the body of an async function by itself: one that closes the wrapper and goes on outside is refused.
function compile(source, filename) {
  try {
    new AsyncFunction(source);
    return { script: new vm.Script(`(function () { return async function () {\n${source}\n}; })`, { filename, lineOffset: -1 }) };
  } catch {
    return { error: syntaxError(source, filename) };
  }
}

function syntaxError(source, key) {
  const message = closesItsWrapper(source) ? ESCAPES : (complaint(source) ?? ESCAPES);
  const place = message === ENDS ? placeOfEnd(source) : placeOfFault(source, message);
  return { name: 'SyntaxError', message, stack: message === ESCAPES ? '' : `${key}:${place}` };
}

// V8 does not tell where a syntax error is. It stops at the first one, so the shortest beginning of the script that
// brings the same complaint ends at the fault: found by halving.
function placeOfFault(source, message) {
  let [good, bad] = [0, source.length];
  while (bad - good > 1) {
    const middle = (good + bad) >> 1;
    if (complaint(source.slice(0, middle)) === message) bad = middle;
    else good = middle;
  }
  const token = /'([^']+)'$/.exec(message)?.[1].length ?? 1;
  const lines = source.slice(0, Math.max(1, bad - token + 1)).split('\n');
  return `${lines.length}:${lines.at(-1).length}`;
}

function placeOfEnd(source) {
  const lines = source.trimEnd().split('\n');
  return `${lines.length}:${lines.at(-1).length + 1}`;
}

// Whether the source closes the function around it: with its last brace, or to go on outside.
function closesItsWrapper(source) {
  return isWhole(`${HEAD}${source}\n)`) || isWhole(`${HEAD}${source}\n})`);
}

function isWhole(text) {
  try {
    new vm.Script(text);
    return true;
  } catch {
    return false;
  }
}

function complaint(beginning) {
  try {
    new vm.Script(HEAD + beginning);
    return undefined;
  } catch (error) {
    return error.message === 'Unexpected end of input' ? ENDS : error.message;
  }
}
