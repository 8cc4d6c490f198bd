"""`pulse variables`: what scripts of an environment know under a name of its own. Values go in and do not come out."""

import re
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from pulse.cli.output import fail, print_json, print_table, print_text, run
from pulse.cli.session import LARGEST_PAGE, Data, Environment, Json, Organization, Session, part, session
from pulse.core.errors import Fault, InvalidFields, InvalidInput, NotFound, PulseError
from pulse.tenancy.variables import name_faults, value_faults

app = typer.Typer(no_args_is_help=True, help="Variables of an environment, for its scripts.")
PATH = "/api/variables"


@app.command("set")
def set_(
    name: str,
    value: Annotated[
        str | None,
        typer.Argument(
            help="The value. Others on this machine may see it here: without it, or as -, it is read from "
            "standard input, and asked for on a terminal."
        ),
    ] = None,
    from_file: Annotated[Path | None, typer.Option("--from-file", help="A file whose text is the value.")] = None,
    organization: Organization = None,
    environment: Environment = None,
    data: Data = None,
    json_: Json = False,
) -> None:
    """Gives a variable its value, and makes it where it is not there. What is read loses a line break at its end."""
    if value is not None and from_file is not None:
        raise typer.BadParameter("Give the value, or the file that holds it, not both.", param_hint="--from-file")
    # Before the loop, which would keep Ctrl-C from a prompt.
    given = _checked(name, value, from_file)

    async def work() -> None:
        async with session(data) as pulse:
            stored = await _store(pulse, await pulse.place(organization, environment), name, given)
        if json_:
            return print_json(stored)
        print_text(f"{name} is set (version {stored['version']})")

    run(work)


@app.command("list")
def list_(
    organization: Organization = None, environment: Environment = None, data: Data = None, json_: Json = False
) -> None:
    """Lists variables, without their values."""

    async def work() -> None:
        async with session(data) as pulse:
            place = await pulse.place(organization, environment)
            found = await pulse.call("GET", PATH, limit=LARGEST_PAGE, **place)
        if json_:
            return print_json(found)
        columns = ("name", "version", "updatedAt")
        print_table(columns, ([row[column] for column in columns] for row in found["data"]), "None yet.")

    run(work)


@app.command()
def delete(
    name: str,
    organization: Organization = None,
    environment: Environment = None,
    data: Data = None,
    json_: Json = False,
) -> None:
    """Deletes a variable, with every value it had."""

    async def work() -> None:
        async with session(data) as pulse:
            place = await pulse.place(organization, environment)
            found = await _find(pulse, place, name)
            if found is None:
                raise NotFound(f"There is no variable {name!r}.")
            await pulse.send("DELETE", f"{PATH}/{part(found['id'])}", params=place)
        if json_:
            return print_json({"id": found["id"], "name": name, "deleted": True})
        print_text(f"{name} deleted")

    run(work)


def _checked(name: str, value: str | None, file: Path | None) -> str:
    """The value, wherever it is given; nothing is asked for under a name that cannot be."""
    try:
        _refuse(name_faults(name))
        given = _read(file) if value is None or value == "-" else value
        _refuse(value_faults(given))
    except PulseError as error:
        fail(error)
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


async def _store(pulse: Session, place: dict[str, str], name: str, value: str) -> Any:
    found = await _find(pulse, place, name)
    if found is None:
        response = await pulse.send("POST", PATH, params=place, json={"name": name, "value": value})
    else:
        response = await pulse.send("PUT", f"{PATH}/{part(found['id'])}", params=place, json={"value": value})
    return response.json()


async def _find(pulse: Session, place: dict[str, str], name: str) -> dict[str, Any] | None:
    return next((row for row in await pulse.all_rows(PATH, place) if row["name"] == name), None)
