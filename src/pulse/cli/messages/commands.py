"""`pulse messages`: what was processed."""

import itertools
import time
from typing import Annotated, Any

import anyio
import typer

from pulse.cli.messages import view
from pulse.cli.messages.replaying import replay_all
from pulse.cli.output import counted, print_json, print_table, print_text, run, say
from pulse.cli.session import Data, Environment, Json, Organization, Session, Since, ms_ago, part, session
from pulse.core.clock import iso
from pulse.core.errors import Fault, InvalidFields, NotFound, Unavailable

app = typer.Typer(no_args_is_help=True, help="Processed messages.")
COLUMNS = ("Id", "Status", "Type", "Workflow", "Received", "Elapsed", "Why")
WAITING = ("pending", "held")
PAGE, LOOK_AGAIN_S = 1000, 0.5
Status = Annotated[str | None, typer.Option("--status", help="pending, success, fail, ignore, canceled or held.")]


@app.command("list")
def list_(
    status: Status = None,
    type_: Annotated[str | None, typer.Option("--type")] = None,
    since: Since = None,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 20,
    data: Data = None,
    organization: Organization = None,
    environment: Environment = None,
    json_: Json = False,
) -> None:
    """Lists messages, newest first."""

    async def work() -> None:
        async with session(data) as pulse:
            place = await pulse.place(organization, environment)
            query = {"status": status, "type": type_, "limit": limit, "from": _ago(since)}
            found = await pulse.call("GET", "/api/messages", **query, **place)
        if json_:
            return print_json(found)
        print_table(COLUMNS, (_line(row) for row in found["data"]), "No messages yet.")
        total, more = found["pagination"]["total"], found["pagination"].get("more", False)
        if total > len(found["data"]):
            say(f"{'More than ' if more else ''}{total} in all; --limit shows more.")

    run(work)


@app.command()
def show(
    message_id: str,
    data: Data = None,
    organization: Organization = None,
    environment: Environment = None,
    json_: Json = False,
) -> None:
    """Shows one message: its result, why it was ignored, its errors and its log."""

    async def work() -> None:
        async with session(data) as pulse:
            place = await pulse.place(organization, environment)
            found = await pulse.call("GET", f"/api/messages/{part(message_id)}", **place)
        if json_:
            print_json(found)
        else:
            view.show(found)

    run(work)


@app.command()
def tail(
    data: Data = None, organization: Organization = None, environment: Environment = None, json_: Json = False
) -> None:
    """Prints messages as they end, until Ctrl-C."""

    async def work() -> None:
        async with session(data) as pulse:
            if not pulse.is_running:
                raise Unavailable("Pulse is not running on this folder, so no message ends: start it with `pulse up`.")
            await _follow(pulse, await pulse.place(organization, environment), json_=json_)

    run(work)


@app.command()
def cancel(
    message_id: str,
    data: Data = None,
    organization: Organization = None,
    environment: Environment = None,
    json_: Json = False,
) -> None:
    """Cancels a message that waits or runs."""

    async def work() -> None:
        async with session(data) as pulse:
            place = await pulse.place(organization, environment)
            done = await pulse.send("POST", f"/api/messages/{part(message_id)}/cancel", params=place)
        if json_:
            return print_json(done.json())
        print_text(f"{message_id} canceled")

    run(work)


@app.command()
def tree(
    message_id: str,
    data: Data = None,
    organization: Organization = None,
    environment: Environment = None,
    json_: Json = False,
) -> None:
    """Shows the messages that descend from the same message as this one, through workflows that start workflows."""

    async def work() -> None:
        async with session(data) as pulse:
            place = await pulse.place(organization, environment)
            found = await pulse.call("GET", f"/api/messages/{part(message_id)}/tree", **place)
        if json_:
            return print_json(found)
        _print_tree(found, 0)

    run(work)


@app.command()
def replay(
    ids: Annotated[list[str] | None, typer.Argument(help="Messages to send again.")] = None,
    status: Status = None,
    since: Since = None,
    type_: Annotated[str | None, typer.Option("--type")] = None,
    old_version: Annotated[
        bool, typer.Option("--old-version", help="On the version that each ran on, not on the current one.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count them.")] = False,
    data: Data = None,
    organization: Organization = None,
    environment: Environment = None,
    json_: Json = False,
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
        async with session(data, sends=True) as pulse:
            place = await pulse.place(organization, environment)
            version = "old" if old_version else "current"
            done = await replay_all(pulse, place, {**body, "version": version}, dry_run=dry_run)
        if json_:
            print_json(done)
        else:
            _print_replayed(done, dry_run=dry_run)
        if ids and done["count"] + done.get("skipped", 0) < len(set(ids)):
            raise NotFound(f"{len(set(ids)) - done['count'] - done.get('skipped', 0)} of them are not there.")

    run(work)


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
