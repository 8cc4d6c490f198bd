// The effects that a message's scripts ask for: those that are told to the parent next, and those that wait for answers.

// Effects whose second argument is what the scripts have left so far: it is kept, in another message.
const CARRY_STATE = ['triggerWorkflow', 'workflowNode'];
const STATE = 1;

export class Asks {
  #waiting = new Set();
  #untold = '';
  #plans = [];
  #redaction;
  // How many there have been.
  count = 0;

  constructor(redaction) {
    this.#redaction = redaction;
  }

  get areWaited() {
    return this.#waiting.size > 0;
  }

  // Takes what a realm has asked for, as the inside of a JSON array; `plan` is the place of the plan whose scripts ran.
  collect(text, plan) {
    if (text === '') return;
    const asks = JSON.parse(`[${text}]`);
    for (const { seq } of asks) this.#waiting.add(seq), this.#plans.push(plan), this.count++;
    this.#untold += (this.#untold === '' ? '' : ',') + this.#withoutSecrets(asks, text);
  }

  // Those that were asked for since the last time, as a JSON array, and the place of each one's plan.
  untold() {
    const out = { asks: `[${this.#untold}]`, plans: this.#plans };
    this.#untold = '';
    this.#plans = [];
    return out;
  }

  // Whether the answer is one that is waited for.
  answered(seq) {
    return this.#waiting.delete(seq);
  }

  forget() {
    this.#waiting.clear();
  }

  // Effects may be given secrets; the state that goes into another message may not hold any.
  #withoutSecrets(asks, text) {
    if (this.#redaction === undefined || !asks.some(({ fn }) => CARRY_STATE.includes(fn))) return text;
    const clean = (ask) => (CARRY_STATE.includes(ask.fn) ? { ...ask, args: ask.args.map((arg, at) => (at === STATE ? this.#redaction.value(arg) : arg)) } : ask);
    return JSON.stringify(asks.map(clean)).slice(1, -1);
  }
}
