// Events of mode Multi: which branch a value takes, and what becomes of a message whose value takes none (platform.md 3.2, 12).

import assert from 'node:assert/strict';
import { action, branch, end, evaluate, event, forked, multi, place, plan, rule } from '../stage.js';

// A Multi event with a branch for each of `drawn`, below which an action says that it was there.
function choice(branches, fields = {}, drawn = branches) {
  const nodes = [multi(branches, fields), ...drawn.map(branch), ...drawn.map((value) => action(`way = ${JSON.stringify(value)}`))];
  return plan(nodes, place(0, ...drawn.map((_, at) => place(at + 1, place(at + 1 + drawn.length)))));
}

const taken = async (branches, message, fields, drawn) => (await evaluate([choice(branches, fields, drawn)], message)).globals.way;
const chosen = (log) => log.filter(({ type }) => type === 'event').map(({ action: what, branchTaken, childCount }) => [what, branchTaken, childCount]);

Deno.test('the branch that equals the value is taken, and no other', async () => {
  for (const kind of ['a', 'b', 'c']) {
    const { globals, header, log } = await evaluate([choice(['a', 'b', 'c'])], { kind });
    assert.deepEqual([globals, header.status, chosen(log)], [{ way: kind }, 'success', [['condition_passed', kind, 1]]]);
    const told = log.find(({ type }) => type === 'event');
    assert.deepEqual([told.mode, told.conditionResult, told.passes], ['Multi', true, undefined]);
  }
});

Deno.test('the order of the list decides, not the order of the drawing', async () => {
  assert.equal(await taken(['a', 'b', '*'], { kind: 'b' }, {}, ['*', 'b', 'a']), 'b');
  assert.equal(await taken(['*', 'a'], { kind: 'a' }), 'a');
  const twice = plan([multi(['a', 'a']), branch('a'), action('way = 1')], place(0, place(1, place(2))));
  assert.equal((await evaluate([twice], { kind: 'a' })).globals.way, 1);
});

Deno.test('"*" takes what no other branch takes, and is no value like others', async () => {
  for (const message of [{ kind: 'x' }, { kind: '*' }, { kind: '' }, { kind: null }, { kind: {} }, {}]) assert.equal(await taken(['*', 'a'], message), '*', JSON.stringify(message));
  const { header, reasons } = await evaluate([choice(['a'])], { kind: '*' });
  assert.deepEqual([header.status, reasons[0].seen], ['ignore', '*']);
});

for (const [given, text] of [
  ['5', '5'], ['5.0', '5'], ['0.1', '0.1'], ['-0', '0'], ['1e3', '1000'], ['1e21', '1e+21'], ['1e-7', '1e-7'], ['12345678901234567890', '12345678901234567000'],
  ['true', 'true'], ['false', 'false'], ['null', 'null'], ['""', ''], ['" a "', ' a '], ['"ä😀"', 'ä😀'], ['"A"', 'A'],
  ['{"b":1,"a":[2,null]}', '{"b":1,"a":[2,null]}'], ['[]', '[]'], ['{}', '{}'], ['[1,"x"]', '[1,"x"]'],
]) {
  Deno.test(`a value of ${given} is compared as ${JSON.stringify(text)}`, async () => {
    const others = ['other', text === 'a' ? 'b' : 'a', `${text} `];
    assert.equal(await taken([...others, text, '*'], { kind: JSON.parse(given) }), text);
    assert.equal(await taken([...others, '*'], { kind: JSON.parse(given) }), '*');
  });
}

for (const [source, text] of [['10n', '10'], ['NaN', 'NaN'], ['-Infinity', '-Infinity'], ['new Date(0)', '"1970-01-01T00:00:00.000Z"'], ['Object("a")', '"a"'], ['new Map([[1, 2]])', '{}'], ['Symbol("s")', 'Symbol(s)']]) {
  Deno.test(`a script may leave ${source}`, async () => {
    const { globals, header } = await evaluate([choice(['x', text, '*'], { post: `kind = ${source}` })], {});
    assert.deepEqual([header.status, globals.way], ['success', text]);
  });
}

for (const source of ['{ toJSON() { throw new Error("mine") } }', '{ get a() { throw 1 } }', 'new Proxy({}, { ownKeys() { throw 1 } })', '(() => { const a = {}; a.a = a; return a })()']) {
  Deno.test(`a value that cannot be written takes the catch-all: ${source}`, async () => {
    const { globals, header, errors } = await evaluate([choice(['null', '*'], { post: `kind = ${source}` })], {});
    assert.deepEqual([header.status, errors, globals.way], ['success', [], '*']);
  });
}

Deno.test('a path leads to the value: below objects, into lists, from the message or from a script', async () => {
  const of = (logicField) => ({ logicField, logicPath: logicField.split('.') });
  const message = { payload: { kinds: ['a', 'b'] }, message: undefined };
  assert.equal(await taken(['a', 'b'], message, of('payload.kinds.1')), 'b');
  assert.equal(await taken(['a', 'b'], message, of('message.payload.kinds.0')), 'a');
  assert.equal(await taken(['a', '2'], message, of('payload.kinds.length')), '2');
  assert.equal(await taken(['a', 'b'], message, { ...of('payload.kinds.0'), post: 'payload.kinds = ["b"]' }), 'b');
  assert.equal(await taken(['undefined', 'a', '*'], message, of('payload.constructor.name')), '*');
  assert.equal(await taken(['undefined', '*'], message, of('nowhere.at.all')), '*');
});

Deno.test('the gate comes first, then the script, then the branch', async () => {
  const fields = { conditionText: rule('n', 'equals', 1), pre: 'print("pre", typeof kind)', post: 'kind = "made"; print("post")' };
  const passed = await evaluate([choice(['made'], fields)], { n: 1 });
  assert.deepEqual([passed.globals, passed.log.filter(({ type }) => type === 'print').map(({ args }) => args[0])], [{ kind: 'made', way: 'made' }, ['pre', 'post']]);
  const stopped = await evaluate([choice(['made'], fields)], { n: 2, kind: 'made' });
  assert.deepEqual([stopped.header.status, stopped.header.code, stopped.globals], ['ignore', 'no_match', {}]);
  assert.deepEqual(stopped.reasons[0].rule, { field: 'n', comparison: 'equals', value: 1 });
  assert.deepEqual([chosen(stopped.log), stopped.log.find(({ type }) => type === 'event').conditionResult], [[['condition_failed', undefined, 0]], false]);
});

// ---- no branch -----------------------------------------------------------------------------------------------------

Deno.test('an entry whose value takes no branch does not want the message, and says what it saw', async () => {
  const { header, reasons, log } = await evaluate([choice(['a', 'b'])], { kind: 'x' });
  assert.deepEqual([header.status, header.code, header.workflow, log], ['ignore', 'no_match', undefined, []]);
  assert.deepEqual(reasons, [{ workflowId: 'w1', name: 'workflow', entity: 'Arrival', rule: { field: 'kind', comparison: 'in', value: ['a', 'b'] }, seen: 'x' }]);
});

for (const [message, seen] of [[{ kind: 7 }, { seen: 7 }], [{ kind: null }, { seen: null }], [{ kind: { a: 1 } }, { seen: { a: 1 } }], [{}, {}], [{ kind: 'x'.repeat(3000) }, { seen: null }]]) {
  Deno.test(`what an entry saw in ${JSON.stringify(message).slice(0, 30)}`, async () => {
    const [{ rule: _rule, workflowId: _id, name: _name, entity: _entity, ...told }] = (await evaluate([choice(['a'])], message)).reasons;
    assert.deepEqual(told, seen);
  });
}

Deno.test('the next workflow is tried where an entry takes no branch, and finds nothing of it', async () => {
  const first = choice(['a'], { post: 'kind = "none"; trace = 1; print("tried")' });
  const { header, globals, log, reasons } = await evaluate([first, plan([event({ post: 'seen = [typeof trace, kind]' })], place(0), 'second')], { kind: 'given' });
  assert.deepEqual([header.status, header.workflowName, globals, reasons], ['success', 'second', { seen: ['undefined', 'given'] }, []]);
  assert.deepEqual(log.filter(({ type }) => type === 'event').map(({ action: what, conditionResult }) => [what, conditionResult]), [['no_branch', true], ['condition_passed', true]]);
});

Deno.test('a script of an entry that fails is an error of a workflow that has not fired', async () => {
  const broken = choice(['a'], { post: 'null.x' });
  const next = await evaluate([broken, plan([event({ post: 'done = 1' })], place(0), 'second')], { kind: 'a' });
  assert.deepEqual([next.header.status, next.header.workflowName, next.errors.length], ['success', 'second', 1]);
  const alone = await evaluate([broken], { kind: 'a' });
  assert.deepEqual([alone.header.status, alone.header.workflow, alone.reasons], ['fail', undefined, []]);
});

Deno.test('a nested event whose value takes no branch skips its own subtree and nothing else', async () => {
  const nodes = [event(), multi(['a'], { name: 'Inner' }), branch('a'), action('below = 1'), action('beside = 1'), end('Success')];
  const { header, globals, log, errors } = await evaluate([plan(nodes, place(0, place(1, place(2, place(3))), place(4), place(5)))], { kind: 'x' });
  assert.deepEqual([header.status, header.workflow, globals, errors], ['success', 'w1', { beside: 1 }, []]);
  const told = log.find(({ entityName }) => entityName === 'Inner');
  assert.deepEqual([told.action, told.mode, told.conditionResult, told.childCount, told.branchTaken], ['no_branch', 'Multi', true, 0, undefined]);
  assert.ok(log.some(({ type }) => type === 'complete'));
});

Deno.test('a branch that is listed and not drawn is taken, and leads nowhere', async () => {
  const { header, globals, log } = await evaluate([choice(['a', 'b'], { post: 'ran = 1' }, ['b'])], { kind: 'a' });
  assert.deepEqual([header.status, header.workflow, globals, chosen(log)], ['success', 'w1', { ran: 1 }, [['condition_passed', 'a', 0]]]);
});

Deno.test('a result below a branch ends the workflow', async () => {
  const nodes = [multi(['a']), branch('a'), end('Ignore'), action('after = 1')];
  const { header, globals } = await evaluate([plan(nodes, place(0, place(1, place(2), place(3))))], { kind: 'a' });
  assert.deepEqual([header.status, header.code, header.workflow, globals], ['ignore', undefined, 'w1', {}]);
});

Deno.test('onError "continue" at a nested event: its branches are skipped, its neighbours are not', async () => {
  const nodes = [event(), multi(['a'], { post: 'null.x', onError: 'continue' }), branch('a'), action('below = 1'), action('beside = 1')];
  const { header, globals, errors } = await evaluate([plan(nodes, place(0, place(1, place(2, place(3))), place(4)))], { kind: 'a' });
  assert.deepEqual([header.status, errors.length, globals], ['fail', 1, { beside: 1 }]);
});

// ---- True/False below it ---------------------------------------------------------------------------------------------

Deno.test('modes below each other: every way through is the one that was drawn', async () => {
  const two = forked({ conditionText: rule('n', 'greater_than', 5), name: 'Two' });
  const nodes = [multi(['a', '*']), branch('a'), branch('*'), two, branch('true'), branch('false'), action('way.push("yes")'), action('way.push("no")'), action('way.push("other")')];
  const fork = place(3, place(5, place(7)), place(4, place(6)));
  const drawn = plan([{ ...nodes[0], post: 'way = []' }, ...nodes.slice(1)], place(0, place(2, place(8), fork), place(1, fork, place(8))));
  for (const [kind, n, way] of [['a', 9, ['yes', 'other']], ['a', 1, ['no', 'other']], ['b', 9, ['other', 'yes']], [null, 5, ['other', 'no']]]) {
    assert.deepEqual((await evaluate([drawn], { kind, n })).globals.way, way, `${kind} ${n}`);
  }
});
