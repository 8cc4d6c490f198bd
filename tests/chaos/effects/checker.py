"""The checker of effects: holds what a peer was asked against what was recorded when, and how everything ended.

It knows the peer's ledger, what the journal held after each kill, the final state, and the mails that were sent.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tests.chaos.effects.peer import Request
from tests.chaos.rig.checker import LONE_DEATHS, POISON
from tests.chaos.rig.state import Message


@dataclass(frozen=True)
class Look:
    """What was recorded at `at_ns`, when the platform was down: keys with an answer, messages with an outcome."""

    at_ns: int
    answered: frozenset[str] = frozenset()
    ended: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Letter:
    """A mail in the outbox: the digest of its key, the nonce of its order, and its Message-ID."""

    digest: str
    order: str
    message_id: str


@dataclass(frozen=True)
class Evidence:
    """All that is known of a storm. `accepted`: the nonces of orders by message id; `journal`: rows that are left."""

    accepted: Mapping[str, str]
    requests: Sequence[Request]
    looks: Sequence[Look]
    messages: Mapping[str, Message]
    letters: Sequence[Letter]
    journal: int = 0
    kills: int = 0

    @property
    def poisoned(self) -> set[str]:
        """Messages that were given up because processes died while they ran alone: a kill can hit one as well."""
        return {message.id for message in self.messages.values() if message.code == POISON}


def violations(evidence: Evidence) -> list[str]:
    """Everything that must not be, a sentence each."""
    found: list[str] = []
    for check in (_keys, _recorded, _ended, _results, _children, _mails, _left):
        found += check(evidence)
    return found


def _keys(evidence: Evidence) -> Iterator[str]:
    """I3: each call has one key, and each key one call."""
    bodies, keys = defaultdict(set), defaultdict(set)
    for request in evidence.requests:
        bodies[request.key].add(request.body)
        keys[request.said["order"], request.said["name"]].add(request.key)
    yield from (f"I3: the key {key!r} came with {sorted(found)}" for key, found in bodies.items() if len(found) > 1)
    yield from (f"I3: {call} came under {sorted(found)}" for call, found in keys.items() if len(found) > 1)


def _recorded(evidence: Evidence) -> Iterator[str]:
    """I2: what was recorded is not asked for again."""
    for look in evidence.looks:
        for request in evidence.requests:
            known = request.key in look.answered or request.key.partition(":")[0] in look.ended
            if request.at_ns > look.at_ns and known:
                yield f"I2: {request.key} was recorded {request.at_ns - look.at_ns} ns before it was requested"


def _ended(evidence: Evidence) -> Iterator[str]:
    """I1: every order ends in success, once."""
    for message_id in evidence.accepted:
        message = evidence.messages.get(message_id)
        if message is None:
            yield f"I1: {message_id} was accepted and is gone"
        elif message_id not in evidence.poisoned and (message.state, message.outcomes) != ("success", 1):
            yield f"I1: {message_id} is {message.state} ({message.code}) and has {message.outcomes} results"
    if len(evidence.poisoned) > evidence.kills // LONE_DEATHS:
        yield f"I1: {len(evidence.poisoned)} messages were given up for deaths, after {evidence.kills} kills"


def _results(evidence: Evidence) -> Iterator[str]:
    """What an order went on with is what the peer has told this order, and nobody else."""
    given = {request.receipt: request.said["order"] for request in evidence.requests}
    after = {(request.said["order"], request.said.get("after")) for request in evidence.requests}
    for message in _successes(evidence):
        order, result = evidence.accepted[message.id], message.result or {}
        receipts = result.get("receipts", [])
        if result.get("order") != order or not receipts or any(given.get(receipt) != order for receipt in receipts):
            yield f"I1: {message.id} is order {order!r}, and holds {result}"
        elif any((order, receipt) not in after for receipt in receipts[::3]):
            yield f"I2: {message.id} holds a receipt that it did not go on with: {result}"


def _children(evidence: Evidence) -> Iterator[str]:
    """One child for each order, the one that it was told of."""
    made = Counter(m.nonce for m in evidence.messages.values() if m.id not in evidence.accepted)
    for message in _successes(evidence):
        order = evidence.accepted[message.id]
        child = evidence.messages.get((message.result or {}).get("child", ""))
        if made[order] != 1 or child is None:
            yield f"I2: order {order!r} has {made[order]} children"
        elif (child.state, child.outcomes, child.result) != ("success", 1, {"childOf": order}):
            yield f"I1: the child of order {order!r} is {child.state} and holds {child.result}"


def _mails(evidence: Evidence) -> Iterator[str]:
    """One mail for each order, and for each key."""
    for digest, count in Counter(letter.digest for letter in evidence.letters).items():
        if count > 1:
            yield f"I2: {count} mails were sent under the key of {digest}"
    sent = defaultdict(list)
    for letter in evidence.letters:
        sent[letter.order].append(letter.message_id)
    for message in _successes(evidence):
        order, told = evidence.accepted[message.id], (message.result or {}).get("mail")
        if sent[order] != [told]:
            yield f"I2: the mails of order {order!r} are {sent[order]}, and it was told of {told}"


def _left(evidence: Evidence) -> Iterator[str]:
    if evidence.journal and not evidence.poisoned:
        yield f"{evidence.journal} rows of journals are left, though everything ended in success"


def _successes(evidence: Evidence) -> list[Message]:
    found = [evidence.messages[message_id] for message_id in evidence.accepted if message_id in evidence.messages]
    return [message for message in found if message.state == "success"]
