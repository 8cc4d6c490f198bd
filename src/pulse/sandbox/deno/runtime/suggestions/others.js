// What is left after types, names and syntax: sizes and limits, texts that cannot be read, calls that failed outside,
// and what scripts throw by themselves. [pattern of the message, suggestion], the most specific first.

export const RANGES = [
  [/^Maximum call stack size exceeded$/, 'A function calls itself without end. Check the condition that stops it.'],
  [
    /^Invalid (?:array|string|typed array|array buffer) length|^Array buffer allocation failed$/,
    'The script builds a list or a text that is too large, or of a size that is none. Print the number, or work on smaller parts.',
  ],
  [/^Invalid count value: (.+)$/, '".repeat" takes a whole number from 0 on, not $1. Check how it is calculated.'],
  [
    /^to(?:Fixed|Precision|Exponential|String)\(\)/,
    'The number between the brackets is out of range. Use for example ".toFixed(2)" for two digits after the point.',
  ],
  [
    /^Invalid time value$/,
    'This is no valid date: "new Date(…)" could not read its text. Print it first; "2025-12-31" and "2025-12-31T23:59:00Z" can be read.',
  ],
  [/^Invalid time zone/, 'This time zone is not known. Write a name such as "Europe/Berlin", "America/New_York" or "UTC".'],
  [/^Invalid language tag/, 'A language is written with a hyphen, such as "en-US" or "de-DE".'],
  [/^Invalid currency code/, 'A currency is written with three letters, such as "USD" or "EUR".'],
  [/^The number (.+) cannot be converted to a BigInt/, 'BigInt(…) takes whole numbers only. Round $1 first: BigInt(Math.round(x)).'],
  [/^Division by zero$/, 'A BigInt is divided by 0n. Check the divisor first.'],
  [/^Invalid code point/, 'This number stands for no character. Check how it is calculated.'],
  [/^The encoding '(.*)' is not known/, 'TextDecoder reads "utf-8" only, not "$1". Leave the name out.'],
];

export const LIMITS = [
  [/^This message has printed more/, 'The script prints too much. Print only what you need to see, and not in every round of a loop.'],
  [
    /^This message has asked for more/,
    'The script calls functions such as httpRequest too often for one message. Ask for several things at once, or split the work over several messages.',
  ],
  [/^The arguments of (\S+) are larger/, 'What "$1" is given is too large. Send less at a time, or only the fields that are needed.'],
  [/^The effects that wait/, 'Too much is asked for at the same time. Write "await" for one call after the other instead of starting all at once.'],
];

export const LISTS = [
  [/ is missing, not a list$/, 'The list that this event goes through does not exist. Check the spelling of its path; a script before it may have to set it.'],
  [
    / is a string, not a list$/,
    'This event needs a list and found a text. If the text is JSON, set a list in the script before it: "items = JSON.parse(payload.items)".',
  ],
  [
    / is an object, not a list$/,
    'This event needs a list and found an object. Name the list inside it, or set one in the script: "items = Object.values(payload.items)".',
  ],
  [/^/, 'This event needs a list, such as "payload.items". Check its path, and print the value in the script before it.'],
];

// By the code that the call failed with, not by its message.
export const EFFECTS = [
  [/^not_available$/, 'This installation does not offer that function, or it is not set up. Ask whoever runs Pulse, or use another one.'],
  [
    /^(?:invalid_arguments|invalid_input)$/,
    'The function was given something that it cannot use. Compare the call with the list of script functions, and print what it is given.',
  ],
  [/^(?:timeout|timed_out)$/, 'The other side did not answer in time. Try again later, or give it more time, such as "timeoutMs" of httpRequest.'],
  [/^(?:rate_limited|too_many_requests)$/, 'The other side was asked too often. Ask less, or later.'],
  [
    /^(?:denied|forbidden|unauthenticated|unauthorized)$/,
    'The other side, or a rule of this installation, refuses the call. Check the key, the rights and the address.',
  ],
  [/^(?:unavailable|connection_failed)$/, 'The other side cannot be reached now. Check the address, or try again later.'],
];

export const MISREAD = [
  [/^URI malformed$/, 'The text holds a "%" without a code after it, or half a character. Write "%25" for a percent sign, or leave it undecoded.'],
  [/^The text to decode is not base64$/, 'atob takes base64 text only. Print it first; base64 from addresses has "-" and "_" in place of "+" and "/".'],
  [/^The text to encode is not Latin-1$/, 'btoa takes simple letters only. Write btoa(unescape(encodeURIComponent(text))) for all others.'],
  [/could not be cloned$/, 'Functions and symbols cannot be copied by structuredClone. Leave them out of the object.'],
  [/^All promises were rejected$/, 'All calls inside Promise.any failed. Use Promise.allSettled(…) to see why each one did.'],
];

export const THROWN_VALUES = [
  [/^/, 'The script threw a value that is no error, so its place is not known. Write throw new Error("what went wrong") to see the line.'],
];

export const OWN_ERRORS = [
  [/^$/, 'The script threw an error without a text. Write what went wrong into it: new Error("the order has no total").'],
  [/^/, 'The script itself threw this error. Look at the condition before the "throw", and print the values that it uses.'],
];

// Where no other row matches.
export const OTHERWISE = {
  TypeError: [/^/, 'A value is not of the kind that this line needs. Print it first, and check for null and missing values with "?.".'],
  ReferenceError: [/^/, 'A name is used that does not exist. Check its spelling, or declare it.'],
  SyntaxError: [/^/, 'This is not valid JavaScript. Check brackets, quotes, commas and semicolons just before this place.'],
  RangeError: [/^/, 'A number is too large or too small here. Print it to see what it is.'],
  TimeoutError: [/^/, 'The script ran longer than it may. Make it do less at a time, or raise SCRIPT_TIMEOUT.'],
  NeverSettles: [/^/, 'The script waits for a promise that nothing will ever settle. Check that every promise resolves or rejects.'],
  LimitError: [/^/, 'A limit was reached. Do less in one message, or split the work over several.'],
  EffectError: [/^/, 'A call out of the script failed; its message says why. Put "try { … } catch (error) { … }" around it if the script can go on.'],
};
