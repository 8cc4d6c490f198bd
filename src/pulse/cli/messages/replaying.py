"""Replays of many messages: counted first, then sent part by part, with a bar that moves."""

import sys
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

from pulse.cli.session import Session

PART = 500
MOST = 100_000


async def replay_all(pulse: Session, place: dict[str, str], wanted: dict[str, Any], *, dry_run: bool) -> dict[str, Any]:
    """`{count, skipped?, messageIds?}`; with `dry_run` the count alone, at most MOST."""
    counted = {**wanted, "limit": MOST, "dryRun": True}
    found = (await pulse.send("POST", "/api/messages/replay", params=place, json=counted)).json()
    if dry_run:
        return {"count": found["count"]}
    done: dict[str, Any] = {"count": 0, "skipped": 0, "messageIds": []}
    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("", total=found["count"])
        after: str | None = ""
        while after is not None:
            part = await _part(pulse, place, wanted, after)
            done = {name: value + part[name] for name, value in done.items()}
            bar.update(task, completed=done["count"] + done["skipped"])
            after = part.get("next")
    return done


async def _part(pulse: Session, place: dict[str, str], wanted: dict[str, Any], after: str) -> dict[str, Any]:
    body = {**wanted, "limit": PART, **({"after": after} if after else {})}
    answer: dict[str, Any] = (await pulse.send("POST", "/api/messages/replay", params=place, json=body)).json()
    return answer
