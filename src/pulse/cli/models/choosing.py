"""What a command is about: an organization's rows or the installation's, one of them by id or name."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from pulse.cli.options import At, Data, Json, Options, Organization
from pulse.cli.output import plain
from pulse.cli.session import Session, session
from pulse.core.errors import NotFound

CREDENTIALS, CONFIGURATIONS = "/api/model-credentials", "/api/model-configurations"
System = Annotated[bool, typer.Option("--system", help="Of the installation, for all its organizations.")]


@dataclass(frozen=True)
class OwnerOptions(Options[At]):
    """Of commands that are about what is an organization's, the one named or the only one, or the installation's."""

    system: System = False
    organization: Organization = None
    data: Data = None
    json: Json = False

    @asynccontextmanager
    async def open(self) -> AsyncIterator[At]:
        async with session(self.data) as pulse:
            if self.system and self.organization is not None:
                raise typer.BadParameter("Name an organization or --system, not both.", param_hint="--system")
            yield At(pulse, {} if self.system else {"organizationId": await pulse.organization(self.organization)})


async def credentials(at: At) -> list[dict[str, Any]]:
    """Every credential that can be used there, those that are switched off too."""
    return await at.pulse.all_rows(CREDENTIALS, {**at.place, "activeOnly": "false"})


async def configurations(pulse: Session, place: dict[str, str]) -> list[dict[str, Any]]:
    """Every configuration that can be used there, hidden ones too."""
    return await pulse.all_rows(CONFIGURATIONS, {**place, "includeSystem": "true", "visibleOnly": "false"})


def chosen(rows: list[dict[str, Any]], wanted: str, noun: str) -> dict[str, Any]:
    """The row of that id or name; an organization's own goes before the installation's. Raises NotFound."""
    found = [row for row in rows if wanted in (row["id"], row["name"])]
    if not found:
        raise NotFound(f"There is no {noun} {plain(wanted)!r}.")
    return min(found, key=lambda row: (row["id"] != wanted, row.get("scope") == "system"))
