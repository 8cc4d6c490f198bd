"""The application that a command is about: its engine, opened on its own database."""

import dataclasses
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from pulse.bootstrap.joining.application import load_application, require_migrated
from pulse.bootstrap.settings import Settings, load_settings
from pulse.cli.options import Data, Json, Options
from pulse.core.clock import iso
from pulse.core.errors import Misconfigured
from pulse.engine.definition.json_form import camel
from pulse.engine.engine import Engine

App = Annotated[
    str | None,
    typer.Option("--app", help="Engine of the application: module:engine, found from this folder. Default: PULSE_APP."),
]
Tenant = Annotated[str | None, typer.Option("--tenant", help="Only what is this tenant's.")]


@dataclasses.dataclass(frozen=True)
class Application:
    """An engine that is open, but drives nothing. `flag` is how another command names it in the same way."""

    engine: Engine
    flag: str

    def command(self, *words: str) -> str:
        """A command that can be pasted."""
        return " ".join(["pulse", *words, *([self.flag] if self.flag else [])])


@dataclasses.dataclass(frozen=True)
class ApplicationOptions(Options[Application]):
    """Of commands that are about an application's engine."""

    app: App = None
    data: Data = None
    json: Json = False

    def open(self) -> AbstractAsyncContextManager[Application]:
        return application(self.app, self.data)


def settings_for(app: str | None, data: Path | None) -> Settings:
    """The settings in force; `app` overrides PULSE_APP."""
    return load_settings(data, **({} if app is None else {"PULSE_APP": app}))


@asynccontextmanager
async def application(app: str | None, data: Path | None) -> AsyncIterator[Application]:
    """The application's engine on its migrated database. Raises Misconfigured where there is none."""
    name = settings_for(app, data).app
    if name is None:
        raise Misconfigured("Say which application: --app module:engine, or PULSE_APP in the environment.")
    engine = load_application(name)
    try:
        await require_migrated(engine, name)
        yield Application(engine, "" if app is None else f"--app {app}")
    finally:
        await engine.stop()


def as_json(record: Any) -> dict[str, Any]:
    """A record of the engine as JSON, in the seed's camelCase; what is not there is left out."""
    pairs = ((field.name, getattr(record, field.name)) for field in dataclasses.fields(record))
    return {
        camel(name): time_of(value) if isinstance(value, datetime) else value
        for name, value in pairs
        if value is not None
    }


def time_of(moment: datetime) -> str:
    """As the platform shows times."""
    return iso(round(moment.timestamp() * 1000))
