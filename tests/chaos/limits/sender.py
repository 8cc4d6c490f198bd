"""A process that sends every delivery of a month, each perhaps not for the first time, until it is killed or through.

`python -m tests.chaos.limits.sender URL COUNT SEED`: the store's intake, with a worker of this process's own that
claims what comes in passing. Prints `through` at the end.
"""

import asyncio
import os
import random
import sys

from pulse.billing.meter import Meter
from pulse.billing.tables import billing_tables
from pulse.core.clock import SystemClock
from pulse.core.ids import Ids
from pulse.messages.allowance import Allowance
from pulse.messages.intake import Intake
from pulse.messages.records import NewMessage
from pulse.messages.tables import message_tables
from pulse.storage.claims import Claims
from pulse.storage.committer import Committer
from pulse.storage.database import Database

ORGANIZATION, ENVIRONMENT = "org_limited", "env"
AT_ONCE = 16


async def main(url: str, count: int, seed: int) -> None:
    database, clock = Database(url), SystemClock()
    ids, messages = Ids(clock), message_tables(database.prefix)
    meter = Meter(database, billing_tables(database.prefix), clock)
    claims, allowance = Claims(database, messages.messages, owner=str(os.getpid())), Allowance(meter, messages)
    intake = Intake(database, messages, Committer(database), claims, allowance, lambda _id: None)
    deliveries = list(range(count))
    random.Random(seed).shuffle(deliveries)

    async def sender() -> None:
        while deliveries:
            key = f"delivery-{deliveries.pop()}"
            at, payload = clock.now_ms(), b'{"type":"order"}'
            place = (ids.new("msg"), ORGANIZATION, ENVIRONMENT, "order", payload, at)
            await intake.accept(NewMessage(*place, idempotency_key=key, fingerprint=b"the same", lane=key[-1]))

    await asyncio.gather(*(sender() for _ in range(AT_ONCE)))
    sys.stdout.write("through\n")
    await database.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
