// BullMQ and the seed's documented statements a step: node worker.mjs FOLDER '{"url": …, "redis": …, "prefix": …,
// "shape": …, "seconds": …, "runs": …}', where FOLDER holds node_modules.
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const [folder, text] = process.argv.slice(2);
const require = createRequire(join(resolve(folder), "package.json"));
const { Queue, Worker } = require("bullmq");
const { Redis } = require("ioredis");
const pg = require("pg");

const asked = JSON.parse(text);
// 50 jobs at once are given. Tried here, in runs/s of both shapes: pools of 5 connections 237-528, 10 (the driver's
// default) 434-564, 20 351-512, 50 342-476; 4, 8 or 16 producers and a backlog of 60, 100 or 200: no more than noise.
const settings = { concurrency: 50, pool: 10, backlog: 100, producers: 8, ...asked.settings };
const warmUpSeconds = 2;
const tenant = "tenant_1";
const queueName = "steps";
const definition = {
  id: "wfd_1",
  name: "three steps",
  triggerType: "signal",
  steps: ["first", "second", "third"].map((name) => ({ type: "action", name })),
  config: {},
};

const pool = new pg.Pool({ connectionString: asked.url, max: settings.pool });
const redis = () => new Redis(asked.redis, { maxRetriesPerRequest: null });
const connections = { queue: redis(), worker: redis() };
const queue = new Queue(queueName, { connection: connections.queue, prefix: asked.prefix });
const id = (kind) => `${kind}_${randomUUID()}`;
const counts = { started: 0, completed: 0 };

// Prepared once a connection, by their names.
const statements = {
  // Signal, run and first step in one statement, and no query for the workflows that match: both in the peer's favour.
  emit: `
    WITH signal AS (
      INSERT INTO pulse_triggers (id, tenant_id, source, type, payload) VALUES ($1, $2, 'benchmark', $3, $4)
    ), run AS (
      INSERT INTO pulse_workflow_runs (id, definition_id, tenant_id, trigger_id, status, definition_snapshot)
      VALUES ($5, $6, $2, $1, 'pending', $7)
    )
    INSERT INTO pulse_workflow_step_runs (id, run_id, tenant_id, step_index, step_type, step_name, status)
    VALUES ($8, $5, $2, 0, 'action', $9, 'scheduled')`,
  claim: `
    UPDATE pulse_workflow_step_runs SET status = 'running', started_at = NOW()
    WHERE id = $1 AND status IN ('pending', 'scheduled')
    RETURNING *`,
  complete: `
    UPDATE pulse_workflow_step_runs SET status = 'completed', completed_at = NOW(), result = $2
    WHERE id = $1 AND status = 'running'`,
  advance: `
    UPDATE pulse_workflow_runs
    SET status = 'running', context = context || $2, current_step_index = $3,
      started_at = COALESCE(started_at, NOW()), updated_at = NOW()
    WHERE id = $1 AND status IN ('pending', 'running', 'waiting')`,
  finish: `
    UPDATE pulse_workflow_runs
    SET status = 'completed', context = context || $2, current_step_index = $3, completed_at = NOW(), updated_at = NOW()
    WHERE id = $1 AND status = 'running'`,
  schedule: `
    INSERT INTO pulse_workflow_step_runs (id, run_id, tenant_id, step_index, step_type, step_name, status)
    VALUES ($1, $2, $3, $4, 'action', $5, 'scheduled')`,
};
const run = (name, values) => pool.query({ name, text: statements[name], values });

const actions = Object.fromEntries(
  definition.steps.map(({ name }, index) => [name, async () => ({ success: true, data: { step: index + 1 } })]),
);

async function emit() {
  const [signal, runId, step] = [id("trg"), id("run"), id("step")];
  const { name } = definition.steps[0];
  counts.started += 1;
  const snapshot = JSON.stringify(definition);
  await run("emit", [signal, tenant, definition.triggerType, "{}", runId, definition.id, snapshot, step, name]);
  await queue.add(name, { stepId: step }, { removeOnComplete: true });
}

async function work(job) {
  const step = (await run("claim", [job.data.stepId])).rows[0];
  if (step === undefined) return;
  const { data } = await actions[step.step_name]({ tenantId: tenant, step });
  await run("complete", [step.id, JSON.stringify(data)]);
  const next = step.step_index + 1;
  const context = JSON.stringify({ [step.step_name]: data });
  if (next === definition.steps.length) {
    await run("finish", [step.run_id, context, next]);
    counts.completed += 1;
    return;
  }
  await run("advance", [step.run_id, context, next]);
  const following = id("step");
  const { name } = definition.steps[next];
  await run("schedule", [following, step.run_id, tenant, next, name]);
  await queue.add(name, { stepId: following }, { removeOnComplete: true });
}

const until = async (reached) => {
  while (!reached()) await sleep(5);
};

// Producers emit the next signal as soon as fewer than `backlog` runs are open.
async function live(worker) {
  let over = false;
  const producer = async () => {
    while (!over) {
      if (counts.started - counts.completed < settings.backlog) await emit();
      else await sleep(1);
    }
  };
  worker.run();
  const producers = Array.from({ length: settings.producers }, producer);
  await sleep(warmUpSeconds * 1000);
  const [before, began] = [counts.completed, performance.now()];
  await sleep(asked.seconds * 1000);
  const outcome = { runs: counts.completed - before, seconds: (performance.now() - began) / 1000 };
  over = true;
  await Promise.all(producers);
  await until(() => counts.completed === counts.started);
  return outcome;
}

// All are emitted before the worker starts; the clock runs from its start to the last run's completion.
async function burndown(worker) {
  while (counts.started < asked.runs) {
    await Promise.all(Array.from({ length: Math.min(50, asked.runs - counts.started) }, emit));
  }
  const began = performance.now();
  worker.run();
  await until(() => counts.completed === asked.runs);
  return { runs: asked.runs, seconds: (performance.now() - began) / 1000 };
}

await pool.query(readFileSync(join(import.meta.dirname, "schema.sql"), "utf8"));
await pool.query(
  `INSERT INTO pulse_workflow_definitions (id, tenant_id, name, trigger_type, steps, config)
   VALUES ($1, $2, $3, $4, $5, $6)`,
  [definition.id, tenant, definition.name, definition.triggerType, JSON.stringify(definition.steps), "{}"],
);
const worker = new Worker(queueName, work, {
  autorun: false,
  concurrency: settings.concurrency,
  connection: connections.worker,
  prefix: asked.prefix,
});
const fail = (error) => {
  console.error(error);
  process.exit(1);
};
worker.on("error", fail);
worker.on("failed", (_, error) => fail(error));
const outcome = await (asked.shape === "live" ? live : burndown)(worker);
await worker.close();
await queue.close();
await Promise.all([pool.end(), ...Object.values(connections).map((one) => one.quit())]);
console.log(JSON.stringify({ ...outcome, total: counts.completed, settings }));
