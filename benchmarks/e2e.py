"""HTTP to stored result: accepted and evaluated messages a second, sustained, durable, beside Node-RED storing nothing.

After the load everything accepted must have exactly one result. The batch route is measured too, with 100 messages a
request.
"""

import json
import sqlite3
import subprocess
import sys
import time
from typing import Any

from benchmarks.platform import Running, platform, wrk
from benchmarks.report import options, publish
from benchmarks.workload import EXPECTED, PEERS

BAR, GOAL = 0.7, 1.5


def sustained(seconds: int, script: str, path: str, per_request: int) -> dict[str, Any]:
    """One sustained run on a fresh installation, and the check of what is stored."""
    with platform() as running:
        wrk(running, 3, script=script, path=path)
        running.wait_until_idle(60)
        before = stored(running)
        began = time.perf_counter()
        load = wrk(running, seconds, script=script, path=path)
        running.wait_until_idle(120)
        took = time.perf_counter() - began
        after = stored(running)
        verify(running)
    accepted = load["requests"] * per_request
    return {
        "acceptedPerSecond": round(accepted / load["seconds"], 1),
        "evaluatedPerSecond": round((after - before) / took, 1),
        "p50Ms": load["p50Ms"],
        "p99Ms": load["p99Ms"],
        "failures": load["non2xx"] + load["socketErrors"],
        "messages": after - before,
    }


def stored(running: Running) -> int:
    with sqlite3.connect(f"file:{running.data}/pulse.db?mode=ro", uri=True) as database:
        return int(database.execute("SELECT count(*) FROM pulse_messages WHERE state = 'success'").fetchone()[0])


def verify(running: Running) -> None:
    """Every message has one outcome, success, with its body; and the results are right.

    The body is in the database, or, where an hour ended meanwhile, in a segment.
    """
    with sqlite3.connect(f"file:{running.data}/pulse.db?mode=ro", uri=True) as database:
        states = dict(database.execute("SELECT state, count(*) FROM pulse_messages GROUP BY state").fetchall())
        bodies = database.execute(
            "SELECT (SELECT count(*) FROM pulse_message_results)"
            " + (SELECT count(*) FROM pulse_messages WHERE segment_id IS NOT NULL)"
        ).fetchone()[0]
        body = database.execute("SELECT body FROM pulse_message_results ORDER BY id DESC LIMIT 1").fetchone()[0]
    assert set(states) == {"success"}, states
    assert bodies == states["success"], (bodies, states)
    assert json.loads(body)["result"] == EXPECTED


def peer(rounds: int, seconds: int, cache: str | None) -> dict[str, Any]:
    arguments = [sys.executable, str(PEERS / "node_red" / "run.py"), "--rounds", str(rounds), "--seconds", str(seconds)]
    if cache:
        arguments += ["--cache", cache]
    done = subprocess.run(arguments, check=True, capture_output=True, text=True)
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def main() -> None:
    parser = options(__doc__ or "")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--no-peer", action="store_true")
    parser.add_argument("--peer-cache", help="folder to keep the installed peer in")
    wanted = parser.parse_args()
    other = None if wanted.no_peer else peer(wanted.rounds, 10, wanted.peer_cache)
    figures: dict[str, Any] = {
        "single": sustained(wanted.seconds, "post.lua", "/v1/messages", 1),
        "batch": sustained(min(wanted.seconds, 20), "post_batch.lua", "/v1/messages/batch", 100),
    }
    rows = []
    for name, found in figures.items():
        beside = ""
        if other is not None:
            found["ratio"] = round(min(found["acceptedPerSecond"], found["evaluatedPerSecond"]) / other["perSecond"], 2)
            beside = f"; {found['ratio']}x Node-RED (bar {BAR}x, goal {GOAL}x)"
        rates = f"{found['acceptedPerSecond']:,.0f}/s accepted, {found['evaluatedPerSecond']:,.0f}/s evaluated"
        rows.append((f"{name} messages", rates + beside))
    if other is not None:
        rows.append(("Node-RED, nothing stored", f"{other['perSecond']:,.0f} requests/s"))
    publish("e2e", rows, {**figures, "peer": other}, as_json=wanted.json)


if __name__ == "__main__":
    main()
