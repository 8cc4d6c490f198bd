// Runs inside a realm: the message as it came, whatever scripts make of it. Its text is read once: what is read is given to
// the scripts when they first run, and from then on only the text of each field is kept, to be read again where it is needed.

export function arrival(p) {
  'use strict';
  let text, fields, originals, again;

  function begin(json) {
    text = json;
    fields = p.parse(json);
    originals = undefined;
    again = undefined;
  }

  function has(name) {
    return p.hasOwn(originals ?? fields, name);
  }

  function forget() {
    text = fields = originals = again = undefined;
  }

  // A field as it came, or undefined.
  function field(name) {
    if (!has(name)) return undefined;
    if (originals === undefined) return fields[name];
    if (!p.hasOwn(again, name)) again[name] = p.parse(originals[name]);
    return again[name];
  }

  // A value of a field, for the scripts to keep: once the fields are theirs, it is a copy.
  const toKeep = (value) => (originals === undefined || typeof value !== 'object' || value === null ? value : p.parse(p.stringify(value)));

  // All fields, for the scripts to keep.
  function giveAway() {
    const given = fields;
    originals = p.create(null);
    again = p.create(null);
    const names = p.ownKeys(given);
    for (let i = 0; i < names.length; i++) originals[names[i]] = p.stringify(given[names[i]]);
    fields = undefined;
    return given;
  }

  // What a field was, as JSON, once the fields have been given away.
  const original = (name) => (originals !== undefined && p.hasOwn(originals, name) ? originals[name] : undefined);

  // A copy of the whole, made anew.
  const copy = () => p.parse(text);

  return { __proto__: null, begin, forget, has, field, toKeep, giveAway, original, copy };
}
