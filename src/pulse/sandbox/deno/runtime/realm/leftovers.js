// Runs inside a realm: what scripts have left in its globals, for the message's result and for messages to other workflows.
// Of `globals`, `isOurs` tells the names that Pulse has put there; `original` is what a field of the message was, as JSON.

export function leftovers(p, writer, settings, globals) {
  'use strict';
  const { json, cut, written } = writer;
  const { isOurs, original } = globals;
  const world = globalThis;
  const MAX_NAMED = 20;

  // What a global holds, as JSON; undefined where it is not the scripts'.
  function captured(name, before) {
    if (typeof name !== 'string' || p.startsWith(name, '__') || isOurs(name)) return undefined;
    const slot = p.getOwnPropertyDescriptor(world, name);
    if (slot === undefined || (name === 'message' && slot.enumerable === false)) return undefined;
    return written(() => world[name], before);
  }

  // What does not fit is named, as far as names are worth reading.
  function naming(list, named, name) {
    if (named >= MAX_NAMED) return list;
    return `${list}${list === '' ? '' : ','}${p.stringify(cut(p.slice(name, 0, 100)))}`;
  }

  function capture() {
    let named = 0;
    let kept = '', changed = '', left = settings.resultLimit, tooLarge = '';
    const names = p.ownKeys(world);
    for (let i = 0; i < names.length; i++) {
      const before = original(names[i]);
      const out = captured(names[i], before);
      if (out === undefined) continue;
      const name = json(names[i]);
      // Fields of the message that no script has changed are named only: they are stored with the message already.
      if (out === before) kept += (kept === '' ? '' : ',') + name;
      else if ((left -= name.length + out.length) >= 0) changed += `${changed === '' ? '' : ','}${name}:${out}`;
      else ((left += name.length + out.length), (tooLarge = naming(tooLarge, named++, names[i])));
    }
    const result = p.hasOwn(world, '___result___') ? written(() => world.___result___) : undefined;
    const fits = result === undefined || result.length <= left;
    if (!fits) tooLarge = naming(tooLarge, 0, '___result___');
    return `{"kept":[${kept}],"globals":{${changed}},"tooLarge":[${tooLarge}]${result !== undefined && fits ? `,"result":${result}` : ''}}`;
  }

  // Everything that a message to another workflow takes along (platform.md 2.10).
  function snapshot() {
    let state = '';
    const names = p.ownKeys(world);
    for (let i = 0; i < names.length; i++) {
      const out = captured(names[i], original(names[i]));
      if (out !== undefined) state += `${state === '' ? '' : ','}${json(names[i])}:${out}`;
    }
    return `{${state}}`;
  }

  return { __proto__: null, capture, snapshot };
}
