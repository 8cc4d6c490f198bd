"""An index of the messages that are held."""

import sqlalchemy as sa
from alembic import op

from pulse.storage.migrations import table_prefix

revision = "messages_0005"
down_revision = "messages_0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    name, held = f"{table_prefix()}messages", sa.text("state = 'held'")
    columns = ["organization_id", "id"]
    op.create_index(f"{name}_held", name, columns, sqlite_where=held, postgresql_where=held)
