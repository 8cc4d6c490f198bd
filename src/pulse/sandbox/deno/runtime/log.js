// The execution log (platform.md 2.8): every entry has `ts` (epoch ms) and `elapsed` (ms since the evaluation began).

export class Log {
  #entries = [];
  #began;
  // Whether it holds what a reader would miss if the workflow did not fire: an error, or something printed.
  isTelling = false;

  constructor(began = Date.now()) {
    this.#began = began;
  }

  get began() {
    return this.#began;
  }

  add(entry, ts = Date.now()) {
    this.#entries.push({ ts, elapsed: ts - this.#began, ...entry });
    if (entry.type === 'error' || entry.type === 'print') this.isTelling = true;
  }

  join(other) {
    for (const entry of other.#entries) this.#entries.push(entry);
  }

  json() {
    return JSON.stringify(this.#entries);
  }
}
