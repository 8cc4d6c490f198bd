// The execution log (platform.md 2.8): every entry has `ts` (epoch ms) and `elapsed` (ms since the evaluation began).
// Entries are counted and weighed. Past the limits only what has limits of its own is kept: errors, prints, workflows. The
// rest is counted.

import { Room } from './room.js';

const MAX_ENTRIES = 10_000;
const MAX_ERRORS = 1_000;

export class Log {
  #entries = [];
  #began;
  #omitted = 0;
  #room = new Room(MAX_ENTRIES);
  #errors = new Room(MAX_ERRORS);
  // Whether it holds what a reader would miss if the workflow did not fire: an error, or something printed.
  isTelling = false;

  constructor(began = Date.now()) {
    this.#began = began;
  }

  get began() {
    return this.#began;
  }

  add(entry, ts = Date.now()) {
    if (entry.type === 'error' || entry.type === 'print') this.isTelling = true;
    if (this.#hasRoomFor(entry)) this.#entries.push({ ts, elapsed: ts - this.#began, ...entry });
    else this.#omitted += 1;
  }

  #hasRoomFor(entry) {
    if (entry.type === 'error') return this.#errors.takes(entry);
    return entry.type === 'print' || entry.type === 'workflow' || this.#room.takes(entry);
  }

  join(other) {
    for (const entry of other.#entries) this.#entries.push(entry);
    this.#omitted += other.#omitted;
  }

  // All entries; the last says how many are missing, if any are.
  finished() {
    if (this.#omitted === 0) return this.#entries;
    const ts = Date.now();
    return [...this.#entries, { ts, elapsed: ts - this.#began, type: 'log', action: 'cut', omitted: this.#omitted }];
  }
}
