// What V8 and the runtime say of values of the wrong kind (TypeError): [pattern of the message, suggestion], the most
// specific first. `$1` is what the pattern's first group found. A function gets what the groups found; where it gives back
// undefined, the next rows are tried.

import { list, nearest } from './words.js';

const LISTS = list(`
  map forEach filter find findIndex findLast some every reduce reduceRight flatMap flat push pop shift unshift splice sort reverse
  join`);
const TEXTS = list(`
  trim trimStart trimEnd split toLowerCase toUpperCase replace replaceAll startsWith endsWith substring substr charAt charCodeAt
  match matchAll padStart padEnd repeat normalize localeCompare codePointAt search`);
const DATES = list(`
  getTime getFullYear getMonth getDate getDay getHours getMinutes getSeconds setDate setMonth setFullYear setHours setMinutes
  setSeconds toISOString toDateString toLocaleDateString toLocaleTimeString getUTCFullYear getTimezoneOffset`);
const NUMBERS = list('toFixed toPrecision toExponential');
const OTHERS = list('includes indexOf lastIndexOf slice concat stringify parse hasOwnProperty toString toLocaleString isArray fromEntries');
const METHODS = [...LISTS, ...TEXTS, ...DATES, ...NUMBERS, ...OTHERS];

// Methods that other languages, other kinds of values and the answers of `fetch` have: what to write here.
const METHODS_ELSEWHERE = {
  __proto__: null,
  ...{ contains: '.includes(…)', has: '"name" in object', containsKey: '"name" in object', get: '.name or ["name"]', set: '.name = value' },
  ...{ length: '.length without "()"', size: '.length without "()"', count: '.length', isEmpty: '.length === 0', equals: '===' },
  ...{ add: '.push(…)', append: '.push(…)', insert: '.splice(…)', remove: '.filter(…)', each: '.forEach(…)', where: '.filter(…)' },
  ...{ keys: 'Object.keys(…)', values: 'Object.values(…)', entries: 'Object.entries(…)', items: 'Object.entries(…)', first: '.at(0)', last: '.at(-1)' },
  ...{ upper: '.toUpperCase()', lower: '.toLowerCase()', strip: '.trim()', format: '.toISOString()', isoformat: '.toISOString()' },
  ...{ json: 'the field ".data" of the answer', text: 'the field ".data" of the answer', toJson: 'JSON.stringify(…)' },
};

const calledWrongly = (names) => new RegExp(`^(.+)\\.(${names.join('|')}) is not a function$`, 's');
const missing = (what) => (what === 'null' ? 'null' : 'missing');

function misspeltMethod(owner, method) {
  if (METHODS_ELSEWHERE[method] !== undefined || METHODS.includes(method)) return undefined;
  const meant = nearest(method, METHODS);
  return meant && `"${owner}" has nothing called ".${method}" to call. Perhaps ".${meant}" is meant: each letter counts, capital or small.`;
}

function methodFromElsewhere(owner, method) {
  const instead = METHODS_ELSEWHERE[method];
  return instead && `"${owner}" has no ".${method}()" here. Write ${instead} in its place.`;
}

const TOO_EARLY = [
  [
    /^Cannot read properties of (undefined|null) \(reading '(\d+)'\)$/,
    (what, index) => `What stands before "[${index}]" is ${missing(what)}. Check it first, or write "?.[${index}]". If the line begins with "[", end the line above with ";".`,
  ],
  [
    /^Cannot read properties of (undefined|null) \(reading '(map|forEach|filter|find|some|every|reduce|join|push|length)'\)$/,
    (what, name) => `What stands before ".${name}" is ${missing(what)}. Check its spelling, and whether "await" is missing where it comes from. An empty list can stand in: "(list ?? []).${name}".`,
  ],
  [
    /^Cannot read properties of (?:undefined|null) \(reading '(then|catch|finally)'\)$/,
    'What stands before ".$1" gives nothing back that could be waited for. Leave ".$1" out, or return a promise there.',
  ],
  [
    /^Cannot read properties of (undefined|null) \(reading '(.+)'\)$/s,
    (what, name) => `What stands before ".${name}" is ${missing(what)}. Check its spelling, and whether "await" is missing where it comes from. If it need not be there, write "?.${name}".`,
  ],
  [
    /^Cannot set properties of (undefined|null) \(setting '(.+)'\)$/s,
    (what, name) => `"${name}" cannot be set: what stands before it is ${missing(what)}. Create it first, with "= {}" for an object or "= []" for a list.`,
  ],
  [
    /^Cannot destructure property '(.+?)' of '.*' as it is (undefined|null)\.$/s,
    (name, what) => `"${name}" is taken out of something that is ${missing(what)}. Check it first, or put a default after it: "?? {}".`,
  ],
  [
    /^Cannot convert undefined or null to object$/,
    'An object is needed here, for example by Object.keys, and there is none. Check the value first, or write "?? {}" after it.',
  ],
];

const CALLS = [
  [/^Promise resolver .+ is not a function$/s, '"new Promise" needs a function: "new Promise((resolve, reject) => { … })".'],
  [
    /^(.+) is not a function or its return value is not iterable$/s,
    '"$1" gives no list back. If its answer comes later, write "await $1(…)"; otherwise check what it returns.',
  ],
  [/^".*" is not a function$/s, 'A text is called like a function. Remove marks such as ``` around the script, and put "+" or a comma between two texts.'],
  [
    /^(?:The callback|undefined|object(?: null)?|number \S+|boolean \w+|string ".*") is not a function$/s,
    'A function is needed between the brackets, such as "(item) => item.name". If its name stands there, leave out the "()" after it.',
  ],
  [/^console\.(.+) is not a function$/, 'The console has no "$1" here. Use print(…) or console.log(…).'],
  [/^(.+)\.(\w+) is not a function$/s, misspeltMethod],
  [/^(.+)\.(\w+) is not a function$/s, methodFromElsewhere],
  [
    /^(.+)\(\.\.\.\) is not a function$/s,
    'What "$1(…)" gives back is called like a function. End the line above with ";" if this line begins with "(", or leave out the second "()".',
  ],
  [
    /^(.+)\(\.\.\.\)\.(\w+) is not a function$/s,
    'What "$1(…)" gives back has no ".$2". If the answer comes later, write "(await $1(…)).$2"; otherwise print it to see what it is.',
  ],
  [calledWrongly(LISTS), '"$1" is no list, so ".$2" does not work. For an object, use Object.values($1); for an answer that comes later, write "await" before the call.'],
  [calledWrongly(TEXTS), '"$1" is no text, so ".$2" does not work. Make it one first: "String($1).$2".'],
  [calledWrongly(DATES), '"$1" is no date but most likely a text or a number. Write "new Date($1).$2()".'],
  [calledWrongly(NUMBERS), '"$1" is no number but most likely a text. Write "Number($1).$2".'],
  [/^(.+) is not a function$/s, '"$1" is no function, so it cannot be called. Check its spelling; if it holds a value, leave out the "()".'],
  [
    /called on null or undefined$|called on incompatible receiver|^this is not a Date object|^Function\.prototype\.\w+ was called on/,
    'A method is called without the value that it belongs to. Write the value before the dot, such as "date.getTime()".',
  ],
  [/^Class extends value/, 'What stands after "extends" is no class. Check its spelling, and that it is declared above.'],
  [/^(.+) is not a constructor$/s, '"$1" cannot be used with "new". Leave "new" out, or check the spelling of the class.'],
  [/^(?:Class constructor |Constructor )?(.+?)(?: constructor)? (?:cannot be invoked without|requires) 'new'$/, 'Put "new" before "$1": "new $1(…)".'],
  [/^\d+ arguments? required, but only \d+ present$/, 'This function needs more between its brackets. Check what it is given.'],
];

const LOOPS = [
  [/^\.for is not iterable$/, 'The loop takes each item apart as [key, value], but the items are no pairs. Over an object, loop with Object.entries(…).'],
  [
    /^(?:undefined|null|object null) is not (?:async )?iterable/,
    'A list is needed here, and there is no value. Check it first, or write "?? []" after it.',
  ],
  [
    /^(?:object|(?:number|boolean) \S+) is not iterable/,
    'A list is needed here, such as [a, b]. For an object, use Object.entries(…) or Object.values(…); for an answer that comes later, "await".',
  ],
  [/^Iterator value .* is not an entry object$/s, 'A list of pairs is needed here: [["name", value], …]. Object.entries(…) makes one of an object.'],
  [/^Spread syntax requires/, 'What stands after "..." is no list. For an object, write "...Object.values(…)"; to copy one, use braces: "{ ...object }".'],
  [
    /^(.+?) is not (?:async )?iterable/s,
    '"$1" is no list. Print it to see what it holds; for an object, use Object.entries($1), and for an answer that comes later, "await".',
  ],
];

const CHANGES = [
  [/^Assignment to constant variable/, 'This name was declared with "const" and keeps its value. Declare it with "let" if it has to change.'],
  [
    /^Cannot (?:assign to read only|create) property '(.+)' (?:of|on) (?:string|number|boolean) /s,
    'A text or a number cannot be changed in place ("$1"). Make a new value, such as text.replace("a", "b").',
  ],
  [/^Cannot set property (.+) of .+ which has only a getter$/s, '"$1" is calculated and cannot be set. Set the values that it is made of.'],
  [
    /^Cannot (?:add property|define property|delete property|assign to read only property) '?(.+?)'?(?:,| of )/s,
    '"$1" cannot be set or removed here: "message" and all in it is fixed. Change a global such as "payload", or a copy: structuredClone(message).',
  ],
  [
    /^(?:Cannot (?:read|write) private member (\S+)|Receiver must be)/,
    'Names with "#" can be used only on objects of the class that declares them. Check which object stands before the dot.',
  ],
  [/^'caller', 'callee'/, '"callee" and "caller" cannot be used in strict code. Give the function a name and use that.'],
];

// V8 raises a TypeError or a SyntaxError for these.
export const NO_BIGINT = [/^Cannot convert .* to a BigInt$/s, 'BigInt(…) takes whole numbers and texts of digits. Check the value, or use Number(…).'];

const CONVERSIONS = [
  [
    /^Converting circular structure to JSON/,
    'The object contains itself, so it cannot become JSON. Pick the fields you need: "{ id: order.id, total: order.total }".',
  ],
  [/BigInt and other types/, 'A number such as 1n cannot be mixed with one such as 1. Turn one into the other: Number(x) or BigInt(x).'],
  [/serialize a BigInt/, 'A BigInt such as 1n cannot become JSON. Turn it into text or a number first: String(x) or Number(x).'],
  [/^Cannot convert a BigInt value to a number/, 'Math and the like do not take a BigInt such as 1n. Write "Number(x)" around it.'],
  NO_BIGINT,
  [/^Cannot convert a Symbol value/, 'A Symbol cannot become text or a number by itself. Write "String(symbol)", or use a text in its place.'],
  [/^Cannot convert object to primitive value/, 'This object cannot become text or a number. Use JSON.stringify(…), or the field that you mean.'],
  [
    /^Cannot use 'in' operator to search for '(.*)' in /s,
    '"in" looks for a field of an object, and there is none after it. For a text or a list, write ".includes(…)".',
  ],
  [
    /in instanceof check$|^Right-hand side of 'instanceof'/,
    'After "instanceof" stands the name of a class without quotes, such as Date or Array. For texts and numbers, use "typeof".',
  ],
  [/^Reduce of empty array/, 'The list is empty, so "reduce" has nothing to begin with. Give it a first value: ".reduce((sum, item) => sum + item, 0)".'],
  [/^The comparison function must be/, 'To sort, give a function that compares two items: ".sort((a, b) => a.price - b.price)".'],
  [/called with a non-global RegExp/, 'Put a "g" after the pattern to find all places: /text/g.'],
  [/must not be a regular expression$/, 'This function looks for a text, not a pattern. For a pattern, write "/text/.test(value)".'],
  [/^Invalid URL: '(.*)'/s, '"$1" is no whole address. It has to begin with "https://" or "http://"; print it to see what it holds.'],
  [/^The encoded data was not valid for encoding/, 'These bytes are no UTF-8 text. Check where they come from, or leave out "fatal: true".'],
  [/^Currency code is required/, 'Name the currency too: { style: "currency", currency: "EUR" }.'],
  [
    /^It is nested more than/,
    'Objects and lists stand inside each other too deep. Check for a loop that wraps them again and again, and pass on only what is needed.',
  ],
];

const PULSE = [
  [/^A dynamic import callback/, 'Scripts cannot import anything. Use what is here already, or paste the functions you need into the script.'],
  [/^A condition is an object/, 'evaluateCondition needs an object such as { field: "payload.amount", comparison: "greater_than", value: 100 }.'],
  [/^"(.*)" joins no conditions/s, 'A group of conditions is joined by "AND", "OR" or "NOT", in capitals, not by "$1".'],
  [/^A rule needs a field/, 'Each rule needs a "field" in quotes, such as { field: "payload.amount", comparison: "exists" }.'],
  [/^"(.*)" is not a comparison that Pulse knows/s, 'Conditions do not know "$1". Use one such as "equals", "contains", "greater_than", "exists" or "in".'],
];

export const TYPES = [...TOO_EARLY, ...CALLS, ...LOOPS, ...CHANGES, ...CONVERSIONS, ...PULSE];
