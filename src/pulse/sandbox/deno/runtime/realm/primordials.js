// Runs inside a realm, first of all: private copies of what the kernel needs, taken before a script can change them.
// A script may replace JSON.parse or Array.prototype.push; what is captured here stays what it was.

export function primordials() {
  'use strict';
  const { apply, construct, ownKeys, getOwnPropertyDescriptor, defineProperty, deleteProperty } = Reflect;
  const bindCall = Function.prototype.bind.bind(Function.prototype.call);
  return {
    __proto__: null,
    apply,
    construct,
    ownKeys,
    getOwnPropertyDescriptor,
    defineProperty,
    deleteProperty,
    create: Object.create,
    freeze: Object.freeze,
    isArray: Array.isArray,
    parse: JSON.parse,
    stringify: JSON.stringify,
    hasOwn: Object.hasOwn,
    String,
    Number,
    RegExp,
    Error,
    TypeError,
    RangeError,
    Promise,
    realDate: Date,
    Function,
    bindCall,
    cbrt: Math.cbrt,
    sqrt: Math.sqrt,
    floor: Math.floor,
    isFinite: Number.isFinite,
    parseDate: Date.parse,
    slice: bindCall(String.prototype.slice),
    includes: bindCall(String.prototype.includes),
    startsWith: bindCall(String.prototype.startsWith),
    endsWith: bindCall(String.prototype.endsWith),
    indexOf: bindCall(String.prototype.indexOf),
    toWellFormed: bindCall(String.prototype.toWellFormed),
    trim: bindCall(String.prototype.trim),
    exec: bindCall(RegExp.prototype.exec),
    test: bindCall(RegExp.prototype.test),
    isPrototypeOf: bindCall(Object.prototype.isPrototypeOf),
    functionToString: bindCall(Function.prototype.toString),
  };
}
