// Runs inside a realm: the pictures of a message (platform.md 12): a `data:image/…;base64,` text anywhere, and under a
// name that speaks of pictures also an address, or base64 that begins as a PNG, JPEG, GIF or WebP does.

export function images(p) {
  'use strict';
  const NAMES = /^(?:image|imageUrl|image_url|images|imageUrls|photo|picture)$/;
  const DATA = /^data:image\/[a-z.+-]+;base64,/i;
  const ADDRESS = /^https?:\/\//i;
  const BEGINNINGS = /^(?:iVBORw0KGgo|\/9j\/|R0lGOD|UklGR)/;
  const MOST = 10;
  const LONGEST = 7_000_000;

  function of(message) {
    const found = [];
    look(message, false, found, 0);
    return found;
  }

  function look(value, named, found, depth) {
    if (found.length >= MOST || depth > 64) return;
    if (typeof value === 'string') {
      if (isPicture(value, named)) p.defineProperty(found, found.length, { __proto__: null, value, enumerable: true, writable: true, configurable: true });
      return;
    }
    if (typeof value !== 'object' || value === null) return;
    const list = p.isArray(value);
    const names = p.ownKeys(value);
    for (let i = 0; i < names.length; i++) {
      if (list && names[i] === 'length') continue;
      look(value[names[i]], list ? named : p.test(NAMES, names[i]), found, depth + 1);
    }
  }

  function isPicture(text, named) {
    if (text.length > LONGEST) return false;
    return p.test(DATA, text) || (named && (p.test(ADDRESS, text) || p.test(BEGINNINGS, text)));
  }

  return { __proto__: null, of };
}
