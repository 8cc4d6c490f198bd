"""The store, put together."""

from dataclasses import dataclass

from pulse.core.clock import Clock
from pulse.core.ids import Ids
from pulse.engine.registry import Registry
from pulse.engine.store.control import Control
from pulse.engine.store.definitions import DefinitionStore
from pulse.engine.store.forms.steps import StepRows
from pulse.engine.store.forms.tables import engine_tables
from pulse.engine.store.forms.values import Codec, Values
from pulse.engine.store.ground import Ground
from pulse.engine.store.journal import Journal
from pulse.engine.store.new_runs import NewRuns
from pulse.engine.store.queue import RunQueue, run_claims
from pulse.engine.store.reading import Reading
from pulse.engine.store.schedules import Schedules
from pulse.engine.store.signals import Signals
from pulse.storage.claims import Claims
from pulse.storage.committer import MAX_BATCH, Committer
from pulse.storage.database import Database

# On PostgreSQL, two transactions at once, each of at most so many records: while the server works on one, the runs of
# the other go on. With all runs in one transaction, this process and the server would take turns.
LANES, IN_A_LANE = 2, 200


@dataclass(frozen=True)
class Store:
    """Everything that touches the database for one engine."""

    ground: Ground
    database: Database
    committer: Committer
    claims: Claims
    definitions: DefinitionStore
    signals: Signals
    queue: RunQueue
    journal: Journal
    control: Control
    reading: Reading
    schedules: Schedules
    steps: StepRows


def open_store(
    database: Database,
    registry: Registry,
    clock: Clock,
    *,
    owner: str,
    lease_ms: int,
    tenant_limit: int | None,
    codec: Codec | None,
) -> Store:
    """The store on that database; nothing is read or written yet."""
    tables = engine_tables(database.prefix)
    claims = run_claims(database, tables, owner, clock, lease_ms, tenant_limit)
    values = Values(database.dialect, codec)
    ground = Ground(database, tables, values, claims, Ids(clock), clock, registry.is_replay_safe)
    steps, definitions = StepRows(tables, values), DefinitionStore(ground)
    signals = Signals(ground, definitions, NewRuns(ground, steps))
    queue = RunQueue(ground, definitions, steps)
    control = Control(ground, definitions, steps)

    def source_of(signal_type: str) -> str:
        registration = registry.triggers.get(signal_type)
        return "schedule" if registration is None else registration.source

    return Store(
        ground=ground,
        database=database,
        committer=Committer(
            database, lanes=LANES, max_batch=IN_A_LANE if database.dialect == "postgresql" else MAX_BATCH
        ),
        claims=claims,
        definitions=definitions,
        signals=signals,
        queue=queue,
        journal=Journal(ground, definitions, signals, queue, steps),
        control=control,
        reading=Reading(ground, steps, control),
        schedules=Schedules(ground, definitions, signals, source_of),
        steps=steps,
    )
