// Runs inside a realm: SHA-256 (FIPS 180-4), HMAC (RFC 2104) and base64 over UTF-8 text, and UUIDs (RFC 9562, version 4).

export function digests(p, random) {
  'use strict';
  const HEX = '0123456789abcdef';
  const encoder = new TextEncoder();
  const encode = p.bindCall(encoder.encode);
  const bytesOf = (text) => encode(encoder, p.toWellFormed(p.String(text)));
  const { Uint8Array, Uint32Array } = globalThis;
  const toBase64 = p.bindCall(Uint8Array.prototype.toBase64);
  const fromBase64 = Uint8Array.fromBase64;
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  const decode = p.bindCall(decoder.decode);
  const set = p.bindCall(Uint8Array.prototype.set);
  // Made when they are first needed: most messages need none.
  let roots;

  // The first 32 bits of the fractional parts of the cube roots of the first 64 primes.
  function constants() {
    const found = new Uint32Array(64);
    let count = 0;
    for (let n = 2; count < 64; n++) {
      let prime = true;
      for (let d = 2; d * d <= n; d++) if (n % d === 0) prime = false;
      if (prime) found[count++] = fraction(p.cbrt(n));
    }
    return found;
  }

  function fraction(root) {
    return ((root - p.floor(root)) * 4294967296) >>> 0;
  }

  function rotate(word, by) {
    return (word >>> by) | (word << (32 - by));
  }

  function sha256(bytes) {
    roots ??= constants();
    const { length } = bytes;
    const padded = new Uint8Array(((length + 72) >> 6) << 6);
    set(padded, bytes);
    padded[length] = 0x80;
    for (let i = 0; i < 8; i++) padded[padded.length - 1 - i] = p.floor((length * 8) / 2 ** (8 * i)) & 255;
    const state = new Uint32Array(8);
    const primes = [2, 3, 5, 7, 11, 13, 17, 19];
    for (let i = 0; i < 8; i++) state[i] = fraction(p.sqrt(primes[i]));
    const words = new Uint32Array(64);
    for (let at = 0; at < padded.length; at += 64) block(state, words, padded, at);
    const out = new Uint8Array(32);
    for (let i = 0; i < 32; i++) out[i] = state[i >> 2] >>> (24 - 8 * (i & 3));
    return out;
  }

  function block(state, w, bytes, at) {
    for (let i = 0; i < 16; i++) w[i] = (bytes[at + 4 * i] << 24) | (bytes[at + 4 * i + 1] << 16) | (bytes[at + 4 * i + 2] << 8) | bytes[at + 4 * i + 3];
    for (let i = 16; i < 64; i++) {
      const s0 = rotate(w[i - 15], 7) ^ rotate(w[i - 15], 18) ^ (w[i - 15] >>> 3);
      const s1 = rotate(w[i - 2], 17) ^ rotate(w[i - 2], 19) ^ (w[i - 2] >>> 10);
      w[i] = w[i - 16] + s0 + w[i - 7] + s1;
    }
    let a = state[0], b = state[1], c = state[2], d = state[3], e = state[4], f = state[5], g = state[6], h = state[7];
    for (let i = 0; i < 64; i++) {
      const one = (h + (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) + ((e & f) ^ (~e & g)) + roots[i] + w[i]) | 0;
      const two = ((rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) + ((a & b) ^ (a & c) ^ (b & c))) | 0;
      h = g; g = f; f = e; e = (d + one) | 0; d = c; c = b; b = a; a = (one + two) | 0;
    }
    state[0] += a; state[1] += b; state[2] += c; state[3] += d; state[4] += e; state[5] += f; state[6] += g; state[7] += h;
  }

  function hmac(key, bytes) {
    const short = new Uint8Array(64);
    set(short, key.length > 64 ? sha256(key) : key);
    const inner = new Uint8Array(64 + bytes.length), outer = new Uint8Array(96);
    for (let i = 0; i < 64; i++) ((inner[i] = short[i] ^ 0x36), (outer[i] = short[i] ^ 0x5c));
    set(inner, bytes, 64);
    set(outer, sha256(inner), 64);
    return sha256(outer);
  }

  function hex(bytes) {
    let out = '';
    for (let i = 0; i < bytes.length; i++) out += HEX[bytes[i] >> 4] + HEX[bytes[i] & 15];
    return out;
  }

  function uuid() {
    let out = '';
    for (let i = 0; i < 32; i++) {
      const digit = p.floor(random() * 16);
      out += (i === 8 || i === 12 || i === 16 || i === 20 ? '-' : '') + HEX[i === 12 ? 4 : i === 16 ? (digit & 3) | 8 : digit];
    }
    return out;
  }

  return {
    __proto__: null,
    uuid,
    sha256: (text) => hex(sha256(bytesOf(text))),
    hmacSha256: (key, text) => hex(hmac(bytesOf(key), bytesOf(text))),
    base64Encode: (text) => toBase64(bytesOf(text)),
    base64Decode: (text) => decode(decoder, fromBase64(p.String(text))),
  };
}
