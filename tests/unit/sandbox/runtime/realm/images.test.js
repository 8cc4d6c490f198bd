// Which texts of a message are pictures (platform.md 12).

import assert from 'node:assert/strict';
import { images } from '../../../../../src/pulse/sandbox/deno/runtime/realm/images.js';
import { primordials } from '../../../../../src/pulse/sandbox/deno/runtime/realm/primordials.js';

const { of } = images(primordials());
const PNG = 'iVBORw0KGgoAAAANSUhEUg==';
const DATA = `data:image/png;base64,${PNG}`;
const ADDRESS = 'https://example.com/a.png';

const cases = {
  'a data address anywhere': [{ note: DATA, deep: [{ x: DATA }] }, [DATA, DATA]],
  'of any kind, in any case': [{ a: 'DATA:image/svg+xml;base64,AA', b: 'data:image/vnd.x-icon;base64,AA' }, ['DATA:image/svg+xml;base64,AA', 'data:image/vnd.x-icon;base64,AA']],
  'no other data address': [{ image: 'data:text/html;base64,AA', images: ['data:image/png,raw'] }, []],
  'an address under a telling name only': [{ image: ADDRESS, link: ADDRESS }, [ADDRESS]],
  'each telling name': [Object.fromEntries(['image', 'imageUrl', 'image_url', 'images', 'imageUrls', 'photo', 'picture'].map((name) => [name, `${ADDRESS}?${name}`])), ['image', 'imageUrl', 'image_url', 'images', 'imageUrls', 'photo', 'picture'].map((name) => `${ADDRESS}?${name}`)],
  'no name that is merely like one': [{ Image: ADDRESS, image_urls: ADDRESS, photos: ADDRESS, imageUrlOld: ADDRESS }, []],
  'a list under a telling name': [{ images: [ADDRESS, 'http://example.com/b', [PNG]] }, [ADDRESS, 'http://example.com/b', PNG]],
  'but not what else is in it': [{ images: [{ link: ADDRESS, url: ADDRESS }, { image: ADDRESS }] }, [ADDRESS]],
  'base64 of each kind, under a telling name': [{ photo: PNG, picture: '/9j/4AAQ', images: ['R0lGODlh', 'UklGRgAA'], note: PNG }, [PNG, '/9j/4AAQ', 'R0lGODlh', 'UklGRgAA']],
  'no other text': [{ image: 'a picture', photo: 'ftp://example.com/a', images: ['', 5, null, true] }, []],
  'no number, no null, no whole text': [5, []],
  'the message itself as a list': [[DATA, ADDRESS], [DATA]],
};

for (const [name, [message, found]] of Object.entries(cases)) Deno.test(`pictures: ${name}`, () => assert.deepEqual([...of(message)], found));

Deno.test('at most ten', () => {
  assert.equal(of({ images: Array.from({ length: 30 }, (_, n) => `${ADDRESS}?${n}`) }).length, 10);
});

Deno.test('none that is too long to be one of 5 MB', () => {
  assert.deepEqual([...of({ image: `data:image/png;base64,${'A'.repeat(7_000_000)}` })], []);
});

Deno.test('a message that is nested deeply is looked at so far', () => {
  let message = { image: ADDRESS };
  for (let depth = 0; depth < 100; depth++) message = { in: message };
  assert.deepEqual([...of(message)], []);
});
