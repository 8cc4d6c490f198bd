// Where an event leads once its condition is known: the places to visit and the branch's name, or why there are none.
//
// `Single Path` and `True/False` are decided by the condition alone. `Multi` and `Iterable` look at a value, which the
// event's own post-script may have set: they are decided after it.

export const DECIDED_BY_CONDITION = { __proto__: null, 'Single Path': true, 'True/False': true };

export const MODES = {
  __proto__: null,
  'Single Path': ({ place }) => ({ places: place.children }),
  'True/False': ({ plan, place, outcome }) => ({ taken: `${outcome}`, places: branches(plan, place, `${outcome}`) }),
  Multi: ({ plan, node, place, steps }) => multi(plan, node, place, steps),
  Iterable: ({ node, place, steps }) => iterable(node, place, steps),
};

function branches(plan, place, value) {
  return place.children.filter((child) => plan.nodes[child.node].branchValue === value);
}

// Values compare as strings: the first of the event's own order that equals, then the catch-all.
function multi(plan, node, place, steps) {
  const { text, seen } = JSON.parse(steps.call('select', JSON.stringify(node.logicPath)));
  const taken = node.branches.find((value) => value === text && value !== CATCH_ALL) ?? node.branches.find((value) => value === CATCH_ALL);
  if (taken === undefined) return { none: true, reason: { rule: { field: node.logicField, comparison: 'in', value: node.branches }, ...(seen === undefined ? {} : { seen }) } };
  return { taken, places: branches(plan, place, taken) };
}

// The list is kept in the realm; what comes back is its length, or what was found in its place.
function iterable(node, place, steps) {
  const { length, found } = JSON.parse(steps.call('iterate', JSON.stringify(node.logicPath)));
  if (length !== undefined) return { places: place.children, passes: length };
  const message = `"${node.logicField}" is ${found}, not a list`;
  return steps.fail(node, { name: 'IterableError', message, code: 'not_a_list' });
}

const CATCH_ALL = '*';
