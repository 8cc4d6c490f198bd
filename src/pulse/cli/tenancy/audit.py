"""`pulse audit`: who changed what, and who was refused."""

from functools import partial
from pathlib import Path
from typing import Annotated, Any

import anyio
import typer

from pulse.cli.models.choosing import OwnerOptions
from pulse.cli.options import At, opened
from pulse.cli.output import Answer, print_table

app = typer.Typer(no_args_is_help=True, help="Who changed what, and who was refused.")
COLUMNS = ("at", "who", "action", "outcome", "what")
MOST = 1_000


@app.command("list")
@opened(OwnerOptions)
async def list_entries(
    at: At,
    actor: Annotated[str | None, typer.Option("--actor", help="Of a user's or key's id, or of a kind.")] = None,
    action: Annotated[str | None, typer.Option("--action", help="A permission, as in workflows:write.")] = None,
    text: Annotated[str | None, typer.Option("--text", help="Something that stands in it.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=MOST, help="At most so many.")] = 50,
) -> Answer:
    """Lists entries of an organization, or of the installation (--system), the newest first."""
    found = await at.get("/api/audit", actor=actor, action=action, text=text, limit=limit)
    return Answer(found, partial(print_table, COLUMNS, (_line(row) for row in found["data"]), "None yet."))


@app.command()
@opened(OwnerOptions)
async def export(at: At, file: Path) -> Answer:
    """Writes the whole chain into a file as NDJSON, each entry with its hash (GET /api/audit/export says how it is
    made).
    """
    answer = await at.pulse.send("GET", "/api/audit/export", params=at.place)
    await anyio.Path(file).write_bytes(answer.content)
    count = answer.content.count(b"\n")
    return Answer({"file": str(file), "entries": count}, f"{file}: {count} entries")


def _line(row: dict[str, Any]) -> list[str]:
    who = " ".join(filter(None, (row["actor"]["kind"], row["actor"]["id"])))
    what = ", ".join(f"{each['kind']} {each['name'] or each['id']}" for each in row["subjects"])
    return [row["at"], who, row["action"], row["outcome"], what]
