"""Messages that an application wants to hear of: they leave for its engine through the outbox.

The entry is written in the transaction that stores the message, so that there is one for each message that was
accepted, and for no other. It is delivered at least once, under the message's id; the engine, which takes one key once,
makes it exactly once.
"""

from collections.abc import Callable, Collection, Sequence
from typing import Any

import msgspec
import structlog
from sqlalchemy import Connection

from pulse.core.errors import InvalidInput
from pulse.engine.engine import Engine
from pulse.engine.records import Signal
from pulse.messages.records import NewMessage
from pulse.storage.outbox import Entry, Outbox

log = structlog.get_logger(__name__)
TOPIC = "signal"
SOURCE = "platform"
_encode = msgspec.json.Encoder().encode


class Departure(msgspec.Struct, frozen=True, rename="camel"):
    """A message as it leaves: `message` is its JSON."""

    organization_id: str
    environment_id: str
    type: str
    message: msgspec.Raw


class MessageSignals:
    """Implements `intake.Signals`: messages of these `types` leave; `announce` is called when some are on their way.

    A replay on an old version is for one workflow alone, and does not leave.
    """

    def __init__(self, outbox: Outbox, types: Collection[str], announce: Callable[[], None]) -> None:
        self._outbox = outbox
        self._types = types
        self._announce = announce
        self._has_put = False

    def put(self, connection: Connection, messages: Sequence[NewMessage]) -> None:
        """Writes what leaves, within the transaction that stores these new messages."""
        leaving = [message for message in messages if message.type in self._types and message.pin is None]
        if leaving:
            self._outbox.put_now(connection, [Entry(TOPIC, message.id, departure(message)) for message in leaving])
            self._has_put = True

    def stored(self) -> None:
        """Messages were committed."""
        if self._has_put:
            self._has_put = False
            self._announce()


def departure(message: NewMessage) -> bytes:
    """The entry's payload; `arrival` reads it."""
    place = message.organization_id, message.environment_id
    return _encode(Departure(*place, message.type or "", msgspec.Raw(message.payload)))


def arrival(payload: bytes) -> Departure:
    return msgspec.json.decode(payload, type=Departure)


class Emitter:
    """Emits the messages that leave; an outbox's handler."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def __call__(self, message_id: str, entry: bytes) -> None:
        try:
            await self._engine.emit(signal_of(message_id, entry))
        except InvalidInput as error:
            # Trying again would not help, and the message is still there.
            again = f"pulse messages replay {message_id}"
            log.error("signal_refused", message=message_id, reason=error.message, after_mending=again)


def signal_of(message_id: str, entry: bytes) -> Signal:
    """The signal of a message: its `payload`, if that is an object, or else the whole message."""
    left = arrival(entry)
    message: dict[str, Any] = msgspec.json.decode(left.message)
    payload = message.get("payload")
    return Signal(
        tenant_id=left.organization_id,
        source=SOURCE,
        type=left.type,
        environment=left.environment_id,
        payload=payload if isinstance(payload, dict) else message,
        idempotency_key=f"message:{message_id}",
    )
