"""Where a message ends: status, index fields and body in one transaction for many, fenced first."""

from collections.abc import Callable, Sequence

from sqlalchemy import Connection

from pulse.messages.intake import Intake
from pulse.messages.journal import Forgetting
from pulse.messages.records import Outcome
from pulse.messages.tables import MessageTables
from pulse.storage.claims import Claims
from pulse.storage.committer import Committer
from pulse.storage.database import Database
from pulse.storage.rows import Insertion

_FIELDS = (
    "state",
    "completed_at",
    "elapsed_ms",
    "code",
    "workflow_id",
    "workflow_name",
    "workflow_version",
    "error",
)


class Outcomes:
    """Stores outcomes through the committer; `ended` hears of each that is committed."""

    def __init__(
        self,
        database: Database,
        tables: MessageTables,
        committer: Committer,
        claims: Claims,
        intake: Intake,
        ended: Callable[[str], None],
    ) -> None:
        self._ended = ended
        self._intake = intake
        self._bodies = Insertion(tables.results, "id", "body")
        self._journals = Forgetting(database, tables)
        self._committer = committer
        self._claims = claims

    async def store(self, outcome: Outcome) -> bool:
        """True once the outcome is committed; False where the lease was lost, and nothing was written."""
        stored = await self._committer.write(self._store, outcome, locks=self._locks(outcome))
        if stored:
            self._ended(outcome.id)
            if outcome.children:
                self._intake.worker.hint()
        return stored

    def _locks(self, outcome: Outcome) -> list[int]:
        """The lane that it leaves, and what the messages that it sends need."""
        lane = [] if outcome.lane is None else [self._claims.lane_lock(outcome.organization_id, outcome.lane)]
        return [*lane, *(number for child in outcome.children for number in self._intake.locks(child))]

    def _store(self, connection: Connection, outcomes: Sequence[Outcome]) -> list[bool]:
        held = self._claims.end(connection, [_values(outcome) for outcome in outcomes], _FIELDS)
        mine = [outcome for outcome in outcomes if outcome.id in held]
        if mine:
            self._bodies.execute(connection, [(outcome.id, outcome.body) for outcome in mine])
            lanes = [(outcome.organization_id, outcome.lane) for outcome in mine if outcome.lane is not None]
            self._claims.promote(connection, lanes)
            over = [outcome.id for outcome in mine if outcome.is_journaled and outcome.status != "fail"]
            self._journals.execute(connection, over)
            children = [child for outcome in mine for child in outcome.children]
            if children:
                self._intake.enqueue(connection, children)
        return [outcome.id in held for outcome in outcomes]


def _values(outcome: Outcome) -> tuple[object, ...]:
    """What `Claims.end` takes for it: the order is that of `_FIELDS`."""
    return (
        outcome.id,
        outcome.epoch,
        outcome.status,
        outcome.completed_at,
        outcome.elapsed_ms,
        outcome.code,
        outcome.workflow_id,
        outcome.workflow_name,
        outcome.workflow_version,
        outcome.error,
    )
