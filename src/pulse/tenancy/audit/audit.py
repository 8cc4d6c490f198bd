"""The audit of an installation, put together."""

from dataclasses import dataclass

from pulse.core.clock import Clock
from pulse.core.ids import Ids
from pulse.storage.database import Database
from pulse.tenancy.audit.log import AuditLog
from pulse.tenancy.audit.reading import AuditReader
from pulse.tenancy.audit.sealing import Sealer
from pulse.tenancy.audit.tables import AuditTables


@dataclass(frozen=True)
class Audit:
    """What writes entries, what reads and verifies them, and what seals them."""

    log: AuditLog
    reader: AuditReader
    sealer: Sealer


def build_audit(database: Database, tables: AuditTables, ids: Ids, clock: Clock) -> Audit:
    """From now on, what acts change on this database is written down with it."""
    log = AuditLog(database, tables, ids, clock)
    database.company = log.company
    return Audit(log, AuditReader(database, tables), Sealer(database, tables, clock))
