"""The same installation that the receiver is tested on, and one that sells the plan *team* by a fake of Stripe."""

from collections.abc import AsyncIterator, Iterator

import pytest
from argon2 import PasswordHasher

from tests.contract.billing import fake_stripe
from tests.contract.billing.fake_stripe import KEY, SECRET, FakeStripe
from tests.integration.billing.till import PLANS
from tests.integration.receiver.conftest import acme, pulse
from tests.integration.receiver.installation import Installation, Tenant, installed

__all__ = ["acme", "pulse"]
TEAM = {"name": "Team", "price": 9_900, "transactionLimit": 5_000, "stripePrice": "price_team"}


@pytest.fixture(scope="module")
def stripe() -> Iterator[FakeStripe]:
    with fake_stripe.running() as fake:
        yield fake


@pytest.fixture(scope="module")
async def shop(
    anyio_backend: str, stripe: FakeStripe, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Installation]:
    """An installation that sells the plan *team*."""
    settings = {
        "STRIPE_SECRET_KEY": KEY,
        "STRIPE_WEBHOOK_SECRET": f"whsec_newer, {SECRET} ,",
        "PULSE_STRIPE_URL": stripe.url,
        "EGRESS_ALLOW": stripe.url.removeprefix("http://"),
    }
    async with installed(tmp_path_factory.mktemp("shop") / "data", **settings) as installation:
        installation.parts.people.passwords._hasher = PasswordHasher(time_cost=1, memory_cost=1 << 10)
        changed = await installation.client.put(f"{PLANS}/team", json=TEAM, headers=installation.operator)
        assert changed.status_code == 200, changed.text
        yield installation


@pytest.fixture
async def here(shop: Installation) -> Tenant:
    return await shop.tenant()
