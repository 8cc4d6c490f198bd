"""The checker: holds the invariants of reliability.md against an outside ledger and the final state, nothing else."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

from tests.chaos.rig.ledger import Promise
from tests.chaos.rig.state import Message, State
from tests.chaos.rig.workload import STATUS

# What a message ends with under which its worker died three times while it ran alone: a kill can hit one as well.
POISON = "process_crash"
LONE_DEATHS = 3
SHOWN = 10


def violations(promises: Sequence[Promise], state: State, *, kills: int = 0) -> list[str]:
    """Everything that must not be, a sentence each. `kills` is how often a platform process was killed."""
    found = [f"the database or the archive is damaged: {damage}" for damage in state.damages]
    for check in (_kept, _ended_once, _as_promised, _repeats, _in_order):
        found += check(promises, state)
    poisoned = sum(message.code == POISON for message in state.messages.values())
    if poisoned > kills // LONE_DEATHS:
        found.append(f"I1: {poisoned} messages were given up for deaths, after {kills} kills")
    return found


def shortened(found: Sequence[str]) -> str:
    """The violations for an assertion's message."""
    more = [f"… and {len(found) - SHOWN} more"] if len(found) > SHOWN else []
    return "\n".join([f"{len(found)} violations", *found[:SHOWN], *more])


def outcomes(state: State) -> dict[str, int]:
    """How many messages are in each state; those given up for deaths count as such."""
    return dict(Counter(POISON if m.code == POISON else m.state for m in state.messages.values()))


def _kept(promises: Sequence[Promise], state: State) -> Iterator[str]:
    for promise in promises:
        if promise.id not in state.messages:
            yield f"I1: {promise.id} ({promise.nonce}) was acknowledged and is gone"


def _ended_once(_promises: Sequence[Promise], state: State) -> Iterator[str]:
    for message in state.messages.values():
        if not message.is_terminal:
            yield f"I7: {message.id} is still {message.state}"
        wanted = 1 if message.is_terminal and message.state != "canceled" else 0
        if message.outcomes != wanted:
            yield f"I4: {message.id} is {message.state} and has {message.outcomes} results"
        if message.is_terminal and message.epoch < 1:
            yield f"I4: {message.id} ended without ever being claimed"
    for stray in state.strays:
        yield f"I4: there is a result of {stray}, which does not exist"


def _as_promised(promises: Sequence[Promise], state: State) -> Iterator[str]:
    """Each message ends as its kind must, with a result made from its own payload."""
    for promise in promises:
        message = state.messages.get(promise.id)
        if message is None or not message.is_terminal or message.code == POISON:
            continue
        if message.state != STATUS[promise.kind]:
            yield f"I1: {promise.id} ({promise.kind}) ended as {message.state} ({message.code})"
        made = (message.result or {}).get("nonce")
        if message.nonce != promise.nonce or made != (promise.nonce if message.state == "success" else None):
            yield f"I1: {promise.id} is {promise.nonce}, but holds {message.nonce!r} and a result of {made!r}"


def _repeats(promises: Sequence[Promise], state: State) -> Iterator[str]:
    """One key, or one message that was never accepted twice, is one message."""
    by_key: dict[str, set[str]] = defaultdict(set)
    for promise in promises:
        if promise.key is not None:
            by_key[promise.key].add(promise.id)
    for key, ids in by_key.items():
        if len(ids) > 1:
            yield f"I1: the key {key!r} was answered with {sorted(ids)}"
    for nonce, count in Counter(message.nonce for message in state.messages.values()).items():
        if count > 1:
            yield f"I1: {nonce!r} is there {count} times"
    for key, message_id in state.keys:
        if message_id not in state.messages:
            yield f"I1: the key {key!r} belongs to {message_id}, which does not exist"


def _in_order(promises: Sequence[Promise], state: State) -> Iterator[str]:
    """In a lane, messages end in the order in which they were accepted."""
    for lane, ids in _lanes(promises).items():
        messages = [state.messages[message_id] for message_id in ids if message_id in state.messages]
        for before, after in pairwise(messages):
            if not _is_ordered(before, after):
                both = " and ".join(f"{one.id} (seq {one.seq}, {one.completed_at})" for one in (before, after))
                yield f"I8: in lane {lane}, {both} did not end in this order"


def _lanes(promises: Iterable[Promise]) -> dict[str, list[str]]:
    """The ids of each lane in the order in which they were first acknowledged."""
    lanes: dict[str, dict[str, None]] = defaultdict(dict)
    for promise in promises:
        if promise.lane is not None:
            lanes[promise.lane].setdefault(promise.id)
    return {lane: list(ids) for lane, ids in lanes.items()}


def _is_ordered(before: Message, after: Message) -> bool:
    if before.completed_at is None or after.completed_at is None:
        return True
    return before.id < after.id and before.completed_at <= after.completed_at
