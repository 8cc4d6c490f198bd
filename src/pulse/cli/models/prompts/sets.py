"""`pulse prompts sets`: values for the placeholders of a template, by name."""

import json
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from pulse.cli.models.choosing import chosen
from pulse.cli.models.prompts.choosing import path_of
from pulse.cli.models.prompts.reading import pairs, read_values
from pulse.cli.options import At, EnvironmentOptions, opened, taking
from pulse.cli.output import Answer, print_table

app = typer.Typer(no_args_is_help=True, help="Sets of values for the placeholders of a prompt template.")


@app.command("list")
@opened(EnvironmentOptions)
async def list_(at: At, template: str) -> Answer:
    """Lists the sets of a template, with their values."""
    rows = await _sets(at, await _path(at, template))
    lines = ([row["id"], row["name"], _shown(row["values"]), row["updatedAt"]] for row in rows)
    return Answer({"data": rows}, partial(print_table, ("id", "name", "values", "updatedAt"), lines, "None yet."))


@app.command("set")
@taking(EnvironmentOptions)
def set_(
    options: EnvironmentOptions,
    template: str,
    name: str,
    values: Annotated[list[str] | None, typer.Argument(help="placeholder=text, as in issue.title=Crash.")] = None,
    file: Annotated[
        Path | None, typer.Option("--values", help="The values as a JSON object; - is stdin. Pairs go before them.")
    ] = None,
) -> None:
    """Stores a set of values, in place of the template's set of that name."""
    if not values and file is None:
        raise typer.BadParameter("Give the values, as placeholder=text or with --values.", param_hint="VALUES")
    wanted = {**({} if file is None else read_values(file)), **pairs(values or [], "VALUES")}

    async def work(at: At) -> Answer:
        stored = await _store(at, await _path(at, template), {"name": name, "values": wanted})
        return Answer(stored, f"{stored['name']} is set: {_shown(stored['values'])}")

    options.run(work)


@app.command()
@opened(EnvironmentOptions)
async def delete(at: At, template: str, name: Annotated[str, typer.Argument(help="Of the set, or its id.")]) -> Answer:
    """Deletes a set of values."""
    path = await _path(at, template)
    return await at.delete(path, chosen(await _sets(at, path), name, "set of values"))


async def _path(at: At, template: str) -> str:
    return f"{await path_of(at, template)}/variable-sets"


async def _sets(at: At, path: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await at.get(path))["data"]
    return found


async def _store(at: At, path: str, body: dict[str, Any]) -> dict[str, Any]:
    found = next((row for row in await _sets(at, path) if row["name"] == body["name"]), None)
    return await (at.post(path, body) if found is None else at.put(path, found, body))


def _shown(values: dict[str, Any]) -> str:
    return json.dumps(values, ensure_ascii=False)
