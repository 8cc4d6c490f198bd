// Runs inside a realm: `renderTemplate`, by nunjucks. The engine is made when a message first needs it, and again for the
// next one: templates can reach the functions it offers, and could leave something there.

export function templates(p, source) {
  'use strict';
  const HIDDEN = ['self', 'window', 'setTimeout', 'setImmediate', 'MutationObserver'];
  let engine;

  function load() {
    const module = { exports: {} };
    const made = p.construct(p.Function, ['module', 'exports', HIDDEN[0], HIDDEN[1], HIDDEN[2], HIDDEN[3], HIDDEN[4], source]);
    p.apply(made, undefined, [module, module.exports, {}, {}]);
    return module.exports;
  }

  function render(template, data, options) {
    engine ??= load();
    const autoescape = options?.autoescape !== false;
    return new engine.Environment([], { autoescape, throwOnUndefined: false }).renderString(p.String(template), data);
  }

  function reset() {
    engine = undefined;
  }

  return { __proto__: null, render, reset };
}
