"""Replays: a replay is a new message with the payload of an old one, and names its origin."""

from pulse.core.clock import Clock
from pulse.core.ids import Ids
from pulse.messages.intake import Intake
from pulse.messages.reading import MessageReader
from pulse.messages.records import NewMessage


class Replay:
    """Sends messages again."""

    def __init__(self, reader: MessageReader, intake: Intake, ids: Ids, clock: Clock) -> None:
        self._reader = reader
        self._intake = intake
        self._ids = ids
        self._clock = clock

    async def replay(self, organization_id: str, message_id: str) -> str:
        """The id of the new message. Raises NotFound."""
        stored = await self._reader.message(organization_id, message_id)
        accepted = await self._intake.accept(
            NewMessage(
                id=self._ids.new("msg"),
                organization_id=organization_id,
                environment_id=stored.row.environment_id,
                type=stored.row.type,
                payload=stored.payload,
                received_at=self._clock.now_ms(),
                lane=stored.row.lane,
                origin_id=message_id,
            )
        )
        return accepted.id
