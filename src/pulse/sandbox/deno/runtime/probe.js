// What a process that has escaped V8 could still do here. Run by `walls.self_test` with all of Deno's permissions, so that
// only the operating system can say no; libc is called directly, as machine code of an exploit would. Every attempt is one
// line on stdout: {"probe", "errno"}, where 0 means that it succeeded. Attempts that replace this process come last.

const target = JSON.parse(Deno.args[0]);
const isArm = Deno.build.arch === 'aarch64';
const libc = Deno.dlopen('libc.so.6', {
  __errno_location: { parameters: [], result: 'pointer' },
  syscall: { parameters: Array(7).fill('i64'), result: 'i64' },
  open: { parameters: ['buffer', 'i32', 'u32'], result: 'i32' },
  chmod: { parameters: ['buffer', 'u32'], result: 'i32' },
  socket: { parameters: ['i32', 'i32', 'i32'], result: 'i32' },
  connect: { parameters: ['i32', 'buffer', 'u32'], result: 'i32' },
  bind: { parameters: ['i32', 'buffer', 'u32'], result: 'i32' },
  kill: { parameters: ['i32', 'i32'], result: 'i32' },
  fcntl: { parameters: ['i32', 'i32', 'i64'], result: 'i32' },
  prctl: { parameters: ['i32', 'u64', 'u64', 'u64', 'u64'], result: 'i32' },
  unshare: { parameters: ['i32'], result: 'i32' },
  ptrace: { parameters: ['i64', 'i32', 'u64', 'u64'], result: 'i64' },
  process_vm_readv: { parameters: ['i32', 'buffer', 'u64', 'buffer', 'u64', 'u64'], result: 'i64' },
  memfd_create: { parameters: ['buffer', 'u32'], result: 'i32' },
  write: { parameters: ['i32', 'buffer', 'u64'], result: 'i64' },
  execve: { parameters: ['buffer', 'buffer', 'buffer'], result: 'i32' },
}).symbols;

const encoder = new TextEncoder();
const text = (string) => encoder.encode(`${string}\0`);
const address = (bytes) => BigInt(Deno.UnsafePointer.value(Deno.UnsafePointer.of(bytes)));
const errno = () => new Deno.UnsafePointerView(libc.__errno_location()).getInt32();
const words = (...values) => BigUint64Array.from(values, BigInt);

class Refusal extends Error {
  constructor(errno) {
    super(`errno ${errno}`);
    this.errno = errno;
  }
}

const call = (name, ...args) => {
  const result = Number(libc[name](...args));
  if (result < 0) throw new Refusal(errno());
  return result;
};
const systemCall = (number, ...args) =>
  call('syscall', ...[number, ...args, 0, 0, 0, 0, 0, 0].slice(0, 7).map(BigInt));
const report = (probe, errno) => Deno.stdout.writeSync(encoder.encode(`${JSON.stringify({ probe, errno })}\n`));

// What Deno reports, where it and not libc was asked.
const denoErrno = (error) => ({ EPERM: 1, EACCES: 13, ENOSYS: 38 })[error.code] ?? -1;

// Memory that `argv` points into must not move or be collected while the kernel reads it.
const kept = [];
const argv = (...strings) => {
  const bytes = strings.map(text);
  kept.push(bytes);
  return words(...bytes.map(address), 0);
};

const RDONLY = 0;
const CREATE = 0o101;
const TCP = [2, 1, 0];
const UDP = [2, 2, 0];
const UNIX = [1, 1, 0];
const loopback = (port) => Uint8Array.of(2, 0, port >> 8, port & 255, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0);

// A socket to try the next call on; where none is to be had, stdin shows whether the call itself is refused.
const someSocket = () => {
  const socket = libc.socket(...TCP);
  return socket < 0 ? 0 : socket;
};

const readNeighbour = () => {
  const bytes = new Uint8Array(target.secret.length);
  call('process_vm_readv', target.neighbour, words(address(bytes), bytes.length), 1n, words(target.address, bytes.length), 1n, 0n);
  if (new TextDecoder().decode(bytes) !== target.secret) throw new Refusal(-1);
};

const shell = (probe) => argv('/bin/sh', '-c', `echo '${JSON.stringify({ probe, errno: 0 })}'`);

// Deno opens /dev/null and pipes otherwise, and would fail at that.
const plainly = { stdin: 'inherit', stdout: 'inherit', stderr: 'inherit' };

const executeMemory = () => {
  const file = call('memfd_create', text('script'), 0);
  const script = encoder.encode(`#!/bin/sh\necho '${JSON.stringify({ probe: 'memfd_execveat', errno: 0 })}'\n`);
  call('write', file, script, BigInt(script.length));
  const [path, args, environment] = [text(''), argv('script'), words(0)];
  systemCall(isArm ? 281 : 322, file, address(path), address(args), address(environment), 0x1000);
};

const probes = {
  read_data: () => call('open', text(target.file), RDONLY, 0),
  read_passwd: () => call('open', text('/etc/passwd'), RDONLY, 0),
  write_file: () => call('open', text(`${target.folder}/written`), CREATE, 0o600),
  change_mode: () => call('chmod', text(target.file), 0o600),
  tcp_socket: () => call('socket', ...TCP),
  udp_socket: () => call('socket', ...UDP),
  unix_socket: () => call('socket', ...UNIX),
  connect: () => call('connect', someSocket(), loopback(target.port), 16),
  bind: () => call('bind', someSocket(), loopback(0), 16),
  spawn: () => new Deno.Command('/bin/sh', { args: ['-c', 'exit 0'], ...plainly }).outputSync(),
  signal_parent: () => call('kill', Deno.ppid, 0),
  sigio_parent: () => call('fcntl', 0, 8, BigInt(Deno.ppid)),
  parent_memory: () => call('open', text(`/proc/${Deno.ppid}/mem`), RDONLY, 0),
  parent_environment: () => call('open', text(`/proc/${Deno.ppid}/environ`), RDONLY, 0),
  outlive_parent: () => call('prctl', 1, 0n, 0n, 0n, 0n),
  io_uring: () => systemCall(425, 1, address(new Uint8Array(120))),
  bpf: () => systemCall(isArm ? 280 : 321, 0, address(Uint32Array.of(2, 4, 4, 1, 0, 0, 0, 0, 0, 0, 0, 0)), 48),
  user_namespace: () => call('unshare', 0x10000000),
  read_neighbour: readNeighbour,
  trace_neighbour: () => call('ptrace', 0x4206n, target.neighbour, 0n, 0n),
  end_neighbour: () => call('kill', target.neighbour, 15),
  execve: () => call('execve', text('/bin/sh'), shell('execve'), words(0)),
  memfd_execveat: executeMemory,
};

for (const name of target.probes) {
  try {
    probes[name]();
    report(name, 0);
  } catch (error) {
    report(name, error instanceof Refusal ? error.errno : denoErrno(error));
  }
}
