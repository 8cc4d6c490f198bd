"""Plans, subscriptions and usage in the database. An organization without a subscription is limited by nothing."""

from dataclasses import replace
from typing import Any

from sqlalchemy import ColumnElement, Table, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from pulse.billing.plans import BY_KEY, PLANS
from pulse.billing.records import (
    DEFAULT_POLICY,
    OveragePolicy,
    Plan,
    Subscription,
    Usage,
    period_of,
    previous_period,
    reached_at,
)
from pulse.billing.tables import BillingTables
from pulse.core.clock import Clock
from pulse.core.errors import NotFound, StaleRevision
from pulse.storage.database import Database
from pulse.tenancy.audit.act import note


class BillingStore:
    """Reads and writes the tables of billing, but for counting (see meter.py)."""

    def __init__(self, database: Database, tables: BillingTables, clock: Clock) -> None:
        self._database = database
        self._tables = tables
        self._clock = clock

    # ---- plans -----------------------------------------------------------------------------------------------

    async def plans(self) -> list[Plan]:
        """All plans, the cheapest first."""
        async with self._database.read() as connection:
            rows = await connection.execute(select(self._tables.plans))
            changed = {row["key"]: Plan(**row) for row in rows.mappings()}
        return sorted((changed.get(plan.key, plan) for plan in PLANS), key=lambda plan: (plan.price, plan.key))

    async def plan(self, key: str) -> Plan:
        """Raises NotFound."""
        if key not in BY_KEY:
            raise NotFound(f"There is no plan {key!r}: {', '.join(BY_KEY)}.")
        return next(plan for plan in await self.plans() if plan.key == key)

    async def change_plan(self, plan: Plan, revision: int | None = None) -> Plan:
        """Stores a plan, and gives its limit to all who have it and none of their own.

        Raises NotFound, StaleRevision.
        """
        changed = replace(plan, revision=(await self.plan(plan.key)).revision + 1)
        table = self._tables.plans
        if revision is not None and revision != changed.revision - 1:
            raise StaleRevision
        async with self._database.write() as connection:
            await _put(connection, table, table.c.key == plan.key, vars(changed))
            note(
                "plan", plan.key, plan.name, limit=plan.transaction_limit, policy=plan.overage_policy, price=plan.price
            )
            await self._pass_on(connection, changed)
        return changed

    async def _pass_on(self, connection: AsyncConnection, plan: Plan) -> None:
        c, now = self._tables.subscriptions.c, self._clock.now_ms()
        theirs = (c.plan_key == plan.key) & c.is_override.is_(False)
        limits = {"transaction_limit": plan.transaction_limit, "overage_policy": plan.overage_policy}
        values = {**limits, "revision": c.revision + 1, "updated_at": now}
        await connection.execute(update(self._tables.subscriptions).where(theirs).values(**values))

    # ---- subscriptions ---------------------------------------------------------------------------------------

    async def subscription(self, organization_id: str) -> Subscription | None:
        return await self._one(self._tables.subscriptions.c.organization_id == organization_id)

    async def of_customer(self, stripe_customer: str) -> Subscription | None:
        """The subscription that Stripe knows under this customer."""
        return await self._one(self._tables.subscriptions.c.stripe_customer == stripe_customer)

    async def _one(self, which: Any) -> Subscription | None:
        async with self._database.read() as connection:
            row = (await connection.execute(select(self._tables.subscriptions).where(which))).mappings().first()
        return None if row is None else Subscription(**row)

    async def assign(self, organization_id: str, plan_key: str, **more: Any) -> Subscription:
        """Gives the organization a plan, and the plan's limits unless it has limits of its own.

        Raises NotFound, StaleRevision. `more`: `status`, `stripe_customer`, `stripe_subscription`.
        """
        while True:
            plan = await self.plan(plan_key)
            kept = await self.subscription(organization_id)
            limits: dict[str, Any] = {
                "transaction_limit": plan.transaction_limit,
                "overage_policy": plan.overage_policy,
            }
            own = {} if kept is not None and kept.is_override else limits
            written = await self._write(kept, organization_id, {"plan_key": plan.key, **own, **more})
            # A change of the plan that came in between did not find the organization among those who have it.
            if (await self.plan(plan_key)).revision == plan.revision:
                return written

    async def configure(
        self, organization_id: str, limit: int | None, policy: OveragePolicy, revision: int | None = None
    ) -> Subscription:
        """Gives the organization a limit of its own, whatever its plan says; None for no limit.

        Raises StaleRevision.
        """
        kept = await self.subscription(organization_id)
        if revision is not None and revision != (0 if kept is None else kept.revision):
            raise StaleRevision
        values = {"transaction_limit": limit, "overage_policy": policy, "is_override": True}
        return await self._write(kept, organization_id, values)

    async def connect(self, organization_id: str, **values: Any) -> Subscription:
        """Notes what Stripe calls the organization, or its status there. Raises StaleRevision."""
        return await self._write(await self.subscription(organization_id), organization_id, values)

    async def _write(self, kept: Subscription | None, organization_id: str, values: dict[str, Any]) -> Subscription:
        table, now = self._tables.subscriptions, self._clock.now_ms()
        before = kept or _new(organization_id)
        after = replace(before, **values, revision=before.revision + 1, updated_at=now)
        async with self._database.write() as connection:
            await _put(connection, table, table.c.organization_id == organization_id, vars(after))
            told = {"plan": after.plan_key, "limit": after.transaction_limit, "policy": after.overage_policy}
            note("subscription", organization_id, organization_id=organization_id, status=after.status, **told)
        return after

    # ---- usage -----------------------------------------------------------------------------------------------

    async def usage(self, organization_id: str) -> Usage:
        """How the organization stands in the month that is."""
        kept = await self.subscription(organization_id) or _new(organization_id)
        period, count = (await self.history(organization_id, 1))[0]
        reached = reached_at(count, kept.transaction_limit, self._clock.now_ms())
        return Usage(period, count, kept.transaction_limit, kept.overage_policy, reached)

    async def history(self, organization_id: str, months: int) -> list[tuple[str, int]]:
        """(period, count) of so many months, the one that is first; without messages 0."""
        periods = [period_of(self._clock.now_ms())]
        while len(periods) < months:
            periods.append(previous_period(periods[-1]))
        c = self._tables.usage.c
        query = select(c.period, c.count).where(c.organization_id == organization_id, c.period.in_(periods))
        async with self._database.read() as connection:
            counted = {row[0]: int(row[1]) for row in await connection.execute(query)}
        return [(period, counted.get(period, 0)) for period in periods]


async def _put(connection: AsyncConnection, table: Table, mine: ColumnElement[bool], values: dict[str, Any]) -> None:
    """Writes a record of revision n in the place of that of n - 1; of 1, in the place of none. Raises StaleRevision."""
    revision = values["revision"]
    try:
        if revision == 1:
            written = await connection.execute(insert(table).values(**values))
        else:
            before = mine & (table.c.revision == revision - 1)
            written = await connection.execute(update(table).where(before).values(**values))
    except IntegrityError:
        raise StaleRevision from None
    if written.rowcount == 0:
        raise StaleRevision


def _new(organization_id: str) -> Subscription:
    """What an organization has that has none: no limit."""
    return Subscription(
        organization_id=organization_id,
        plan_key=None,
        transaction_limit=None,
        overage_policy=DEFAULT_POLICY,
        is_override=False,
        status="active",
        stripe_customer=None,
        stripe_subscription=None,
        revision=0,
        updated_at=0,
    )
