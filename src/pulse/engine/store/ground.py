"""What every part of the store stands on."""

from dataclasses import dataclass

from pulse.core.clock import Clock
from pulse.core.ids import Ids
from pulse.engine.store.forms.tables import EngineTables
from pulse.engine.store.forms.values import Values
from pulse.engine.store.held import ReplaySafe
from pulse.storage.claims import Claims
from pulse.storage.database import Database


@dataclass(frozen=True)
class Ground:
    """One database, its tables, how values stand in it, this process's claims on runs, and the time."""

    database: Database
    tables: EngineTables
    values: Values
    claims: Claims
    ids: Ids
    clock: Clock
    replay_safe: ReplaySafe
