"""A hostile script and how it must end."""
# ruff: noqa: E501 - scripts are read as JavaScript

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

TIMEOUT = ("TimeoutError",)
MEMORY = ("SandboxCrash", "RangeError", "LimitError")
SUCCESS = ("success",)
ANYTHING = object()


@dataclass(frozen=True)
class Case:
    """`ends` are the error types (or statuses) that are right; `result` is what the script must leave, if it matters."""

    name: str
    script: str
    ends: Sequence[str] = SUCCESS
    result: Any = ANYTHING
    message: bytes = b"{}"
    kind: Literal["time", "memory", "other"] = "other"


# In front of each script: what of the host can be reached from a value, as a list of names. `outside()` looks from here.
CANARY = r"""
const outside = (() => {
  const HOST = ['Deno', 'process', 'require', 'module', 'global', 'window', 'self', 'fetch', 'Buffer', 'Worker', 'setTimeout',
    'setInterval', 'setImmediate', 'queueMicrotask', 'WebAssembly', 'SharedArrayBuffer', 'Atomics', 'WeakRef', 'performance',
    'FinalizationRegistry', 'navigator', 'localStorage', 'WebSocket', 'crypto', 'caches', 'gc', '__bootstrap', 'Blob', 'alert'];
  const { getPrototypeOf, ownKeys, getOwnPropertyDescriptor } = Reflect;
  const here = globalThis, ours = Object.prototype, isFunction = Function.prototype;
  const { apply } = Reflect, hasOwn = Object.hasOwn, filter = Array.prototype.filter, make = Function;
  const isObject = (value) => (typeof value === 'object' && value !== null) || typeof value === 'function';
  const root = (object) => { let at = object; for (let up; (up = getPrototypeOf(at)) !== null; ) at = up; return at; };

  function fromFunction(constructor) {
    if (typeof constructor !== 'function' || !hasOwn(constructor, 'prototype') || typeof constructor.prototype !== 'function') return [];
    const seen = constructor("return typeof globalThis === 'object' ? globalThis : this")();
    if (!isObject(seen)) return [];
    return apply(filter, HOST, [(name) => name in seen]).concat(seen === here || typeof seen.then === 'function' ? [] : ['another global']);
  }

  return (value = here) => {
    if (!isObject(value)) return [];
    const found = [];
    if (root(value) !== ours && hasOwn(root(value), 'hasOwnProperty')) found.push('an object of another realm');
    for (let at = value; at !== null; at = getPrototypeOf(at)) {
      const slot = getOwnPropertyDescriptor(at, 'constructor');
      if (slot === undefined || typeof slot.value !== 'function') continue;
      found.push(...fromFunction(slot.value), ...fromFunction(slot.value.constructor));
    }
    return [...new Set(found.concat(apply(filter, HOST, [(name) => name in here])))];
  };
})();
"""
