// What is found out about a message besides its log: errors, the reasons of those that did not want it, and in a test run
// what each node has changed. Written down once, with no variable's value in it.

import { Room } from './room.js';

const MAX_ERRORS = 1_000;
const MAX_REASONS = 50;
const MAX_VISITS = 10_000;

export class Findings {
  #redaction;
  #errors = [];
  #room = new Room(MAX_ERRORS);
  #visitRoom = new Room(MAX_VISITS);
  #reasons = [];
  #visits;
  // All errors, those included that were too many to be kept.
  count = 0;

  constructor(redaction, isTraced) {
    this.#redaction = redaction;
    this.#visits = isTraced ? [] : undefined;
  }

  addError(error) {
    this.count += 1;
    if (this.#room.takes(error)) this.#errors.push(error);
  }

  addReason(reason) {
    if (this.#reasons.length < MAX_REASONS) this.#reasons.push(reason);
  }

  forgetReasons() {
    this.#reasons = [];
  }

  // A visit for whose changes there is no room is kept without them.
  addVisit({ changed, removed, result, ...visit }) {
    const changes = { changed, removed, result };
    const fits = this.#visitRoom.takes(visit, JSON.stringify(changes).length);
    this.#visits.push(fits ? { ...visit, ...changes } : { ...visit, changed: {}, removed: [], cut: true });
  }

  // The first error, as the index of messages shows it.
  get first() {
    const { errorType, error } = this.#errors[0] ?? {};
    const clean = (words) => (words === undefined ? words : (this.#redaction?.text(words) ?? words));
    return { errorType: clean(errorType), error: clean(error) };
  }

  // The body of the verdict, from the log and from what was captured, which is JSON.
  body(log, captured) {
    const list = (entries) => this.#redaction?.entries(entries) ?? JSON.stringify(entries);
    const count = this.count > this.#errors.length ? `"errorCount":${this.count},` : '';
    const visits = this.#visits === undefined ? '' : `"visits":${list(this.#visits)},`;
    const left = this.#redaction?.captured(captured) ?? captured;
    return `{"log":${list(log.finished())},"errors":${list(this.#errors)},${count}"reasons":${list(this.#reasons)},${visits}${left.slice(1)}`;
  }
}

// ---- errors that are not a script's ------------------------------------------------------------------------------

export const realmBroken = () => error('RealmError', 'realm_broken', 'The script broke the place it runs in.', 'Do not change built-in objects.');

export const sandboxFailed = () => error('SandboxError', 'sandbox_error', 'The sandbox failed.', 'Do not change built-in objects.');

export function tooLarge(names, limit) {
  const words = `More than ${limit} characters are left at the end; not stored: ${names.join(', ')}`;
  return error('LimitError', 'result_limit', words, 'Keep less in global names, or delete what is not needed any more.');
}

function error(errorType, code, words, suggestion) {
  return { error: words, errorType, code, suggestion, timestamp: new Date().toISOString() };
}
