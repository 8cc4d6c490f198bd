// What went wrong in a script, told to the person who wrote it: type, place, and what to try.

const SUGGESTIONS = [
  [/is not valid JSON|JSON input|(in|after) JSON at position/, () => 'JSON.parse was given text that is no JSON. Print it first to see what it is.'],
  [/Cannot read properties of (undefined|null) \(reading '(.+?)'\)/, ([, what, name]) => `Something before ".${name}" is ${what}. Check that it exists, or write "?.${name}".`],
  [/Cannot set properties of (undefined|null)/, ([, what]) => `The object that you assign to is ${what}. Create it first, for example with "= {}".`],
  [/(.+?) is not a function/, ([, name]) => `"${name}" cannot be called. Check its spelling and what it holds at that point.`],
  [/(.+?) is not iterable/, ([, name]) => `"${name}" is no list. Check that it is an array before you loop over it.`],
  [/Assignment to constant variable/, () => 'This name was declared with "const". Declare it with "let" if it has to change.'],
  [/(.+?) is not defined/, ([, name]) => `Nothing is called "${name}" here. Check the spelling; fields of the message are top-level names, such as "payload".`],
  [/Cannot access '(.+?)' before initialization/, ([, name]) => `"${name}" is used above the line that declares it. Move the declaration up.`],
  [/ends too early/, () => 'The script ends too early: a bracket, a brace or a quote is not closed.'],
  [/await is only valid/, () => 'Make the function that contains "await" async.'],
  [/closes too early/, () => 'Look for a closing brace or bracket that has no partner.'],
  [/Unexpected (token|identifier|string|number)/, () => 'Check brackets, quotes, commas and semicolons just before this place.'],
  [/missing \)/, () => 'Check brackets, quotes, commas and semicolons just before this place.'],
  [/Maximum call stack size exceeded/, () => 'A function calls itself without end. Check the condition that stops it.'],
  [/Invalid (array|string) length|Array buffer allocation failed/, () => 'The script builds something too large for its memory. Work on smaller parts.'],
];

const BY_TYPE = {
  __proto__: null,
  TypeError: 'A value is not of the kind that this line needs. Check for null or undefined, or use optional chaining (?.).',
  ReferenceError: 'A name is used that does not exist. Check its spelling, or define it.',
  SyntaxError: 'This is not valid JavaScript. Check brackets, quotes and semicolons.',
  TimeoutError: 'The script ran longer than it may. Make it do less at a time, or raise SCRIPT_TIMEOUT.',
  NeverSettles: 'The script waits for a promise that nothing will ever settle. Check that every promise resolves or rejects.',
  LimitError: 'A limit was reached. Do less in one message, or split the work over several.',
};

export function suggestionFor({ name, message }) {
  for (const [pattern, suggest] of SUGGESTIONS) {
    const found = pattern.exec(message);
    if (found !== null) return suggest(found);
  }
  return BY_TYPE[name] ?? 'Print the values that this line uses to see what they hold.';
}

// Line and column in the user's own script, found in the stack by the script's name.
export function placeOf(stack, key) {
  const at = stack.indexOf(`${key}:`);
  if (at < 0) return {};
  const found = /^(\d+)(?::(\d+))?/.exec(stack.slice(at + key.length + 1));
  if (found === null) return {};
  return { line: Number(found[1]), ...(found[2] === undefined ? {} : { column: Number(found[2]) }) };
}
