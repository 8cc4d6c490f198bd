// Room for so many entries, and so many characters in them: what is kept of a message must not grow without end.

const ROOM = 1 << 20;

export class Room {
  #entries;
  #left = ROOM;

  constructor(entries) {
    this.#entries = entries;
  }

  // Whether the entry fits; then its place is taken.
  takes(entry, weight = weightOf(entry)) {
    if (this.#entries <= 0 || this.#left < weight) return false;
    this.#entries -= 1;
    this.#left -= weight;
    return true;
  }
}

// What an entry weighs is its texts; the rest of it is bounded by their number.
function weightOf(entry) {
  let weight = 0;
  for (const name in entry) if (typeof entry[name] === 'string') weight += entry[name].length;
  return weight;
}
