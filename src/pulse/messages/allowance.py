"""Which of the messages that come are evaluated, which wait, and which are over their organization's limit.

Decided within the transaction that stores them, and counted there (billing/meter.py): exactly so many are accepted as
the limit says, in however many processes they arrive.
"""

import time
from collections import Counter
from collections.abc import Sequence
from typing import Literal

import structlog
from sqlalchemy import Connection, select

from pulse.billing.meter import Meter
from pulse.billing.records import Standing
from pulse.messages.records import NewMessage
from pulse.messages.tables import MessageTables
from pulse.storage.claims import HELD

log = structlog.get_logger(__name__)
# How seldom the log repeats that an organization is over its limit.
SAY_AGAIN_S = 60.0
Refusal = Literal["held", "over_limit"]


class Allowance:
    """Asks the meter. A transaction that asks must hold `lock` of the organization of each message."""

    def __init__(self, meter: Meter, tables: MessageTables) -> None:
        self._meter = meter
        self._messages = tables.messages
        self._said: dict[str, float] = {}

    def lock(self, organization_id: str) -> int:
        return self._meter.lock(organization_id)

    def refusals(self, connection: Connection, messages: Sequence[NewMessage]) -> dict[str, Refusal]:
        """What becomes of those that are not accepted, by id; the others are, and counted."""
        counts, period = Counter(message.organization_id for message in messages), self._meter.period()
        refused: dict[str, Refusal] = {}
        for organization_id, standing in self._meter.count(connection, counts, period).items():
            if standing.limit is not None:
                theirs = [message.id for message in messages if message.organization_id == organization_id]
                beyond = self._beyond(connection, organization_id, standing, theirs)
                if beyond:
                    self._meter.give_back(connection, organization_id, len(beyond), period)
                refused.update(beyond)
        return refused

    def _beyond(
        self, connection: Connection, organization_id: str, standing: Standing, ids: list[str]
    ) -> dict[str, Refusal]:
        before = standing._replace(used=standing.used - len(ids))
        if standing.used > (standing.limit or 0):
            self._say(organization_id, standing)
        if not standing.is_limited:
            return {}
        holds = standing.policy == "hold"
        # Those that wait keep their order: whoever comes waits behind them.
        room = 0 if holds and self._some_wait(connection, organization_id) else before.room
        return dict.fromkeys(ids[room:], "held" if holds else "over_limit")

    def _some_wait(self, connection: Connection, organization_id: str) -> bool:
        c = self._messages.c
        waiting = select(c.id).where(c.organization_id == organization_id, c.state == HELD)
        return connection.execute(waiting.limit(1)).first() is not None

    def _say(self, organization_id: str, standing: Standing) -> None:
        now = time.monotonic()
        if now - self._said.get(organization_id, -SAY_AGAIN_S) >= SAY_AGAIN_S:
            self._said[organization_id] = now
            log.warning(
                "over_limit", organization=organization_id, limit=standing.limit, overage_policy=standing.policy
            )
