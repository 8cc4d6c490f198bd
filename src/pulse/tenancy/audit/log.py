"""Writes the audit: with each transaction of an act, and a refusal by itself."""

import json
from contextlib import AbstractContextManager

from sqlalchemy import Connection, insert

from pulse.core.clock import Clock
from pulse.core.ids import Ids
from pulse.storage.database import BeforeCommit, Database
from pulse.tenancy.audit.act import Act, Subject, under_way
from pulse.tenancy.audit.records import Entry, Outcome
from pulse.tenancy.audit.refusals import Refusals
from pulse.tenancy.audit.tables import AuditTables


class AuditLog:
    """Writes entries. `company` is for `Database.company`."""

    def __init__(self, database: Database, tables: AuditTables, ids: Ids, clock: Clock) -> None:
        self._database = database
        self._entries = tables.entries
        self._ids = ids
        self._clock = clock
        self._refusals = Refusals()

    def company(self) -> AbstractContextManager[BeforeCommit] | None:
        """What goes with a transaction that begins now: the entry of the act that it is done for."""
        found = under_way()
        return None if found is None else found.transaction(self.write)

    def write(self, connection: Connection, act: Act, subjects: list[Subject]) -> None:
        """Part of a transaction: what it changes, by whom."""
        self._insert(connection, act, subjects, "done", "")

    async def refused(self, act: Act, code: str) -> None:
        """A right that was missing; `code` is the error's. The same again is not written for a while (refusals.py)."""
        if not self._is_news(act, code):
            return
        await self._database.transact(lambda connection: self._insert(connection, act, [], "refused", code))

    def now_ms(self) -> int:
        return self._clock.now_ms()

    def _is_news(self, act: Act, code: str) -> bool:
        # Of scripts and of people who are not signed in, whoever asks could choose who they are.
        named = act.actor.id if act.actor.kind in ("user", "key") else ""
        same = (act.actor.kind, named, act.environment_id, act.action, act.method, code)
        return self._refusals.is_news(act.organization_id, same)

    def _insert(self, connection: Connection, act: Act, subjects: list[Subject], outcome: Outcome, reason: str) -> None:
        named = next((subject.organization_id for subject in subjects if subject.organization_id), "")
        entry = Entry(
            id=self._ids.new("aud"),
            organization_id=act.organization_id or named,
            environment_id=act.environment_id,
            at=act.at,
            actor_kind=act.actor.kind,
            actor_id=act.actor.id,
            action=act.action,
            outcome=outcome,
            reason=reason,
            method=act.method,
            path=act.path,
            address=act.address,
            subjects=_json(subjects),
        )
        connection.execute(insert(self._entries), [vars(entry)])


def _json(subjects: list[Subject]) -> str:
    """The subjects, the id of each before its kind: so can one be searched for (see reading.py)."""
    told = [{"changed": s.changed, "id": s.id, "kind": s.kind, "name": s.name} for s in subjects]
    return json.dumps(told, ensure_ascii=False, separators=(",", ":"))
