// One message: tries the plans in order, walks the first that fires, keeps the log, and says how it ended.

import { Asks } from './asks.js';
import { Findings, realmBroken, sandboxFailed, tooLarge } from './told/findings.js';
import { Log } from './told/log.js';
import { NOWHERE } from './places.js';
import { RealmFailure } from './realms.js';
import { Walk } from './walk/walk.js';

// A message that runs on for longer lets the others in, and shows that it is no endless script.
const SLICE_MS = 100;

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
  #paused;
  #resumed = 0;
  #walk;
  #asks;
  #captured = '';
  #failedWith;
  #log;
  #findings;
  #before = 0;
  #entry;
  #plan = 0;
  // The node whose script runs, as log entries name it.
  node = {};
  #place;
  #realmTimes;
  #fired;
  #ending = { status: 'ignore', code: 'no_match' };
  #ended = false;

  constructor({ id, plans, at, seed, payload, realms, settings, entry, place = NOWHERE, trace }) {
    this.id = id;
    this.#plans = plans;
    this.#at = at;
    this.#seed = seed;
    this.#payload = payload;
    this.#realms = realms;
    this.#settings = settings;
    this.#entry = entry;
    this.#place = place;
    this.#asks = new Asks(place.redaction);
    this.isTraced = trace !== undefined;
    this.#findings = new Findings(place.redaction, this.isTraced);
    this.pins = trace?.pins;
    this.#log = new Log();
  }

  start() {
    this.#resumed = Date.now();
    this.#run().then(
      () => (this.#ended = true),
      (error) => this.#fail(error),
    );
  }

  // ---- driven from outside: frames.js and main.js ----------------------------------------------------------

  // The plan has ended, and so has every effect, awaited or not.
  get done() {
    return this.#ended && !this.#asks.areWaited;
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
    if (this.#ended || this.#paused !== undefined) return false;
    if (this.#quiet !== undefined) return this.#quieten();
    if (this.#waiting === undefined) return true;
    const outcome = this.#realm.call('poll');
    if (outcome === '' && this.#asks.areWaited) return false;
    const { resolve } = this.#waiting;
    this.#waiting = undefined;
    resolve(outcome === '' ? NEVER_SETTLES : outcome);
    return true;
  }

  #quieten() {
    if (this.#asks.areWaited) return false;
    const { resolve } = this.#quiet;
    this.#quiet = undefined;
    resolve();
    return true;
  }

  #collect = () => this.#asks.collect(this.#realm.call('asked'), this.#plan);

  // The effects asked for since the last time, and the place of each one's plan: `{asks: JSON, plans}`.
  asks() {
    return this.#asks.untold();
  }

  // Whether it stands still of its own will, and waits to be told to go on.
  get isPaused() {
    return this.#paused !== undefined;
  }

  goOn() {
    const resume = this.#paused;
    this.#paused = undefined;
    this.#resumed = Date.now();
    resume?.();
  }

  answer(seq, ok, payload, at, told) {
    this.#resumed = Date.now();
    if (!this.#asks.answered(seq)) return;
    if (told !== undefined) (this.#walk?.log ?? this.#log).add({ ...this.node, ...told });
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
      this.#captured = this.#fired === undefined && this.#failedWith !== undefined ? this.#failedWith : this.#realm.call('capture');
    } catch {
      this.#captured = '{"kept":[],"globals":{},"tooLarge":[]}';
    }
  }

  close() {
    const captured = this.#captured;
    if (this.#realm !== undefined) this.#realms.release(this.#realm);
    const { status, code } = this.#verdict(captured);
    const header = { status, code, ...this.#fired, ...this.#findings.first };
    return { header, body: this.#findings.body(this.#log, captured) };
  }

  // ---- the message's way -----------------------------------------------------------------------------------

  async #run() {
    this.#open();
    for (const [place, plan] of this.#plans.entries()) {
      this.#plan = place;
      const walk = (this.#walk = new Walk(plan, this));
      this.#before = this.#findings.count;
      const fired = await walk.go(this.#entry);
      if (fired) return this.#finish(plan, walk);
      if (walk.touched) await this.#settleFailure();
      this.#notFired(plan, walk);
    }
  }

  // Where none fires, what the last one that failed has left is what is kept. Reading it may set more off.
  async #settleFailure() {
    await this.#quietness();
    if (this.#findings.count === this.#before) return;
    this.#failedWith = this.#realm.call('capture');
    await this.#quietness();
  }

  #open() {
    const before = Date.now();
    const made = this.#realms.made;
    this.#realm = this.#realms.acquire();
    this.#realm.call('begin', this.#payload, this.#at, JSON.stringify(this.#seed), this.#asks.count, this.#place.variables, this.#place.workflows);
    this.#realmTimes = { realm: this.#realms.made === made ? 'reused' : 'new', realmMs: Date.now() - before };
  }

  #finish(plan, walk) {
    this.#log.join(walk.log);
    this.#walk = undefined;
    this.#fired = { workflow: plan.workflowId, workflowName: plan.name, version: plan.version };
    this.#ending = { status: walk.resultStatus ?? 'success' };
    this.#findings.forgetReasons();
  }

  #notFired(plan, walk) {
    this.#walk = undefined;
    this.#notePrints(walk.log);
    if (walk.log.isTelling) this.#log.join(walk.log);
    if (walk.reason !== undefined) this.#findings.addReason({ workflowId: plan.workflowId, name: plan.name, ...walk.reason });
    if (!walk.touched) return;
    this.#collect();
    // Scripts ran in this realm for a workflow that did not fire: the next one starts clean.
    this.#realms.release(this.#realm);
    this.#open();
  }

  #verdict(captured) {
    if (captured.includes('"tooLarge":["')) this.addError(tooLarge(JSON.parse(captured).tooLarge, this.#settings.resultLimit));
    // What went wrong before another workflow fired is told, but decides nothing.
    const decisive = this.#findings.count - (this.#fired === undefined ? 0 : this.#before);
    return decisive > 0 ? { status: 'fail' } : this.#ending;
  }

  #fail(error) {
    if (this.#ended) return;
    // Not a script's error: those end in the log. The realm itself can no longer be used.
    this.addError(error instanceof RealmFailure ? realmBroken() : sandboxFailed());
    if (this.#walk !== undefined) this.#log.join(this.#walk.log);
    this.#asks.forget();
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

  // The message as it came, as JSON.
  get payload() {
    return this.#payload;
  }

  // What the beginning of a workflow's log says of the time before: in the queue, and to get a realm.
  get times() {
    return { queueMs: Math.max(0, this.#log.began - this.#at), ...this.#realmTimes };
  }

  // Whether it has run for so long that others should be let in.
  get isLong() {
    return Date.now() - this.#resumed > SLICE_MS;
  }

  pause() {
    return new Promise((resolve) => (this.#paused = resolve));
  }

  addError(error) {
    this.#findings.addError(error);
  }

  // What a node has changed, for a test run.
  addVisit(visit) {
    this.#findings.addVisit(visit);
  }

  // Runs a script of the plan to its end; 'ok', or the error as JSON.
  async runScript({ key, script }) {
    this.#realm.adopt(key, script);
    this.#realm.call('run', key);
    return this.#outcome();
  }

  // Asks the model what `pose` has put there; 'ok ' and the answer, or the error as JSON.
  prompt() {
    this.#realm.call('prompt');
    return this.#outcome();
  }

  // Asks for a message to another workflow; 'ok ' and what the parent says of it, or the error as JSON.
  trigger(workflowId) {
    this.#realm.call('trigger', workflowId);
    return this.#outcome();
  }

  async #outcome() {
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
}

const NEVER_SETTLES = JSON.stringify({
  name: 'NeverSettles',
  message: 'The script waits for something that will never come',
  stack: '',
  code: 'never_settles',
});
