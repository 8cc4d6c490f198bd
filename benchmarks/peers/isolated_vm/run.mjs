// The seed's design: every message gets a fresh isolate and context, runs three script nodes, and throws both away.
// node --no-node-snapshot run.mjs [FOLDER THAT HOLDS node_modules] [SECONDS A ROUND] [ROUNDS]
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";

const [folder = import.meta.dirname, seconds = "5", rounds = "5"] = process.argv.slice(2);
const require = createRequire(join(resolve(folder), "package.json"));
const ivm = require("isolated-vm");
const peers = join(import.meta.dirname, "..");
const message = readFileSync(join(peers, "message.json"), "utf8");
const expected = JSON.parse(readFileSync(join(peers, "result.json"), "utf8"));

const options = { timeout: 5000, promise: true };
const inject = "Object.assign(globalThis, JSON.parse($0)); ___result___ = null;";
const condition = "return payload.pull_request.additions > 500;";
const label = `
  const title = payload.pull_request.title.toLowerCase();
  labels = ["feat", "fix", "docs", "chore"].filter((word) => title.includes(word));
  if (payload.pull_request.additions > 1000) labels.push("large");
`;
const summarize = `
  const { user, additions, deletions } = payload.pull_request;
  ___result___ = {
    repository: payload.repository.full_name,
    number: payload.number,
    author: user.login,
    labels,
    lines: additions + deletions,
    reviewers: labels.includes("large") ? 2 : 1,
  };
`;

const runScript = (context, body) => context.eval(`(async () => {${body}})()`, options);

async function evaluate(text) {
  const isolate = new ivm.Isolate({ memoryLimit: 128 });
  try {
    const context = await isolate.createContext();
    await context.evalClosure(inject, [text], { timeout: 5000 });
    if (await runScript(context, condition)) {
      await runScript(context, label);
      await runScript(context, summarize);
    }
    const result = await context.eval("JSON.stringify(___result___)");
    context.release();
    return result;
  } finally {
    isolate.dispose();
  }
}

async function round(limit) {
  const start = performance.now();
  let messages = 0;
  while (performance.now() - start < limit * 1000) {
    await evaluate(message);
    messages += 1;
  }
  return { messages, seconds: (performance.now() - start) / 1000 };
}

const rounded = (value) => Math.round(value * 10) / 10;
const total = (done, key) => done.reduce((sum, one) => sum + one[key], 0);

assert.deepEqual(JSON.parse(await evaluate(message)), expected);
await round(2);
const done = [];
for (let index = 0; index < Number(rounds); index += 1) done.push(await round(Number(seconds)));
const rates = done.map((one) => one.messages / one.seconds).sort((a, b) => a - b);
console.log(
  JSON.stringify({
    peer: "isolated-vm",
    version: require("isolated-vm/package.json").version,
    node: process.version,
    messages: total(done, "messages"),
    seconds: rounded(total(done, "seconds")),
    perSecond: rounded(rates[Math.floor(rates.length / 2)]),
    min: rounded(rates[0]),
    max: rounded(rates.at(-1)),
  }),
);
