"""What commands of models find in a data folder: stored through the API, as a command would."""

from pathlib import Path
from typing import Any

import anyio

from pulse.cli.session import session


def post(folder: Path, path: str, body: dict[str, Any], organization: str | None = None) -> dict[str, Any]:
    """What the API answers to a new thing of the only environment of the organization (the only one)."""
    made: list[dict[str, Any]] = []

    async def work() -> None:
        async with session(folder) as pulse:
            place = await pulse.place(organization, None)
            made.append((await pulse.send("POST", path, params=place, json=body)).json())

    anyio.run(work)
    return made[0]


def template(folder: Path, organization: str | None = None, **fields: Any) -> dict[str, Any]:
    body = {"name": "Summary", "text": "Summarise {{issue.title}} for {{reader}}.", **fields}
    return post(folder, "/api/prompt-templates", body, organization)
