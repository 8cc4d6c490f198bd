"""How a command reaches Pulse: through the process that runs on the data folder or, where none does, by itself."""

import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import httpx2
import typer

from pulse.bootstrap.platform import OpenData
from pulse.bootstrap.serving import find_running
from pulse.bootstrap.settings import load_settings
from pulse.core.errors import Fault, InvalidFields, PulseError, Unavailable

Data = Annotated[Path | None, typer.Option("--data", help="Data folder. Default: PULSE_DATA, or .pulse.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON only.")]
Organization = Annotated[str | None, typer.Option("--organization", help="Organization, by id or name.")]
Environment = Annotated[str | None, typer.Option("--environment", help="Environment, by id or name.")]

Since = Annotated[str | None, typer.Option("--since", help="How far back: 30m, 1h, 7d.")]

LARGEST_PAGE = 1000
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


class Refused(PulseError):
    """Pulse refused the request."""

    code = "refused"


@dataclass(frozen=True)
class Session:
    """A connection to the API. `is_running` tells whether a `pulse up` is behind it, which evaluates messages."""

    client: httpx2.AsyncClient
    is_running: bool

    async def call(self, method: str, path: str, *, body: Any = None, **query: Any) -> Any:
        """The answer's JSON. Raises what the API says, as a sentence."""
        wanted = {name: value for name, value in query.items() if value is not None}
        response = await self.send(method, path, params=wanted, json=body)
        return response.json() if response.content else None

    async def send(self, method: str, path: str, **options: Any) -> httpx2.Response:
        try:
            response = await self.client.request(method, path, **options)
        except httpx2.TransportError as error:
            what = str(error) or type(error).__name__
            raise Unavailable(f"Pulse does not answer at {self.client.base_url}: {what}.") from None
        if response.status_code >= 400:
            raise _error(response)
        return response

    async def all_rows(self, path: str, place: dict[str, str]) -> list[dict[str, Any]]:
        """The rows of every page of a list."""
        rows: list[dict[str, Any]] = []
        page, pages = 1, 1
        while page <= pages:
            found = await self.call("GET", path, page=page, limit=LARGEST_PAGE, **place)
            rows += found["data"]
            page, pages = page + 1, found["pagination"]["totalPages"]
        return rows

    async def place(self, organization: str | None, environment: str | None) -> dict[str, str]:
        """The query for one environment: the ones named, or the only ones there are."""
        chosen = organization or _only("organization", await self.call("GET", "/api/organizations"))
        found = await self.call("GET", "/api/environments", organizationId=chosen)
        return {"organizationId": chosen, "environmentId": environment or _only("environment", found)}


@asynccontextmanager
async def session(data: Path | None, *, sends: bool = False) -> AsyncIterator[Session]:
    """A session on the data folder (or on the configured database). `sends`: messages may be stored in it."""
    settings = load_settings(data)
    running = find_running(settings.data) if settings.is_embedded else None
    if running is not None:
        headers = {"Authorization": f"Bearer {running.token}"}
        async with httpx2.AsyncClient(base_url=running.url, headers=headers, timeout=120, trust_env=False) as client:
            yield Session(client, is_running=True)
        return
    opened = OpenData(settings)
    try:
        await opened.prepare()
        if sends:
            opened.let_signals_leave()
        headers = {"Authorization": f"Bearer {opened.local_token}"}
        transport = httpx2.ASGITransport(opened.app())
        async with httpx2.AsyncClient(base_url=opened.url, headers=headers, transport=transport) as client:
            yield Session(client, is_running=False)
    finally:
        await opened.close()


def ms_ago(since: str | None) -> int | None:
    """The time that `--since` says, in milliseconds since 1970. Raises InvalidFields."""
    if since is None:
        return None
    found = re.fullmatch(r"(\d+)([smhd])", since)
    if found is None:
        raise InvalidFields([Fault("--since", "invalid_duration", "say how far back as 30m, 1h or 7d.")])
    return max(0, time.time_ns() // 1_000_000 - int(found[1]) * UNITS[found[2]] * 1000)


def part(text: str) -> str:
    """What somebody typed, as one part of an address."""
    return quote(text, safe="")


def _only(what: str, listed: dict[str, Any]) -> str:
    names = [record["name"] for record in listed["data"]]
    if len(names) == 1:
        return str(listed["data"][0]["id"])
    if not names:
        within = " --organization NAME" if what == "environment" else ""
        raise Refused(f"There is no {what} yet. Make one with: pulse {what}s create NAME{within}")
    raise Refused(f"Say which {what} with --{what}: {', '.join(names[:10])}.")


def _error(response: httpx2.Response) -> PulseError:
    try:
        told = response.json()
        faults = [Fault(**fault) for fault in told.get("errors", [])]
        detail = str(told["detail"])
    except (ValueError, KeyError, TypeError):
        return Refused(f"Pulse answered {response.status_code}.")
    return InvalidFields(faults) if faults else Refused(detail)
