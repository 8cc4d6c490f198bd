"""Environments that stay while something is made in them.

What other nouns keep of an environment refers to it by no foreign key, so whoever makes something there asks first, in
the same transaction. Whoever deletes the environment locks it before anything else (changing.py): either the one who
makes something waits, and then finds no environment, or the one who deletes it waits, and then finds what was made.
"""

from typing import Protocol

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from pulse.core.errors import NotFound
from pulse.tenancy.tables import TenancyTables


class Holds(Protocol):
    """Keeps environments in being."""

    async def hold(self, connection: AsyncConnection, organization_id: str, environment_id: str) -> None:
        """Nobody deletes the environment until this transaction ends, which is about to make something there.

        Raises NotFound.
        """
        ...


class PlaceHold:
    """Keeps environments in being; implements `Holds`. Those who hold one at once do not wait for each other."""

    def __init__(self, tables: TenancyTables) -> None:
        self._organizations = tables.organizations
        self._environments = tables.environments

    async def hold(self, connection: AsyncConnection, organization_id: str, environment_id: str) -> None:
        o, e = self._organizations, self._environments
        # The organization first, as whoever deletes it does.
        both = select(e.c.id).select_from(o.join(e, e.c.organization_id == o.c.id))
        mine = both.where(o.c.id == organization_id, e.c.id == environment_id)
        if await connection.scalar(mine.with_for_update(read=True, key_share=True, of=[o, e])) is None:
            raise NotFound(f"There is no environment {environment_id!r} in that organization.")
