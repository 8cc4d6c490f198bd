"""Second factors with their recovery codes; identities at an identity provider, and sign-ins that were begun there."""

import sqlalchemy as sa
from alembic import op

from pulse.storage.migrations import table_prefix

revision = "tenancy_0005"
down_revision = "tenancy_0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    prefix = table_prefix()
    op.create_table(
        f"{prefix}people_keys",
        sa.Column("organization_id", sa.String, primary_key=True),
        sa.Column("wrapped", sa.LargeBinary, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
    )
    op.create_table(
        f"{prefix}second_factors",
        sa.Column("user_id", sa.String, _user(prefix), primary_key=True),
        sa.Column("id", sa.String, nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("confirmed_at", sa.BigInteger),
        sa.Column("last_step", sa.BigInteger, nullable=False),
    )
    op.create_table(
        f"{prefix}recovery_codes",
        sa.Column("user_id", sa.String, _user(prefix), primary_key=True),
        sa.Column("digest", sa.LargeBinary, primary_key=True),
    )
    _identities(prefix)


def _identities(prefix: str) -> None:
    op.create_table(
        f"{prefix}identities",
        sa.Column("issuer", sa.String, primary_key=True),
        sa.Column("subject", sa.String, primary_key=True),
        sa.Column("user_id", sa.String, _user(prefix), nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
    )
    op.create_index(f"{prefix}identities_user", f"{prefix}identities", ["user_id"], unique=True)
    op.create_table(
        f"{prefix}sign_in_requests",
        sa.Column("id", sa.LargeBinary, primary_key=True),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
    )


def _user(prefix: str) -> sa.ForeignKey:
    return sa.ForeignKey(f"{prefix}users.id", ondelete="CASCADE")
