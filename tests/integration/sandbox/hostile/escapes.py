"""Ways out of the realm. Each looks at what it got hold of with `outside`, and must have found nothing."""
# ruff: noqa: E501 - a script is a line

from tests.integration.sandbox.hostile.case import Case

# What is reached ends in `got`, a list of values to look at.
REACHES = {
    "constructor of print": "got.push(print, print.constructor, print.constructor('return this')())",
    "constructor of this": "got.push(this, this.constructor, this.constructor.constructor('return this')())",
    "constructor of globalThis": "got.push(globalThis.constructor?.constructor, Object.getPrototypeOf(globalThis))",
    "constructor of an error": "try { null.x } catch (e) { got.push(e, e.constructor, e.constructor.constructor('return this')()) }",
    "async function": "got.push(await (async () => {}).constructor('return this')())",
    "generator function": "got.push((function* () {}).constructor('yield this')().next().value)",
    "async generator": "got.push((await (async function* () {}).constructor('yield this')().next()).value)",
    "function of the kernel": "got.push(call.constructor('return this')(), evaluateCondition.constructor, console.log.constructor)",
    "class in eval": "got.push((0, eval)('this'), (0, eval)('(class {}).constructor')('return this')())",
    "Reflect.construct": "got.push(Reflect.construct(Function, ['return this'], Map)(), Reflect.construct(Function, ['return this'])())",
    "the message": "got.push(message, message.a, message.a.constructor, Object.getPrototypeOf(message))",
    "fields of the message": "got.push(a, a.constructor.constructor('return this')(), list, list.constructor)",
    "an answer": "got.push(await call({ a: [1] }), (await call([1])).constructor, (await call('x')).constructor)",
    "a promise of an effect": "const p = call(1); got.push(p, p.constructor, p.then(() => 1)); await p",
    "what evaluateCondition throws": "try { evaluateCondition(1) } catch (e) { got.push(e, e.constructor) }",
    "what an effect throws": "try { call(1n) } catch (e) { got.push(e) } try { call('x'.repeat(2e6)) } catch (e) { got.push(e) }",
    "what print throws": "try { for (;;) print('x'.repeat(9000)) } catch (e) { got.push(e, e.constructor) }",
    "import": "await import('node:fs').then((m) => got.push(m, 'loaded'), (e) => got.push(e, e.constructor))",
    "import of data": "await import('data:text/javascript,export default Deno').then((m) => got.push('loaded'), (e) => got.push(e))",
    "import of the runtime": "await import('./kernel.js').then((m) => got.push('loaded'), (e) => got.push(e))",
    "import in eval": "await eval('import(\"node:vm\")').then((m) => got.push('loaded'), (e) => got.push(e))",
    "import in Function": "await new Function('return import(\"node:vm\")')().then((m) => got.push('loaded'), (e) => got.push(e))",
    "import with a hostile name": """
        await import({ toString() { got.push(arguments.callee.caller ?? 1); return 'node:fs' } }).then(() => got.push('loaded'), (e) => got.push(e))""",
    "import with attributes": "await import('node:fs', { get with() { got.push(this); return {} } }).then(() => got.push('loaded'), (e) => got.push(e))",
    "promise of import": "const p = import('x'); got.push(p, p.constructor); await p.catch(() => 0)",
    "prepareStackTrace": """
        try { Error.prepareStackTrace = (_, sites) => { got.push(sites, ...sites, sites[0].getThis?.(), sites[0].getFunction?.()) } } catch {}
        new Error().stack; try { null.x } catch (e) { e.stack } const held = {}; Error.captureStackTrace(held); held.stack""",
    "prepareStackTrace of another Error": """
        try { globalThis.Error = class extends Error { static prepareStackTrace(_, sites) { got.push(sites) } } } catch {}
        new TypeError('x').stack; try { null.x } catch (e) { e.stack }""",
    "prepareStackTrace as a getter": """
        for (const of of [Error, TypeError, Function.prototype, Object.prototype]) try {
          Object.defineProperty(of, 'prepareStackTrace', { configurable: true, get() { return (_, sites) => { got.push(sites) } } }) } catch {}
        new Error().stack; try { null.x } catch (e) { e.stack } try { call(1n) } catch (e) { e.stack }""",
    "stack of an error": "const e = new Error(); got.push(Object.getOwnPropertyDescriptor(e, 'stack')?.get, e.stack.constructor)",
    "callers": """
        const who = []; const f = function () { try { who.push(f.caller, f.arguments) } catch (e) { got.push(e) } return 1 };
        print({ toJSON: f }); evaluateCondition({ field: 'a', comparison: 'exists' }, { get a() { return f() } });
        try { got.push(arguments.callee, arguments.callee.caller) } catch (e) { got.push(e) } got.push(...who.flat())""",
    "getter called by the kernel": """
        const o = { get a() { got.push(this, arguments, new Error()); try { got.push(arguments.callee.caller) } catch (e) { got.push(e) } } };
        evaluateCondition({ field: 'a', comparison: 'exists' }, o); print(o)""",
    "proxy looked at by the kernel": """
        const traps = new Proxy({}, { get: (_, name) => (...args) => { got.push(...args.filter((arg) => arg !== traps)); return Reflect[name](...args) } });
        const p = new Proxy({ a: 1 }, traps); try { print(p); evaluateCondition({ field: 'a', comparison: 'exists' }, p); await call(p) } catch (e) { got.push(e) }""",
    "thenable met by the kernel": "await { then(...args) { got.push(this, ...args); args[0]() } }",
    "tampered Promise": """
        const then = Promise.prototype.then; Promise.prototype.then = function (...args) { got.push(this, ...args); return then.apply(this, args) };
        await call(1); await (async () => 1)(); await Promise.resolve(1)""",
    "tampered constructor of promises": """
        Object.defineProperty(Promise.prototype, 'constructor', { get() { got.push(this); return Promise } }); await call(1); await null""",
    "Symbol.species": """
        class Own extends Promise { static get [Symbol.species]() { return function (run) { got.push(run); return new Promise(run) } } }
        await Own.resolve(1).then(() => 1); class List extends Array { static get [Symbol.species]() { return Object } } got.push(new List(1, 2).map((x) => x))""",
    "Symbol.hasInstance": "got.push(Function.prototype[Symbol.hasInstance].call(Object, globalThis)); Object.defineProperty(Object, Symbol.hasInstance, { value(x) { got.push(x); return true } }); ({}) instanceof Object; print({})",
    "setters on Array.prototype": """
        for (let i = 0; i < 9; i++) Object.defineProperty(Array.prototype, i, { configurable: true, set(v) { got.push(this, v) }, get() {} });
        print(1, {}); await call({}); evaluateCondition({ type: 'AND', conditions: [{ field: 'a.b.c', operator: 'exists' }] }, {})""",
    "setters on Object.prototype": """
        for (const name of ['text', 'name', 'message', 'outcome', 'resolve', 'reject', 'size', 'op', 'of', 'path', 'value', 'get', 'set', 'rule', 'seen', '1'])
          Object.defineProperty(Object.prototype, name, { __proto__: null, configurable: true, set(v) { got.push(this, v) }, get() { got.push(this) } });
        print(1); try { call(1n) } catch {} await call({}); evaluateCondition({ field: 'a', comparison: 'exists' }, {})""",
    "Function.prototype.call and apply": """
        const { call: was } = Function.prototype; for (const name of ['call', 'apply', 'bind']) Function.prototype[name] = function (...args) { got.push(this, ...args) };
        print(1); await call(1); evaluateCondition({ field: 'a', comparison: 'starts_with', value: 'x' }, { a: 'x' })""",
    "disposal": "{ using held = { [Symbol.dispose]() { got.push(this) } } } const s = new DisposableStack(); s.defer(() => got.push(s)); s.dispose()",
    "iterator helpers": "got.push(Iterator.from({ next() { got.push(this); return { done: true } } }).next(), [].values().map((x) => x))",
    "Intl": "got.push(new Intl.DateTimeFormat().formatToParts(0), new Intl.DateTimeFormat().format, Intl.supportedValuesOf('unit'))",
    "template objects": "((strings) => got.push(strings, strings.raw))`a${1}b`",
    "rejections that the host looks at": """
        const spy = (name) => (...args) => { got.push(name, ...args); return Reflect[name](...args) };
        const names = ['get', 'has', 'ownKeys', 'getPrototypeOf', 'getOwnPropertyDescriptor', 'apply', 'construct', 'set', 'defineProperty'];
        const traps = Object.fromEntries(names.map((name) => [name, spy(name)]));
        Promise.reject(new Proxy(function () {}, traps)); Promise.reject(new Proxy(new Error(), traps)); Promise.reject(Object.create(new Proxy({}, traps)));
        await call(1); await null; for (const x of got) if (typeof x === 'string') throw new Error(`the host asks for ${x}`)""",
    "custom inspection": """
        const show = function (...args) { got.push(this, ...args); return 'x' };
        const o = { toString: show, inspect: show }; for (const name of ['Deno.customInspect', 'Deno.privateCustomInspect', 'nodejs.util.inspect.custom']) o[Symbol.for(name)] = show;
        Promise.reject(o); Promise.reject(Object.assign(new Error('x', { cause: o }), o)); print(o); console.log(o, '%o %O', o); await call(o)""",
    "errors with causes": "const e = new AggregateError([new Error('a', { cause: this })], 'b'); e.cause = e; Promise.reject(e); got.push(e); print(e); await call(1)",
    "debugger": "debugger; got.push(1)",
    "with": "with (new Proxy({}, { has(_, name) { got.push(name); return false } })) { typeof Deno }",
    "html comments": "got.push(1) <!-- nothing\n--> nothing\n; got.push(2)",
    "source maps": """
        for (const url of ['file:///etc/passwd', 'data:application/json;base64,e30=', 'data:application/json,{"version":3,"mappings":";;;;"', 'node:fs'])
          try { (0, eval)(`null.x\\n//# sourceMappingURL=${url}\\n//# sourceURL=file:///etc/passwd`) } catch (e) { got.push(e, e.stack) }""",
}

LOOK = """
await null;
___result___ = [got.includes('loaded'), [...new Set([...got.flatMap((value) => outside(value)), ...outside()])]]"""

# Walks everything that can be reached, calls every function in several ways, and looks at whatever comes back.
EVERYTHING = """
const seen = new Set(), queue = [], faults = new Set();
const add = (value) => {
  if ((typeof value !== 'object' || value === null) && typeof value !== 'function' || seen.has(value)) return;
  seen.add(value); queue.push(value);
};
const self = arguments.callee, uncalled = new Set([self, print, call, other]);
[globalThis, message, list, async () => {}, function* () {}, async function* () {}, [].values(), new Map().values(),
  new Set().values(), ''[Symbol.iterator](), ''.matchAll(/x/g), Iterator.from({ next() {} }), [].values().take(1), new Error(),
  new Proxy({}, {}), /(?<a>x)/d.exec('x'), new Intl.Segmenter().segment('x'), Promise.resolve(), ((s) => s)`x`].forEach(add);
const walk = () => {
  for (let i = 0; i < queue.length; i++) {
    add(Object.getPrototypeOf(queue[i]));
    for (const key of Reflect.ownKeys(queue[i])) {
      const slot = Object.getOwnPropertyDescriptor(queue[i], key);
      add(slot.value); add(slot.get); add(slot.set);
    }
  }
};
walk();
const functions = queue.filter((value) => typeof value === 'function' && !uncalled.has(value));
const attempt = (act) => { try { add(act()) } catch (error) { add(error) } };
for (const f of functions) {
  attempt(() => f()); attempt(() => f({})); attempt(() => f('x', 'y')); attempt(() => f(() => 1)); attempt(() => f.call([]));
  attempt(() => new f()); attempt(() => new f('x')); attempt(() => Reflect.construct(f, [() => 1], Function));
}
await call('drained');
for (const value of queue) for (const fault of outside(value)) faults.add(fault);
___result___ = [functions.length > 690, queue.length > 2000, [...faults]]"""

MESSAGE = b'{"a": {"b": [1]}, "list": [{"c": 1}]}'

CASES = [
    *(
        Case(name, f"const got = []; {script};{LOOK}", result=[False, []], message=MESSAGE)
        for name, script in REACHES.items()
    ),
    Case("everything the realm offers", EVERYTHING, result=[True, True, []], message=MESSAGE),
]
