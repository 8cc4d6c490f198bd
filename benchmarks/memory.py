"""Memory of `pulse up` with its sandbox processes: idle, and while 200,000 messages (or as many as asked for) pass.

The slope is that of the second half of the run: what a process keeps for each message it has served.
"""

import subprocess
import threading
import time
from pathlib import Path

from benchmarks.platform import Running, platform, wrk
from benchmarks.report import options, publish

BAR_MIB = 250


def resident_mib(pid: int) -> float:
    """What the process and its children hold in memory."""
    found = subprocess.run(["pgrep", "-P", str(pid)], check=False, capture_output=True, text=True)
    children = [int(child) for child in found.stdout.split()]
    return sum(map(_pss_kib, [pid, *children])) / 1024


def _pss_kib(pid: int) -> int:
    """Proportional set size: what several processes share is counted once."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))


def load(running: Running, messages: int) -> list[tuple[int, float]]:
    """(messages sent, MiB) while the load runs."""
    samples: list[tuple[int, float]] = []
    sent = 0
    done = threading.Event()

    def send() -> None:
        nonlocal sent
        while sent < messages:
            sent += wrk(running, 5, path="/v1/messages/batch", script="post_batch.lua", connections=4)["requests"] * 100
            running.wait_until_idle(120)
        done.set()

    sender = threading.Thread(target=send)
    sender.start()
    while not done.wait(2.0):
        samples.append((sent, resident_mib(running.pid)))
    sender.join()
    return samples


def main() -> None:
    parser = options(__doc__ or "")
    parser.add_argument("--messages", type=int, default=200_000)
    wanted = parser.parse_args()
    with platform() as running:
        wrk(running, 1, connections=1)
        running.wait_until_idle(30)
        time.sleep(1.0)
        idle = resident_mib(running.pid)
        samples = load(running, wanted.messages)
        after = resident_mib(running.pid)
    half = [mib for sent, mib in samples if sent >= wanted.messages / 2] or [after]
    slope = (half[-1] - half[0]) / half[0] * 100
    rows = [
        ("idle, one sandbox process and a spare", f"{idle:.0f} MiB (bar {BAR_MIB})"),
        (
            f"after {wanted.messages:,} messages",
            f"{after:.0f} MiB, slope {slope:+.1f} % over the second half (bar 1 %)",
        ),
    ]
    figures = {
        "idleMiB": round(idle),
        "afterMiB": round(after),
        "slopePercent": round(slope, 2),
        "messages": wanted.messages,
    }
    publish("memory", rows, figures, as_json=wanted.json)


if __name__ == "__main__":
    main()
