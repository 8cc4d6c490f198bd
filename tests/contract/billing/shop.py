"""An installation that sells plans by the fake of Stripe, on either database."""

from dataclasses import dataclass, field

from pulse.billing.payments import Notice
from pulse.billing.records import Subscription
from pulse.billing.selling import Selling
from pulse.billing.store import BillingStore
from pulse.billing.stripe import StripeApi
from pulse.billing.tables import BRANCH, billing_tables
from pulse.storage.database import Database
from pulse.storage.migrations import migrate
from tests.contract.billing.fake_stripe import KEY, SECRET, FakeStripe, signed
from tests.contract.conftest import OpenDatabase, SetClock
from tests.contract.mail.way_out import UncheckedEgress

OURS, THEIRS = "org_ours", "org_theirs"
SUCCESS, CANCEL = "https://pulse.test/?checkout=completed", "https://pulse.test/?checkout=canceled"


@dataclass
class Heard:
    """What was announced."""

    changes: list[tuple[str, str]] = field(default_factory=list)

    async def changed(self, organization_id: str, reason: str) -> None:
        self.changes.append((organization_id, reason))


@dataclass
class Shop:
    """The parts, and what customers and Stripe do."""

    database: Database
    clock: SetClock
    stripe: FakeStripe
    egress: UncheckedEgress
    heard: Heard = field(default_factory=Heard)

    @property
    def store(self) -> BillingStore:
        return BillingStore(self.database, billing_tables(self.database.prefix), self.clock)

    def api(self) -> StripeApi:
        return StripeApi(self.egress, KEY, (SECRET,), base_url=self.stripe.url, pause=no_pause)

    def selling(self) -> Selling:
        """Another process that sells."""
        return Selling(self.store, self.heard, self.clock, self.api())

    async def ordered(self, organization_id: str = OURS, plan_key: str = "team") -> str:
        """The address of a checkout page."""
        name = f"Name of {organization_id}"
        return await self.selling().checkout(organization_id, name, plan_key, success_url=SUCCESS, cancel_url=CANCEL)

    async def bought(self, organization_id: str = OURS, plan_key: str = "team") -> bytes:
        """A plan that is paid, and told: the event."""
        event = self.stripe.pay(await self.ordered(organization_id, plan_key))
        await self.tell(event)
        return event

    async def tell(self, *events: bytes) -> None:
        """Stripe sends events, one after another."""
        for event in events:
            notice = self.notice(event)
            if notice is not None:
                await self.selling().heard(notice)

    def notice(self, event: bytes) -> Notice | None:
        now_s = self.clock.ms // 1000
        return self.api().notice(event, signed(event, at=now_s), self.clock.ms)

    async def kept(self, organization_id: str = OURS) -> Subscription:
        found = await self.store.subscription(organization_id)
        assert found is not None
        return found

    async def plan(self, organization_id: str = OURS) -> tuple[str | None, str]:
        kept = await self.kept(organization_id)
        return kept.plan_key, kept.status


async def no_pause(_seconds: float) -> None:
    """Tests do not wait."""


async def opened(open_database: OpenDatabase, stripe: FakeStripe) -> Shop:
    """With prices for two plans."""
    clock = SetClock()
    database = open_database(clock=clock)
    await migrate(database, [BRANCH])
    shop = Shop(database, clock, stripe, UncheckedEgress())
    for key in ("individual", "team"):
        plan = await shop.store.plan(key)
        await shop.store.change_plan(type(plan)(**{**vars(plan), "stripe_price": f"price_{key}"}))
    return shop
