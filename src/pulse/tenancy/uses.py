"""When keys, variables and credentials were used last: noted in memory, and written down every few seconds."""

from sqlalchemy import Table, update

from pulse.storage.database import Database


class Uses:
    """Of rows of one table, which has the columns `id` and `last_used_at` (ms since 1970)."""

    def __init__(self, database: Database, table: Table) -> None:
        self._database = database
        self._table = table
        self._noted: dict[str, int] = {}

    def note(self, row_id: str, at: int) -> None:
        """It was used at that time, in ms since 1970."""
        self._noted[row_id] = at

    async def write(self) -> None:
        """Writes down what was noted since the last time. Another process may know of a later use.

        Raises Unavailable, after which it is all still noted.
        """
        noted, self._noted = self._noted, {}
        if not noted:
            return
        c = self._table.c
        try:
            async with self._database.write() as connection:
                for row_id, at in sorted(noted.items()):
                    is_news = c.last_used_at.is_(None) | (c.last_used_at < at)
                    written = update(self._table).where(c.id == row_id, is_news).values(last_used_at=at)
                    await connection.execute(written)
        except BaseException:
            self._noted = {**noted, **self._noted}
            raise
