"""An installation that sells plans by a fake of Stripe."""

from collections.abc import AsyncIterator, Iterator

import pytest

from pulse.billing.tables import BRANCH
from tests.contract.billing import fake_stripe
from tests.contract.billing.fake_stripe import FakeStripe
from tests.contract.billing.shop import Shop, opened
from tests.contract.conftest import OpenDatabase
from tests.contract.lending import lent

prefix = lent("billing", [BRANCH])


@pytest.fixture
def stripe() -> Iterator[FakeStripe]:
    with fake_stripe.running() as fake:
        yield fake


@pytest.fixture
async def shop(open_database: OpenDatabase, stripe: FakeStripe) -> AsyncIterator[Shop]:
    made = await opened(open_database, stripe)
    yield made
    await made.egress.close()
