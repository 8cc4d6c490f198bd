"""Families of messages: which message another one's workflow has sent, how deep, and how many descend from one root.

A place in the family is reserved before the child is sent, by an id that depends on the parent and the call only: a
repeated evaluation finds its own reservation. Reservations of one family come one after another, so that its limit is
exact.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from msgspec import Struct
from sqlalchemy import Connection, delete, func, insert, select

from pulse.core.errors import Conflict
from pulse.messages.tables import MessageTables
from pulse.storage.database import Database

MAX_DEPTH = 10
MAX_DESCENDANTS = 1_000


class TooManyDescendants(Conflict):
    """Too many messages descend from one message."""

    code = "too_many_messages"


class TooDeep(Conflict):
    """Workflows start workflows too many times over."""

    code = "too_deep"


class Link(Struct, frozen=True):
    """`child_id` was sent by `parent_id`; `depth` counts from 1 below the root."""

    child_id: str
    parent_id: str
    root_id: str
    depth: int


class Links:
    """The families in the database."""

    def __init__(self, database: Database, tables: MessageTables) -> None:
        self._database = database
        self._tables = tables

    async def reserve(self, organization_id: str, parent_id: str, child_id: str) -> Link:
        """The child's place in the family. Raises TooDeep, TooManyDescendants: then it may not be sent."""
        return await self._database.transact(partial(self._reserve, organization_id, parent_id, child_id))

    async def of(self, organization_id: str, message_id: str) -> Link | None:
        """Where the message came from, or None for one that no other has sent."""
        links = self._tables.links
        async with self._database.read() as connection:
            mine = (links.c.organization_id == organization_id) & (links.c.id == message_id)
            row = (await connection.execute(select(links).where(mine))).first()
        return Link(row.id, row.parent_id, row.root_id, row.depth) if row is not None else None

    async def descendants(self, organization_id: str, root_id: str) -> list[Link]:
        """Everything that descends from a root, nearest first."""
        links = self._tables.links
        mine = (links.c.organization_id == organization_id) & (links.c.root_id == root_id)
        async with self._database.read() as connection:
            rows = await connection.execute(select(links).where(mine).order_by(links.c.depth, links.c.id))
            return [Link(row.id, row.parent_id, row.root_id, row.depth) for row in rows]

    async def forget_before(self, first_id: str) -> None:
        """Forgets where messages came from that are older than `first_id`."""
        async with self._database.write() as connection:
            await connection.execute(delete(self._tables.links).where(self._tables.links.c.id < first_id))

    def _reserve(self, organization_id: str, parent_id: str, child_id: str, connection: Connection) -> Link:
        links = self._tables.links
        above = connection.execute(select(links.c.root_id, links.c.depth).where(links.c.id == parent_id)).first()
        root_id, depth = (above.root_id, above.depth + 1) if above else (parent_id, 1)
        if depth > MAX_DEPTH:
            raise TooDeep(f"This message is {depth - 1} workflows deep already, and {MAX_DEPTH} is the most.")
        self._lock(connection, root_id)
        link = Link(child_id, parent_id, root_id, depth)
        if connection.execute(select(links.c.id).where(links.c.id == child_id)).first() is not None:
            return link
        count = connection.scalar(select(func.count()).select_from(links).where(links.c.root_id == root_id)) or 0
        if count >= MAX_DESCENDANTS:
            raise TooManyDescendants(f"{count} messages descend from {root_id} already, and that is the most.")
        row = {"organization_id": organization_id, "parent_id": parent_id, "root_id": root_id, "depth": depth}
        connection.execute(insert(links), [{"id": child_id, **row}])
        return link

    def _lock(self, connection: Connection, root_id: str) -> None:
        if self._database.dialect == "postgresql":
            name = f"{self._tables.links.name}|{root_id}"
            connection.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(name, 0))))


def family_tree(root_id: str, family: Sequence[Link], shown: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    """The messages of a family, each with its `children`; `shown` has those that are there, by id.

    A child that never left, because its parent was canceled, is not in it. One whose parent is gone stands below the
    root.
    """
    nodes: dict[str, dict[str, Any]] = {root_id: {"id": root_id, **shown.get(root_id, {}), "children": []}}
    for link in family:
        if link.child_id in shown:
            nodes[link.child_id] = {**shown[link.child_id], "children": []}
            nodes.get(link.parent_id, nodes[root_id])["children"].append(nodes[link.child_id])
    return nodes[root_id]
