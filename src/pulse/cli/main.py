"""The command tree. A command's module is imported when the command is wanted: few need all of Pulse."""

import gc
import logging
import sys
from importlib import import_module
from typing import Annotated, Any

import typer

from pulse.cli.output import logs_to_stderr

COMMANDS = {
    "up": "pulse.cli.up:up",
    "send": "pulse.cli.send:send",
    "test": "pulse.cli.trials:run_files",
    "scripts": "pulse.cli.scripts:scripts",
    "roles": "pulse.cli.tenancy.roles:roles",
    "migrate": "pulse.cli.maintenance:migrate",
    "doctor": "pulse.cli.maintenance:doctor",
    "backup": "pulse.cli.maintenance:backup",
    "restore": "pulse.cli.maintenance:restore",
    "rotate-master-key": "pulse.cli.maintenance:rotate_master_key",
    "bench": "pulse.cli.maintenance:bench",
}
GROUPS = {
    "messages": "pulse.cli.messages.commands:app",
    "runs": "pulse.cli.runs.commands:app",
    "workflows": "pulse.cli.workflows.commands:app",
    "variables": "pulse.cli.tenancy.variables:app",
    "credentials": "pulse.cli.models.credentials:app",
    "models": "pulse.cli.models.configurations:app",
    "prompts": "pulse.cli.models.prompts.commands:app",
    "organizations": "pulse.cli.tenancy.organizations:organizations",
    "environments": "pulse.cli.tenancy.organizations:environments",
    "keys": "pulse.cli.tenancy.organizations:keys",
    "users": "pulse.cli.tenancy.users:app",
    "sources": "pulse.cli.tenancy.organizations:sources",
    "usage": "pulse.cli.tenancy.usage:app",
    "audit": "pulse.cli.tenancy.audit:app",
}


def tree(only: str | None = None) -> typer.Typer:
    """All commands, or one of them."""
    app = typer.Typer(
        name="pulse", no_args_is_help=True, add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False
    )
    app.callback()(pulse)
    for name, place in COMMANDS.items():
        if only in (None, name):
            app.command(name)(_at(place))
    for name, place in GROUPS.items():
        if only in (None, name):
            app.add_typer(_at(place), name=name)
    return app


def main() -> None:
    """What `pulse` runs."""
    # Most of what is made stays: looking through it again and again takes a fifth of the time until all is imported.
    gc.set_threshold(20_000, 20, 50)
    asked = next((word for word in sys.argv[1:] if not word.startswith("-")), None)
    tree(asked if asked in COMMANDS | GROUPS else None)()


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(version("pulse"))
        raise typer.Exit


def pulse(
    _asked: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Event-driven workflows: JSON messages in, JavaScript in sandboxes, every result kept."""
    logs_to_stderr(logging.WARNING)


def _at(place: str) -> Any:
    module, _, name = place.partition(":")
    return getattr(import_module(module), name)


if __name__ == "__main__":
    main()
