// Runs inside a realm: condition trees as scripts write them, brought into the form that is evaluated.

export function trees(p, conditions) {
  'use strict';
  const INDEX = /^([^]*?)\[(\d+)\]([^]*)$/;
  const MAX_DEPTH = 32;

  // Both documented shapes of a condition tree, as core/conditions.py compiles them.
  function compiled(tree, depth) {
    if (typeof tree !== 'object' || tree === null || depth > MAX_DEPTH) throw new p.TypeError('A condition is an object: a rule or a group');
    if (depth === 0 && p.ownKeys(tree).length === 0) return { __proto__: null, op: 'AND', of: [] };
    if (!p.isArray(tree.conditions)) return compiledRule(tree);
    const op = tree.type === 'group' || tree.type === undefined ? (tree.operator ?? 'AND') : tree.type;
    if (op !== 'AND' && op !== 'OR' && op !== 'NOT') throw new p.TypeError(`"${op}" joins no conditions: use AND, OR or NOT`);
    const of = [];
    for (let i = 0; i < tree.conditions.length; i++) putItem(of, i, compiled(tree.conditions[i], depth + 1));
    return { __proto__: null, op, of };
  }

  function compiledRule(rule) {
    const comparison = rule.comparison ?? rule.operator;
    if (typeof rule.field !== 'string') throw new p.TypeError('A rule needs a field, which is a path such as "payload.amount"');
    if (!conditions.known(comparison)) throw new p.TypeError(`"${comparison}" is not a comparison that Pulse knows`);
    return { __proto__: null, field: rule.field, path: pathOf(rule.field), comparison, value: rule.value };
  }

  function putItem(list, index, value) {
    p.defineProperty(list, index, { __proto__: null, value, writable: true, enumerable: true, configurable: true });
  }

  // As core/conditions.py cuts it: `items[0].name` and `items.0.name` are the same.
  function pathOf(field) {
    const path = [];
    let rest = p.trim(field);
    for (let found = p.exec(INDEX, rest); found !== null; found = p.exec(INDEX, rest)) rest = `${found[1]}.${found[2]}${found[3]}`;
    for (let at = p.indexOf(rest, '.'); at >= 0; at = p.indexOf(rest, '.')) {
      putItem(path, path.length, p.slice(rest, 0, at));
      rest = p.slice(rest, at + 1);
    }
    putItem(path, path.length, rest);
    return path;
  }

  return { __proto__: null, compiled };
}
