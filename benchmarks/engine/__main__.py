"""Every figure of the engine: `python -m benchmarks.engine [--only throughput emitting waiting history]`."""

from typing import Any

from benchmarks.engine import emitting, history, throughput, waiting
from benchmarks.report import options, publish

PARTS = ("throughput", "emitting", "waiting", "history")


def main() -> None:
    parser = options(__doc__ or "")
    parser.set_defaults(rounds=5)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--seconds", type=float, default=8.0, help="the window of each live measurement")
    parser.add_argument("--runs", type=int, default=6_000, help="how many runs Pulse burns down (a peer: a tenth)")
    parser.add_argument("--waiting", type=int, default=10_000)
    parser.add_argument("--many", type=int, default=100_000)
    parser.add_argument("--finished", type=int, default=1_000_000)
    parser.add_argument("--peer-cache", help="folder to keep the installed peers in")
    wanted = parser.parse_args()
    found: dict[str, Any] = {}
    if "throughput" in wanted.only:
        found |= throughput.compared(wanted.rounds, wanted.seconds, wanted.runs, wanted.peer_cache)
    if "emitting" in wanted.only:
        found |= emitting.figures(wanted.seconds / 2)
    if "waiting" in wanted.only:
        found |= waiting.figures(wanted.waiting, wanted.many)
    if "history" in wanted.only:
        found |= history.figures(wanted.finished, wanted.rounds, wanted.runs)
    publish("engine", [(name, said(figure)) for name, figure in found.items()], found, as_json=wanted.json)


def said(figure: dict[str, Any]) -> str:
    words = ", ".join(f"{name} {value}" for name, value in figure.items() if name not in ("bar", "goal", "ratio"))
    if "ratio" not in figure:
        return words
    beside = f" (bar {figure['bar']}x, goal {figure['goal']}x)" if "bar" in figure else ""
    return f"{figure['ratio']}x{beside}: {words}"


if __name__ == "__main__":
    main()
