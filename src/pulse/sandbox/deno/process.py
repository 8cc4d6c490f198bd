"""One Deno process: frames in, answers out, and the clock that no script can stop.

The child answers every frame with one frame, in order, after everything the frame set off has run. So the first frame
without an answer is the one that is running, and the time it may take is measured here, from the moment it became the
first, and enforced with SIGKILL.
"""

import asyncio
import contextlib
import resource
import signal
from collections import Counter, deque
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, Protocol, cast

from pulse.sandbox.deno.limits import MIB, Limits
from pulse.sandbox.deno.wire import BrokenFrame, Said, read_frame

NEWLINE = b"\n"
# A timer that rings later than this tells of this process (frozen, or hung), not of the child.
STALL_S = 0.25


class Listener(Protocol):
    """Who hears what happens to a process."""

    def answered(self, process: "DenoProcess", said: Said, payload: bytes) -> None: ...

    def died(self, process: "DenoProcess", cause: str) -> None: ...


class _Sent(NamedTuple):
    n: int
    message_id: str


class DenoProcess(asyncio.SubprocessProtocol):
    """A running child. `unanswered` holds the frames it has not answered yet, the running one first."""

    def __init__(self, listener: Listener, limits: Limits) -> None:
        self._listener = listener
        self._limits = limits
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.SubprocessTransport | None = None
        self._rest: list[bytes] = []
        self._rest_size = 0
        self._count = 0
        self._timer: asyncio.TimerHandle | None = None
        self._head_since = 0.0
        self._due = 0.0
        self._spared = False
        self._doomed = False
        self._cause = "crash"
        self._dead = False
        self._unsent: list[bytes] = []
        self.unanswered: deque[_Sent] = deque()
        self._busy_with: Counter[str] = Counter()
        self.ready: asyncio.Future[Said] = self._loop.create_future()
        self.ended: asyncio.Future[None] = self._loop.create_future()
        self.known_plans: set[str] = set()

    @classmethod
    async def start(
        cls, listener: Listener, limits: Limits, argv: list[str], environment: dict[str, str]
    ) -> "DenoProcess":
        """Starts a child and waits until it is ready. Raises OSError when it cannot, or is late."""
        loop = asyncio.get_running_loop()
        _, process = await loop.subprocess_exec(
            lambda: cls(listener, limits), *argv, env=environment, stdin=-1, stdout=-1, stderr=-3, close_fds=True
        )
        try:
            await process.boot()
        except BaseException:
            process.kill("boot")
            await process.ended
            raise
        process.bound_memory()
        return process

    async def boot(self) -> None:
        """Waits until the child is ready. Raises OSError when it ended before, or is late."""
        seconds = self._limits.boot_ms / 1000
        for _attempt in range(2):
            due = self._loop.time() + seconds
            if (await asyncio.wait([self.ready], timeout=seconds))[0]:
                self.ready.result()
                return
            if self._loop.time() - due <= STALL_S:
                break
            # The clock ran while this process was frozen; the child may never have had its time.
        raise TimeoutError(f"it was not ready within {seconds:g} s")

    @property
    def pid(self) -> int:
        return self._transport.get_pid() if self._transport is not None else 0

    @property
    def alive(self) -> bool:
        """Whether it can still be sent something: it runs, and nobody has ended it."""
        return not self._dead and not self._doomed

    def is_busy_with(self, message_id: str) -> bool:
        """Whether a frame of this message has no answer yet: one that was dropped may still run."""
        return message_id in self._busy_with

    def send(self, message_id: str, frame: Callable[[int], bytes]) -> None:
        """Sends the frame that `frame` makes of its number."""
        if self._dead or self._transport is None:
            return
        self._count += 1
        if not self.unanswered:
            self._head_since = self._loop.time()
        self.unanswered.append(_Sent(self._count, message_id))
        self._busy_with[message_id] += 1
        self._watch()
        if not self._unsent:
            self._loop.call_soon(self._flush)
        self._unsent.append(frame(self._count))

    def _flush(self) -> None:
        """Writes what was sent since the last turn of the loop, in one piece."""
        unsent, self._unsent = self._unsent, []
        if not self._dead and self._transport is not None:
            stdin = cast(asyncio.WriteTransport, self._transport.get_pipe_transport(0))
            stdin.write(b"".join(unsent))

    def kill(self, cause: str) -> None:
        """Ends the child at once; nothing it says is heard any more, and the listener is told this cause."""
        if not self._doomed and not self._dead:
            self._doomed = True
            self._cause = cause
            with contextlib.suppress(ProcessLookupError):
                if self._transport is not None:
                    self._transport.send_signal(signal.SIGKILL)

    # ---- asyncio.SubprocessProtocol --------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.SubprocessTransport, transport)

    def pipe_data_received(self, fd: int, data: bytes | str) -> None:
        first, *more = cast(bytes, data).split(NEWLINE)
        self._rest.append(first)
        self._rest_size += len(first)
        if self._rest_size > self._limits.frame_size:
            self._rest.clear()
            return self.kill("flood")
        if not more:
            return
        lines = [b"".join(self._rest), *more[:-1]]
        self._rest, self._rest_size = [more[-1]], len(more[-1])
        for line in lines:
            if not self._dead and not self._doomed:
                self._heard(line)

    def process_exited(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._dead = True
        if not self.ready.done():
            self.ready.set_exception(OSError("it ended before it was ready"))
        self.ready.exception()
        if self._transport is not None:
            self._transport.close()
        self._listener.died(self, self._cause)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.ended.done():
            self.ended.set_result(None)

    # ---- answers and time ------------------------------------------------------------------------------------

    def _heard(self, line: bytes) -> None:
        try:
            said, payload = read_frame(line)
            if said.t == "ready" and not self.ready.done():
                self.ready.set_result(said)
                return
            self._acknowledge(said)
            self._listener.answered(self, said, payload)
        except BrokenFrame:
            self.kill("broken")

    def _acknowledge(self, said: Said) -> None:
        if not self.unanswered or self.unanswered[0] != (said.n, said.id):
            raise BrokenFrame("An answer to a frame that is not running.")
        self.unanswered.popleft()
        self._busy_with[said.id] -= 1
        if not self._busy_with[said.id]:
            del self._busy_with[said.id]
        self._head_since = self._loop.time()
        self._spared = False

    def _watch(self) -> None:
        if self._timer is None:
            self._watch_until(self._loop.time() + self._limits.script_timeout_ms / 1000)

    def _watch_until(self, due: float) -> None:
        self._due = due
        self._timer = self._loop.call_at(due, self._check_time)

    def _check_time(self) -> None:
        self._timer = None
        if not self.unanswered or self._dead:
            return
        now = self._loop.time()
        if now - self._due > STALL_S and not self._spared:
            # What the child said meanwhile has not been heard; or it was frozen too.
            self._spared, self._head_since = True, now
        over = self._head_since + self._limits.script_timeout_ms / 1000
        if over <= now:
            self.kill("timeout")
        else:
            self._watch_until(over)

    # Before it has booted, V8 needs more address space than it will ever be allowed to fill.
    def bound_memory(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            allowed = _data_bytes(self.pid) + 2 * self._limits.isolate_memory * MIB
            resource.prlimit(self.pid, resource.RLIMIT_DATA, (allowed, allowed))


def _data_bytes(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmData:"):
            return int(line.split()[1]) * 1024
    raise ValueError("no VmData")
