"""Row-level security: whom the rows of tenancy belong to."""

from pulse.storage.migrations import protect, protect_by, table_prefix
from pulse.storage.narrowing import NARROWED_TO

revision = "tenancy_0008"
down_revision = "tenancy_0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    prefix = table_prefix()
    protect(f"{prefix}organizations", f"id = {NARROWED_TO}")
    for name in ("environments", "api_keys", "sources", "data_keys", "variables", "members", "teams", "team_members"):
        protect(f"{prefix}{name}")
    for name in ("tickets", "audit_entries", "audit_heads"):
        protect(f"{prefix}{name}")
    protect_by(f"{prefix}variable_values", "variable_id", f"{prefix}variables")
    protect_by(f"{prefix}team_rights", "team_id", f"{prefix}teams")
    # Somebody belongs to each organization that they are a member of.
    protect_by(f"{prefix}users", "id", f"{prefix}members", "user_id")
    for name in ("sessions", "second_factors", "recovery_codes", "identities"):
        protect_by(f"{prefix}{name}", "user_id", f"{prefix}users")
