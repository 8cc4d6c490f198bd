"""Messages from their acceptance to the archive, and how many of them an organization may have."""

import os
import secrets
from dataclasses import dataclass

from pulse.billing.meter import Meter
from pulse.billing.store import BillingStore
from pulse.billing.tables import billing_tables
from pulse.bootstrap.settings import Settings
from pulse.core.clock import Clock
from pulse.core.ids import Ids
from pulse.messages.allowance import Allowance
from pulse.messages.held import HeldMessages
from pulse.messages.intake import Intake
from pulse.messages.journal import Journal
from pulse.messages.keeping.archive import Archive
from pulse.messages.keeping.retention import Retention
from pulse.messages.links import Links
from pulse.messages.outcomes import Outcomes
from pulse.messages.queue import MessageQueue
from pulse.messages.reading import MessageReader
from pulse.messages.replay import Replay
from pulse.messages.tables import message_tables
from pulse.messages.waiting import Waiting
from pulse.objects.store import ObstoreObjects
from pulse.storage.claims import Claims
from pulse.storage.committer import Committer
from pulse.storage.database import Database
from pulse.storage.outbox import Outbox


@dataclass(frozen=True)
class MessageParts:
    """What is done with messages, but for evaluating them."""

    intake: Intake
    links: Links
    outbox: Outbox
    queue: MessageQueue
    outcomes: Outcomes
    journal: Journal
    reader: MessageReader
    waiting: Waiting
    replay: Replay
    archive: Archive
    retention: Retention
    billing: BillingStore
    held: HeldMessages


def build_messages(
    settings: Settings, database: Database, committer: Committer, *, ids: Ids, clock: Clock
) -> MessageParts:
    """On that database and the configured objects, for a worker whose name is this process's alone."""
    tables, billing = message_tables(database.prefix), billing_tables(database.prefix)
    claims = Claims(database, tables.messages, owner=f"{os.getpid()}-{secrets.token_hex(8)}")
    objects = ObstoreObjects(settings.resolved_objects_url)
    archive = Archive(database, tables, objects, ids, clock, settings.results_layout)
    reader, meter = MessageReader(database, tables, archive.fetch), Meter(database, billing, clock)
    waiting = Waiting(reader.message)
    intake = Intake(database, tables, committer, claims, Allowance(meter, tables), waiting.ended)
    return MessageParts(
        intake=intake,
        links=Links(database, tables),
        outbox=Outbox(database, tables.outbox),
        queue=MessageQueue(database, tables, claims, clock),
        outcomes=Outcomes(database, tables, committer, claims, intake, waiting.ended),
        journal=Journal(database, tables, committer, claims),
        reader=reader,
        waiting=waiting,
        replay=Replay(reader, intake, ids, clock),
        archive=archive,
        retention=Retention(database, tables, archive, clock, settings.message_retention_days),
        billing=BillingStore(database, billing, clock),
        held=HeldMessages(database, tables, claims, meter, intake, clock),
    )
