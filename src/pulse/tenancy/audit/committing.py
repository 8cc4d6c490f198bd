"""Group commit for changes that somebody makes: each brings its entry into the transaction that it shares."""

from collections.abc import Callable, Sequence
from typing import Any, cast

from sqlalchemy import Connection

from pulse.storage.committer import Answer, Committer, Item, Verb
from pulse.storage.database import Database
from pulse.tenancy.audit.act import UnderWay, under_way
from pulse.tenancy.audit.log import AuditLog


class AuditedCommitter(Committer):
    """A committer that writes down what acts hand over. What is done for nobody's act goes as it would without."""

    def __init__(self, database: Database, audit: AuditLog) -> None:
        super().__init__(database)
        self._audit = audit
        self._noting: dict[Verb[Any, Any], Verb[Any, Any]] = {}

    async def write(
        self,
        verb: Verb[Item, Answer],
        item: Item,
        committed: Callable[[Answer], None] | None = None,
        locks: Sequence[int] = (),
    ) -> Answer:
        act = under_way()
        if act is None:
            return await super().write(verb, item, committed, locks)

        def told(answer: Answer) -> None:
            act.told()
            if committed is not None:
                committed(answer)

        return cast(Answer, await super().write(self._with_entries(verb), (act, item), told, locks))

    def _with_entries(self, verb: Verb[Any, Any]) -> Verb[Any, Any]:
        """The verb, for items that come with their acts. One for each verb, so that its items go into one call."""

        def both(connection: Connection, items: Sequence[tuple[UnderWay, Any]]) -> Sequence[Any]:
            answers = verb(connection, [item for _, item in items])
            for act in dict.fromkeys(act for act, _ in items):
                act.tell(connection, self._audit.write)
            return answers

        return self._noting.setdefault(verb, both)
