// Runs inside a realm: condition trees over one message, and the rule that made one false.
// A tree comes compiled (core/conditions.py): {op: 'AND'|'OR'|'NOT', of: [...]} or {field, path: [...], comparison, value}.

export function conditions(p, lookUp) {
  'use strict';
  const isText = (value) => typeof value === 'string';
  const isNumber = (value) => typeof value === 'number';
  const isPresent = (value) => value !== undefined && value !== null;
  const sides = (a, b) => (isNumber(a) && isNumber(b)) || (isText(a) && isText(b));
  const isoDate = /^\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?$/;

  function among(list, value) {
    if (!p.isArray(list)) return false;
    for (let i = 0; i < list.length; i++) if (list[i] === value) return true;
    return false;
  }

  function order(a, b) {
    if (!sides(a, b)) return NaN;
    if (isText(a) && p.exec(isoDate, a) !== null && p.exec(isoDate, b) !== null) {
      return p.parseDate(a) - p.parseDate(b);
    }
    return a < b ? -1 : a > b ? 1 : a === b ? 0 : NaN;
  }

  const negative = { __proto__: null, not_equals: 1, not_in: 1, not_contains: 1, not_exists: 1, is_null: 1 };
  const comparisons = {
    __proto__: null,
    equals: (seen, wanted) => seen === wanted,
    not_equals: (seen, wanted) => seen !== wanted,
    contains: (seen, wanted) => (isText(seen) && isText(wanted) ? p.includes(seen, wanted) : among(seen, wanted)),
    not_contains: (seen, wanted) => !comparisons.contains(seen, wanted),
    starts_with: (seen, wanted) => isText(seen) && isText(wanted) && p.startsWith(seen, wanted),
    ends_with: (seen, wanted) => isText(seen) && isText(wanted) && p.endsWith(seen, wanted),
    greater_than: (seen, wanted) => order(seen, wanted) > 0,
    less_than: (seen, wanted) => order(seen, wanted) < 0,
    greater_or_equal: (seen, wanted) => order(seen, wanted) >= 0,
    less_or_equal: (seen, wanted) => order(seen, wanted) <= 0,
    in: (seen, wanted) => among(wanted, seen),
    not_in: (seen, wanted) => !among(wanted, seen),
    exists: isPresent,
    not_exists: (seen) => !isPresent(seen),
    is_null: (seen) => !isPresent(seen),
    is_not_null: isPresent,
    matches: (seen, wanted) => isText(seen) && p.exec(new p.RegExp(wanted), seen) !== null,
  };

  function holds(rule, data) {
    const seen = lookUp(rule.path, data);
    if (seen === undefined && negative[rule.comparison] !== 1) return false;
    const compare = comparisons[rule.comparison];
    if (compare === undefined) throw new p.TypeError(`"${rule.comparison}" is not a comparison that Pulse knows`);
    return compare(seen, rule.value) === true;
  }

  function evaluate(tree, data) {
    if (tree.of === undefined) return holds(tree, data);
    for (let i = 0; i < tree.of.length; i++) {
      const one = evaluate(tree.of[i], data);
      if (tree.op === 'OR' && one) return true;
      if (tree.op !== 'OR' && !one) return tree.op === 'NOT';
    }
    return tree.op === 'AND';
  }

  // The rule that decided, where `tree` is known to have come out as `outcome`.
  function culprit(tree, data, outcome) {
    if (tree.of === undefined) return tree;
    const inner = tree.op === 'NOT' ? !outcome : outcome;
    for (let i = 0; i < tree.of.length; i++) {
      if (evaluate(tree.of[i], data) === inner) return culprit(tree.of[i], data, inner);
    }
    return undefined;
  }

  function explain(tree, data) {
    const rule = culprit(tree, data, false);
    if (rule === undefined) return undefined;
    const { field, comparison, value } = rule;
    return { rule: { field, comparison, value }, seen: lookUp(rule.path, data) };
  }

  return { __proto__: null, evaluate, explain, known: (name) => name in comparisons };
}
