/**
 * URL for a realm, by the WHATWG URL Standard (https://url.spec.whatwg.org). `additions` calls this function inside the
 * realm, with what it captured and built, by position; its rules hold here too. `link(params, text, changed)` makes
 * `params` those of a query and has them call `changed` with the text that they become.
 *
 * A state of the standard's parser is a function here, which reads a whole component and calls the state that follows;
 * it answers whether the input was accepted. `p` is a parse: `text`, `at` (where it reads), `url` (the record it fills),
 * `base` (a record or null), `override` (the state that a setter begins in, or null).
 */
export function url(
  TypeError, URLSearchParams, apply, assign, charAt, codePointAt, decode, encode, exec, find, fromCodePoint, indexOf, join, lastIndexOf, link,
  list, need, normalize, numberText, numeral, skip, slice, split, toLowerCase, toUpperCase, usv,
) {
  'use strict';

  const PORTS = { __proto__: null, http: 80, https: 443, ws: 80, wss: 443, ftp: 21, file: null };
  const USERINFO = ' "#<>?^`{}/:;=@[\\]|';
  const FORBIDDEN = '\0\t\n\r #/:<>?@[\\]^|';
  const ADOPT = {};
  const isDigit = (c) => c >= '0' && c <= '9';
  const isAlpha = (c) => (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  const isAscii = (text) => skip(text, 0, (c) => c <= '\x7f') === text.length;

  // IP addresses

  /** A number in any of the three notations of an IPv4 part; -1 when it is none. */
  function ipv4Number(part) {
    const zero = part.length > 1 && part[0] === '0';
    const hexadecimal = zero && toLowerCase(part[1]) === 'x';
    const digits = slice(part, hexadecimal ? 2 : zero ? 1 : 0);
    return part !== '' && digits === '' ? 0 : numeral(digits, hexadecimal ? 16 : zero ? 8 : 10);
  }
  function ipv4(parts) {
    let address = parts.length > 4 ? -1 : 0;
    for (let i = 0; i < parts.length && address >= 0; i++) {
      const number = ipv4Number(parts[i]);
      const place = 256 ** (i === parts.length - 1 ? 0 : 3 - i);
      address = number < 0 || number >= (place === 1 ? 256 ** (4 - i) : 256) ? -1 : address + number * place;
    }
    return address < 0 ? null : `${address >>> 24}.${(address >>> 16) & 255}.${(address >>> 8) & 255}.${address & 255}`;
  }

  /** Appends the two pieces that a dotted address at the end makes. */
  function addDotted(pieces, text) {
    const parts = split(text, '.');
    if (parts.length !== 4) return false;
    for (let i = 0; i < 4; i++) if (`${numeral(parts[i], 10) & 255}` !== parts[i]) return false;
    for (let i = 0; i < 4; i += 2) pieces[pieces.length] = parts[i] * 256 + +parts[i + 1];
    return true;
  }

  /** The pieces of one side of `::`; null when one is wrong. */
  function ipv6Pieces(text, last) {
    const pieces = list();
    const parts = text === '' ? list() : split(text, ':');
    for (let i = 0; i < parts.length; i++) {
      const number = parts[i].length > 4 ? -1 : numeral(parts[i], 16);
      if (number >= 0) pieces[pieces.length] = number;
      else if (!last || i < parts.length - 1 || !addDotted(pieces, parts[i])) return null;
    }
    return pieces;
  }
  function ipv6(text) {
    const gap = indexOf(text, '::');
    const pieces = ipv6Pieces(gap < 0 ? text : slice(text, 0, gap), gap < 0);
    const rest = ipv6Pieces(gap < 0 ? '' : slice(text, gap + 2), true);
    if (pieces === null || rest === null) return null;
    const zeros = 8 - pieces.length - rest.length;
    if (gap < 0 ? zeros !== 0 : zeros < 1) return null;
    for (let i = 0; i < zeros; i++) pieces[pieces.length] = 0;
    for (let i = 0; i < rest.length; i++) pieces[pieces.length] = rest[i];
    return ipv6Text(pieces);
  }
  function ipv6Text(pieces) {
    let start = -1, size = 1;
    for (let i = 0, run = 0; i < 8; i++) {
      run = pieces[i] === 0 ? run + 1 : 0;
      if (run > size) start = i - (size = run) + 1;
    }
    let text = '';
    for (let i = 0; i < 8; i += i === start ? size : 1) {
      text += i === start ? '::' : (i === 0 || i === start + size ? '' : ':') + apply(numberText, pieces[i], [16]);
    }
    return `[${text}]`;
  }

  // Domains
  function folded(point) {
    if (indexOf('ßςı', point) >= 0) return point;
    const upper = apply(toUpperCase, point, []);
    return apply(exec, /\p{Script=Cherokee}/u, [upper]) === null ? toLowerCase(upper) : upper;
  }

  /** By code point: the case of a whole string knows a final sigma, which UTS 46 does not. */
  function mapped(domain) {
    const ignored = /[\xad\u034f\u180b-\u180d\u180f\u200b\u2060\u2064\ufe00-\ufe0f\ufeff\u{1bca0}-\u{1bca3}\u{e0100}-\u{e01ef}]/u;
    let compatible = '';
    for (let i = 0, points = codePoints(domain); i < points.length; i++) {
      const point = fromCodePoint(points[i]);
      const whole = apply(normalize, point, ['NFKC']);
      if (indexOf('.\u3002\uff0e\uff61', point) >= 0) compatible += '.';
      else if (apply(exec, ignored, [point]) === null) compatible += indexOf(whole, '.') < 0 ? whole : '\ufffd';
    }
    let text = '';
    for (let i = 0, points = codePoints(compatible); i < points.length; i++) text += folded(fromCodePoint(points[i]));
    return apply(normalize, text, ['NFKC']);
  }

  /** UTS 46, approximately: the mapping is NFKC and a folding of case; categories say what has no place in a label. */
  function toAscii(domain) {
    if (isAscii(domain)) return toLowerCase(domain);
    const wrong = /^(?:\p{M}|xn--)|[[\p{C}\p{Z}\u2ff0-\u2fff\u31ef\ufffc\ufffd]--[\u200c\u200d]]|(?<![\p{M}\p{Script=Arabic}])[\u200c\u200d]/v;
    const labels = split(mapped(domain), '.');
    for (let i = 0; i < labels.length; i++) {
      if (isAscii(labels[i])) continue;
      if (labels[i].length > 1000 || apply(exec, wrong, [labels[i]]) !== null) return '';
      labels[i] = `xn--${punycode(labels[i])}`;
    }
    return join(labels, '.');
  }
  function punycodeNumber(delta, bias) {
    const digit = (value) => fromCodePoint(value < 26 ? 97 + value : 22 + value);
    let text = '', rest = delta;
    for (let k = 36; ; k += 36) {
      const threshold = k <= bias ? 1 : k >= bias + 26 ? 26 : k - bias;
      if (rest < threshold) return text + digit(rest);
      text += digit(threshold + ((rest - threshold) % (36 - threshold)));
      rest = ((rest - threshold) / (36 - threshold)) | 0;
    }
  }
  function adapted(delta, count, first) {
    let rest = first ? (delta / 700) | 0 : delta >> 1, k = 0;
    for (rest += (rest / count) | 0; rest > 455; k += 36) rest = (rest / 35) | 0;
    return k + (((36 * rest) / (rest + 38)) | 0);
  }
  function codePoints(text) {
    const points = list();
    for (let i = 0; i < text.length; i += points[points.length - 1] > 0xffff ? 2 : 1) points[points.length] = codePointAt(text, i);
    return points;
  }

  /** RFC 3492. */
  function punycode(label) {
    const points = codePoints(label);
    let text = '';
    for (let i = 0; i < points.length; i++) if (points[i] < 128) text += fromCodePoint(points[i]);
    const basic = text.length;
    if (basic > 0) text += '-';
    let bias = 72, delta = 0;
    for (let done = basic, from = 128; done < points.length; delta++) {
      const point = least(points, from);
      delta += (point - from) * (done + 1);
      from = point + 1;
      for (let i = 0; i < points.length; i++) {
        if (points[i] < point) delta++;
        if (points[i] !== point) continue;
        text += punycodeNumber(delta, bias);
        bias = adapted(delta, done + 1, done === basic);
        done++;
        delta = 0;
      }
    }
    return text;
  }
  function least(points, from) {
    let point = 0x110000;
    for (let i = 0; i < points.length; i++) if (points[i] >= from && points[i] < point) point = points[i];
    return point;
  }

  /** A serialized host; null when the text is none. */
  function hostOf(text, opaque) {
    if (charAt(text, 0) === '[') return charAt(text, text.length - 1) === ']' ? ipv6(slice(text, 1, -1)) : null;
    if (opaque) return find(text, 0, FORBIDDEN) < text.length ? null : encode(text, '');
    const domain = toAscii(decode(text));
    const end = skip(domain, 0, (c) => c > ' ' && c !== '%' && c !== '\x7f' && indexOf(FORBIDDEN, c) < 0);
    if (domain === '' || end < domain.length) return null;
    const parts = split(domain, '.');
    if (parts.length > 1 && parts[parts.length - 1] === '') parts.length--;
    const last = parts[parts.length - 1];
    return numeral(last, 10) >= 0 || ipv4Number(last) >= 0 ? ipv4(parts) : domain;
  }

  // Records
  const isSpecial = (url) => PORTS[url.scheme] !== undefined;
  const isOpaque = (url) => typeof url.path === 'string';
  const isDrive = (text) => text.length === 2 && isAlpha(text[0]) && (text[1] === ':' || text[1] === '|');
  const isNormalDrive = (text) => isDrive(text) && text[1] === ':';
  const startsWithDrive = (text, at) => isDrive(slice(text, at, at + 2)) && find(text, at + 2, '/\\?#') === at + 2;
  const hasCredentials = (url) => url.username !== '' || url.password !== '';
  const hasNoAuthority = (url) => url.host === null || url.host === '' || url.scheme === 'file';
  const pathText = (url) => (isOpaque(url) ? url.path : url.path.length === 0 ? '' : `/${join(url.path, '/')}`);
  const hostText = (url) => (url.host === null ? '' : url.port === null ? url.host : `${url.host}:${url.port}`);
  const marked = (mark, text) => (text === null || text === '' ? '' : mark + text);
  function serialized(url) {
    const credentials = hasCredentials(url) ? `${url.username}${marked(':', url.password)}@` : '';
    const authority = url.host === null ? '' : `//${credentials}${hostText(url)}`;
    const guard = url.host === null && !isOpaque(url) && url.path.length > 1 && url.path[0] === '' ? '/.' : '';
    const query = url.query === null ? '' : `?${url.query}`;
    const fragment = url.fragment === null ? '' : `#${url.fragment}`;
    return `${url.scheme}:${authority}${guard}${pathText(url)}${query}${fragment}`;
  }
  function originOf(url) {
    const inner = url.scheme === 'blob' ? parsed(pathText(url), null) : url;
    const opaque = inner === null || !isSpecial(inner) || inner.scheme === 'file' || (inner !== url && slice(inner.scheme, 0, 4) !== 'http');
    return opaque ? 'null' : `${inner.scheme}://${hostText(inner)}`;
  }
  function shorten({ path, scheme }) {
    if (path.length > 0 && !(scheme === 'file' && path.length === 1 && isNormalDrive(path[0]))) path.length--;
  }
  function inherit(url, base, whole) {
    assign(url, base);
    url.path = list();
    url.query = whole ? base.query : null;
    url.fragment = null;
    for (let i = 0; whole && i < base.path.length; i++) url.path[i] = base.path[i];
  }

  // States
  const here = (p) => charAt(p.text, p.at);
  const isEnd = (c) => c === '' || c === '?' || c === '#';
  const isSlash = (url, c) => c === '/' || (c === '\\' && isSpecial(url));

  /** Goes on with `state` after `count` characters. */
  function after(p, count, state) {
    p.at += count;
    return state(p);
  }
  function schemeStart(p) {
    const { url, text, override } = p;
    const end = skip(text, 0, (c) => isAlpha(c) || isDigit(c) || indexOf('+-.', c) >= 0);
    if (!isAlpha(charAt(text, 0)) || charAt(text, end) !== ':') return override === null && noScheme(p);
    const scheme = toLowerCase(slice(text, 0, end));
    if (override !== null) return changeScheme(url, scheme);
    url.scheme = scheme;
    return after(p, end + 1, afterScheme);
  }
  function changeScheme(url, scheme) {
    const kept = (PORTS[scheme] === undefined) === isSpecial(url) || (url.scheme === 'file' && url.host === '');
    if (kept || (scheme === 'file' && (hasCredentials(url) || url.port !== null))) return true;
    url.scheme = scheme;
    if (url.port === PORTS[scheme]) url.port = null;
    return true;
  }
  function afterScheme(p) {
    const { url, base, text, at } = p;
    if (url.scheme === 'file') return file(p);
    const two = slice(text, at, at + 2);
    if (isSpecial(url)) return base !== null && base.scheme === url.scheme && two !== '//' ? relative(p) : ignoreSlashes(p);
    if (two === '//') return after(p, 2, authority);
    return here(p) === '/' ? after(p, 1, path) : opaquePath(p);
  }
  function noScheme(p) {
    const { url, base } = p;
    if (base === null || (isOpaque(base) && here(p) !== '#')) return false;
    if (!isOpaque(base)) return base.scheme === 'file' ? file(p) : relative(p);
    assign(url, base);
    return tail(p);
  }
  function relative(p) {
    const { url, base } = p;
    if (isSlash(base, here(p))) return after(p, 1, relativeSlash);
    inherit(url, base, true);
    if (isEnd(here(p))) return tail(p);
    url.query = null;
    shorten(url);
    return path(p);
  }
  function relativeSlash(p) {
    p.url.scheme = p.base.scheme;
    if (isSlash(p.url, here(p))) return isSpecial(p.url) ? ignoreSlashes(p) : after(p, 1, authority);
    inherit(p.url, p.base, false);
    return path(p);
  }
  function ignoreSlashes(p) {
    p.at = skip(p.text, p.at, (c) => c === '/' || c === '\\');
    return authority(p);
  }
  function authority(p) {
    const text = slice(p.text, p.at, find(p.text, p.at, isSpecial(p.url) ? '/\\?#' : '/?#'));
    const sign = apply(lastIndexOf, text, ['@']);
    if (sign < 0) return host(p);
    const colon = find(text, 0, ':');
    p.url.username = encode(slice(text, 0, colon < sign ? colon : sign), USERINFO);
    p.url.password = encode(slice(text, colon + 1, sign), USERINFO);
    return sign + 1 < text.length && after(p, sign + 1, host);
  }
  function hostEnd({ url, text, at }) {
    let inside = false;
    return skip(text, at, (c) => {
      inside = c === '[' || (inside && c !== ']');
      return !isEnd(c) && !isSlash(url, c) && (c !== ':' || inside);
    });
  }
  const hostname = (p) => host(p);
  function host(p) {
    const { url, text, at, override } = p;
    if (override !== null && url.scheme === 'file') return fileHost(p);
    const end = hostEnd(p);
    const colon = charAt(text, end) === ':';
    if (end === at && (colon || isSpecial(url))) return false;
    if (override !== null && (colon ? override === hostname : end === at && (hasCredentials(url) || url.port !== null))) return false;
    const result = hostOf(slice(text, at, end), !isSpecial(url));
    if (result === null) return false;
    url.host = result;
    p.at = end;
    return colon ? after(p, 1, port) : override !== null || pathStart(p);
  }
  function port(p) {
    const { url, text, at, override } = p;
    p.at = skip(text, at, isDigit);
    const number = +slice(text, at, p.at);
    if (number > 65535 || (override === null && !isEnd(here(p)) && !isSlash(url, here(p)))) return false;
    if (p.at > at) url.port = number === PORTS[url.scheme] ? null : number;
    return override === null && pathStart(p);
  }
  function file(p) {
    const { url, base, text, at } = p;
    url.scheme = 'file';
    url.host = '';
    if (isSlash(url, here(p))) return after(p, 1, fileSlash);
    if (base === null || base.scheme !== 'file') return path(p);
    inherit(url, base, true);
    if (isEnd(here(p))) return tail(p);
    url.query = null;
    if (startsWithDrive(text, at)) url.path = list();
    else shorten(url);
    return path(p);
  }
  function fileSlash(p) {
    const { url, base, text, at } = p;
    if (isSlash(url, here(p))) return after(p, 1, fileHost);
    if (base === null || base.scheme !== 'file') return path(p);
    url.host = base.host;
    if (base.path.length > 0 && isNormalDrive(base.path[0]) && !startsWithDrive(text, at)) url.path[0] = base.path[0];
    return path(p);
  }
  function fileHost(p) {
    const { url, text, at, override } = p;
    const end = find(text, at, '/\\?#');
    const name = slice(text, at, end);
    if (override === null && isDrive(name)) return path(p);
    const result = name === '' ? '' : hostOf(name, false);
    if (result === null) return false;
    url.host = result === 'localhost' ? '' : result;
    p.at = end;
    return override !== null || pathStart(p);
  }
  function pathStart(p) {
    const { url, override } = p;
    const c = here(p);
    if (isSlash(url, c)) return after(p, 1, path);
    if (isSpecial(url) || (override === null ? !isEnd(c) : c !== '')) return path(p);
    if (override !== null && url.host === null) url.path[0] = '';
    return tail(p);
  }
  function path(p) {
    const { url, text, override } = p;
    const stops = `${isSpecial(url) ? '/\\' : '/'}${override === null ? '?#' : ''}`;
    for (;;) {
      const end = find(text, p.at, stops);
      const more = isSlash(url, charAt(text, end));
      addSegment(url, encode(slice(text, p.at, end), ' "#<>?^`{}'), more);
      p.at = end;
      if (!more) return tail(p);
      p.at++;
    }
  }
  function pathname(p) {
    p.url.path = list();
    return pathStart(p);
  }

  /** No encoded segment has a space in it. */
  const isAmong = (segment, forms) => segment.length < 7 && indexOf(forms, ` ${toLowerCase(segment)} `) >= 0;
  function addSegment(url, segment, more) {
    const up = isAmong(segment, ' .. .%2e %2e. %2e%2e ');
    if (up) shorten(url);
    if (up || isAmong(segment, ' . %2e ')) return more || addSegment(url, '', true);
    const drive = url.scheme === 'file' && url.path.length === 0 && isDrive(segment);
    url.path[url.path.length] = drive ? `${segment[0]}:` : segment;
  }
  function opaquePath(p) {
    const end = find(p.text, p.at, '?#');
    const text = encode(slice(p.text, p.at, end), '');
    const spaced = end < p.text.length && charAt(text, text.length - 1) === ' ';
    p.url.path = spaced ? `${slice(text, 0, -1)}%20` : text;
    p.at = end;
    return tail(p);
  }

  /** What follows a path: nothing, a query, a fragment. */
  function tail(p) {
    const c = here(p);
    return c === '' || after(p, 1, c === '?' ? query : fragment);
  }
  function query(p) {
    const { url, text, at, override } = p;
    p.at = override === null ? find(text, at, '#') : text.length;
    url.query = encode(slice(text, at, p.at), isSpecial(url) ? ` "#<>'` : ' "#<>');
    return tail(p);
  }
  function fragment(p) {
    p.url.fragment = encode(slice(p.text, p.at), ' "<>`');
    return true;
  }
  const isBroken = (text) => indexOf(text, '\n') >= 0 || indexOf(text, '\t') >= 0 || indexOf(text, '\r') >= 0;
  const unbroken = (text) => (isBroken(text) ? join(split(text, '\t\n\r'), '') : text);
  function trimmed(text) {
    const from = skip(text, 0, (c) => c <= ' ');
    let to = text.length;
    while (to > from && text[to - 1] <= ' ') to--;
    return slice(text, from, to);
  }
  function parsed(text, base) {
    const url = { scheme: '', username: '', password: '', host: null, port: null, path: list(), query: null, fragment: null };
    return schemeStart({ text: unbroken(trimmed(text)), at: 0, url, base, override: null }) ? url : null;
  }
  function resolved(text, base) {
    const against = base === undefined ? null : parsed(usv(base), null);
    return base !== undefined && against === null ? null : parsed(text, against);
  }
  const amend = (url, state, text) => state({ text: unbroken(text), at: 0, url, base: null, override: state });
  const unprefixed = (text, mark) => (charAt(text, 0) === mark ? slice(text, 1) : text);
  function amendUnlessOpaque(url, state, text) {
    if (!isOpaque(url)) amend(url, state, text);
  }
  function setCredential(url, name, text) {
    if (!hasNoAuthority(url)) url[name] = encode(text, USERINFO);
  }
  function setPort(url, text) {
    if (!hasNoAuthority(url) && text === '') url.port = null;
    else if (!hasNoAuthority(url)) amend(url, port, text);
  }

  /** Of the query or the fragment; how their states are named too. */
  function setTail(url, name, state, text, mark) {
    url[name] = null;
    if (text !== '') amend(url, state, unprefixed(text, mark));
  }
  function accepted(text, record) {
    if (record === null) throw new TypeError(`Invalid URL: '${text}'`);
    return record;
  }
  class URL {
    #url;
    #params = null;
    constructor(url, base = undefined) {
      need(arguments.length, 1);
      const text = url === ADOPT ? '' : usv(url);
      this.#url = url === ADOPT ? base : accepted(text, resolved(text, base));
    }
    static parse(url, base = undefined) {
      need(arguments.length, 1);
      const record = resolved(usv(url), base);
      return record === null ? null : new URL(ADOPT, record);
    }
    static canParse(url, base = undefined) {
      need(arguments.length, 1);
      return resolved(usv(url), base) !== null;
    }
    get href() { return serialized(this.#url); }
    set href(value) {
      const text = usv(value);
      this.#url = accepted(text, parsed(text, null));
      this.#link(this.#params, this.#url.query ?? '');
    }
    get search() { return marked('?', this.#url.query); }
    set search(value) {
      const text = usv(value);
      setTail(this.#url, 'query', query, text, '?');
      this.#link(this.#params, unprefixed(text, '?'));
    }
    #link(params, text) {
      return params && link(params, text, (query) => { this.#url.query = query === '' ? null : query; });
    }
    get searchParams() { return (this.#params ??= this.#link(new URLSearchParams(), this.#url.query ?? '')); }
    get origin() { return originOf(this.#url); }
    get protocol() { return `${this.#url.scheme}:`; }
    set protocol(value) { amend(this.#url, schemeStart, `${usv(value)}:`); }
    get username() { return this.#url.username; }
    set username(value) { setCredential(this.#url, 'username', usv(value)); }
    get password() { return this.#url.password; }
    set password(value) { setCredential(this.#url, 'password', usv(value)); }
    get host() { return hostText(this.#url); }
    set host(value) { amendUnlessOpaque(this.#url, host, usv(value)); }
    get hostname() { return this.#url.host ?? ''; }
    set hostname(value) { amendUnlessOpaque(this.#url, hostname, usv(value)); }
    get port() { return `${this.#url.port ?? ''}`; }
    set port(value) { setPort(this.#url, usv(value)); }
    get pathname() { return pathText(this.#url); }
    set pathname(value) { amendUnlessOpaque(this.#url, pathname, usv(value)); }
    get hash() { return marked('#', this.#url.fragment); }
    set hash(value) { setTail(this.#url, 'fragment', fragment, usv(value), '#'); }
    toString() { return serialized(this.#url); }
    toJSON() { return serialized(this.#url); }
  }

  return URL;
}
