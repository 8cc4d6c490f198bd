"""Row-level security: whom documents belong to."""

from pulse.storage.migrations import protect, table_prefix

revision = "memory_0002"
down_revision = "memory_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    prefix = table_prefix()
    for name in ("memory_documents", "memory_chunks", "memory_vectors"):
        protect(f"{prefix}{name}")
