// How names are shown in a suggestion, and which known name is nearest to one that is not known.

const LONGEST = 40;

export const list = (text) => text.trim().split(/\s+/);

// A name as it may stand in quotes inside a sentence: on one line, not too long, "…" for what V8 has no name for.
export function shown(name) {
  const plain = name.slice(0, 400).replace(/\(intermediate value\)|^undefined$/g, '…').replaceAll('"', "'").replace(/\s+/g, ' ');
  return (plain.length > LONGEST ? `${plain.slice(0, LONGEST - 1)}…` : plain).toWellFormed();
}

// The known name that was probably meant, or undefined. Of short names almost all are similar: they may differ in case only.
export function nearest(name, known) {
  const reach = name.length < 4 ? 0 : name.length < 6 ? 1 : 2;
  const lower = name.toLowerCase();
  let best;
  let least = reach + 1;
  for (const candidate of known) {
    if (Math.abs(candidate.length - name.length) >= least) continue;
    const apart = distance(lower, candidate.toLowerCase());
    if (apart < least) [best, least] = [candidate, apart];
  }
  return best;
}

// How many letters must be put in, left out, changed or swapped with the next one to get from one name to the other.
function distance(from, to) {
  let [older, before, row] = [[], [], Array.from({ length: to.length + 1 }, (_, at) => at)];
  for (let i = 1; i <= from.length; i++) {
    [older, before, row] = [before, row, [i]];
    for (let j = 1; j <= to.length; j++) {
      const changed = before[j - 1] + (from[i - 1] === to[j - 1] ? 0 : 1);
      row[j] = Math.min(before[j] + 1, row[j - 1] + 1, changed);
      if (i > 1 && j > 1 && from[i - 1] === to[j - 2] && from[i - 2] === to[j - 1]) row[j] = Math.min(row[j], older[j - 2] + 1);
    }
  }
  return row[to.length];
}
