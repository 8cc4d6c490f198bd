"""How a command reaches Pulse: through the process that runs on the data folder or, where none does, by itself."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx2

from pulse.bootstrap.running import find_running
from pulse.bootstrap.settings import load_settings
from pulse.core.errors import Fault, InvalidFields, PulseError, Unavailable

LARGEST_PAGE = 1000


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

    async def organization(self, organization: str | None) -> str:
        """The organization that is named, or the only one there is."""
        return organization or _only("organization", await self.call("GET", "/api/organizations"))

    async def place(self, organization: str | None, environment: str | None) -> dict[str, str]:
        """The query for one environment: the ones named, or the only ones there are."""
        chosen = await self.organization(organization)
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
    # All of Pulse, which nobody needs who finds it running.
    from pulse.bootstrap.platform import OpenData

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
