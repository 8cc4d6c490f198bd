"""Environments for tests of nouns that have none of their own."""

from sqlalchemy.ext.asyncio import AsyncConnection


class Anywhere:
    """Whatever environment is named is there; implements `Holds`."""

    async def hold(self, connection: AsyncConnection, organization_id: str, environment_id: str) -> None:
        """It is there."""
