"""What people drew: workflows, their versions, and the plans that are made of them."""

from dataclasses import dataclass

from pulse.bootstrap.settings import Settings
from pulse.core.clock import Clock
from pulse.core.ids import Ids
from pulse.storage.database import Database
from pulse.tenancy.places.holding import PlaceHold
from pulse.tenancy.tables import TenancyTables
from pulse.workflows.catalog import Catalog
from pulse.workflows.drawn import DrawnWorkflows
from pulse.workflows.store import WorkflowStore
from pulse.workflows.tables import workflow_tables
from pulse.workflows.versions import WorkflowVersions


@dataclass(frozen=True)
class DrawnParts:
    """Workflows as they are changed, as they were, and as messages are tried against them."""

    workflows: WorkflowStore
    versions: WorkflowVersions
    catalog: Catalog


def build_drawn(settings: Settings, database: Database, tenancy: TenancyTables, ids: Ids, clock: Clock) -> DrawnParts:
    """Workflows on that database."""
    tables = workflow_tables(database.prefix)
    versions = WorkflowVersions(database, tables)
    return DrawnParts(
        WorkflowStore(database, tables, PlaceHold(tenancy), ids, clock),
        versions,
        Catalog(DrawnWorkflows(database, tables), versions, settings.cache_refresh_seconds),
    )
