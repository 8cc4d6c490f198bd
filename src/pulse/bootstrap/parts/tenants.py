"""Organizations, their people, and what is theirs."""

from collections.abc import Callable
from dataclasses import dataclass

from pulse.bootstrap.settings import Settings
from pulse.core.clock import Clock
from pulse.core.ids import Ids
from pulse.storage.database import Database
from pulse.tenancy.access import Authenticator
from pulse.tenancy.audit.audit import Audit, build_audit
from pulse.tenancy.people.sign_in import People, build_people
from pulse.tenancy.places.lists import TenancyLists
from pulse.tenancy.secrets.vault import Vault
from pulse.tenancy.sources import SourceStore
from pulse.tenancy.store import TenancyStore
from pulse.tenancy.tables import TenancyTables
from pulse.tenancy.variables import VariableStore


@dataclass(frozen=True)
class TenantParts:
    """Whose things are whose, who may do what with them, and who did."""

    tenancy: TenancyStore
    lists: TenancyLists
    audit: Audit
    sources: SourceStore
    variables: VariableStore
    authenticator: Authenticator
    people: People


def build_tenants(
    settings: Settings,
    database: Database,
    tables: TenancyTables,
    vault: Vault,
    local_token: str | None,
    *,
    ids: Ids,
    clock: Clock,
    note_use: Callable[[str, int], None],
) -> TenantParts:
    """On that database; `local_token` is the one of this machine's commands, `note_use` is told of uses of keys."""
    tenancy, refresh = TenancyStore(database, tables, ids, clock), settings.cache_refresh_seconds
    return TenantParts(
        tenancy=tenancy,
        lists=TenancyLists(database, tables),
        audit=build_audit(database, tables.audit, ids, clock),
        sources=SourceStore(database, tables, vault, clock),
        variables=VariableStore(database, tables, vault, ids, clock, refresh_seconds=refresh),
        authenticator=Authenticator(tenancy, local_token, note_use),
        people=build_people(database, tables, tenancy, ids, clock, vault=vault),
    )
