// Makes realms and keeps the clean ones. A realm serves one message at a time.
// `fresh` throws each realm away; `verified` keeps it after the realm has proved that nothing is left in it (tamper.js).

import vm from 'node:vm';
import { additions } from './additions.js';
import { conditions } from './conditions.js';
import { kernel } from './kernel.js';
import { primordials } from './primordials.js';
import { tamper } from './tamper.js';
import { url } from './url.js';

const MAX_IDLE = 64;
const MAX_USES = 5_000;

export class Realms {
  #settings;
  #source;
  #idle = [];
  made = 0;
  dirty = 0;

  constructor(settings) {
    this.#settings = settings;
    this.#source = new vm.Script(
      `(${additions})(${url}); (${kernel})((${primordials})(), ${conditions}, ${tamper}, ${JSON.stringify(settings)})`,
      { filename: 'pulse:kernel' },
    );
  }

  acquire() {
    return this.#idle.pop() ?? this.#make();
  }

  // Takes a realm back after its message; it lives on only if it is provably clean.
  release(realm) {
    const verdict = this.#finish(realm);
    realm.uses += 1;
    if (verdict === '' && realm.uses < MAX_USES && this.#idle.length < MAX_IDLE) this.#idle.push(realm);
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
