"""Row-level security: whom workflows belong to."""

from pulse.storage.migrations import protect, table_prefix

revision = "workflows_0003"
down_revision = "workflows_0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    prefix = table_prefix()
    for name in ("workflow_entities", "workflows", "workflow_versions"):
        protect(f"{prefix}{name}")
