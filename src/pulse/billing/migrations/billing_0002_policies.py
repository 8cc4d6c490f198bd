"""Row-level security: whom subscriptions belong to."""

from pulse.storage.migrations import protect, share, table_prefix

revision = "billing_0002"
down_revision = "billing_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    prefix = table_prefix()
    share(f"{prefix}plans")
    for name in ("subscriptions", "transaction_usage"):
        protect(f"{prefix}{name}")
