// The values of environment variables leave the sandbox in nothing that is kept: where one appears, it becomes `***`
// (platform.md 12, Globals). One under 6 characters would appear by chance: it counts only where it is the whole string.

const SHORT = 6;
const HIDDEN = '***';
// A value may stand in JSON that stands in a string: each time, it is escaped once more.
const LEVELS = 3;
// Text that was cut may end in the middle of a value (writing.js); so much of one is still recognised.
const CUT = '… (cut)';
const RECOGNISED = 3;
// What entries of the log, errors, reasons and visits say in words of Pulse's own, or of the drawing.
const OURS = new Set([
  'type', 'action', 'phase', 'mode', 'realm', 'branchTaken', 'status', 'timestamp', 'entityId', 'entityName', 'entityType', 'workflowId',
  'workflowName', 'messageId', 'name', 'entity', 'node', 'kind', 'leadsTo',
]);

export class Redaction {
  #long;
  #short;
  #traces;

  constructor(values) {
    this.#long = values.filter((value) => value.length >= SHORT).sort((a, b) => b.length - a.length).flatMap(forms);
    this.#short = new Set(values.filter((value) => value.length < SHORT && value.length > 0));
    this.#traces = [...this.#long.map((value) => JSON.stringify(value).slice(1, -1)), ...[...this.#short].map((value) => JSON.stringify(value))];
  }

  // A text of JSON with no value in it.
  json(text) {
    return this.#mayHold(text) ? JSON.stringify(this.value(JSON.parse(text))) : text;
  }

  // What was captured: its outermost names are ours.
  captured(text) {
    return this.#mayHold(text) ? JSON.stringify(this.#inside(JSON.parse(text))) : text;
  }

  #inside(object) {
    return Object.fromEntries(Object.entries(object).map(([name, value]) => [name, this.value(value)]));
  }

  // A list of entries, as JSON, with no value in what is not ours.
  entries(list) {
    const text = JSON.stringify(list);
    if (!this.#mayHold(text)) return text;
    return JSON.stringify(list.map((entry) => Object.fromEntries(Object.entries(entry).map((part) => this.#part(part)))));
  }

  #part([name, value]) {
    if (name === 'rule') return [name, this.#inside(value)];
    return [name, OURS.has(name) ? value : this.value(value)];
  }

  text(words) {
    if (this.#short.has(words)) return HIDDEN;
    let out = words;
    for (const value of this.#long) out = out.includes(value) ? out.replaceAll(value, HIDDEN) : out;
    return this.#withoutBeginning(out);
  }

  value(given) {
    if (typeof given === 'string') return this.text(given);
    if (typeof given === 'number') return this.#long.includes(`${given}`) ? HIDDEN : given;
    if (Array.isArray(given)) return given.map((item) => this.value(item));
    if (typeof given !== 'object' || given === null) return given;
    const out = {};
    for (const [name, inner] of Object.entries(given)) define(out, this.text(name), this.value(inner));
    return out;
  }

  #mayHold(text) {
    return text.includes(CUT) || this.#traces.some((trace) => text.includes(trace));
  }

  // A text that was cut, without the beginning of a value at its end.
  #withoutBeginning(words) {
    if (!words.endsWith(CUT)) return words;
    const end = words.length - CUT.length;
    for (const value of this.#long) {
      for (let length = Math.min(value.length - 1, end); length >= RECOGNISED; length--) {
        if (words.startsWith(value.slice(0, length), end - length)) return words.slice(0, end - length) + HIDDEN + words.slice(end);
      }
    }
    return words;
  }
}

// A name such as `__proto__` is a name like any other.
function define(object, name, value) {
  Object.defineProperty(object, name, { value, writable: true, enumerable: true, configurable: true });
}

function forms(value) {
  const found = [value];
  for (let level = 1; level < LEVELS; level++) found.push(JSON.stringify(found.at(-1)).slice(1, -1));
  return [...new Set(found)].reverse();
}
