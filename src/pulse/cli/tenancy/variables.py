"""`pulse variables`: what scripts of an environment know under a name of its own. Values go in and do not come out."""

import re
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from pulse.cli.options import At, EnvironmentOptions, opened, taking
from pulse.cli.output import Answer, listed
from pulse.cli.session import LARGEST_PAGE, part
from pulse.core.errors import Fault, InvalidFields, InvalidInput, NotFound
from pulse.tenancy.variables import name_faults, value_faults

app = typer.Typer(no_args_is_help=True, help="Variables of an environment, for its scripts.")
PATH = "/api/variables"


@app.command("set")
@taking(EnvironmentOptions)
def set_(
    options: EnvironmentOptions,
    name: str,
    value: Annotated[
        str | None,
        typer.Argument(
            help="The value. Others on this machine may see it here: without it, or as -, it is read from "
            "standard input, and asked for on a terminal."
        ),
    ] = None,
    from_file: Annotated[Path | None, typer.Option("--from-file", help="A file whose text is the value.")] = None,
) -> None:
    """Gives a variable its value, and makes it where it is not there. What is read loses a line break at its end."""
    if value is not None and from_file is not None:
        raise typer.BadParameter("Give the value, or the file that holds it, not both.", param_hint="--from-file")
    # Before the loop, which would keep Ctrl-C from a prompt.
    given = _checked(name, value, from_file)

    async def work(at: At) -> Answer:
        stored = await _store(at, name, given)
        return Answer(stored, f"{name} is set (version {stored['version']})")

    options.run(work)


@app.command("list")
@opened(EnvironmentOptions)
async def list_(at: At) -> Answer:
    """Lists variables, without their values."""
    return listed(await at.get(PATH, limit=LARGEST_PAGE), ("name", "version", "updatedAt", "lastUsedAt"))


@app.command()
@opened(EnvironmentOptions)
async def delete(at: At, name: str) -> Answer:
    """Deletes a variable, with every value it had."""
    found = await _find(at, name)
    if found is None:
        raise NotFound(f"There is no variable {name!r}.")
    return await at.delete(PATH, found)


def _checked(name: str, value: str | None, file: Path | None) -> str:
    """The value, wherever it is given; nothing is asked for under a name that cannot be."""
    _refuse(name_faults(name))
    given = _read(file) if value is None or value == "-" else value
    _refuse(value_faults(given))
    return given


def _refuse(faults: list[Fault]) -> None:
    if faults:
        raise InvalidFields(faults)


def _read(file: Path | None) -> str:
    if file is None and sys.stdin.isatty():
        return str(typer.prompt("Value", hide_input=True, err=True))
    try:
        raw = sys.stdin.buffer.read() if file is None else file.read_bytes()
        text = raw.decode("utf-8-sig")
    except OSError as error:
        raise NotFound(f"{file or 'Standard input'} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise InvalidInput(f"{file or 'Standard input'} is not UTF-8 text: encode bytes as base64.") from None
    return re.sub(r"\r?\n\Z", "", text)


async def _store(at: At, name: str, value: str) -> dict[str, Any]:
    found = await _find(at, name)
    if found is None:
        return await at.post(PATH, {"name": name, "value": value})
    path = f"{PATH}/{part(found['id'])}"
    stored: dict[str, Any] = await at.pulse.call("PUT", path, body={"value": value}, **at.place)
    return stored


async def _find(at: At, name: str) -> dict[str, Any] | None:
    return next((row for row in await at.rows(PATH) if row["name"] == name), None)
