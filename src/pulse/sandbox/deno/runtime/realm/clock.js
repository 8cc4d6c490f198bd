// Runs inside a realm, before any script: every way to ask for the time gives the time that the kernel says. It stands
// still between effects, so that a second evaluation of a message sees what the first one saw.

export function stillClock(p, now) {
  'use strict';
  const hide = (target, name, value) =>
    p.defineProperty(target, name, { __proto__: null, value, writable: true, enumerable: false, configurable: true });

  function installDate() {
    const Real = p.realDate;
    function Date() {
      if (new.target === undefined) return new Real(now()).toString();
      const args = arguments.length === 0 ? [now()] : arguments;
      return p.construct(Real, args, new.target === Date ? Real : new.target);
    }
    hide(Date, 'now', { now: () => now() }.now);
    hide(Date, 'parse', Real.parse);
    hide(Date, 'UTC', Real.UTC);
    p.defineProperty(Date, 'length', { __proto__: null, value: 7, configurable: true });
    p.defineProperty(Date, 'prototype', { __proto__: null, value: Real.prototype, writable: false });
    hide(Real.prototype, 'constructor', Date);
    hide(globalThis, 'Date', Date);
  }

  // V8 makes Temporal when it is first touched, which would cost every realm more than all the rest of it.
  function removeTemporal() {
    p.deleteProperty(globalThis, 'Temporal');
    p.deleteProperty(p.realDate.prototype, 'toTemporalInstant');
  }

  // Without a date these format the present moment.
  function installFormat() {
    const { prototype } = Intl.DateTimeFormat;
    const format = p.getOwnPropertyDescriptor(prototype, 'format').get;
    const { formatToParts } = prototype;
    const still = {
      get format() {
        const real = p.apply(format, this, []);
        return (date) => real(date === undefined ? now() : date);
      },
      formatToParts(date) {
        return p.apply(formatToParts, this, [date === undefined ? now() : date]);
      },
    };
    const { get } = p.getOwnPropertyDescriptor(still, 'format');
    p.defineProperty(prototype, 'format', { __proto__: null, get, set: undefined, enumerable: false, configurable: true });
    hide(prototype, 'formatToParts', still.formatToParts);
  }

  installDate();
  removeTemporal();
  installFormat();
}
