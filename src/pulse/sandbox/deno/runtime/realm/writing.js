// Runs inside a realm: values as text. What a script made may be anything; what is written here every reader of JSON can
// read, and whatever a value does while it is looked at, no error leaves these functions that they do not say.

export function writing(p, settings) {
  'use strict';
  const MAX_DEPTH = 128;
  const MAX_TEXT = 4_000;
  // redaction.js looks for it.
  const CUT = '… (cut)';

  // JSON that every reader can read: not too deep, and no half of a surrogate pair in it.
  function json(value) {
    const written = p.stringify(value);
    return written === undefined ? undefined : checked(written);
  }

  function checked(written) {
    if (isDeep(written)) throw new p.TypeError(`It is nested more than ${MAX_DEPTH} levels deep`);
    return p.indexOf(written, '\\ud') < 0 ? written : withoutHalves(written);
  }

  function openings(text, opening) {
    let count = 0;
    for (let at = p.indexOf(text, opening); at >= 0; at = p.indexOf(text, opening, at + 1)) count++;
    return count;
  }

  function isDeep(text) {
    if (openings(text, '[') + openings(text, '{') <= MAX_DEPTH) return false;
    let depth = 0, deepest = 0, inText = false;
    for (let i = 0; i < text.length; i++) {
      const c = text[i];
      if (inText) {
        if (c === '\\') i++;
        else if (c === '"') inText = false;
      } else if (c === '"') inText = true;
      else if (c === '[' || c === '{') deepest = ++depth > deepest ? depth : deepest;
      else if (c === ']' || c === '}') depth--;
    }
    return deepest > MAX_DEPTH;
  }

  // `stringify` writes only the halves of surrogate pairs as \ud….
  function withoutHalves(text) {
    let out = '', from = 0;
    for (let at = p.indexOf(text, '\\'); at >= 0; at = p.indexOf(text, '\\', at + 2)) {
      if (text[at + 1] !== 'u' || text[at + 2] !== 'd') continue;
      out += p.slice(text, from, at) + '\ufffd';
      from = at + 6;
    }
    return out + p.slice(text, from);
  }

  const shortened = (written, limit) =>
    written.length <= limit ? written : p.stringify(`${p.toWellFormed(p.slice(written, 0, limit))}${CUT}`);

  function shown(value) {
    if (typeof value === 'function') return p.stringify('[function]');
    try {
      const written = json(typeof value === 'bigint' || typeof value === 'symbol' ? p.String(value) : value);
      if (written === undefined) return 'null';
      return shortened(written, settings.printLimit);
    } catch (_error) {
      return p.stringify(isError(value) ? `${value}` : '[cannot be shown as JSON]');
    }
  }

  function isError(value) {
    try {
      return typeof value === 'object' && value !== null && p.isPrototypeOf(p.Error.prototype, value);
    } catch (_error) {
      return false; // a proxy that does not tell
    }
  }

  function describe(error) {
    if (!isError(error)) return { __proto__: null, name: 'Error', message: thrownText(error), stack: '', text: thrownText(error) };
    const name = readText(error, 'name', 'Error');
    const words = readText(error, 'message', '');
    return { __proto__: null, name, message: words, stack: readText(error, 'stack', ''), code: readText(error, 'code', ''), text: `${name}: ${words}` };
  }

  const cut = (text) => (text.length <= MAX_TEXT ? p.toWellFormed(text) : p.toWellFormed(p.slice(text, 0, MAX_TEXT)) + CUT);

  function readText(object, name, otherwise) {
    try {
      const value = object[name];
      return typeof value === 'string' ? cut(value) : otherwise;
    } catch (_error) {
      return otherwise;
    }
  }

  function thrownText(value) {
    try {
      return cut(typeof value === 'string' ? value : (json(value) ?? p.String(value)));
    } catch (_error) {
      return 'something that cannot be shown was thrown';
    }
  }

  // The value that `read` gives, as JSON. Where that is `original`, there is nothing more to check.
  function written(read, original) {
    try {
      const value = read();
      if (typeof value === 'function' || value === undefined || typeof value === 'symbol') return undefined;
      const out = p.stringify(typeof value === 'bigint' ? p.String(value) : value);
      if (typeof out !== 'string') return undefined;
      return out === original ? out : checked(out);
    } catch (error) {
      return p.stringify(`[cannot be stored as JSON: ${describe(error).message}]`);
    }
  }

  return { __proto__: null, json, shortened, shown, isError, describe, cut, written };
}
