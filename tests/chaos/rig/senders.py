"""Clients that never give up: each sends messages in every way there is, and repeats what was not answered."""

import hashlib
import hmac
import json
import threading
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from random import Random
from typing import Self

from tests.chaos.rig.door import Answer, Door
from tests.chaos.rig.ledger import Ledger, Promise
from tests.chaos.rig.until import until
from tests.chaos.rig.workload import MILLISECOND, SECRET, Draft

LANES = 2
PAUSE_S = 0.01
# Answers that say: nothing was accepted, try again.
LATER = {429, 503, 507}
NO_ANSWER = 0


@dataclass(frozen=True)
class Address:
    """Where to send: the ports of the platform's processes, a key, and the path of a source of webhooks.

    `is_sure`: 503 means that nothing was accepted. Where connections to a server are cut, one may have hidden a COMMIT.
    """

    ports: Sequence[int]
    key: str
    hook: str
    is_sure: bool = True


class Sender:
    """One client. What it does depends on `seed` alone; when it does it, on Pulse."""

    def __init__(self, name: str, seed: int, address: Address, ledger: Ledger, over: threading.Event) -> None:
        self.name = name
        self.statuses: Counter[int] = Counter()
        self._random = Random(f"{seed}/{name}")
        self._address = address
        self._doors = [Door(port, address.key) for port in address.ports]
        self._ledger = ledger
        self._over = over
        self._count = 0
        self._seqs = [0] * LANES

    def run(self) -> None:
        """Sends until it is over. Raises what no client should meet."""
        try:
            while not self._over.is_set():
                self._send_something()
                self._over.wait(self._random.uniform(0, PAUSE_S))
        finally:
            for door in self._doors:
                door.close()

    # ---- what is sent ----------------------------------------------------------------------------------------

    def _send_something(self) -> None:
        way = self._random.choices((self._single, self._batch, self._webhook), (6, 1, 2))[0]
        way()

    def _draft(self, *, kind: str | None = None, lanes: bool = True) -> Draft:
        self._count += 1
        nonce = f"{self.name}-{self._count}"
        chosen = kind or self._random.choices(("order", "slow", "fails", "unknown"), (88, 4, 4, 4))[0]
        spins = self._random.randrange(20) * MILLISECOND if chosen == "slow" else 0
        if lanes and self._random.random() < 0.4:
            lane = self._random.randrange(LANES)
            self._seqs[lane] += 1
            # With a key always: a lane goes on only when it is known that the message before was accepted.
            return Draft(nonce, chosen, f"key {nonce}", f"{self.name}/{lane}", self._seqs[lane], spins)
        key = f"key {nonce}" if self._random.random() < 0.6 else None
        return Draft(nonce, chosen, key, None, 0, spins)

    def _single(self) -> None:
        draft = self._draft()
        headers = {"Idempotency-Key": draft.key, "Pulse-Partition-Key": draft.lane}
        given = {name: value for name, value in headers.items() if value is not None}
        self._alone(draft, "/v1/messages", draft.message, given)

    def _webhook(self) -> None:
        draft = self._draft(kind="hook", lanes=False)
        body = json.dumps(draft.payload).encode()
        signature = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
        headers = {"X-Event": "order", "X-Signature-256": f"sha256={signature}"}
        if draft.key is not None:
            headers["X-Delivery"] = draft.key
        self._alone(draft, self._address.hook, draft.payload, headers)

    def _batch(self) -> None:
        drafts = [self._draft() for _ in range(self._random.randrange(2, 30))]
        while drafts and not self._over.is_set():
            body = b"\n".join(json.dumps(draft.item).encode() for draft in drafts)
            answer = self._ask("/v1/messages/batch", body, {"Content-Type": "application/x-ndjson"})
            drafts = self._settle(drafts, answer)

    def _alone(self, draft: Draft, path: str, body: object, headers: dict[str, str]) -> None:
        while not self._over.is_set():
            answer = self._ask(path, json.dumps(body).encode(), headers)
            if answer is not None and answer.status == 202:
                return self._ledger.note([_promise(draft, answer.json()["id"])])
            if draft.key is None and self._is_unknown(answer):
                return

    # ---- what is answered ------------------------------------------------------------------------------------

    def _ask(self, path: str, body: bytes, headers: dict[str, str]) -> Answer | None:
        answer = self._random.choice(self._doors).send("POST", path, body, headers)
        self.statuses[NO_ANSWER if answer is None else answer.status] += 1
        if answer is None or answer.status in LATER:
            self._over.wait(PAUSE_S)
        else:
            assert answer.status == 202, f"{path}: {answer.status} {answer.body[:500]!r}"
        return answer

    def _is_unknown(self, answer: Answer | None) -> bool:
        """Whether nobody can tell if it was accepted: then only a key makes it safe to repeat."""
        return answer is None or (answer.status == 503 and not self._address.is_sure)

    def _settle(self, drafts: list[Draft], answer: Answer | None) -> list[Draft]:
        """The drafts of a batch that must be sent again."""
        if answer is None or answer.status != 202:
            return [draft for draft in drafts if draft.key is not None or not self._is_unknown(answer)]
        items = list(zip(drafts, answer.json(), strict=True))
        self._ledger.note(_promise(draft, item["id"]) for draft, item in items if item["status"] == "accepted")
        refused = [(draft, item["problem"]["status"]) for draft, item in items if item["status"] == "refused"]
        assert all(status in LATER for _, status in refused), refused
        return [draft for draft, _ in refused if draft.key is not None or self._address.is_sure]


class Crowd:
    """Senders that run while the block does; what one of them should not have met is raised at its end."""

    def __init__(self, address: Address, ledger: Ledger, seed: int, size: int = 6) -> None:
        self._over = threading.Event()
        names = [f"sender{number}" for number in range(size)]
        self._senders = [Sender(name, seed, address, ledger, self._over) for name in names]
        self._threads = ThreadPoolExecutor(size, "sender")
        self._running: list[Future[None]] = []

    def __enter__(self) -> Self:
        self._running = [self._threads.submit(sender.run) for sender in self._senders]
        return self

    def __exit__(self, *_details: object) -> None:
        self._over.set()
        self._threads.shutdown()
        for sender in self._running:
            sender.result()

    def wait_for_more(self, status: int, count: int, seconds: float = 30.0) -> None:
        """Returns as soon as there were so many more answers of this status."""
        wanted = self.statuses[status] + count
        until(lambda: self.statuses[status] >= wanted, seconds, f"{count} more answers of {status}")

    @property
    def statuses(self) -> Counter[int]:
        """How many answers of each status there were; NO_ANSWER for none."""
        return sum((sender.statuses for sender in self._senders), Counter[int]())


def send(door: Door, ledger: Ledger, drafts: Sequence[Draft]) -> list[str]:
    """Sends drafts as one batch, all of which must be accepted; their ids."""
    answers = door.post("/v1/messages/batch", [draft.item for draft in drafts])
    promises = [_promise(draft, answer["id"]) for draft, answer in zip(drafts, answers, strict=True)]
    ledger.note(promises)
    return [promise.id for promise in promises]


def _promise(draft: Draft, message_id: str) -> Promise:
    return Promise(message_id, draft.nonce, draft.kind, draft.key, draft.lane, draft.seq)
