"""Row-level security: whom messages belong to."""

from pulse.storage.migrations import protect, protect_by, table_prefix

revision = "messages_0006"
down_revision = "messages_0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    prefix = table_prefix()
    for name in ("messages", "message_keys", "message_segments", "message_links", "message_journals"):
        protect(f"{prefix}{name}")
    protect_by(f"{prefix}message_effects", "message_id", f"{prefix}messages")
    for name in ("message_payloads", "message_results"):
        protect_by(f"{prefix}{name}", "id", f"{prefix}messages")
