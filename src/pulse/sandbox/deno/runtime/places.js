// What all messages of an environment find around them: its variables, and the names of its workflows. It comes once to
// a process and is kept until another takes its place.

import { Redaction } from './told/redaction.js';

export const NOWHERE = { id: '', variables: '', workflows: '', redaction: undefined };

export class Places {
  #place = NOWHERE;

  // `given` is {id, variables: [[name, value], …], workflows: {name: {…}}}.
  take(given) {
    const { id, variables, workflows } = given;
    this.#place = {
      id,
      variables: variables.length > 0 ? JSON.stringify(variables.map(([name, value]) => ({ name, value }))) : '',
      workflows: JSON.stringify(workflows),
      redaction: variables.length > 0 ? new Redaction(variables.map(([, value]) => value)) : undefined,
    };
  }

  // The place of that id. The parent sends it before the first message that needs it.
  get(id) {
    if (id === undefined) return NOWHERE;
    if (id !== this.#place.id) throw new Error('A message names a place that was not sent.');
    return this.#place;
  }
}
