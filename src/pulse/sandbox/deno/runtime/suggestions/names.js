// Names that do not exist: what people expect to be here and what to use instead. [pattern of the message, suggestion].

import { list, nearest } from './words.js';

// What scripts may call (effects.md). Not every installation offers all of it.
const FUNCTIONS = list(`
  print evaluateCondition renderTemplate uuid base64Encode base64Decode sha256 hmacSha256 httpRequest sendEmail sendGridSend
  latestPromptResponse getPromptResponse promptCallUniversal executePromptWithModel promptCallToken promptCallKeys
  stmStore stmRetrieve stmRetrieveAll stmDelete pubsubPublish triggerWorkflow getWorkflowByName postToMastodon
  postLatestPromptToMastodon pineconeUpsert pineconeQuery pineconeDelete vectorUpsert vectorSearch sportradarNfl runAction
  mcpCall executeResearchPlan validateAssistantContext`);
const FIELDS = list('payload type organizationId environmentId correlationId content user data timestamp');
const GIVEN = list('message ___result___ ___iterableItem___ ___iterableIndex___ __variables__ __variablesByName__');
export const BUILT_IN = list(`
  console JSON Math Date Object Array Number String Boolean BigInt Promise Map Set RegExp Error TypeError RangeError Intl Symbol
  URL URLSearchParams TextEncoder TextDecoder Uint8Array atob btoa structuredClone parseInt parseFloat isNaN encodeURIComponent
  decodeURIComponent null true false`);
const KNOWN = [...FUNCTIONS, ...FIELDS, ...GIVEN, ...BUILT_IN];

// Names that other places have, and what to say of them. `$1` is the name.
export const ELSEWHERE = [
  [
    'require',
    'Scripts cannot load modules. Use what is here already, such as httpRequest, JSON, Math and Date, or paste the functions you need into the script.',
  ],
  ['module exports', 'A script exports nothing. To hand a value on to later steps, write "total = 5" without let or const.'],
  ['fetch axios XMLHttpRequest superagent got', '"$1" does not exist here. Write "const answer = await httpRequest({ url: … })" and read "answer.data".'],
  [
    'setTimeout setInterval setImmediate clearTimeout clearInterval requestAnimationFrame queueMicrotask sleep delay',
    'There are no timers here, so "$1" does not exist. Write "await" to wait for an answer; what should run later needs a schedule.',
  ],
  ['process Deno Bun', '"$1" does not exist here. Settings are variables of the environment: read one by its name, such as "API_URL".'],
  ['window document navigator location screen', 'There is no web page here, so "$1" does not exist. Read what you need from the message, such as "payload".'],
  ['self global', '"$1" does not exist here. Write the name alone, or "globalThis".'],
  ['alert confirm log echo puts println printf', '"$1" does not exist here. Write "print(…)": the execution log shows what it prints.'],
  [
    'localStorage sessionStorage indexedDB',
    '"$1" does not exist here. To keep a value for later messages, use "await stmStore(…)" and "await stmRetrieve(…)".',
  ],
  ['Buffer Blob File', '"$1" does not exist here. Use atob and btoa for base64, and TextEncoder and TextDecoder for bytes.'],
  ['FormData Headers Request Response', '"$1" does not exist here. Give httpRequest plain objects: "await httpRequest({ url, method, headers, body })".'],
  ['WebSocket EventSource', 'A script cannot keep a connection open, so "$1" does not exist. Ask once with "await httpRequest({ url: … })".'],
  ['_ lodash underscore', 'Lodash ("$1") is not here. Lists have map, filter, find, reduce and sort; for objects there is Object.entries.'],
  ['$ jQuery', 'jQuery ("$1") is not here. Read addresses with "await httpRequest({ url: … })"; a text with "${…}" in it needs backticks (`) around it.'],
  ['moment dayjs luxon dateFns', '"$1" is not here. Use "new Date(…)", with toISOString() or toLocaleDateString("en-US").'],
  ['crypto uuidv4 nanoid CryptoJS', '"$1" is not here. Use uuid(), sha256(text) or hmacSha256(…).'],
  ['performance', '"performance" does not exist here. Use Date.now().'],
  ['fs path os __dirname __filename', 'Scripts cannot read files, so "$1" does not exist. Use "await stmRetrieve(…)" or "await httpRequest({ url: … })".'],
  ['WebAssembly Atomics SharedArrayBuffer Worker Temporal WeakRef FinalizationRegistry', '"$1" is switched off here. Use plain JavaScript instead.'],
  ['msg event body input context ctx req request', 'Nothing is called "$1" here. The message is called "message", and what was sent is mostly in "payload".'],
  ['iterableItem item', 'Nothing is called "$1" here. A loop declares it: "for (const item of list)". Below an Iterable event it is "___iterableItem___".'],
  ['None nil NULL Null Undefined', '"$1" does not exist in JavaScript. Write "null" for no value.'],
  ['True TRUE False FALSE', 'In JavaScript, write "true" and "false" in small letters, not "$1".'],
  ['len str int float dict', '"$1" does not exist in JavaScript. Use ".length", String(…), Number(…) or "{}".'],
  ['nbsp amp lt gt quot', 'The script holds HTML codes such as "&$1;". Put the plain sign or a space in their place.'],
];

const oneOf = (names) => new RegExp(`^(${names.map((name) => RegExp.escape(name)).join('|')}) is not defined$`);

const ELSEWHERE_ROWS = ELSEWHERE.map(([names, suggestion]) => [oneOf(list(names)), suggestion]);

function unknown(name) {
  const meant = nearest(name, KNOWN);
  if (meant !== undefined) return `Nothing is called "${name}" here. Perhaps "${meant}" is meant; if not, declare it first: "let ${name} = …".`;
  return `Nothing is called "${name}" here. Check its spelling. A text needs quotes around it, and what is inside the payload is read as "payload.name".`;
}

export const REFERENCES = [
  ...ELSEWHERE_ROWS,
  [oneOf(FUNCTIONS), 'This installation does not offer "$1". The list of script functions says what there is.'],
  [oneOf(FIELDS), 'This message has no field "$1". Print "message" to see what it has.'],
  [/^(___iterable(?:Item|Index)___) is not defined$/, '"$1" exists only in the steps below an Iterable event. Move the script there.'],
  [/^([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+) is not defined$/, 'This environment has no variable "$1". Check its spelling, or add it to the variables of the environment.'],
  [/^(.+) is not defined$/, unknown],
  [
    /^Cannot access '(.+)' before initialization$/,
    '"$1" is used before the line that declares it. Move that line up; in "let $1 = $1…" choose another name on the left.',
  ],
  [/^Must call super constructor/, 'Call "super()" first in the constructor of a class that extends another one.'],
];
