"""The tables of billing."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from sqlalchemy import BigInteger, Boolean, Column, Integer, MetaData, String, Table

from pulse.storage.branches import Branch

BRANCH = Branch("billing", Path(__file__).parent / "migrations")


@dataclass(frozen=True)
class BillingTables:
    metadata: MetaData
    plans: Table
    subscriptions: Table
    usage: Table


@cache
def billing_tables(prefix: str) -> BillingTables:
    metadata = MetaData()
    return BillingTables(metadata, _plans(metadata, prefix), _subscriptions(metadata, prefix), _usage(metadata, prefix))


def _plans(metadata: MetaData, prefix: str) -> Table:
    """The plans that somebody has changed; the others are as in plans.py."""
    return Table(
        f"{prefix}plans",
        metadata,
        Column("key", String, primary_key=True),
        Column("name", String, nullable=False),
        Column("price", Integer, nullable=False),
        Column("transaction_limit", BigInteger),
        Column("overage_policy", String, nullable=False),
        Column("max_members", Integer),
        Column("stripe_price", String),
        Column("revision", Integer, nullable=False),
    )


def _subscriptions(metadata: MetaData, prefix: str) -> Table:
    return Table(
        f"{prefix}subscriptions",
        metadata,
        Column("organization_id", String, primary_key=True),
        Column("plan_key", String, index=True),
        Column("transaction_limit", BigInteger),
        Column("overage_policy", String, nullable=False),
        Column("is_override", Boolean, nullable=False),
        Column("status", String, nullable=False),
        Column("stripe_customer", String, unique=True),
        Column("stripe_subscription", String),
        Column("revision", Integer, nullable=False),
        Column("updated_at", BigInteger, nullable=False),
        Column("also_paid", String, nullable=False, server_default=""),
    )


def _usage(metadata: MetaData, prefix: str) -> Table:
    """How many messages of an organization were accepted for evaluation, by month."""
    return Table(
        f"{prefix}transaction_usage",
        metadata,
        Column("organization_id", String, primary_key=True),
        Column("period", String, primary_key=True),
        Column("count", BigInteger, nullable=False),
    )
