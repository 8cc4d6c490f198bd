"""`pulse prompts run`: asks models a template over rows of values, and waits for their answers."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import anyio
import typer

from pulse.cli.models.choosing import chosen, configurations
from pulse.cli.models.prompts.choosing import path_of
from pulse.cli.models.prompts.reading import pairs, read_rows
from pulse.cli.options import At, EnvironmentOptions, taking
from pulse.cli.output import Answer, counted, print_text, say
from pulse.cli.session import part

LOOK_EVERY_S = 0.5
MILLION = 1_000_000


@taking(EnvironmentOptions)
def run_(
    options: EnvironmentOptions,
    template: str,
    model: Annotated[
        list[str] | None, typer.Option("--model", help="A configuration, by id or name; may be repeated.")
    ] = None,
    value: Annotated[
        list[str] | None, typer.Option("--set", help="placeholder=text, for one row; may be repeated.")
    ] = None,
    values: Annotated[
        Path | None,
        typer.Option("--values", help="Rows as JSON: an object, a list of them, or one a line; - is stdin."),
    ] = None,
    variable_set: Annotated[
        list[str] | None, typer.Option("--variable-set", help="A stored set of values, by name; may be repeated.")
    ] = None,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Whether to wait for the answers.")] = True,
) -> None:
    """Asks models a template. Exit code 1: a call failed, or an answer is not as its assertions say."""
    # Before the loop, which would keep Ctrl-C from standard input.
    single = pairs(value or [], "--set")
    rows = [*([single] if single else []), *(read_rows(values) if values is not None else [])]

    async def work(at: At) -> Answer:
        path, body = await _body(at, template, model or [], variable_set or [])
        found = await at.post(path, {**body, "rows": [{"values": row} for row in rows]})
        if wait and at.pulse.is_running:
            found = await _awaited(at, path, found)
        names = {row["id"]: row["name"] for row in await configurations(at.pulse, at.place)}
        told = partial(_print, found, names, is_running=at.pulse.is_running)
        return Answer(found, told, is_failure=not all(map(_is_good, found["cells"])))

    options.run(work)


async def _body(at: At, template: str, models: Sequence[str], sets: Sequence[str]) -> tuple[str, dict[str, Any]]:
    """The address of the template's runs, and a run without its rows."""
    path = await path_of(at, template)
    body: dict[str, Any] = {}
    if models:
        known = await configurations(at.pulse, {"organizationId": at.place["organizationId"]})
        named = [chosen(known, model, "model configuration")["id"] for model in models]
        body["variants"] = [{"modelConfigurationId": each} for each in named]
    if sets:
        stored = (await at.get(f"{path}/variable-sets"))["data"]
        body["setIds"] = [chosen(stored, each, "set of values")["id"] for each in sets]
    return f"{path}/runs", body


async def _awaited(at: At, path: str, found: dict[str, Any]) -> dict[str, Any]:
    """The run once it is over."""
    while found["status"] == "running":
        await anyio.sleep(LOOK_EVERY_S)
        found = await at.get(f"{path}/{part(found['id'])}")
    return found


def _print(found: dict[str, Any], names: dict[str, str], *, is_running: bool) -> None:
    if found["status"] == "running":
        hint = "" if is_running else ", which are asked for once `pulse up` runs"
        return print_text(f"{found['id']} waits for {counted(len(found['cells']), 'answer')}{hint}")
    for cell in found["cells"]:
        _print_cell(cell, found, names)
    say(f"{found['id']}: {_summary(found)}")


def _print_cell(cell: dict[str, Any], found: dict[str, Any], names: dict[str, str]) -> None:
    variant, result = found["variants"][cell["variant"]], cell["result"] or {}
    row = found["rows"][cell["row"]]["name"]
    model = names.get(variant["modelConfigurationId"], variant["modelConfigurationId"])
    print_text(" · ".join(filter(None, (row, model, f"version {variant['version']}", cell["state"]))))
    print_text(result["error"]["message"] if "error" in result else result.get("response", ""))
    for verdict in result.get("assertions", []):
        if not verdict["passed"]:
            print_text(f"not passed: {verdict['type']}: {verdict.get('error') or verdict['message']}")
    print_text("")


def _summary(found: dict[str, Any]) -> str:
    states = ", ".join(f"{number} {state}" for state, number in sorted(found["counts"].items()))
    return f"{states}, ${found['costMicros'] / MILLION:.6f}"


def _is_good(cell: dict[str, Any]) -> bool:
    """Whether there is nothing to complain of, so far."""
    return cell["state"] not in ("failed", "canceled") and (cell["result"] or {}).get("passed") is not False
