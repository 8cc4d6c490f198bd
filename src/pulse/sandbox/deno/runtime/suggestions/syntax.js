// What V8 says of scripts, patterns and JSON that it cannot read (SyntaxError): [pattern of the message, suggestion], the
// most specific first. `$1` is what the pattern's first group found. V8 says little of what is there, so a suggestion
// names the mistakes that most often lead to the message.

import { NO_BIGINT } from './types.js';

const JSON_TEXT = [
  [/"\[object Promise\]" is not valid JSON$/, 'JSON.parse was given an answer that is still to come. Write "await" before the call inside it.'],
  [/"\[object [^"]*" is not valid JSON$/, 'JSON.parse was given an object, not text. Leave JSON.parse out and use the object as it is.'],
  [/^"undefined" is not valid JSON$/, 'JSON is needed here, and there is no value. Check the spelling of what stands between the brackets.'],
  [/^Unexpected end of JSON input$/, 'JSON.parse was given an empty or incomplete text. Print it first; where it may be empty, write: text || "null".'],
  [
    /^Unexpected token .+, "\s*```/s,
    'The JSON stands between ``` marks, as models like to write it. Cut them off before JSON.parse: text.replace(/```(json)?/g, "").',
  ],
  [/^Unexpected token '<', /, 'JSON.parse was given a web page (HTML), not JSON. Check the address that was asked and the answer\'s "status".'],
  [
    /property name.* in JSON at position/,
    'In JSON, names stand in double quotes, and no comma comes after the last one. Correct the text, or print it to see where it goes wrong.',
  ],
  [/^Unexpected non-whitespace character after JSON/, 'More text follows after the JSON. Cut it off, or read it line by line: text.split("\\n").'],
  [
    /^Bad (?:control|escaped) character in .*JSON/,
    'A text inside the JSON holds a line break or a "\\" that is not written as "\\n" or "\\\\". JSON.stringify makes right JSON of a value.',
  ],
  [/is not valid JSON$|in JSON at position/s, 'JSON.parse was given text that is no JSON. Print it first to see what it is.'],
];

const MODULES = [
  [
    /^Cannot use (?:import statement|'import\.meta') outside a module/,
    'Scripts cannot import anything. Remove the "import" and use what is here already, such as httpRequest, JSON and Math.',
  ],
  [/^Unexpected token 'export'$/, 'A script exports nothing: remove "export". To hand a value on to later steps, write "total = 5" without let or const.'],
];

const UNCLOSED = [
  [/^await is only valid/, 'Write "async" before the function that "await" stands in. In place of ".forEach", use "for (const item of list) { await … }".'],
  [/ends too early|^Unexpected end of input$/, 'The script ends too early: a bracket, a brace or a quote is not closed, or the last line is not complete.'],
  [/closes too early/, 'There is one "}" too many. Look for a closing brace that has no partner, and remove it.'],
  [/^Missing } in template expression/, 'A "${" inside backticks is not closed. Put "}" after the value: `Hello ${name}`.'],
  [
    /^Invalid or unexpected token$/,
    'A quote or a comment (/*) is not closed, or a sign is none of JavaScript: curly quotes (“ ”) must be straight ("), and comments begin with "//".',
  ],
  [
    /^missing \) after argument list$/,
    'A ")" or a comma is missing between the brackets of this call. A text with an apostrophe needs double quotes: "it\'s".',
  ],
  [/^Invalid regular expression: missing \/$/, 'A "/" begins a pattern that has no end. Write "//" for a comment, and put paths and HTML in quotes.'],
  [
    /^Invalid (?:regular expression flags|flags supplied)/,
    'After a pattern only the letters d, g, i, m, s, u, v and y may stand. Put paths such as /orders/new in quotes.',
  ],
  [/^Invalid regular expression: (.+): (.+)$/s, 'The pattern $1 is not right: $2. Put "\\" before signs that mean themselves, such as \\( \\[ \\* \\+ \\?.'],
];

const DECLARATIONS = [
  [/^Identifier '(#?.+)' has already been declared$/, '"$1" is declared twice. Leave "let" or "const" out the second time, or choose another name.'],
  [
    /^Missing initializer in (?:const|destructuring) declaration$/,
    'This declaration needs a value: "const total = 5". No dot and no type stands before "="; "let" may come without a value.',
  ],
  [
    /^let is disallowed|^Unexpected (?:strict mode reserved word|eval or arguments)/,
    'This word belongs to the language and cannot be a name, or ";" is missing before it. Choose another name.',
  ],
  [/^Unexpected reserved word$/, '"await" stands in a function that is not "async", or a word of the language, such as "enum", is used as a name.'],
  [
    /^Function statements require a function name$/,
    'Give the function a name: "function total() { … }". One without a name has to be kept: "const total = () => { … }".',
  ],
  [/^Invalid shorthand property initializer$/, 'Inside "{ }", a name and its value are joined by ":", not "=": "{ total: 5 }".'],
  [/^Malformed arrow function parameter list$/, 'What stands before "=>" is no list of names. Write "(a, b) => a + b".'],
  [/^Duplicate parameter name/, 'A function has two parameters of the same name. Rename one of them.'],
  [/^Rest (?:parameter|element) must be last/, 'The part with "..." has to come last: "(first, ...others)".'],
  [/^Private field '(.+)' must be declared/, '"$1" is unknown here. Comments begin with "//", not "#"; a class declares names with "#" before it uses them.'],
  [/^A class may only have one constructor$/, 'A class has two constructors. Put them together into one.'],
  [/^'super' keyword unexpected here$/, '"super" is only for classes that extend another one. Leave it out, or call the function by its name.'],
];

// V8 raises a ReferenceError where a call stands on the left.
export const LEFT_HAND_SIDE = [/^Invalid left-hand side/, 'What stands on the left cannot be given a value. To compare, write "===" in place of "="; "?." cannot stand left of "=".'];

const STATEMENTS = [
  LEFT_HAND_SIDE,
  [/^Missing catch or finally after try$/, 'After "try { … }" comes "catch (error) { … }". Add it, or leave "try" out.'],
  [
    /^Illegal (?:break|continue) statement|^Undefined label/,
    '"break" and "continue" work in for and while loops only, not in forEach. Use "for (const item of list) { … }", or "return".',
  ],
  [/^Illegal return statement$/, '"return" stands outside of a function here. Leave it out, or put the code into a function.'],
  [/^Illegal newline after throw$/, 'What is thrown has to stand on the same line: "throw new Error("…")".'],
  [/^Strict mode code may not include a with statement$/, '"with" cannot be used in strict code. Write the object out: "payload.total".'],
  [/^Delete of an unqualified identifier/, 'Only fields can be deleted in strict code: "delete payload.total". To empty a name, write "total = null".'],
  [
    /^Octal (?:literals|escape sequences) are not allowed/,
    'In strict code no number begins with 0, and no text has codes such as "\\01". Leave the 0 out, or put quotes around the number.',
  ],
  [/^Invalid (?:Unicode|hexadecimal) escape sequence$/, 'A "\\u" or "\\x" in a text begins a code. Double the backslash if you mean one, as in "C:\\\\users".'],
  [/^Unary operator used immediately before exponentiation/, 'Put brackets around the negative number: "(-1) ** 2".'],
  [/numeric separator/i, 'The "_" inside a number is misplaced. Write it between two digits, as in 1_000, or leave it out.'],
];

const TOKENS = [
  [
    /^Unexpected token '{'$/,
    'Placeholders such as {{payload.total}} work in prompts only: here, write payload.total. Otherwise "=>", ")" or a name is missing before "{".',
  ],
  [/^Unexpected token '<'$/, 'HTML and XML must stand in quotes, or in backticks (`) over several lines. "At most" is written "<=".'],
  [
    /^Unexpected token ':'$/,
    'Put "const data =" before pasted JSON, and brackets around an object that a function gives back: "=> ({ … })". Types (": string") do not exist here.',
  ],
  [/^Unexpected token '>'$/, '"Not equal" is written "!==", an arrow "=>" without a space, and a field "payload.items" with a dot.'],
  [/^Unexpected token '(?:=|==|===)'$/, 'Write "=" to give a value and "===" to compare, without spaces in them. ":=" does not exist.'],
  [/^Unexpected token '(?:\.|\.\.\.)'$/, 'A dot stands where none can. To set a field, leave "let" or "const" out: "payload.total = 5".'],
  [/^Unexpected token ';'$/, 'A value or a closing bracket is missing before ";". HTML codes such as "&amp;" or "&gt;" must be the plain signs.'],
  [/^Unexpected token '-'$/, 'A name cannot contain "-". Write totalPrice or total_price, and payload["total-price"] for a field.'],
  [/^Unexpected token '(&&|\|\||\?\?)'$/, 'A value is missing on one side of "$1", or "??" stands beside it without brackets: "(a ?? b) || c".'],
  [
    /^Unexpected token '(else|catch|finally|case|default)'$/,
    '"$1" has no beginning before it. Check the braces just above and remove any ";" there. It cannot be a name either.',
  ],
  [
    /^Unexpected token '(const|let|var|if|for|while|do|return|switch|try|throw|function|class|new|delete|typeof|in|instanceof|null|true|false|this|with|import)'$/,
    '"$1" does not fit here. Begin a new line or put ";" before it. Conditions stand in "( )", and a word of the language cannot be a name.',
  ],
  [/^Unexpected identifier '(and|or|not|is|mod|eq|equals)'$/i, '"$1" is no word of JavaScript. Write "&&" for and, "||" for or, "!" for not, "===" for is.'],
  [
    /^Unexpected identifier '(.+)'$/,
    'Something is missing before "$1": a comma, a sign such as "+", a bracket, or a new line. Before "await", the function needs "async".',
  ],
  [/^Unexpected (number|string|template string)$/, 'Something is missing before this $1: a comma, a sign such as "+", or the brackets of a call: print("…").'],
  [/^Unexpected token '(.+)'$/, '"$1" does not fit here. Look just before it: a value, a comma or a closing bracket is missing, or "$1" is one too many.'],
];

export const SYNTAX = [...JSON_TEXT, ...MODULES, ...UNCLOSED, ...DECLARATIONS, ...STATEMENTS, ...TOKENS, NO_BIGINT];
