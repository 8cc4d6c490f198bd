"""The application's engine: found by its name, `module:attribute`, and run as a duty of this process."""

import contextlib
import importlib
import sys
import traceback
from pathlib import Path
from types import ModuleType
from typing import Any

from pulse.core.errors import Misconfigured, PulseError, Unavailable
from pulse.engine.engine import Engine
from pulse.engine.store.forms.tables import BRANCH
from pulse.storage.database import Database, sqlite_file
from pulse.storage.migrations import pending


def load_application(name: str) -> Engine:
    """The engine that `name` names; its module is imported from the current folder, or from where Python looks.

    What the module prints goes to stderr. Raises Misconfigured, which says what is wrong.
    """
    module_name, _, attribute = name.partition(":")
    if not module_name or not attribute or "/" in module_name or module_name.endswith(".py"):
        raise Misconfigured(f"{name!r} names no engine: write module:engine, as app:engine for `engine` in app.py.")
    module = _imported(module_name)
    found: Any = module
    for part in attribute.split("."):
        if not hasattr(found, part):
            raise Misconfigured(f"The module {module_name!r} has no {attribute!r}. {_engines_of(module)}")
        found = getattr(found, part)
    if not isinstance(found, Engine):
        kind = type(found).__name__
        raise Misconfigured(f"{name!r} is no Engine (its type is {kind}). {_engines_of(module)}")
    return found


def _imported(name: str) -> ModuleType:
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        with contextlib.redirect_stdout(sys.stderr):
            return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(f"{error.name}.")):
            words = f"There is no module {error.name!r} in {here}, nor where Python looks for modules."
            raise Misconfigured(f"{words} Call pulse from the folder that the module is in.") from None
        raise Misconfigured(_of_import(name, error)) from None
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever a foreign module raises
        raise Misconfigured(_of_import(name, error)) from None


def _of_import(name: str, error: BaseException) -> str:
    """What went wrong while the module was imported, and where in it."""
    here = Path.cwd()
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename).is_relative_to(here)]
    where = f" ({Path(frames[-1].filename).relative_to(here)}, line {frames[-1].lineno})" if frames else ""
    told = f"{type(error).__name__}: {error}".rstrip(".")
    return f"The module {name!r} cannot be imported. {told}{where}."


def _engines_of(module: ModuleType) -> str:
    names = sorted(name for name, value in vars(module).items() if isinstance(value, Engine))
    if not names:
        return "There is no Engine in it: make one with `engine = Engine(…)`."
    return f"Name its engine: {' or '.join(f'{module.__name__}:{name}' for name in names)}."


async def require_migrated(engine: Engine, name: str) -> None:
    """Raises Misconfigured where the engine's tables are not there or not up to date; nothing is made or changed."""
    database = engine.plant.store.database
    file = sqlite_file(database)
    try:
        # Opening a file that is not there would make it.
        is_missing = (file is not None and not file.exists()) or bool(await pending(database, [BRANCH]))
    except Unavailable as error:
        raise type(error)(f"The database of {name} ({shown(database)}) cannot be read: {error.message}") from None
    if is_missing:
        how = f"start the application (`pulse up --app {name}`), or call `await engine.migrate()`"
        raise Misconfigured(f"The database of {name} ({shown(database)}) is not migrated: {how}.")


def shown(database: Database) -> str:
    """Where the database is, without its password."""
    file = sqlite_file(database)
    return str(file.absolute()) if file is not None else database.url.render_as_string(hide_password=True)


class ApplicationDuty:
    """Migrates the engine's database and runs the engine. A duty."""

    def __init__(self, engine: Engine, name: str) -> None:
        self.name = name
        self._engine = engine

    async def start(self) -> None:
        try:
            await self._engine.migrate()
            await self._engine.start()
        except PulseError as error:
            where = shown(self._engine.plant.store.database)
            raise Unavailable(f"The engine of {self.name} cannot start on {where}: {error.message}") from None

    async def stop(self) -> None:
        await self._engine.stop()
