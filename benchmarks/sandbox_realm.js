// What a clean realm costs: made anew for each message, or proved clean and used again (`tamper.js`).
// And what the proof costs scripts: the same scripts in a plain realm and in a tampered one, each in realms of their own,
// the plain ones once before V8 has seen a tampered realm and once after (V8's assumptions about built-ins are the isolate's).
// Run: deno run --allow-sys=cpus benchmarks/sandbox_realm.js

import os from 'node:os';
import vm from 'node:vm';
import { tamper } from '../src/pulse/sandbox/deno/runtime/realm/tamper.js';

const FUNCTIONS = 40;
const FIELDS = 20;

const SCRIPTS = {
  strings: `let n = 0; for (let i = 0; i < 300; i++) { const s = 'Order #' + i + ' for Customer ' + (i * 7 % 13); n += s.toUpperCase().split(' ').map((w) => w.trim().padStart(8, '.').slice(1)).join('-').replace('ORDER', 'x').length; if (s.includes('9') && s.startsWith('Order')) n += s.indexOf('9') + s.charCodeAt(3); } return n;`,
  arrays: `const rows = Array.from({ length: 400 }, (_, i) => ({ id: i, team: 'T' + i % 5, score: (i * 37) % 101 })); const by = rows.filter((r) => r.score > 20).map((r) => ({ ...r, grade: r.score > 70 ? 'A' : 'B' })).sort((a, b) => b.score - a.score || a.id - b.id).reduce((acc, r) => { (acc[r.team] ??= []).push(r); return acc; }, {}); const out = []; for (const [team, list] of Object.entries(by)) out.push([team, list.length, list.flatMap((r) => [r.id]).slice(0, 3).concat([1]).indexOf(1), Math.max(...list.map((r) => r.score))]); return out.length + [...out.keys()].length + out.find((o) => o[0] === 'T3')[1];`,
  json: `const o = JSON.parse(JSON.stringify({ list: Array.from({ length: 120 }, (_, i) => ({ id: i, name: 'n' + i, tags: ['a', 'b'], nested: { x: i / 3, ok: true, none: null } })) })); const copy = (v) => Array.isArray(v) ? v.map(copy) : v && typeof v === 'object' ? Object.fromEntries(Object.entries(v).map(([k, x]) => [k, copy(x)])) : v; return JSON.stringify(copy(o)).length;`,
  regexps: `const text = 'alice@example.com, bob.smith+x@mail.test; +1 (555) 010-9999 on 2024-05-17T10:11:12Z '.repeat(12); let n = 0; for (const m of text.matchAll(/([\\w.+]+)@([\\w.]+)/g)) n += m[1].length + m[2].length; n += text.replace(/\\d+/g, (d) => '<' + d + '>').length + text.split(/[,;]\\s*/).length; for (let i = 0; i < 60; i++) { if (/(\\d{4})-(\\d\\d)-(\\d\\d)/.test(text)) n += +RegExp.$1; n += /on (\\S+)T/.exec(text).index; } return n + text.search(/bob/) + text.match(/o/g).length;`,
  dates: `let n = 0; for (let i = 0; i < 200; i++) { const d = new Date(1.7e12 + i * 86400000); d.setUTCHours(d.getUTCHours() + 5); n += d.getUTCDate() + d.toISOString().length + Date.parse('2024-01-' + String(i % 28 + 1).padStart(2, '0')) % 7 + (d - new Date(2020, 1, 1)) % 3; } return n;`,
  maps: `const m = new Map(), s = new Set(); for (let i = 0; i < 600; i++) { m.set('k' + i % 90, (m.get('k' + i % 90) ?? 0) + i); s.add(i % 50); } let n = 0; for (const [k, v] of m) n += k.length + v; for (const v of new Set([...s, 1, 2, 3])) n += v; m.forEach((v) => { n += v & 1; }); return n + new Map([...m].sort((a, b) => b[1] - a[1])).size + [...m.values()].length + Object.fromEntries(m).k3;`,
  classes: `class Shape { constructor(n) { this.n = n; } area() { return this.n; } toString() { return this.constructor.name + this.n; } } class Square extends Shape { area() { return super.area() ** 2; } } class Oops extends Error { constructor(m) { super(m); this.name = 'Oops'; } } let n = 0; for (let i = 0; i < 400; i++) { const q = new Square(i); n += q.area() + String(q).length; if (i % 20 === 0) try { throw new Oops('x' + i); } catch (e) { n += e.message.length + e.name.length + (e instanceof Error); } } return n;`,
  numbers: `let n = 0; for (let i = 1; i < 3000; i++) { n += Math.floor(Math.sqrt(i) * 100) / 100 + Math.min(i, 50) + Math.abs(Math.sin(i)) + Number((i / 7).toFixed(2)) + parseInt('' + i, 10) % 3; } return n | 0;`,
  bytes: `const u = new Uint8Array(600); for (let i = 0; i < u.length; i++) u[i] = i * 31; const f = Float64Array.from(u); let n = 0; for (const b of u.subarray(10, 500)) n += b; const v = new DataView(u.buffer); for (let i = 0; i < 500; i++) n += v.getUint16(i); return n + f.map((x) => x * 2).reduce((a, b) => a + b) + u.slice(3).indexOf(9) + [...u].length;`,
  promises: `let n = 0; const wait = async (x) => { await null; return x; }; for (let i = 0; i < 60; i++) n += await wait(i); const all = await Promise.all(Array.from({ length: 40 }, (_, i) => wait(i).then((x) => x + 1))); await Promise.allSettled([wait(1), Promise.reject(new Error('e'))]); return n + all.length;`,
  generators: `function* count(to) { for (let i = 0; i < to; i++) yield i; } let n = 0; for (const x of count(300)) n += x; const [a, b, ...rest] = count(50); n += rest.length + a + b + Iterator.from(count(80)).filter((x) => x % 2).map((x) => x * 2).toArray().length; async function* ag() { for (const x of count(30)) yield x; } for await (const x of ag()) n += x; return n;`,
};

// ---- measuring --------------------------------------------------------------------------------------------------

const sorted = (list) => [...list].sort((a, b) => a - b);
const at = (list, part) => sorted(list)[Math.floor((list.length - 1) * part)];
const microseconds = (ms) => `${(ms * 1000).toFixed(1)} µs`;

function lap(work) {
  const start = performance.now();
  work();
  return performance.now() - start;
}

function report(name, times) {
  console.log(`${name.padEnd(44)} median ${microseconds(at(times, 0.5))}, min ${microseconds(at(times, 0))}, max ${microseconds(at(times, 1))}`);
}

const rounds = (n, work) => Array.from({ length: n }, (_, i) => work(i));

// ---- realms -----------------------------------------------------------------------------------------------------

const create = () => vm.createContext(vm.constants.DONT_CONTEXTIFY);
const kernel = new vm.Script(`'use strict'; for (let i = 0; i < ${FUNCTIONS}; i++) Object.defineProperty(globalThis, 'effect' + i,
  { value: { ['effect' + i]() { return i; } }['effect' + i], writable: true, enumerable: false, configurable: true });`);
const proof = new vm.Script(`(${tamper})()`);
const strip = new vm.Script(`(${tamper})({ reuse: false })`);
const fill = new vm.Script(`(fields) => { for (let i = 0; i < ${FIELDS}; i++) globalThis['field' + i] = fields; }`);

function realmWith(script) {
  const context = create();
  kernel.runInContext(context);
  return { context, verify: script?.runInContext(context) };
}

function measureRealms() {
  const warm = 20;
  report('a bare realm', rounds(120, create).map(() => lap(create)).slice(warm));
  report('strip it (fresh)', rounds(120, () => {
    const { context } = realmWith();
    return lap(() => strip.runInContext(context));
  }).slice(warm));
  report('strip, walk and freeze it (verified, once)', rounds(120, () => {
    const { context } = realmWith();
    return lap(() => proof.runInContext(context));
  }).slice(warm));
}

function measureVerify() {
  const { context, verify } = realmWith(proof);
  const put = fill.runInContext(context);
  for (let i = 0; i < 2_000; i++) verify();
  report('verify', rounds(200, () => lap(() => rounds(50, verify)) / 50));
  report(`verify, after a message of ${FIELDS} globals`, rounds(5_000, (i) => {
    put(i);
    return lap(verify);
  }));
  if (verify() !== '') throw new Error(verify());
}

// ---- scripts ----------------------------------------------------------------------------------------------------

async function timeScript(context, source) {
  const factory = new vm.Script(`(function () { return async function () {\n${source}\n}; })`).runInContext(context);
  const times = [];
  for (let i = 0; i < 250; i++) {
    const start = performance.now();
    await factory()();
    if (i >= 100) times.push(performance.now() - start);
  }
  return times;
}

// The best of several realms, as the fifth of a hundred in each: what is slow by chance is left out.
async function timeScripts(script) {
  const best = {};
  for (let round = 0; round < 5; round++) {
    const { context } = realmWith(script);
    for (const name of Object.keys(SCRIPTS)) {
      best[name] = Math.min(best[name] ?? Infinity, at(await timeScript(context, SCRIPTS[name]), 0.05));
    }
  }
  return best;
}

async function measureScripts(plain) {
  const tampered = await timeScripts(proof);
  const after = await timeScripts();
  const ratios = Object.keys(SCRIPTS).map((name) => tampered[name] / Math.min(plain[name], after[name]));
  Object.keys(SCRIPTS).forEach((name, i) => {
    const cost = `${((ratios[i] - 1) * 100).toFixed(1)} %`;
    console.log(`${`script: ${name}`.padEnd(44)} plain ${microseconds(plain[name])}, tampered ${microseconds(tampered[name])}, plain again ${microseconds(after[name])}: ${cost}`);
  });
  const mean = Math.exp(ratios.reduce((sum, ratio) => sum + Math.log(ratio), 0) / ratios.length);
  console.log(`${'scripts are slower by (geometric mean)'.padEnd(44)} ${((mean - 1) * 100).toFixed(1)} %`);
}

const plain = await timeScripts();
console.log(`Deno ${Deno.version.deno}, V8 ${Deno.version.v8}, ${os.cpus().length} x ${os.cpus()[0]?.model.trim()}`);
measureRealms();
measureVerify();
await measureScripts(plain);
