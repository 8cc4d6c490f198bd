"""`pulse messages`: what was processed."""

import itertools
import json
import re
import time
from typing import Annotated, Any

import anyio
import typer

from pulse.cli.output import counted, print_json, print_table, print_text, run, say
from pulse.cli.session import Data, Environment, Json, Organization, Session, part, session
from pulse.core.clock import iso
from pulse.core.errors import Fault, InvalidFields, NotFound, Unavailable

app = typer.Typer(no_args_is_help=True, help="Processed messages.")
COLUMNS = ("Id", "Status", "Type", "Workflow", "Received", "Elapsed", "Why")
WAITING = ("pending", "held")
PAGE, LOOK_AGAIN_S = 1000, 0.5
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
Status = Annotated[str | None, typer.Option("--status", help="pending, success, fail, ignore, canceled or held.")]
Since = Annotated[str | None, typer.Option("--since", help="How far back: 30m, 1h, 7d.")]


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
            _show(found)

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
def replay(
    ids: Annotated[list[str] | None, typer.Argument(help="Messages to send again.")] = None,
    status: Status = None,
    since: Since = None,
    type_: Annotated[str | None, typer.Option("--type")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count them.")] = False,
    data: Data = None,
    organization: Organization = None,
    environment: Environment = None,
    json_: Json = False,
) -> None:
    """Sends messages again: these, or all that fit --status, --type and --since. Each becomes a new message."""

    async def work() -> None:
        wanted = {"ids": ids, "status": status, "type": type_, "from": _ago(since), "dryRun": dry_run}
        body = {name: value for name, value in wanted.items() if value is not None}
        async with session(data) as pulse:
            place = await pulse.place(organization, environment)
            done = await pulse.send("POST", "/api/messages/replay", params=place, json=body)
        count = done.json()["count"]
        if json_:
            print_json(done.json())
        else:
            print_text(f"{counted(count, 'message')} {'to be' if dry_run else ''} sent again.".replace("  ", " "))
        if ids and count < len(set(ids)):
            raise NotFound(f"{len(set(ids)) - count} of them are not there.")

    run(work)


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


def _show(found: dict[str, Any]) -> None:
    head = ("id", "status", "type", "workflowName", "workflowVersion", "receivedAt", "elapsedMs", "replayOf")
    for name in head:
        if found.get(name) is not None:
            print_text(f"{name:16}{found[name]}")
    for sentence in _why(found):
        print_text(f"{'why':16}{sentence}")
    context = found.get("context", {})
    for error in context.get("____execution_errors____", []):
        print_text(f"{'error':16}{_error_line(error)}")
    if "result" in found:
        print_text("result")
        print_json(found["result"])
    for entry in context.get("____execution_log____", []):
        print_text(_log_line(entry))


def _why(found: dict[str, Any]) -> list[str]:
    reason = found.get("reason")
    if reason is None:
        return []
    sentences = {
        "no_workflows": "There is no workflow in this environment.",
        "inactive": "Every workflow of this environment is switched off.",
        "over_limit": "The organization was over its limit.",
    }
    tried = [_rule_line(entry) for entry in reason.get("workflows", [])]
    return tried or [sentences.get(reason["code"], reason["code"])]


def _rule_line(entry: dict[str, Any]) -> str:
    rule = entry.get("rule")
    if rule is None:
        return f'{entry["name"]}: event "{entry.get("entity", "")}" was not passed'
    seen = repr_json(entry["seen"]) if "seen" in entry else "missing"
    wanted = f"{rule['comparison']} {repr_json(rule['value'])}" if "value" in rule else rule["comparison"]
    return f'{entry["name"]}: event "{entry.get("entity", "")}": {rule["field"]} = {seen}, wanted {wanted}'


def repr_json(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else text[:77] + "…"


def _error_line(error: dict[str, Any]) -> str:
    where = f" ({error.get('entityName')}, line {error['line']})" if "line" in error else ""
    return f"{error.get('errorType')}: {error.get('error')}{where}\n{'':16}{error.get('suggestion', '')}"


def _log_line(entry: dict[str, Any]) -> str:
    known = {"ts", "elapsed", "type", "action", "entityId", "entityName", "entityType"}
    rest = " ".join(f"{name}={repr_json(value)}" for name, value in entry.items() if name not in known)
    what = f"{entry['type']:9} {entry.get('action', ''):18} {entry.get('entityName', '')}"
    return f"{entry.get('elapsed', ''):>6} ms  {what}  {rest}"


def _line(row: dict[str, Any]) -> tuple[Any, ...]:
    ms = row.get("elapsedMs")
    elapsed = "" if ms is None else f"{ms}ms" if ms < 1000 else f"{ms / 1000:.1f}s"
    why = row.get("error") or (row.get("code") if row["status"] == "ignore" else None)
    return row["id"], row["status"], row.get("type"), row.get("workflowName"), row["receivedAt"], elapsed, why


def _ago(since: str | None) -> str | None:
    if since is None:
        return None
    found = re.fullmatch(r"(\d+)([smhd])", since)
    if found is None:
        raise InvalidFields([Fault("--since", "invalid_duration", "say how far back as 30m, 1h or 7d.")])
    return iso(max(0, time.time_ns() // 1_000_000 - int(found[1]) * UNITS[found[2]] * 1000))
