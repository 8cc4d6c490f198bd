"""Scripts that spoil what they can: their own message may suffer, the next one starts clean and the runtime goes on."""
# ruff: noqa: E501 - a script is a line

from tests.integration.sandbox.hostile.case import Case

# After each of these an effect is still answered, and the result still stored.
HARMLESS = {
    "add to Object.prototype": "Object.prototype.x = 1; Object.prototype['y'] = {}",
    "pollute through __proto__": '({}).__proto__.polluted = 1; JSON.parse(\'{"__proto__": {"polluted": 1}}\')',
    "pollute through assign": 'Object.assign({}, JSON.parse(\'{"__proto__": {"admin": true}}\')); ({}).constructor.prototype.admin = 1',
    "replace Array.prototype methods": "for (const n of ['push', 'pop', 'map', 'join', 'slice', 'forEach']) Array.prototype[n] = () => { throw 1 }",
    "replace Array.prototype[Symbol.iterator]": "Array.prototype[Symbol.iterator] = () => { throw 1 }",
    "setters on Array.prototype": "for (let i = 0; i < 20; i++) Object.defineProperty(Array.prototype, i, { set() { throw 1 }, configurable: true })",
    "replace String.prototype methods": "for (const n of ['slice', 'indexOf', 'includes', 'trim', 'startsWith', 'toWellFormed']) String.prototype[n] = () => { throw 1 }",
    "replace JSON": "JSON.parse = JSON.stringify = () => { throw 1 }",
    "delete JSON": "delete globalThis.JSON",
    "replace Reflect": "for (const n of Reflect.ownKeys(Reflect)) try { Reflect[n] = () => { throw 1 } } catch {}",
    "replace Object's functions": "for (const n of ['keys', 'create', 'freeze', 'defineProperty', 'hasOwn']) Object[n] = () => { throw 1 }",
    "replace Promise.prototype.then": "Promise.prototype.then = () => { throw 1 }",
    "replace Promise": "globalThis.Promise = class { constructor() { throw 1 } }",
    "replace Promise's functions": "Promise.resolve = Promise.reject = Promise.all = () => { throw 1 }",
    "freeze Promise.prototype": "Object.freeze(Promise.prototype); Object.freeze(Promise)",
    "freeze Object.prototype": "Object.freeze(Object.prototype)",
    "freeze Array.prototype": "Object.freeze(Array.prototype)",
    "freeze Error.prototype": "Object.freeze(Error.prototype); try { await call('fail') } catch (e) { print(e.name) }",
    "setters on Error.prototype": """
        for (const n of ['name', 'code', 'retryable', 'effect']) Object.defineProperty(Error.prototype, n, { set() { throw 1 }, get() { throw 1 } });
        try { await call('fail') } catch {}""",
    "replace Function.prototype.call": "Function.prototype.call = Function.prototype.apply = Function.prototype.bind = () => { throw 1 }",
    "replace RegExp.prototype.exec": "RegExp.prototype.exec = () => { throw 1 }; evaluateCondition({ field: 'a', comparison: 'matches', value: 'x' }, { a: 'x' })",
    "replace Map and Set": "globalThis.Map = globalThis.Set = globalThis.WeakMap = undefined; delete globalThis.Symbol",
    "replace Date and Math": "Date.now = () => NaN; Math.random = () => 'x'; globalThis.Date = globalThis.Math = 1",
    "replace Error": "try { globalThis.Error = globalThis.TypeError = globalThis.RangeError = 1 } catch {}",
    "replace the script functions": "globalThis.print = globalThis.console = globalThis.evaluateCondition = () => { throw 1 }",
    "delete all globals": "const f = call, g = globalThis; for (const n of Reflect.ownKeys(g)) try { delete g[n] } catch {} g.call = f",
    "names of the kernel": """
        for (const n of ['p', 'kernel', 'face', 'world', 'settings', 'factories', 'taken', 'running', 'prints', 'asks', 'answers', 'message', 'text', 'clock'])
          globalThis[n] = { get x() { throw 1 } }; print('on')""",
    "globals that cannot be deleted": "Object.defineProperty(globalThis, 'stuck', { value: 1, configurable: false }); globalThis.secret = 'x'",
    "globals without an end to them": "Object.defineProperty(globalThis, 'stuck', { get() { throw new Error('x') }, enumerable: true, configurable: true })",
    "symbols on the global": "globalThis[Symbol('x')] = 1; globalThis[Symbol.for('x')] = 1; globalThis[Symbol.toStringTag] = 'x'",
    "symbols on prototypes": "Array.prototype[Symbol.toPrimitive] = Object.prototype[Symbol.toStringTag] = Function.prototype[Symbol.iterator] = 1",
    "another prototype of the global": "Object.setPrototypeOf(globalThis, new Proxy({}, { get: (_, name) => name === 'then' ? undefined : 'trap' }))",
    "prototypes with other prototypes": "Object.setPrototypeOf(Array.prototype, null); Object.setPrototypeOf(Map.prototype, Array.prototype)",
    "legacy getters": "Object.prototype.__defineGetter__('kept', () => 1); Object.prototype.__defineSetter__('globals', () => { throw 1 })",
    "iterator intrinsics": "Object.getPrototypeOf([].values()).next = () => { throw 1 }; Object.getPrototypeOf((function* () {})()).x = 1",
    "async intrinsics": "Object.getPrototypeOf(async () => {}).x = 1; Object.getPrototypeOf((async function* () {}).prototype).next = 1",
    "typed array intrinsics": "Object.getPrototypeOf(Uint8Array).from = 1; Object.getPrototypeOf(Uint8Array.prototype).set = 1",
    "last match": "/(secret)/.exec('the secret'); RegExp.input = 'secret'",
    "stack trace limit": "Error.stackTraceLimit = Infinity; Error.captureStackTrace = 1",
    "length of Array.prototype": "Array.prototype.length = 100; Array.prototype[5] = 'x'",
    "toJSON of BigInt and String": "BigInt.prototype.toJSON = () => 1; String.prototype.toJSON = Number.prototype.toJSON = () => { throw 1 }",
    "late change": "(async () => { for (let i = 0; i < 200; i++) await null; Array.prototype.late = 1; globalThis.late = 1 })()",
    "late change after an effect": "call(1).then(() => call(2)).then(() => { Array.prototype.late = 1; globalThis.late = 1 })",
    "change in toJSON": "globalThis.x = { toJSON() { Array.prototype.late = 1; globalThis.y = 1; return 1 } }",
    "change in a microtask of toJSON": """
        globalThis.x = { toJSON() { (async () => { await null; Array.prototype.late = 1; globalThis.late = 'secret' })(); return 1 } }""",
    "change in a getter of the result": "globalThis.z = { get a() { Promise.resolve().then(() => { String.prototype.late = 1 }); return 1 } }",
    "private names on built-ins": "new (class extends (function (o) { return o }) { #x = 1; constructor(o) { super(o) } })(Array.prototype)",
    "rejection that nobody hears": "Promise.reject(new Proxy({}, { get() { throw 1 } })); Promise.reject({ get stack() { throw 1 } })",
    "rejection that is heard late": "const p = Promise.reject(1); call(1).then(() => p.catch(() => 0)); Promise.reject(undefined)",
}

# These change what the message itself is given back, so nothing is said of their results.
ODD = {
    "delete from prototypes": "const { ownKeys } = Reflect, o = [String, Map, Promise, RegExp, Array]; for (let i = 0; i < 5; i++) { const k = ownKeys(o[i].prototype); for (let j = 0; j < k.length; j++) try { delete o[i].prototype[k[j]] } catch {} }",
    "toJSON on Object.prototype": "Object.prototype.toJSON = function () { return 'gone' }; ___result___ = {}",
    "toJSON that throws, everywhere": "Object.prototype.toJSON = () => { throw new Error('x') }; ___result___ = {}",
    "toJSON that gives a function": "Object.prototype.toJSON = () => () => 1; ___result___ = {}",
    "then on Object.prototype": "Object.prototype.then = undefined; ___result___ = 1",
    "global that cannot be extended": "___result___ = 1; Object.preventExtensions(globalThis)",
    "frozen global": "___result___ = 1; Object.freeze(globalThis)",
    "sealed everything": """
        for (const n of Object.getOwnPropertyNames(globalThis)) try { Object.seal(globalThis[n]); Object.freeze(globalThis[n].prototype) } catch {}""",
    "result is a getter": "Object.defineProperty(globalThis, '___result___', { get() { return { x: this === globalThis } } })",
    "result is a proxy": "___result___ = new Proxy({ a: 1 }, { ownKeys: () => ['a', 'b'], getOwnPropertyDescriptor: () => ({ value: 1, configurable: true, enumerable: true }) })",
    "result is revoked": "const { proxy, revoke } = Proxy.revocable({}, {}); revoke(); ___result___ = proxy",
    "result is a function": "___result___ = () => 1",
    "result is a symbol": "___result___ = Symbol('x')",
    "result is a BigInt": "___result___ = 10n ** 30n",
    "result that contains itself": "___result___ = {}; ___result___.self = ___result___",
    "result that throws": "___result___ = { get x() { throw new Error('no') } }",
    "result with half a character": "___result___ = ['\\ud800', { '\\udfff': '\\ud83d' }]",
    "result with NUL": "___result___ = '\\0'",
    "result that is deep": "let a = []; for (let i = 0; i < 3000; i++) a = [a]; ___result___ = a",
    "result written by hand": "___result___ = JSON.rawJSON ? JSON.rawJSON('1e999') : 1",
    "result of great numbers": "___result___ = [1e308 * 10, -0, NaN, 1e21, 123456789012345680000]",
}

THROWN = {
    "nothing": "throw undefined",
    "null": "throw null",
    "a number": "throw 7",
    "a symbol": "throw Symbol('x')",
    "a function": "throw () => 1",
    "a proxy": "throw new Proxy({}, { get() { throw 1 }, getPrototypeOf() { throw 1 }, has() { throw 1 } })",
    "a revoked proxy": "const { proxy, revoke } = Proxy.revocable({}, {}); revoke(); throw proxy",
    "an object without prototype": "throw Object.create(null)",
    "half a character": "throw new Error('\\ud800')",
    "half a character as text": "throw '\\udfff'",
    "a long message": "throw new Error('😀'.repeat(100000))",
    "an error with getters": "throw Object.defineProperties(new Error('x'), { name: { get() { throw 1 } }, stack: { get() { throw 1 } }, message: { get() { throw 1 } } })",
    "an error named __proto__": "throw Object.assign(new Error('x'), { name: '__proto__', code: 'constructor' })",
    "a list": "throw [1, [2]]",
    "a thenable": "throw { then() { throw 1 } }",
}

GOES_ON = "\n;if ((await call(41)) === 41) ___result___ = 'went on'"

CASES = [
    *(Case(name, script + GOES_ON, result="went on") for name, script in HARMLESS.items()),
    *(Case(name, script) for name, script in ODD.items()),
    *(Case(f"throws {name}", script, ("Error", "__proto__")) for name, script in THROWN.items()),
]
