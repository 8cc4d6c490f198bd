"""`pulse messages`: what was processed."""

import itertools
import time
from functools import partial
from typing import Annotated, Any

import anyio
import typer

from pulse.cli.messages import view
from pulse.cli.messages.replaying import replay_all
from pulse.cli.options import At, MessageOptions, Since, ms_ago, opened, taking
from pulse.cli.output import Answer, counted, print_json, print_table, print_text, run, say
from pulse.cli.session import Session, part, session
from pulse.core.clock import iso
from pulse.core.errors import Fault, InvalidFields, NotFound, Unavailable

app = typer.Typer(no_args_is_help=True, help="Processed messages.")
COLUMNS = ("Id", "Status", "Type", "Workflow", "Received", "Elapsed", "Why")
WAITING = ("pending", "held")
PAGE, LOOK_AGAIN_S = 1000, 0.5
Status = Annotated[str | None, typer.Option("--status", help="pending, success, fail, ignore, canceled or held.")]


@app.command("list")
@opened(MessageOptions)
async def list_(
    at: At,
    status: Status = None,
    type_: Annotated[str | None, typer.Option("--type")] = None,
    since: Since = None,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 20,
) -> Answer:
    """Lists messages, newest first."""
    query = {"status": status, "type": type_, "limit": limit, "from": _ago(since)}
    found = await at.get("/api/messages", **query)
    return Answer(found, partial(_print, found))


@app.command()
@opened(MessageOptions)
async def show(at: At, message_id: str) -> Answer:
    """Shows one message: its result, why it was ignored, its errors and its log."""
    found = await at.get(f"/api/messages/{part(message_id)}")
    return Answer(found, partial(view.show, found))


@app.command()
@taking(MessageOptions)
def tail(options: MessageOptions) -> None:
    """Prints messages as they end, until Ctrl-C."""

    async def work() -> None:
        async with session(options.data) as pulse:
            if not pulse.is_running:
                raise Unavailable("Pulse is not running on this folder, so no message ends: start it with `pulse up`.")
            place = await pulse.place(options.organization, options.environment)
            await _follow(pulse, place, json_=options.json)

    run(work)


@app.command()
@opened(MessageOptions)
async def cancel(at: At, message_id: str) -> Answer:
    """Cancels a message that waits or runs."""
    return Answer(await at.post(f"/api/messages/{part(message_id)}/cancel"), f"{message_id} canceled")


@app.command()
@opened(MessageOptions)
async def tree(at: At, message_id: str) -> Answer:
    """Shows the messages that descend from the same message as this one, through workflows that start workflows."""
    found = await at.get(f"/api/messages/{part(message_id)}/tree")
    return Answer(found, partial(_print_tree, found, 0))


@app.command()
@taking(MessageOptions)
def replay(
    options: MessageOptions,
    ids: Annotated[list[str] | None, typer.Argument(help="Messages to send again.")] = None,
    status: Status = None,
    since: Since = None,
    type_: Annotated[str | None, typer.Option("--type")] = None,
    old_version: Annotated[
        bool, typer.Option("--old-version", help="On the version that each ran on, not on the current one.")
    ] = False,
    reuse_effects: Annotated[
        bool, typer.Option("--reuse-effects", help="Take over what a failed message's scripts have done already.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count them.")] = False,
) -> None:
    """Sends messages again: these, or all that fit --status, --type and --since. Each becomes a new message."""

    async def work() -> None:
        if not (ids or status or since or type_):
            words = "say which messages: their ids, --status, --type or --since."
            raise InvalidFields([Fault("messages", "no_filter", words)])
        # What is replayed now must not be found again by the same filter.
        until = None if ids else iso(time.time_ns() // 1_000_000)
        wanted = {"ids": ids, "status": status, "type": type_, "from": _ago(since), "to": until}
        body = {name: value for name, value in wanted.items() if value is not None}
        async with options.open(sends=True) as at:
            how = {"version": "old" if old_version else "current", "reuseEffects": reuse_effects}
            done = await replay_all(at.pulse, at.place, {**body, **how}, dry_run=dry_run)
        Answer(done, partial(_print_replayed, done, dry_run=dry_run)).print(as_json=options.json)
        if ids and done["count"] + done.get("skipped", 0) < len(set(ids)):
            raise NotFound(f"{len(set(ids)) - done['count'] - done.get('skipped', 0)} of them are not there.")

    run(work)


def _print(found: dict[str, Any]) -> None:
    print_table(COLUMNS, map(_line, found["data"]), "No messages yet.")
    total, more = found["pagination"]["total"], found["pagination"].get("more", False)
    if total > len(found["data"]):
        say(f"{'More than ' if more else ''}{total} in all; --limit shows more.")


def _print_replayed(done: dict[str, Any], *, dry_run: bool) -> None:
    print_text(f"{counted(done['count'], 'message')} {'to be sent' if dry_run else 'sent'} again.")
    if done.get("skipped"):
        print_text(
            f"{counted(done['skipped'], 'message')} left out: no workflow took them, so they have no old version."
        )


def _print_tree(node: dict[str, Any], depth: int) -> None:
    cells = (node.get("status", "gone"), node.get("type"), node.get("workflowName"), node.get("error"))
    print_text(f"{'  ' * depth}{node['id']}  {'  '.join(str(cell) for cell in cells if cell)}")
    for child in node["children"]:
        _print_tree(child, depth + 1)


async def _follow(pulse: Session, place: dict[str, str], *, json_: bool) -> None:
    seen: set[str] = set()
    since = iso(time.time_ns() // 1_000_000)
    while True:
        rows = await _rows_since(pulse, place, since)
        for row in rows:
            if row["status"] in WAITING or row["id"] in seen:
                continue
            if json_:
                print_json(row)
            else:
                print_text("  ".join(str(cell) for cell in _line(row) if cell))
        # What still waits is looked at again, and so is all that came after it.
        waiting = [row for row in rows if row["status"] in WAITING] or rows[-1:]
        since = waiting[0]["receivedAt"] if waiting else since
        seen = {row["id"] for row in rows if row["receivedAt"] >= since and row["status"] not in WAITING}
        # The API has lists, and nothing that tells of what is new.
        await anyio.sleep(LOOK_AGAIN_S)


async def _rows_since(pulse: Session, place: dict[str, str], since: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for page in itertools.count(1):
        query = {"sort": "receivedAt", "limit": PAGE, "page": page, "from": since}
        found = await pulse.call("GET", "/api/messages", **query, **place)
        rows += found["data"]
        if len(found["data"]) < PAGE:
            break
    return rows


def _line(row: dict[str, Any]) -> tuple[Any, ...]:
    ms = row.get("elapsedMs")
    elapsed = "" if ms is None else f"{ms}ms" if ms < 1000 else f"{ms / 1000:.1f}s"
    why = row.get("error") or (row.get("code") if row["status"] == "ignore" else None)
    return row["id"], row["status"], row.get("type"), row.get("workflowName"), row["receivedAt"], elapsed, why


def _ago(since: str | None) -> str | None:
    ms = ms_ago(since)
    return None if ms is None else iso(ms)
