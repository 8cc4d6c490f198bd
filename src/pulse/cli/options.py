"""The options that commands share, and how a command runs with them.

`@opened(EnvironmentOptions)` is for a command that is a coroutine function: its first argument is what the options
open. What it returns is printed once that is closed again, so that a slow reader keeps nobody from the data folder.

`@taking(EnvironmentOptions)` is for a command that has something to do before: to read standard input, to ask for a
secret (an event loop would keep Ctrl-C from both), to choose what is opened. Its first argument is the options.

Either shows these options after the command's own, in the order of their fields.
"""

import inspect
import re
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, Concatenate, Generic, TypeVar

import typer

from pulse.cli.output import Answer, fail, run
from pulse.cli.session import Session, part, session
from pulse.core.errors import Fault, InvalidFields, PulseError

Data = Annotated[Path | None, typer.Option("--data", help="Data folder. Default: PULSE_DATA, or .pulse.")]
Unused = Annotated[Path | None, typer.Option("--data", help="Taken by every command; it changes nothing here.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON only.")]
Organization = Annotated[str | None, typer.Option("--organization", help="Organization, by id or name.")]
Environment = Annotated[str | None, typer.Option("--environment", help="Environment, by id or name.")]
Since = Annotated[str | None, typer.Option("--since", help="How far back: 30m, 1h, 7d.")]

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
Opened = TypeVar("Opened")
Taken = TypeVar("Taken")


@dataclass(frozen=True)
class At:
    """Where a command works: a session, and the query for the environment or the organization that is meant."""

    pulse: Session
    place: dict[str, str]

    async def get(self, path: str, **query: Any) -> dict[str, Any]:
        found: dict[str, Any] = await self.pulse.call("GET", path, **query, **self.place)
        return found

    async def rows(self, path: str) -> list[dict[str, Any]]:
        """The rows of every page of a list."""
        return await self.pulse.all_rows(path, self.place)

    async def post(self, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        made: dict[str, Any] = await self.pulse.call("POST", path, body=body, **self.place)
        return made

    async def put(
        self, path: str, row: dict[str, Any], body: dict[str, Any], *, revision: str = "revision"
    ) -> dict[str, Any]:
        """Changes a row of a list, unless it has changed since it was read: `revision` is the field that tells."""
        path, unchanged = f"{path}/{part(row['id'])}", {"If-Match": f'"{row[revision]}"'}
        changed = await self.pulse.send("PUT", path, params=self.place, json=body, headers=unchanged)
        stored: dict[str, Any] = changed.json()
        return stored

    async def create(self, path: str, body: dict[str, Any]) -> Answer:
        """Makes a row of a list, and says so."""
        made = await self.post(path, body)
        return Answer(made, f"{made['id']}  {made['name']}")

    async def delete(self, path: str, row: dict[str, Any]) -> Answer:
        """Deletes a row of a list, and says so."""
        await self.pulse.call("DELETE", f"{path}/{part(row['id'])}", **self.place)
        return Answer({"id": row["id"], "name": row["name"], "deleted": True}, f"{row['name']} deleted")


class Options(ABC, Generic[Opened]):
    """Options that several commands share, and what they open."""

    @property
    @abstractmethod
    def json(self) -> bool: ...

    @abstractmethod
    def open(self) -> AbstractAsyncContextManager[Opened]: ...

    def run(self, work: Callable[[Opened], Awaitable[Answer]]) -> None:
        """Does the work on what the options open, and prints its answer once that is closed."""

        async def whole() -> Answer:
            async with self.open() as opened:
                return await work(opened)

        run(whole, as_json=self.json)


@dataclass(frozen=True)
class DataOptions(Options[At]):
    """Of commands that are about the whole installation."""

    data: Data = None
    json: Json = False

    @asynccontextmanager
    async def open(self) -> AsyncIterator[At]:
        async with session(self.data) as pulse:
            yield At(pulse, {})


@dataclass(frozen=True)
class EnvironmentOptions(Options[At]):
    """Of commands that are about one environment."""

    organization: Organization = None
    environment: Environment = None
    data: Data = None
    json: Json = False

    def open(self) -> AbstractAsyncContextManager[At]:
        return in_environment(self.data, self.organization, self.environment)


@dataclass(frozen=True)
class OrganizationOptions(Options[At]):
    """Of commands that are about one organization: the one that is named, or the only one there is."""

    organization: Organization = None
    data: Data = None
    json: Json = False

    @asynccontextmanager
    async def open(self) -> AsyncIterator[At]:
        async with session(self.data) as pulse:
            yield At(pulse, {"organizationId": await pulse.organization(self.organization)})


@dataclass(frozen=True)
class MessageOptions(Options[At]):
    """Of commands that are about messages: the same as for an environment, in an order of their own."""

    data: Data = None
    organization: Organization = None
    environment: Environment = None
    json: Json = False

    def open(self, *, sends: bool = False) -> AbstractAsyncContextManager[At]:
        return in_environment(self.data, self.organization, self.environment, sends=sends)


@asynccontextmanager
async def in_environment(
    data: Path | None, organization: str | None, environment: str | None, *, sends: bool = False
) -> AsyncIterator[At]:
    """The environment that is named, or the only one there is. `sends`: messages may be stored."""
    async with session(data, sends=sends) as pulse:
        yield At(pulse, await pulse.place(organization, environment))


def opened(
    kind: Callable[..., Options[Opened]],
) -> Callable[[Callable[Concatenate[Opened, ...], Awaitable[Answer]]], Callable[..., None]]:
    """A coroutine function as a command: it gets what these options open, and returns what is printed."""

    def decorate(command: Callable[Concatenate[Opened, ...], Awaitable[Answer]]) -> Callable[..., None]:
        @taking(kind)
        @wraps(command)
        def called(options: Options[Opened], **given: object) -> None:
            options.run(lambda at: command(at, **given))

        return called

    return decorate


def taking(kind: Callable[..., Taken]) -> Callable[[Callable[Concatenate[Taken, ...], None]], Callable[..., None]]:
    """A function as a command: it gets these options as one value. A PulseError ends it in a sentence."""
    shared = inspect.signature(kind).parameters.values()

    def decorate(command: Callable[Concatenate[Taken, ...], None]) -> Callable[..., None]:
        _, *own = inspect.signature(command).parameters.values()

        @wraps(command)
        def called(**given: object) -> None:
            options = kind(**{each.name: given.pop(each.name) for each in shared})
            try:
                command(options, **given)
            except PulseError as error:
                fail(error)

        # What typer reads a command's arguments and options from.
        called.__signature__ = inspect.Signature([*own, *shared])  # type: ignore[attr-defined]
        return called

    return decorate


def ms_ago(since: str | None) -> int | None:
    """The time that `--since` says, in milliseconds since 1970. Raises InvalidFields."""
    if since is None:
        return None
    found = re.fullmatch(r"(\d+)([smhd])", since)
    if found is None:
        raise InvalidFields([Fault("--since", "invalid_duration", "say how far back as 30m, 1h or 7d.")])
    return max(0, time.time_ns() // 1_000_000 - int(found[1]) * UNITS[found[2]] * 1000)
