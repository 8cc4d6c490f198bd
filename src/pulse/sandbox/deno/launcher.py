"""Builds the operating system's walls around itself, then becomes Deno.

Run as `python -I -S launcher.py <json>`; `walls.launch_arguments` writes the JSON. Deno's own permissions live in the
process that an exploit of V8 would own, so the kernel is told, before the first byte of Deno runs, what this process
may do. What needs rights comes first, what takes them away last. A wall that cannot be built as asked ends the launch.

Always: death with the parent, no descriptor but 0, 1 and 2, `/` as directory, a session of its own (a terminal's ^C is
for Pulse), no core dump, few descriptors, NO_NEW_PRIVS, an environment of three words. With a wall: no capabilities,
but that root keeps the one to read any file where Landlock bounds it.

landlock   Reads the binary, its libraries and the runtime, executes the binary and its loader, writes nothing. By ABI:
           no TCP (4), no ioctl on devices (5), no signal and no abstract socket to outside (6). Never metadata.
seccomp    Refuses (EPERM) what Landlock leaves or an older kernel lacks: sockets, other processes, new processes (a
           `clone` that is not a thread), kernel surface, changing metadata, opening for writing. Calls newer than
           these lists do not exist (ENOSYS). `execve` stays, since this script needs it and classic BPF cannot say
           "once" (it sees the address of a path, not the path): Landlock bounds what it may start, `execveat` and
           memfd are refused, and whatever is started keeps all walls.

Start-up time counts: `typing`, `json`, `pathlib` and `re`, some milliseconds each, are not imported.
"""

import ctypes
import os
import stat
import struct
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

OPEN_FILES = 64
ENVIRONMENT = {"DENO_DIR": "/dev/null", "DENO_NO_UPDATE_CHECK": "1", "NO_COLOR": "1"}  # no cache, no calling home

X86_64, AARCH64 = 0xC000003E, 0xC00000B7  # AUDIT_ARCH_*
ARCHITECTURES = {"x86_64": X86_64, "aarch64": AARCH64}
ALLOW, REFUSE, ABSENT, KILL = 0x7FFF0000, 0x00050001, 0x00050026, 0x80000000  # SECCOMP_RET_*: EPERM, ENOSYS

# name, number on x86_64, number on aarch64 ("-": does not exist there)
REFUSED = (
    # sockets (socketpair stays)
    "socket 41 198 connect 42 203 accept 43 202 accept4 288 242 bind 49 200 listen 50 201 sendmsg 46 211 "
    "sendmmsg 307 269 setsockopt 54 208 "
    # other processes, new processes
    "fork 57 - vfork 58 - execveat 322 281 ptrace 101 117 process_vm_readv 310 270 process_vm_writev 311 271 "
    "kcmp 312 272 tkill 200 130 rt_sigqueueinfo 129 138 rt_tgsigqueueinfo 297 240 get_robust_list 274 100 "
    "move_pages 279 239 migrate_pages 256 238 setpriority 141 140 ioprio_set 251 30 sched_setaffinity 203 122 "
    "sched_setattr 314 274 sched_setparam 142 118 sched_setscheduler 144 119 "
    # kernel surface that V8 has no use for
    "bpf 321 280 perf_event_open 298 241 userfaultfd 323 282 seccomp 317 277 add_key 248 217 request_key 249 218 "
    "keyctl 250 219 io_setup 206 0 splice 275 76 tee 276 77 vmsplice 278 75 memfd_create 319 279 modify_ldt 154 - "
    "ioperm 173 - iopl 172 - personality 135 92 uselib 134 - fanotify_init 300 262 fanotify_mark 301 263 "
    "inotify_init 253 - inotify_init1 294 26 inotify_add_watch 254 27 "
    # namespaces, mounts, handles
    "mount 165 40 umount2 166 39 pivot_root 155 41 chroot 161 51 setns 308 268 unshare 272 97 "
    "name_to_handle_at 303 264 open_by_handle_at 304 265 "
    # the machine
    "init_module 175 105 finit_module 313 273 delete_module 176 106 kexec_load 246 104 kexec_file_load 320 294 "
    "reboot 169 142 swapon 167 224 swapoff 168 225 acct 163 89 quotactl 179 60 syslog 103 116 settimeofday 164 170 "
    "clock_settime 227 112 clock_adjtime 305 266 adjtimex 159 171 sethostname 170 161 setdomainname 171 162 "
    "vhangup 153 58 "
    # who one is
    "setuid 105 146 setgid 106 144 setreuid 113 145 setregid 114 143 setresuid 117 147 setresgid 119 149 "
    "setfsuid 122 151 setfsgid 123 152 setgroups 116 159 capset 126 91 "
    # memory and queues shared with other processes
    "shmget 29 194 shmat 30 196 shmctl 31 195 shmdt 67 197 semget 64 190 semop 65 193 semctl 66 191 "
    "semtimedop 220 192 msgget 68 186 msgsnd 69 189 msgrcv 70 188 msgctl 71 187 mq_open 240 180 mq_unlink 241 181 "
    # changes to files; those from chmod on are none of Landlock's business
    "creat 85 - truncate 76 45 mkdir 83 - mkdirat 258 34 mknod 133 - mknodat 259 33 rmdir 84 - unlink 87 - "
    "unlinkat 263 35 rename 82 - renameat 264 38 renameat2 316 276 link 86 - linkat 265 37 symlink 88 - "
    "symlinkat 266 36 chmod 90 - fchmod 91 52 fchmodat 268 53 chown 92 - fchown 93 55 lchown 94 - fchownat 260 54 "
    "utime 132 - utimes 235 - futimesat 261 - utimensat 280 88 setxattr 188 5 lsetxattr 189 6 fsetxattr 190 7 "
    "removexattr 197 14 lremovexattr 198 15 fremovexattr 199 16"
)

# From 424 the two architectures agree: only what threads and files need, io_uring and the like not.
FIRST_SHARED, LAST_KNOWN = 424, 462
SHARED_ABSENT = (435, 437)  # clone3, openat2: their arguments are in memory; libraries fall back to clone and openat
SHARED_ALLOWED = (436, 439, 441, 449, 454, 455, 456, 462)  # close_range, faccessat2, epoll_pwait2, futex_*, mseal

CLONE_THREAD, CLONE_NAMESPACES = 0x00010000, 0x7E020000
OPEN_TO_CHANGE = 0x3 | 0x40 | 0x200  # O_WRONLY | O_RDWR, O_CREAT, O_TRUNC
OWNED_SIGNALS = (8, 10, 15)  # F_SETOWN, F_SETSIG, F_SETOWN_EX: SIGIO is a way round kill
HARMLESS_IOCTLS = (0x5401, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451)  # TCGETS, TIOCGWINSZ, FIO*: NREAD, NBIO, NCLEX, CLEX
CUTTING_TIES = (1, 4, 22, 35, 0x59616D61)  # PR_SET_PDEATHSIG, DUMPABLE, SECCOMP, MM, PTRACER


def conditions(pid: int) -> "list[tuple[str, list[tuple[str, int, tuple[int, ...]]]]]":
    """Calls that depend on their arguments, and the tests to pass: (kind, byte of `struct seccomp_data`, values).

    Kinds: `only` one of the values, `never` one of them, `clear` none of these bits, `set` one of these bits. Like the
    kernel, the tests look at the low 32 bits of all but pointers.
    """
    first, second, third, fifth = 16, 24, 32, 48
    return [
        ("clone 56 220", [("set", first, (CLONE_THREAD,)), ("clear", first, (CLONE_NAMESPACES,))]),
        ("kill 62 129", [("only", first, (pid,))]),
        ("tgkill 234 131", [("only", first, (pid,))]),
        ("prlimit64 302 261", [("only", first, (0, pid))]),
        ("socketpair 53 199", [("only", first, (1,)), ("clear", second, (0xE,))]),  # AF_UNIX, SOCK_STREAM
        ("sendto 44 206", [("clear", fifth, (0xFFFFFFFF,)), ("clear", fifth + 4, (0xFFFFFFFF,))]),  # no destination
        ("open 2 -", [("clear", second, (OPEN_TO_CHANGE,))]),
        ("openat 257 56", [("clear", third, (OPEN_TO_CHANGE,))]),
        ("fcntl 72 25", [("never", second, OWNED_SIGNALS)]),
        ("ioctl 16 29", [("only", second, HARMLESS_IOCTLS)]),
        ("prctl 157 167", [("never", first, CUTTING_TIES)]),
    ]


LOAD, EQUAL, AT_LEAST, ABOVE, ANY_BIT, RETURN = 0x20, 0x15, 0x35, 0x25, 0x45, 0x06


def op(code: int, value: int, yes: int = 0, no: int = 0) -> bytes:
    """One BPF instruction; `yes` and `no` are how many instructions a jump skips."""
    return struct.pack("=HBBI", code, yes, no, value)


def numbers(table: str, machine: int) -> "list[int]":
    """The system call numbers of a table for one architecture."""
    column = table.split()[1 if machine == X86_64 else 2 :: 3]
    return [int(number) for number in column if number != "-"]


def when(call: int, verdict: int) -> bytes:
    """A verdict for one call whatever its arguments."""
    return op(EQUAL, call, 0, 1) + op(RETURN, verdict)


def passed(kind: str, byte: int, values: "tuple[int, ...]") -> bytes:
    """One test of an argument: falls through when it is passed, ends with REFUSE otherwise."""
    code = op(LOAD, byte)
    if kind == "only":
        hits = (op(EQUAL, value, len(values) - index, 0) for index, value in enumerate(values))
        return code + b"".join(hits) + op(RETURN, REFUSE)
    if kind == "never":
        return code + b"".join(when(value, REFUSE) for value in values)
    return code + op(ANY_BIT, values[0], *((1, 0) if kind == "set" else (0, 1))) + op(RETURN, REFUSE)


def assemble(machine: int, pid: int) -> bytes:
    """The whole filter, for the process `pid` on an architecture; any other architecture's calls kill the process."""
    program = op(LOAD, 4) + op(EQUAL, machine, 1, 0) + op(RETURN, KILL) + op(LOAD, 0)
    program += op(ABOVE, LAST_KNOWN, 0, 3) + op(AT_LEAST, 0x40000000, 0, 1)  # x32 numbers, on any architecture
    program += op(RETURN, REFUSE) + op(RETURN, ABSENT)
    program += b"".join(when(call, ABSENT) for call in SHARED_ABSENT)
    program += b"".join(when(call, ALLOW) for call in SHARED_ALLOWED)
    program += op(AT_LEAST, FIRST_SHARED, 0, 1) + op(RETURN, REFUSE)
    program += b"".join(when(call, REFUSE) for call in numbers(REFUSED, machine))
    for call, tests in conditions(pid):
        body = b"".join(passed(*test) for test in tests) + op(RETURN, ALLOW)
        program += b"".join(op(EQUAL, number, 0, len(body) // 8) + body for number in numbers(call, machine))
    return program + op(RETURN, ALLOW)


EXECUTE, READ_FILE, READ_DIR = 1 << 0, 1 << 2, 1 << 3
CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446


def handled(abi: int) -> "tuple[int, int, int]":
    """What an ABI lets one forbid, and what is forbidden where no rule allows it: file rights, TCP rights, scopes."""
    files = (1 << 13) - 1
    for since, right in ((2, 1 << 13), (3, 1 << 14), (5, 1 << 15)):  # REFER, TRUNCATE, IOCTL_DEV
        files |= right if abi >= since else 0
    return files, 0b11 if abi >= 4 else 0, 0b11 if abi >= 6 else 0


def ruleset(abi: int) -> bytes:
    """`struct landlock_ruleset_attr`, only as long as the kernel knows it."""
    return struct.pack("=QQQ", *handled(abi))[: 24 if abi >= 6 else 16 if abi >= 4 else 8]


def confine_files(read: "list[str]", execute: "list[str]") -> None:
    """Lets this process read and execute these, files or whole folders, and nothing else."""
    abi = system_call(CREATE_RULESET, None, 0, 1)
    attributes = ruleset(abi)
    rules = system_call(CREATE_RULESET, attributes, len(attributes), 0)
    for right, paths in ((READ_FILE | READ_DIR, read), (READ_FILE | EXECUTE, execute)):
        for path in paths:
            target = os.open(path, os.O_PATH | os.O_CLOEXEC)
            allowed = right if stat.S_ISDIR(os.fstat(target).st_mode) else right & ~READ_DIR
            system_call(ADD_RULE, rules, 1, struct.pack("=Qi", allowed, target), 0)
            os.close(target)
    system_call(RESTRICT_SELF, rules, 0)
    os.close(rules)


def library() -> ctypes.CDLL:
    """The C library, which is already in this process."""
    return ctypes.CDLL(None, use_errno=True)


def checked(result: int) -> int:
    """A result, or the error that it stands for."""
    if result == -1:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def system_call(number: int, *arguments: "int | bytes | None") -> int:
    """A system call the C library may have no name for."""
    words = [ctypes.c_long(word) if isinstance(word, int) else word for word in arguments]
    return checked(library().syscall(ctypes.c_long(number), *words))


def control(option: int, *values: int) -> int:
    """`prctl(2)`."""
    words = [ctypes.c_ulong(value) for value in (*values, 0, 0, 0, 0)[:4]]
    return checked(library().prctl(option, *words))


def die_with(parent: int) -> None:
    """Ties this process to its parent's life: the kernel kills it when the thread that started it ends."""
    if sys.platform == "linux":
        control(1, 9)  # PR_SET_PDEATHSIG, SIGKILL
    if os.getppid() != parent:
        os._exit(1)


def close_descriptors() -> None:
    """Closes all descriptors but the first three: with one call (close_range) where the kernel has it."""
    if sys.platform == "linux" and library().syscall(*map(ctypes.c_long, (436, 3, 0xFFFFFFFF, 0))) == 0:
        return
    with os.scandir("/dev/fd") as entries:
        descriptors = [int(entry.name) for entry in entries]
    for descriptor in descriptors:
        os.closerange(max(descriptor, 3), descriptor + 1)


def limit_resources() -> None:
    """No core dump, since it would hold a tenant's data; five times as many descriptors as Deno needs."""
    import resource  # not on Windows, where this file must still be importable

    resource.setrlimit(resource.RLIMIT_CORE, (1, 1))  # 0 would still feed the program in core_pattern, 1 does not
    resource.setrlimit(resource.RLIMIT_NOFILE, (OPEN_FILES, OPEN_FILES))


def drop_capabilities(kept: int) -> None:
    """Gives up every capability but the mask `kept`, and the means to get them back."""
    for capability in range(64):
        try:
            if not kept >> capability & 1:
                control(24, capability)  # PR_CAPBSET_DROP
        except OSError:
            break  # past the last one, or an ordinary user, who has nothing to drop
    capget, capset = (125, 126) if os.uname().machine == "x86_64" else (90, 91)
    header, held = struct.pack("=Ii", 0x20080522, 0), ctypes.create_string_buffer(24)
    checked(library().syscall(ctypes.c_long(capget), header, held))
    permitted = struct.unpack("=6I", held.raw)[1] & kept
    system_call(capset, header, struct.pack("=6I", permitted, permitted, 0, 0, 0, 0))


def confine_calls() -> None:
    """Installs the filter; the same process id is Deno's."""
    program = assemble(ARCHITECTURES[os.uname().machine], os.getpid())
    memory = ctypes.create_string_buffer(program, len(program))
    header = struct.pack("@HP", len(program) // 8, ctypes.addressof(memory))
    pointer = ctypes.create_string_buffer(header, len(header))
    control(22, 2, ctypes.addressof(pointer))  # PR_SET_SECCOMP, SECCOMP_MODE_FILTER


def launch(
    parent: int, walls: "list[str]", program: str, arguments: "list[str]", read: "list[str]", execute: "list[str]"
) -> None:
    """All of it, in order; does not return."""
    die_with(parent)
    close_descriptors()
    os.chdir("/")
    if os.getsid(0) != os.getpid():
        os.setsid()
    limit_resources()
    if sys.platform == "linux":
        control(38, 1)  # PR_SET_NO_NEW_PRIVS
    if walls:
        # CAP_DAC_READ_SEARCH: the runtime may be in somebody's private home.
        drop_capabilities(1 << 2 if "landlock" in walls else 0)
    if "landlock" in walls:
        confine_files(read, execute)
    if "seccomp" in walls:
        confine_calls()
    os.execve(program, [program, *arguments], ENVIRONMENT)  # noqa: S606 - the very point


def understood(text: str) -> "Any":
    """The JSON argument, by the C scanner alone: the `json` package costs 12 ms, mostly for `re`."""
    from _json import make_scanner

    class Context:
        strict, memo = True, {}  # type: ignore[var-annotated]
        object_hook = object_pairs_hook = parse_constant = None
        parse_int, parse_float = int, float

    return make_scanner(Context())(text, 0)[0]  # type: ignore[arg-type]


if __name__ == "__main__":
    try:
        launch(**understood(sys.argv[1]))
    except OSError as error:
        os.write(2, f"the sandbox could not be launched: {error}\n".encode())
        os._exit(126)
