// Newline-delimited JSON over stdin and stdout: a header, and after a tab a payload that is passed on as text.
// Reading blocks: a sandbox with nothing to do has nothing else to wait for. Writing is synchronous too, so that what
// was said before a message could kill the process has been said.

const CHUNK = 1 << 16;
const NEWLINE = 10;

export class Frames {
  #limit;
  #buffer = new Uint8Array(CHUNK * 2);
  #start = 0;
  #end = 0;
  #searched = 0;
  #decoder = new TextDecoder('utf-8', { fatal: true });
  #encoder = new TextEncoder();

  constructor(limit) {
    this.#limit = limit;
  }

  // The next frame as {header, payload}, or null at the end of the input.
  next() {
    for (;;) {
      const at = this.#buffer.subarray(0, this.#end).indexOf(NEWLINE, this.#searched);
      if (at >= 0) return this.#take(at);
      this.#searched = this.#end;
      if (!this.#fill()) return null;
    }
  }

  send(header, payload) {
    const text = payload === undefined ? `${JSON.stringify(header)}\n` : `${JSON.stringify(header)}\t${payload}\n`;
    let bytes = this.#encoder.encode(text);
    while (bytes.length > 0) bytes = bytes.subarray(Deno.stdout.writeSync(bytes));
  }

  #take(at) {
    const line = this.#decoder.decode(this.#buffer.subarray(this.#start, at));
    this.#start = this.#searched = at + 1;
    const tab = line.indexOf('\t');
    if (tab < 0) return { header: JSON.parse(line), payload: undefined };
    return { header: JSON.parse(line.slice(0, tab)), payload: line.slice(tab + 1) };
  }

  #fill() {
    this.#makeRoom();
    const count = Deno.stdin.readSync(this.#buffer.subarray(this.#end));
    if (count === null) return false;
    this.#end += count;
    if (this.#end - this.#start > this.#limit) throw new Error('A frame is larger than the limit.');
    return true;
  }

  #makeRoom() {
    if (this.#start > 0) {
      this.#buffer.copyWithin(0, this.#start, this.#end);
      this.#end -= this.#start;
      this.#searched -= this.#start;
      this.#start = 0;
    }
    if (this.#buffer.length - this.#end >= CHUNK) return;
    const larger = new Uint8Array(this.#buffer.length * 2);
    larger.set(this.#buffer.subarray(0, this.#end));
    this.#buffer = larger;
  }
}
