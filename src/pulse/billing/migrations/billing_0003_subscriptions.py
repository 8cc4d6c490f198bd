"""What an organization pays for at Stripe beside the subscription that counts."""

import sqlalchemy as sa
from alembic import op

from pulse.storage.migrations import table_prefix

revision = "billing_0003"
down_revision = "billing_0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    also_paid = sa.Column("also_paid", sa.String, nullable=False, server_default="")
    op.add_column(f"{table_prefix()}subscriptions", also_paid)
