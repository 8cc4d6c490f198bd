// Runs inside a realm: the values that an event branches by. `find` finds a value by its path, `put` sets a global.

export function iteration(p, writer, find, put) {
  'use strict';
  const { written } = writer;
  const world = globalThis;
  const ITEM = '___iterableItem___';
  const INDEX = '___iterableIndex___';
  let lists = [];
  let depth = 0;

  // The value that a Multi event compares, as text: `{text?, seen?}`.
  function select(path) {
    const value = find.current(p.parse(path));
    if (value === undefined) return '{}';
    const seen = written(() => value) ?? 'null';
    const text = typeof value === 'object' && value !== null ? seen : p.String(value);
    return `{"text":${p.stringify(p.toWellFormed(text))},"seen":${seen.length > 2_000 ? 'null' : seen}}`;
  }

  // Begins to go through a list: `{length}`, or `{found}` where it is none. The list is taken as it is now.
  function iterate(path) {
    const list = find.currentToKeep(p.parse(path));
    if (!p.isArray(list)) return `{"found":${p.stringify(kindOf(list))}}`;
    const items = [];
    for (let i = 0; i < list.length; i++) p.defineProperty(items, i, { __proto__: null, value: list[i] });
    p.defineProperty(lists, depth++, { __proto__: null, value: { __proto__: null, items, item: slot(ITEM), index: slot(INDEX) }, configurable: true, writable: true });
    return `{"length":${items.length}}`;
  }

  function kindOf(value) {
    if (value === undefined) return 'missing';
    if (value === null) return 'null';
    return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
  }

  const slot = (name) => p.getOwnPropertyDescriptor(world, name);

  function pass(index) {
    put(ITEM, lists[depth - 1].items[index], true);
    put(INDEX, p.Number(index), true);
    return '';
  }

  // The list is through: what was there before it is there again.
  function passed() {
    const { item, index } = lists[--depth];
    restore(ITEM, item);
    restore(INDEX, index);
    return '';
  }

  function restore(name, before) {
    if (before === undefined) p.deleteProperty(world, name);
    else p.defineProperty(world, name, before);
  }

  function reset() {
    lists = [];
    depth = 0;
  }

  return { __proto__: null, select, iterate, pass, passed, reset };
}
