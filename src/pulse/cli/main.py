"""The command tree."""

import logging
from typing import Annotated

import typer

from pulse.cli import maintenance, send, tenancy, trials, up, variables
from pulse.cli.messages import commands as messages
from pulse.cli.output import logs_to_stderr
from pulse.cli.runs import commands as runs
from pulse.cli.workflows import commands as workflows

app = typer.Typer(
    name="pulse", no_args_is_help=True, add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False
)
app.command("up")(up.up)
app.command("send")(send.send)
app.command("test")(trials.run_files)
app.add_typer(messages.app, name="messages")
app.add_typer(runs.app, name="runs")
app.add_typer(workflows.app, name="workflows")
app.add_typer(variables.app, name="variables")
app.add_typer(tenancy.organizations, name="organizations")
app.add_typer(tenancy.environments, name="environments")
app.add_typer(tenancy.keys, name="keys")
app.add_typer(tenancy.sources, name="sources")
for name, command in maintenance.COMMANDS.items():
    app.command(name)(command)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(version("pulse"))
        raise typer.Exit


@app.callback()
def pulse(
    _asked: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Event-driven workflows: JSON messages in, JavaScript in sandboxes, every result kept."""
    logs_to_stderr(logging.WARNING)


if __name__ == "__main__":
    app()
