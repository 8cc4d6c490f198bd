"""Plans, subscriptions and usage."""

import sqlalchemy as sa
from alembic import op

from pulse.storage.migrations import table_prefix

revision = "billing_0001"
down_revision = None
branch_labels = ("billing",)
depends_on = None


def upgrade() -> None:
    prefix = table_prefix()
    op.create_table(
        f"{prefix}plans",
        sa.Column("key", sa.String, primary_key=True),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("price", sa.Integer, nullable=False),
        sa.Column("transaction_limit", sa.BigInteger),
        sa.Column("overage_policy", sa.String, nullable=False),
        sa.Column("max_members", sa.Integer),
        sa.Column("stripe_price", sa.String),
        sa.Column("revision", sa.Integer, nullable=False),
    )
    op.create_table(
        f"{prefix}subscriptions",
        sa.Column("organization_id", sa.String, primary_key=True),
        sa.Column("plan_key", sa.String, index=True),
        sa.Column("transaction_limit", sa.BigInteger),
        sa.Column("overage_policy", sa.String, nullable=False),
        sa.Column("is_override", sa.Boolean, nullable=False),
        sa.Column("status", sa.String, nullable=False),
        sa.Column("stripe_customer", sa.String, unique=True),
        sa.Column("stripe_subscription", sa.String),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("updated_at", sa.BigInteger, nullable=False),
    )
    op.create_table(
        f"{prefix}transaction_usage",
        sa.Column("organization_id", sa.String, primary_key=True),
        sa.Column("period", sa.String, primary_key=True),
        sa.Column("count", sa.BigInteger, nullable=False),
    )
