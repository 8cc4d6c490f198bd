"""`pulse doctor`, `migrate`, `scripts`, `backup`, `restore`, `bench`."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from pulse.bootstrap.backup import back_up, restore_into
from pulse.bootstrap.doctor import Finding, examine_all
from pulse.bootstrap.platform import OpenData
from pulse.bootstrap.settings import load_settings
from pulse.cli.output import FAILED, fail, print_json, print_table, print_text, run
from pulse.cli.session import Data, Json
from pulse.core.errors import NotFound
from pulse.sandbox.functions import FUNCTIONS

Unused = Annotated[Path | None, typer.Option("--data", help="Taken by every command; it changes nothing here.")]


def migrate(data: Data = None, json_: Json = False) -> None:
    """Brings the database's schema up to date. Safe to run again, and from several machines at once."""

    async def work() -> None:
        opened = OpenData(load_settings(data))
        try:
            applied = await opened.prepare()
        finally:
            await opened.close()
        if json_:
            return print_json({"applied": applied})
        print_text(f"Applied: {', '.join(applied)}." if applied else "The schema is up to date.")

    run(work)


def doctor(data: Data = None, json_: Json = False) -> None:
    """Checks every configured part and says what to do about what is wrong."""

    async def work() -> None:
        findings = await examine_all(load_settings(data))
        if json_:
            print_json([vars(finding) for finding in findings])
        else:
            _print_findings(findings)
        if any(finding.state == "wrong" for finding in findings):
            raise typer.Exit(FAILED)

    run(work)


def scripts(name: Annotated[str | None, typer.Argument()] = None, json_: Json = False, _data: Unused = None) -> None:
    """Lists what scripts can call."""
    found = [function for function in FUNCTIONS if name in (None, function.name)]
    if not found:
        fail(NotFound(f"Scripts cannot call {name!r}. `pulse scripts` lists what they can."))
    if json_:
        return print_json([vars(function) for function in found])
    print_table(("Call", "What it does"), ((f.signature, f.summary) for f in found), "")


def backup(file: Path, data: Data = None, json_: Json = False) -> None:
    """Writes the data folder into one file, while Pulse runs or not."""

    async def work() -> None:
        size = await back_up(load_settings(data), file)
        if json_:
            return print_json({"file": str(file), "bytes": size})
        print_text(f"{file}: {size} bytes. It holds the key to stored secrets: keep it safe.")

    run(work)


def restore(file: Path, data: Data = None, json_: Json = False) -> None:
    """Makes a data folder of a backup; the folder must not exist, or be empty."""

    async def work() -> None:
        settings = load_settings(data)
        await restore_into(settings, file)
        if json_:
            return print_json({"data": str(settings.data)})
        print_text(f"Restored into {settings.data}.")

    run(work)


def bench(
    scenario: Annotated[str, typer.Argument(help="sandbox, e2e, latency, startup, memory or all.")],
    json_: Json = False,
    _data: Unused = None,
) -> None:
    """Measures Pulse on this machine (from a checkout: the benchmarks lie beside the source)."""
    from pulse.cli.benchmarks import run_scenario

    raise typer.Exit(run_scenario(scenario, json_=json_))


def _print_findings(findings: list[Finding]) -> None:
    marks = {"ok": "ok", "note": "note", "wrong": "WRONG"}
    print_table(("Part", "", "What was found"), ((f.part, marks[f.state], f.detail) for f in findings), "")


COMMANDS: Mapping[str, Callable[..., Any]] = {
    "migrate": migrate,
    "doctor": doctor,
    "scripts": scripts,
    "backup": backup,
    "restore": restore,
    "bench": bench,
}
