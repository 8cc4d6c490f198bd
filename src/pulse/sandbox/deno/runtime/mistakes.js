// What went wrong in a script, told to the person who wrote it: place, and what to try. What is said of which mistake
// stands in suggestions/, as data; each row was made from what V8 really says.

import { REFERENCES } from './suggestions/names.js';
import { EFFECTS, LIMITS, LISTS, MISREAD, OTHERWISE, OWN_ERRORS, RANGES, THROWN_VALUES } from './suggestions/others.js';
import { LEFT_HAND_SIDE, SYNTAX } from './suggestions/syntax.js';
import { TYPES } from './suggestions/types.js';
import { shown } from './suggestions/words.js';

// The rows for each kind of error; the first that has something to say is taken, and the last one always has.
export const SUGGESTIONS = {
  __proto__: null,
  TypeError: [...TYPES, OTHERWISE.TypeError],
  ReferenceError: [...REFERENCES, LEFT_HAND_SIDE, OTHERWISE.ReferenceError],
  SyntaxError: [...SYNTAX, OTHERWISE.SyntaxError],
  RangeError: [...RANGES, OTHERWISE.RangeError],
  LimitError: [...LIMITS, OTHERWISE.LimitError],
  EffectError: [...EFFECTS, OTHERWISE.EffectError],
  IterableError: LISTS,
  NeverSettles: [OTHERWISE.NeverSettles],
  TimeoutError: [OTHERWISE.TimeoutError],
  URIError: [...MISREAD, ...OWN_ERRORS],
  InvalidCharacterError: [...MISREAD, ...OWN_ERRORS],
  DataCloneError: [...MISREAD, ...OWN_ERRORS],
  AggregateError: [...MISREAD, ...OWN_ERRORS],
  'thrown value': THROWN_VALUES,
};

export function suggestionFor(error) {
  const { rows, text } = lookUp(error);
  return rows
    .values()
    .map((row) => suggestionOf(row, text))
    .find((said) => said !== undefined);
}

// The rows that an error is looked up in, and the text that they are matched with.
export function lookUp({ name, message, code, stack }) {
  // What is thrown without being an error comes with no stack at all (writing.js).
  const kind = name === 'Error' && stack === '' ? 'thrown value' : name;
  return { rows: SUGGESTIONS[kind] ?? OWN_ERRORS, text: name === 'EffectError' ? `${code}` : message };
}

// What a row says of a message; undefined if it is not about it.
export function suggestionOf([pattern, suggestion], message) {
  const found = pattern.exec(message);
  if (found === null) return undefined;
  const names = found.slice(1).map((name) => shown(name ?? ''));
  return typeof suggestion === 'function' ? suggestion(...names) : suggestion.replace(/\$(\d)/g, (_, group) => names[group - 1]);
}

// Line and column in the user's own script: the first frame of the stack that is in it. Where the script made code of text,
// V8 names the script inside a longer frame, with a line that counts from elsewhere: that is passed over.
export function placeOf(stack, key) {
  const frame = new RegExp(`(?:^|[ (])${RegExp.escape(key)}:(\\d+)(?::(\\d+))?\\)?$`, 'm');
  const found = frame.exec(stack);
  if (found === null) return {};
  return { line: Number(found[1]), ...(found[2] === undefined ? {} : { column: Number(found[2]) }) };
}
