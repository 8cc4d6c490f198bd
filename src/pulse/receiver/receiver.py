"""What the routes of the receiver do: authenticate, bound, parse, store, answer."""

import asyncio
import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import structlog

from pulse.core.clock import Clock
from pulse.core.errors import Fault, IdempotencyConflict, InvalidFields, InvalidJson, NotFound, PulseError
from pulse.core.ids import Ids
from pulse.core.json import parse
from pulse.messages.intake import Intake
from pulse.messages.records import Accepted, NewMessage, StoredMessage
from pulse.messages.waiting import Waiting
from pulse.receiver.admission import Admission
from pulse.receiver.bodies import Envelope, envelope_of, hook_envelope, parse_quickly, too_large
from pulse.receiver.metrics import ReceiverMetrics
from pulse.receiver.problems import problem
from pulse.receiver.signatures import Headers, verify
from pulse.tenancy.access import Authenticator, Principal, authorize
from pulse.tenancy.sources import SourceStore

log = structlog.get_logger(__name__)
MAX_KEY = 255
MAX_BATCH = 1_000
_decoder = json.JSONDecoder()


class Addressing(msgspec.Struct, frozen=True):
    """What comes with a message, outside its body."""

    idempotency_key: str | None = None
    partition_key: str | None = None


@dataclass
class Receiver:
    """The receiver's parts, and its three operations."""

    authenticator: Authenticator
    sources: SourceStore
    intake: Intake
    waiting: Waiting
    admission: Admission
    metrics: ReceiverMetrics
    ids: Ids
    clock: Clock
    max_message_bytes: int

    async def principal(self, authorization: str | None, query: Mapping[str, str]) -> Principal:
        """Whoever sends; the operator's own commands say in the query for which environment."""
        principal = await self.authenticator.authenticate(authorization)
        authorize(principal, "messages:create")
        if principal.system:
            place = query.get("organizationId"), query.get("environmentId")
            return await self.authenticator.within(principal, *place)
        return principal

    async def accept(self, principal: Principal, envelope: Envelope, raw: bytes, addressing: Addressing) -> Accepted:
        """Makes one message durable. Raises IdempotencyConflict where its key came with another body (`raw`) before."""
        began = time.perf_counter()
        with self.admission.entering(principal.organization_id):
            accepted = await self.intake.accept(self._message(principal, envelope, raw, addressing))
        self.metrics.seconds.observe(time.perf_counter() - began)
        if accepted.conflict:
            raise IdempotencyConflict(id=accepted.id)
        (self.metrics.repeated if accepted.deduplicated else self.metrics.accepted).inc()
        return accepted

    async def accept_batch(self, principal: Principal, items: Sequence[bytes]) -> list[dict[str, Any]]:
        """One entry an item, in order: accepted, or the problem with it. Good items are stored though others fail."""
        return list(await asyncio.gather(*(self._accept_item(principal, item) for item in items)))

    async def accept_hook(self, source_id: str, headers: Headers, raw: bytes) -> Accepted | str:
        """Verifies and stores a webhook; a delivery that comes again is a repeat. Raises NotFound, InvalidSignature.

        Where the sender only asks whether somebody is here, nothing is stored: the challenge that it wants back.
        """
        source = await self.sources.find(source_id)
        if source is None:
            raise NotFound("There is no webhook source at this address.")
        delivery = verify(source, headers, raw, self.clock.now_ms())
        if delivery.challenge is not None:
            return delivery.challenge
        principal = Principal(source.organization_id, source.environment_id, source.id)
        envelope = hook_envelope(raw, f"{source.kind}.{delivery.event}"[:200], delivery.headers, principal)
        key = _delivery_key(source.id, delivery.id) if delivery.id else None
        same = delivery.id.encode() if delivery.id and delivery.is_known_by_id else raw
        return await self.accept(principal, envelope, same, Addressing(idempotency_key=key))

    async def outcome(self, principal: Principal, message_id: str, seconds: float) -> StoredMessage | None:
        return await self.waiting.outcome(principal.organization_id, message_id, seconds)

    def refused(self, error: PulseError) -> None:
        """Counts a request that was refused."""
        self.metrics.rejected.labels(error.code).inc()
        log.debug("request_refused", code=error.code, detail=error.message)

    async def _accept_item(self, principal: Principal, item: bytes) -> dict[str, Any]:
        try:
            message, raw, addressing = unwrap(item)
            if len(raw) > self.max_message_bytes:
                raise too_large(self.max_message_bytes, len(raw))
            accepted = await self.accept(principal, envelope_of(message, raw, principal), raw, addressing)
        except PulseError as error:
            self.refused(error)
            return {"status": "refused", "problem": problem(error)}
        return accepted_body(accepted)

    def _message(self, principal: Principal, envelope: Envelope, raw: bytes, addressing: Addressing) -> NewMessage:
        key = addressing.idempotency_key
        return NewMessage(
            id=self.ids.new("msg"),
            organization_id=principal.organization_id,
            environment_id=principal.environment_id,
            type=envelope.type,
            payload=envelope.payload,
            received_at=self.clock.now_ms(),
            lane=addressing.partition_key,
            idempotency_key=key,
            fingerprint=hashlib.sha256(raw).digest() if key else None,
        )


def accepted_body(accepted: Accepted) -> dict[str, Any]:
    body: dict[str, Any] = {"id": accepted.id, "status": "accepted"}
    return {**body, "deduplicated": True} if accepted.deduplicated else body


def _delivery_key(source_id: str, delivery_id: str) -> str:
    key = f"{source_id}:{delivery_id}"
    return key if len(key) <= MAX_KEY else f"{source_id}:{hashlib.sha256(delivery_id.encode()).hexdigest()}"


def split_batch(body: bytes, *, lines: bool = False) -> list[bytes]:
    """The items of a JSON array or of NDJSON (of that surely: `lines`), each as it came.

    What is wrong within an item is found when it is accepted, and concerns that item alone. Raises InvalidFields,
    InvalidJson.
    """
    text = body.strip()
    if text.startswith(b"[") and not lines:
        items = elements(text)
    else:
        items = [line for line in text.splitlines() if line.strip()]
    if not 1 <= len(items) <= MAX_BATCH:
        words = f"A batch has 1 to {MAX_BATCH} messages; this one has {len(items)}."
        raise InvalidFields([Fault("", "batch_size", words)])
    return items


def elements(text: bytes) -> list[bytes]:
    """The items of a JSON array, each as it came. Raises InvalidJson.

    msgspec refuses all of them for what is wrong within one text; Python cuts them up without a look inside.
    """
    try:
        return [bytes(item) for item in msgspec.json.decode(text, type=list[msgspec.Raw])]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    try:
        return _cut(text.decode())
    except (ValueError, IndexError, RecursionError):
        # It is no array at all: this says where.
        parse(text, max_depth=len(text), max_keys=len(text))
        raise InvalidJson from None


def _cut(text: str) -> list[bytes]:
    items, at = [], 0
    while text[at] != "]":
        at = _past_space(text, at + 1)
        _, end = _decoder.raw_decode(text, at)
        items.append(text[at:end].encode())
        at = _past_space(text, end)
        if text[at] not in ",]":
            raise ValueError(at)
    if at + 1 < len(text):
        raise ValueError(at)
    return items


def _past_space(text: str, at: int) -> int:
    while text[at] in " \t\r\n":
        at += 1
    return at


def unwrap(item: bytes) -> tuple[Any, bytes, Addressing]:
    """An item's message, its bytes, and what was wrapped around it: `{idempotencyKey?, partitionKey?, message}`."""
    value = parse_quickly(item)
    if not isinstance(value, dict) or not isinstance(value.get("message"), dict):
        return value, item, Addressing()
    if set(value) - {"message", "idempotencyKey", "partitionKey"}:
        return value, item, Addressing()
    raw = msgspec.json.decode(item, type=dict[str, msgspec.Raw])["message"]
    return value["message"], bytes(raw), addressing(value.get("idempotencyKey"), value.get("partitionKey"))


def addressing(idempotency_key: Any, partition_key: Any) -> Addressing:
    """Checks the two keys. Raises InvalidFields."""
    for name, key in (("idempotencyKey", idempotency_key), ("partitionKey", partition_key)):
        if key is None:
            continue
        if not isinstance(key, str) or not 1 <= len(key) <= MAX_KEY or not key.isprintable():
            words = f"A key is text of 1 to {MAX_KEY} printable characters."
            raise InvalidFields([Fault(name, "invalid_key", words)])
    return Addressing(idempotency_key, partition_key)
