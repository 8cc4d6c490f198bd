// One message: tries the plans in order, walks the first that fires, keeps the log, and says how it ended.

import { Log } from './log.js';
import { RealmFailure } from './realms.js';
import { Walk } from './walk.js';

const MAX_REASONS = 50;

export class Evaluation {
  #plans;
  #realms;
  #settings;
  #payload;
  #at;
  #seed;
  #realm;
  #waiting;
  #quiet;
  #walk;
  #outstanding = new Set();
  #asked = 0;
  #asks = '';
  #captured = '';
  #log;
  #errors = [];
  #before = 0;
  #reasons = [];
  #fired;
  #ending = { status: 'ignore', code: 'no_match' };
  #ended = false;

  constructor({ id, plans, at, seed, payload, realms, settings }) {
    this.id = id;
    this.#plans = plans;
    this.#at = at;
    this.#seed = seed;
    this.#payload = payload;
    this.#realms = realms;
    this.#settings = settings;
    this.#log = new Log();
  }

  start() {
    this.#run().then(
      () => (this.#ended = true),
      (error) => this.#fail(error),
    );
  }

  // ---- driven from outside: frames.js and main.js ----------------------------------------------------------

  // The plan has ended, and so has every effect, awaited or not.
  get done() {
    return this.#ended && this.#outstanding.size === 0;
  }

  // Called when all microtasks have run. True if the message can go on at once.
  advance() {
    try {
      return this.#advance();
    } catch (error) {
      this.#fail(error);
      return false;
    }
  }

  #advance() {
    this.#collect();
    if (this.#ended) return false;
    if (this.#quiet !== undefined) return this.#quieten();
    if (this.#waiting === undefined) return true;
    const outcome = this.#realm.call('poll');
    if (outcome === '' && this.#outstanding.size > 0) return false;
    const { resolve } = this.#waiting;
    this.#waiting = undefined;
    resolve(outcome === '' ? NEVER_SETTLES : outcome);
    return true;
  }

  #quieten() {
    if (this.#outstanding.size > 0) return false;
    const { resolve } = this.#quiet;
    this.#quiet = undefined;
    resolve();
    return true;
  }

  // The effects asked for since the last time, as the inside of a JSON array.
  asks() {
    const out = this.#asks;
    this.#asks = '';
    return out;
  }

  answer(seq, ok, payload, at) {
    if (!this.#outstanding.delete(seq)) return;
    try {
      this.#realm.call('answer', seq, ok ? 'yes' : 'no', payload, at);
    } catch (error) {
      this.#fail(error);
    }
  }

  // Reads what is left. Getters and toJSON may run for that: what they set off must have run before `close`.
  capture() {
    try {
      this.#notePrints(this.#log);
      this.#captured = this.#realm.call('capture');
    } catch {
      this.#captured = '{"kept":[],"globals":{},"tooLarge":[]}';
    }
  }

  close() {
    const captured = this.#captured;
    if (this.#realm !== undefined) this.#realms.release(this.#realm);
    const { status, code } = this.#verdict(captured);
    const body = `{"log":${this.#log.json()},"errors":${JSON.stringify(this.#errors)},"reasons":${JSON.stringify(this.#reasons)},${captured.slice(1)}`;
    return { header: { status, code, ...this.#fired, errorType: this.#errors[0]?.errorType, error: this.#errors[0]?.error }, body };
  }

  // ---- the message's way -----------------------------------------------------------------------------------

  async #run() {
    this.#open();
    for (const plan of this.#plans) {
      const walk = (this.#walk = new Walk(plan, this));
      this.#before = this.#errors.length;
      const fired = await walk.go();
      if (fired) return this.#finish(plan, walk);
      if (walk.touched) await this.#quietness();
      this.#notFired(plan, walk);
    }
  }

  #open() {
    this.#realm = this.#realms.acquire();
    this.#realm.call('begin', this.#payload, this.#at, JSON.stringify(this.#seed), this.#asked);
  }

  #finish(plan, walk) {
    this.#log.join(walk.log);
    this.#walk = undefined;
    this.#fired = { workflow: plan.workflowId, workflowName: plan.name, version: plan.version };
    this.#ending = { status: walk.resultStatus ?? 'success' };
    this.#reasons = [];
  }

  #notFired(plan, walk) {
    this.#walk = undefined;
    this.#notePrints(walk.log);
    if (walk.log.isTelling) this.#log.join(walk.log);
    if (walk.reason !== undefined && this.#reasons.length < MAX_REASONS) this.#reasons.push({ name: plan.name, ...walk.reason });
    if (!walk.touched) return;
    // Scripts ran in this realm for a workflow that did not fire: the next one starts clean.
    this.#realms.release(this.#realm);
    this.#open();
  }

  #verdict(captured) {
    if (captured.includes('"tooLarge":["')) this.#tooLarge(captured);
    // What went wrong before another workflow fired is told, but decides nothing.
    const decisive = this.#fired === undefined ? this.#errors.length : this.#errors.length - this.#before;
    return decisive > 0 ? { status: 'fail' } : this.#ending;
  }

  #tooLarge(captured) {
    const names = JSON.parse(captured).tooLarge.join(', ');
    this.#errors.push({
      error: `More than ${this.#settings.resultLimit} characters are left at the end; not stored: ${names}`,
      errorType: 'LimitError',
      code: 'result_limit',
      suggestion: 'Keep less in global names, or delete what is not needed any more.',
      timestamp: new Date().toISOString(),
    });
  }

  #fail(error) {
    if (this.#ended) return;
    // Not a script's error: those end in the log. The realm itself can no longer be used.
    const broken = error instanceof RealmFailure;
    this.#errors.push({
      error: broken ? 'The script broke the place it runs in.' : 'The sandbox failed.',
      errorType: broken ? 'RealmError' : 'SandboxError',
      code: broken ? 'realm_broken' : 'sandbox_error',
      suggestion: 'Do not change built-in objects.',
      timestamp: new Date().toISOString(),
    });
    if (this.#walk !== undefined) this.#log.join(this.#walk.log);
    this.#outstanding.clear();
    this.#ended = true;
  }

  // What was printed since the last script that was waited for.
  #notePrints(log) {
    for (const { ts, args } of JSON.parse(`[${this.prints()}]`)) log.add({ type: 'print', args }, ts);
  }

  // The effects of the realm's scripts are answered, and what they set off has run.
  #quietness() {
    return new Promise((resolve) => (this.#quiet = { resolve }));
  }

  // ---- what a walk asks of its message ---------------------------------------------------------------------

  get realm() {
    return this.#realm;
  }

  get began() {
    return this.#log.began;
  }

  // What an error says of its message (platform.md 2.9).
  get summary() {
    const { organizationId, environmentId, type } = JSON.parse(this.#payload);
    return { organizationId: brief(organizationId), environmentId: brief(environmentId), eventType: brief(type) };
  }

  addError(error) {
    this.#errors.push(error);
  }

  // Runs a script of the plan to its end; 'ok', or the error as JSON.
  async runScript({ key, script }) {
    this.#realm.adopt(key, script);
    this.#realm.call('run', key);
    for (let tick = 0; tick < 4; tick++) {
      await null;
      const outcome = this.#realm.call('poll');
      if (outcome !== '') return outcome;
    }
    return new Promise((resolve) => (this.#waiting = { resolve }));
  }

  prints() {
    return this.#realm.call('printed');
  }

  #collect() {
    const asked = this.#realm.call('asked');
    if (asked === '') return;
    for (const { seq } of JSON.parse(`[${asked}]`)) this.#outstanding.add(seq), this.#asked++;
    this.#asks += (this.#asks === '' ? '' : ',') + asked;
  }
}

const brief = (value) => (typeof value === 'string' ? value.slice(0, 200).toWellFormed() : undefined);

const NEVER_SETTLES = JSON.stringify({
  name: 'NeverSettles',
  message: 'The script waits for something that will never come',
  stack: '',
  code: 'never_settles',
});
