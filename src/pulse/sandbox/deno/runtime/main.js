// The sandbox's process: reads frames, evaluates messages, answers each frame with exactly one frame.
//
// In: run (a message and the plans to try), answer (of an effect), go (on, to a message that has paused), drop (a
// message). Out: ready, then for each frame in turn `done`, `wait` (with the effects the message asks for) or `dropped`,
// always with the frame's number. The answer leaves when everything that the frame set off has run and microtasks have
// drained over a macrotask, and before the next frame is looked at. So whoever counts answers knows which frame was
// running when the process died.

import { setImmediate } from 'node:timers';
import { Frames } from './frames.js';
import { Evaluation } from './evaluation.js';
import { Places } from './places.js';
import { Plans } from './plans.js';
import { Realms } from './realms.js';

const settings = JSON.parse(Deno.args[0]);
const frames = new Frames(settings.frameLimit);
const realms = new Realms(settings);
const plans = new Plans();
const places = new Places();
const evaluations = new Map();
const macrotask = () => new Promise((resolve) => setImmediate(resolve));

// Rejections that a script leaves unhandled are its own affair.
globalThis.addEventListener('unhandledrejection', (event) => event.preventDefault());

const handlers = {
  async run({ n, id, plans: wanted, define, settle: place, place: placeId, ...rest }, payload) {
    for (const plan of define ?? []) plans.add(plan);
    if (place !== undefined) places.take(place);
    const around = { place: places.get(placeId), realms, settings };
    const evaluation = new Evaluation({ id, plans: wanted.map((plan) => plans.get(plan)), payload, ...rest, ...around });
    evaluations.set(id, evaluation);
    evaluation.start();
    await settle(n, evaluation);
  },

  async answer({ n, id, seq, ok, at, log }, payload) {
    const evaluation = evaluations.get(id);
    if (evaluation === undefined) return frames.send({ n, t: 'dropped', id });
    evaluation.answer(seq, ok, payload ?? '', at, log);
    await settle(n, evaluation);
  },

  async go({ n, id }) {
    const evaluation = evaluations.get(id);
    if (evaluation === undefined) return frames.send({ n, t: 'dropped', id });
    evaluation.goOn();
    await settle(n, evaluation);
  },

  drop({ n, id }) {
    evaluations.delete(id);
    frames.send({ n, t: 'dropped', id });
  },
};

// Lets the message run as far as it goes without waiting for the world, then says where it stands.
async function settle(n, evaluation) {
  do await macrotask();
  while (evaluation.advance());
  if (!evaluation.done) {
    const { asks, plans } = evaluation.asks();
    return frames.send({ n, t: 'wait', id: evaluation.id, paused: evaluation.isPaused, plans }, asks);
  }
  evaluations.delete(evaluation.id);
  evaluation.capture();
  await macrotask();
  const { header, body } = evaluation.close();
  frames.send({ n, t: 'done', id: evaluation.id, ...header, ...strain(header) }, body);
}

// An error in a process that is short of memory may be another message's doing: the parent is told.
function strain({ errorType }) {
  if (errorType === undefined || errorType === 'TimeoutError') return {};
  const { heapUsed, external } = Deno.memoryUsage();
  return heapUsed + external > settings.memoryMark ? { strained: true } : {};
}

async function serve() {
  frames.send({ t: 'ready', v8: Deno.version.v8, deno: Deno.version.deno });
  for (let frame = frames.next(); frame !== null; frame = frames.next()) {
    await handlers[frame.header.t](frame.header, frame.payload);
  }
}

await serve();
