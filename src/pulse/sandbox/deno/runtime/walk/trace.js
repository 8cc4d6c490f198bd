// What a test run knows besides the verdict: what each node has changed, and which nodes do nothing because a test says
// what they came to. A message of the queue has neither, and pays nothing for it.

export class Trace {
  #plan;
  #evaluation;
  #before;

  constructor(plan, evaluation) {
    this.#plan = plan;
    this.#evaluation = evaluation;
  }

  // The names that a test gives the node, with their values; undefined for a node that works as usual.
  pinned(place) {
    return this.#pin(place) && (this.#pin(place).globals ?? {});
  }

  isPinned(place) {
    return this.#pin(place) !== undefined;
  }

  condition(place) {
    return this.#pin(place)?.condition;
  }

  // After the node's own work, before its children's.
  note(place, { places, complete }, steps) {
    if (!this.#evaluation.isTraced) return;
    const message = JSON.parse(this.#evaluation.payload);
    const now = steps.touched ? this.#now(message) : { globals: message };
    this.#before ??= { globals: without(message, steps.refused) };
    const { name, entityId, kind } = this.#plan.nodes[place.node];
    const leadsTo = complete ? [] : places.map((child) => this.#plan.refs[child.node]);
    this.#evaluation.addVisit({ node: this.#plan.refs[place.node], name, entityId, kind, ...changes(this.#before, now), leadsTo });
    if (steps.touched) this.#before = now;
  }

  // Everything that scripts find in the globals, be it the message's or theirs.
  #now(message) {
    const { kept, globals, tooLarge, result } = JSON.parse(this.#evaluation.realm.call('capture'));
    const untouched = Object.fromEntries(kept.map((name) => [name, message[name]]));
    return { globals: { ...untouched, ...globals, ...Object.fromEntries(tooLarge.map((name) => [name, TOO_LARGE])) }, result };
  }

  #pin(place) {
    const pins = this.#evaluation.pins;
    if (pins === undefined) return undefined;
    return own(pins, this.#plan.refs[place.node]) ?? own(pins, this.#plan.nodes[place.node].name);
  }
}

const TOO_LARGE = '[too large to be stored]';

const without = (object, names) => Object.fromEntries(Object.entries(object).filter(([name]) => !names.has(name)));

const own = (object, name) => (Object.hasOwn(object, name) ? object[name] : undefined);

function changes(before, now) {
  const changed = {};
  for (const [name, value] of Object.entries(now.globals)) {
    if (!Object.hasOwn(before.globals, name) || differs(before.globals[name], value)) changed[name] = value;
  }
  const removed = Object.keys(before.globals).filter((name) => !Object.hasOwn(now.globals, name));
  return { changed, removed, ...(now.result !== undefined && differs(before.result, now.result) ? { result: now.result } : {}) };
}

const differs = (one, other) => JSON.stringify(one) !== JSON.stringify(other);
