"""Replays: a replay is a new message that names its origin. It has the old one's payload, or an edited one."""

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Struct

from pulse.core.clock import Clock
from pulse.core.errors import Conflict, NotFound
from pulse.core.ids import Ids
from pulse.messages.intake import Intake
from pulse.messages.reading import MessageReader
from pulse.messages.records import OUTCOMES, NewMessage, Pin, StoredMessage

AT_ONCE = 100


class NoVersion(Conflict):
    """No workflow took this message: there is no old version to run it on. Replay it on the current ones."""

    code = "no_version"


class Edits(Struct, frozen=True):
    """How a replay differs from its origin: another message, or the version that the origin ran on.

    With `reuse_effects` it takes over what the origin's scripts did already, as far as they ask for the same again.
    """

    payload: bytes | None = None
    old_version: bool = False
    reuse_effects: bool = False


AS_IT_WAS = Edits()


class Replay:
    """Sends messages again."""

    def __init__(self, reader: MessageReader, intake: Intake, ids: Ids, clock: Clock) -> None:
        self._reader = reader
        self._intake = intake
        self._ids = ids
        self._clock = clock

    async def replay(self, organization_id: str, message_id: str, edits: Edits = AS_IT_WAS) -> str:
        """The id of the new message. Raises NotFound; Conflict (NoVersion where there is no old version)."""
        stored = await self._reader.message(organization_id, message_id)
        if edits.reuse_effects and stored.row.status not in OUTCOMES:
            raise Conflict("This message has no outcome yet: what it does can be taken over when it has ended.")
        payload = stored.payload if edits.payload is None else edits.payload
        accepted = await self._intake.accept(
            NewMessage(
                id=self._ids.new("msg"),
                organization_id=organization_id,
                environment_id=stored.row.environment_id,
                type=stored.row.type if edits.payload is None else _type_of(payload),
                payload=payload,
                received_at=self._clock.now_ms(),
                lane=stored.row.lane,
                origin_id=message_id,
                pin=_pin(stored) if edits.old_version else None,
                reuses=message_id if edits.reuse_effects else None,
            )
        )
        return accepted.id

    async def replay_all(self, organization_id: str, message_ids: Sequence[str], edits: Edits = AS_IT_WAS) -> list[str]:
        """The ids of the new messages, in the order of the old ones; those that are gone or have no old version are
        left out."""
        sent: list[str] = []
        failed: list[BaseException] = []
        for start in range(0, len(message_ids), AT_ONCE):
            part = message_ids[start : start + AT_ONCE]
            answers = await asyncio.gather(
                *(self.replay(organization_id, message_id, edits) for message_id in part), return_exceptions=True
            )
            sent += [answer for answer in answers if isinstance(answer, str)]
            failed += [answer for answer in answers if isinstance(answer, BaseException)]
        for error in failed:
            # Where others were sent, one that is gone meanwhile hides nothing of that.
            if not isinstance(error, NoVersion) and not (sent and isinstance(error, NotFound)):
                raise error
        return sent


def _pin(stored: StoredMessage) -> str:
    row = stored.row
    if row.workflow_id is None or row.workflow_version is None:
        raise NoVersion
    return Pin(row.workflow_id, row.workflow_version).text


def _type_of(payload: bytes) -> str | None:
    found: dict[str, Any] = msgspec.json.decode(payload)
    return found["type"] if isinstance(found.get("type"), str) else None
