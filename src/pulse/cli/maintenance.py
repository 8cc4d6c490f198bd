"""`pulse doctor`, `migrate`, `backup`, `restore`, `rotate-master-key`, `bench`."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from pulse.bootstrap.backup import back_up, restore_into
from pulse.bootstrap.doctor import Finding, examine_all
from pulse.bootstrap.maintenance import master_key_change
from pulse.bootstrap.platform import OpenData
from pulse.bootstrap.settings import load_settings
from pulse.cli.options import Data, Json, Unused
from pulse.cli.output import Answer, print_table, run


def migrate(data: Data = None, json_: Json = False) -> None:
    """Brings the database's schema up to date. Safe to run again, and from several machines at once."""

    async def work() -> Answer:
        opened = OpenData(load_settings(data))
        try:
            applied = await opened.prepare()
        finally:
            await opened.close()
        done = f"Applied: {', '.join(applied)}." if applied else "The schema is up to date."
        return Answer({"applied": applied}, done)

    run(work, as_json=json_)


def doctor(data: Data = None, json_: Json = False) -> None:
    """Checks every configured part and says what to do about what is wrong."""

    async def work() -> Answer:
        findings = await examine_all(load_settings(data))
        is_wrong = any(finding.state == "wrong" for finding in findings)
        return Answer([vars(finding) for finding in findings], partial(_print_findings, findings), is_failure=is_wrong)

    run(work, as_json=json_)


def backup(file: Path, data: Data = None, json_: Json = False) -> None:
    """Writes the data folder into one file, while Pulse runs or not."""

    async def work() -> Answer:
        size = await back_up(load_settings(data), file)
        told = f"{file}: {size} bytes. It holds the key to stored secrets: keep it safe."
        return Answer({"file": str(file), "bytes": size}, told)

    run(work, as_json=json_)


def restore(file: Path, data: Data = None, json_: Json = False) -> None:
    """Makes a data folder of a backup; the folder must not exist, or be empty."""

    async def work() -> Answer:
        settings = load_settings(data)
        await restore_into(settings, file)
        return Answer({"data": str(settings.data)}, f"Restored into {settings.data}.")

    run(work, as_json=json_)


def rotate_master_key(data: Data = None, json_: Json = False) -> None:
    """Seals all data keys anew under the first key of PULSE_SECRET_KEY.

    To change the key: put the new one before the old one, with a comma between, start every process anew, run this, and
    take the old one away. In embedded mode the old one stands in the data folder's secret.key.
    """

    async def work() -> Answer:
        opened = OpenData(load_settings(data))
        try:
            await opened.prepare()
            done = await master_key_change(opened.parts).run()
        finally:
            await opened.close()
        told = f"{done.wrapped} data keys are sealed anew, {done.current} were already."
        if done.unreadable:
            told += (
                f"\nNo key that is set opens those of: {', '.join(done.unreadable)}. Set the key that was used, too."
            )
        found = {"sealed": done.wrapped, "current": done.current, "unreadable": list(done.unreadable)}
        return Answer(found, told, is_failure=bool(done.unreadable))

    run(work, as_json=json_)


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
