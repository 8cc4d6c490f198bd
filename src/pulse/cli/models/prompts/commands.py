"""`pulse prompts`: prompt templates and their versions. Their sets of values and their runs have modules beside it."""

from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from pulse.cli.models.choosing import chosen, configurations
from pulse.cli.models.prompts import sets
from pulse.cli.models.prompts.choosing import TEMPLATES, find_template, path_of
from pulse.cli.models.prompts.reading import read_prompt
from pulse.cli.models.prompts.runs import run_
from pulse.cli.options import At, EnvironmentOptions, opened, taking
from pulse.cli.output import Answer, listed, print_text
from pulse.cli.session import part

app = typer.Typer(no_args_is_help=True, help="Prompt templates, their versions, sets of values and runs.")
app.add_typer(sets.app, name="sets")
app.command("run")(run_)
KEPT = ("name", "text", "system", "description", "modelConfigurationId")
Text = Annotated[str | None, typer.Option("--text", help="What is asked, with {{placeholders}}.")]
TextFile = Annotated[Path | None, typer.Option("--text-file", help="A file with that text; - is stdin.")]
SystemText = Annotated[str | None, typer.Option("--system", help="The system prompt. Empty: none.")]
SystemFile = Annotated[Path | None, typer.Option("--system-file", help="A file with the system prompt; - is stdin.")]
Model = Annotated[
    str | None,
    typer.Option("--model", help="The configuration that is asked first, by id or name. Empty: the default."),
]
Description = Annotated[str | None, typer.Option("--description", help="Empty: none.")]


@app.command()
@taking(EnvironmentOptions)
def create(
    options: EnvironmentOptions,
    name: str,
    text: Text = None,
    text_file: TextFile = None,
    system: SystemText = None,
    system_file: SystemFile = None,
    model: Model = None,
    description: Description = None,
) -> None:
    """Makes a template. A text from a file loses a line break at its end."""
    given = _given(text, text_file, system, system_file, description)
    if "text" not in given:
        raise typer.BadParameter("Say what is asked, here or with --text-file.", param_hint="--text")

    async def work(at: At) -> Answer:
        return await at.create(TEMPLATES, {"name": name, **given, **await _model(at, model)})

    options.run(work)


@app.command()
@taking(EnvironmentOptions)
def edit(
    options: EnvironmentOptions,
    template: str,
    name: Annotated[str | None, typer.Option("--name", help="A new name.")] = None,
    text: Text = None,
    text_file: TextFile = None,
    system: SystemText = None,
    system_file: SystemFile = None,
    model: Model = None,
    description: Description = None,
) -> None:
    """Changes what is given of a template, by id or name; the rest stays. Every change is a version."""
    given = _given(text, text_file, system, system_file, description)
    given |= {} if name is None else {"name": name}
    if not given and model is None:
        raise typer.BadParameter("Say what changes: --text, --text-file, --system, --model, --description or --name.")

    async def work(at: At) -> Answer:
        found = await find_template(at, template)
        body = {**{field: found[field] for field in KEPT}, **given, **await _model(at, model)}
        changed = await at.put(TEMPLATES, found, body, revision="version")
        return Answer(changed, f"{changed['name']} is saved (version {changed['version']})")

    options.run(work)


@app.command("list")
@opened(EnvironmentOptions)
async def list_(at: At) -> Answer:
    """Lists the prompt templates of an environment."""
    rows = await at.rows(TEMPLATES)
    columns = ("id", "name", "version", "variables", "modelConfigurationId", "updatedAt")
    shown = [{**row, "variables": ", ".join(row["variables"])} for row in rows]
    return Answer({"data": rows}, listed({"data": shown}, columns).text)


@app.command()
@opened(EnvironmentOptions)
async def show(
    at: At,
    template: str,
    version: Annotated[int | None, typer.Option("--version", help="As it was at that save. Default: as it is.")] = None,
) -> Answer:
    """Shows a template, by id or name."""
    found = await find_template(at, template)
    if version is not None:
        found = await at.get(f"{TEMPLATES}/{part(found['id'])}/versions/{version}")
    return Answer(found, partial(_print, found))


@app.command()
@opened(EnvironmentOptions)
async def versions(at: At, template: str) -> Answer:
    """Lists the versions of a template, the newest first."""
    rows = await at.rows(f"{await path_of(at, template)}/versions")
    return listed({"data": rows}, ("version", "name", "modelConfigurationId", "isCurrent", "createdAt"))


@app.command()
@opened(EnvironmentOptions)
async def diff(
    at: At,
    template: str,
    before: Annotated[int, typer.Argument(metavar="FROM", help="A version.")],
    after: Annotated[int | None, typer.Argument(metavar="TO", help="Another version. Default: the newest.")] = None,
) -> Answer:
    """Shows what has changed in a template from one version to another."""
    found = await at.get(f"{await path_of(at, template)}/diff", **{"from": before, "to": after})
    same = f"Versions {found['from']} and {found['to']} ask the same."
    return Answer(found, found["diff"].removesuffix("\n") or same)


@app.command()
@opened(EnvironmentOptions)
async def delete(at: At, template: str) -> Answer:
    """Deletes a template with its versions and sets of values."""
    return await at.delete(TEMPLATES, await find_template(at, template))


def _given(
    text: str | None, text_file: Path | None, system: str | None, system_file: Path | None, description: str | None
) -> dict[str, Any]:
    """The fields that options say, read outside of any loop, which would keep Ctrl-C from a terminal."""
    if str(text_file) == str(system_file) == "-":
        raise typer.BadParameter("Standard input is one text: put the other into a file.", param_hint="--system-file")
    fields = {
        "text": _one("--text-file", text, text_file),
        "system": _one("--system-file", system, system_file),
        "description": description,
    }
    said = {field: value for field, value in fields.items() if value is not None}
    return {field: None if value == "" and field != "text" else value for field, value in said.items()}


def _one(option: str, words: str | None, file: Path | None) -> str | None:
    """What is given as an argument, or in a file."""
    if words is not None and file is not None:
        raise typer.BadParameter("Give the text, or the file that holds it, not both.", param_hint=option)
    return words if file is None else read_prompt(file)


async def _model(at: At, wanted: str | None) -> dict[str, str | None]:
    """The field of the model that is wanted, if anything is said about it. Raises NotFound."""
    if not wanted:
        return {} if wanted is None else {"modelConfigurationId": None}
    rows = await configurations(at.pulse, {"organizationId": at.place["organizationId"]})
    return {"modelConfigurationId": chosen(rows, wanted, "model configuration")["id"]}


def _print(found: dict[str, Any]) -> None:
    print_text(f"{found['name']} (version {found['version']})")
    if found["system"]:
        print_text(f"\nsystem\n{found['system']}")
    print_text(f"\ntext\n{found['text']}")
