"""Changes that are in force before their answer, here and in the other processes as soon as they hear of it."""

from typing import Protocol

from fastapi import Request


class Changes(Protocol):
    """Tells every process that something of an environment has changed."""

    async def changed(self, organization_id: str, environment_id: str) -> None: ...


async def announce(request: Request, organization_id: str, environment_id: str) -> None:
    """To be called when the change is committed, and before it is answered."""
    changes: Changes = request.app.state.changes
    await changes.changed(organization_id, environment_id)
