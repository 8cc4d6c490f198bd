// Makes realms and keeps the clean ones. A realm serves one message at a time.
// `fresh` throws each realm away; `verified` keeps it after the realm has proved that nothing is left in it (tamper.js).

import vm from 'node:vm';
import { additions } from './realm/additions.js';
import { arrival } from './realm/arrival.js';
import { asking } from './realm/asking.js';
import { stillClock } from './realm/clock.js';
import { conditions } from './realm/conditions.js';
import { images } from './realm/images.js';
import { digests } from './realm/offered/digests.js';
import { iteration } from './realm/iteration.js';
import { kernel } from './realm/kernel.js';
import { leftovers } from './realm/leftovers.js';
import { primordials } from './realm/primordials.js';
import { tamper } from './realm/tamper.js';
import { templates } from './realm/offered/templates.js';
import { trees } from './realm/trees.js';
import { url } from './realm/url.js';
import { writing } from './realm/writing.js';
import { nunjucks } from './vendor/nunjucks.js';

const MAX_IDLE = 64;
const MAX_USES = 5_000;

export class Realms {
  #source;
  #idle = [];
  made = 0;
  dirty = 0;

  constructor(settings) {
    const makers = `{ makeArrival: ${arrival}, makeConditions: ${conditions}, makeTrees: ${trees}, makeWriting: ${writing}, makeLeftovers: ${leftovers}, makeIteration: ${iteration}, makeAsking: ${asking}, makeImages: ${images}, makeDigests: ${digests}, makeTemplates: ${templates}, engine: ${JSON.stringify(nunjucks)}, stillClock: ${stillClock}, tamper: ${tamper} }`;
    const parts = `(${primordials})(), ${makers}, ${JSON.stringify(settings)}`;
    this.#source = new vm.Script(`(${additions})(${url}); (${kernel})(${parts})`, { filename: 'pulse:kernel' });
  }

  acquire() {
    return this.#idle.pop() ?? this.#make();
  }

  // Takes a realm back after its message; it lives on only if it is provably clean.
  release(realm) {
    const verdict = this.#finish(realm);
    realm.uses += 1;
    if (verdict === '' && realm.uses < MAX_USES && this.#idle.length < MAX_IDLE) this.#idle.push(realm);
    // A new one is watched like all others, however often this happens: the same script ends the same.
    else if (verdict !== '' && verdict !== 'fresh') this.dirty += 1;
  }

  #finish(realm) {
    try {
      return realm.call('finish');
    } catch {
      return 'broken';
    }
  }

  #make() {
    this.made += 1;
    const context = vm.createContext(vm.constants.DONT_CONTEXTIFY);
    return new Realm(context, this.#source.runInContext(context));
  }
}

export class Realm {
  #context;
  #face;
  uses = 0;

  constructor(context, face) {
    this.#context = context;
    this.#face = face;
  }

  // Calls one of the kernel's functions. Only text goes in and only text comes out; what the realm throws is not looked at.
  call(name, ...args) {
    let answer;
    try {
      answer = this.#face[name](...args);
    } catch {
      throw new RealmFailure(name);
    }
    if (typeof answer !== 'string') throw new RealmFailure(name);
    return answer;
  }

  // Like `call`, for what runs a tenant's code or patterns and may rightly fail: the error comes back as text.
  adopt(key, script) {
    if (this.call('has', key) === '') this.#face.adopt(key, script.runInContext(this.#context));
  }
}

export class RealmFailure extends Error {
  constructor(name) {
    super(`The realm failed at ${name}`);
    this.name = 'RealmFailure';
  }
}
