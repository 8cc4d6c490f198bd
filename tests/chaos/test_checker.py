"""The checker sees every kind of violation in states made by hand, and none where there is none."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from tests.chaos.rig.checker import POISON, violations
from tests.chaos.rig.ledger import Promise
from tests.chaos.rig.state import Message, State

PROMISES = (
    Promise("msg_1", "a-1", "order", "key a-1", "a/0", 1),
    Promise("msg_2", "a-2", "order", "key a-2", "a/0", 2),
    Promise("msg_3", "a-3", "fails"),
    Promise("msg_4", "a-4", "unknown", "key a-4"),
    # The answer was lost, and the client asked again.
    Promise("msg_4", "a-4", "unknown", "key a-4"),
)
MESSAGES = (
    Message("msg_1", "success", "a-1", 1, "a/0", 1, 100, result={"nonce": "a-1", "seq": 1}),
    Message("msg_2", "success", "a-2", 2, "a/0", 3, 100, result={"nonce": "a-2", "seq": 2}),
    Message("msg_3", "fail", "a-3", completed_at=90),
    Message("msg_4", "ignore", "a-4", completed_at=90),
    # Its client never heard of it.
    Message("msg_5", "success", "a-5", completed_at=90, result={"nonce": "a-5"}),
)
KEYS = (("key a-1", "msg_1"), ("key a-2", "msg_2"), ("key a-4", "msg_4"), ("key a-5", "msg_5"))
SOUND = State({message.id: message for message in MESSAGES}, KEYS)


def altered(message_id: str, **changes: Any) -> Callable[[State], State]:
    def alter(state: State) -> State:
        changed = replace(state.messages[message_id], **changes)
        return replace(state, messages={**state.messages, message_id: changed})

    return alter


def without(message_id: str) -> Callable[[State], State]:
    def drop(state: State) -> State:
        left = {name: message for name, message in state.messages.items() if name != message_id}
        return replace(state, messages=left, keys=[row for row in KEYS if row[1] != message_id])

    return drop


def twice(state: State) -> State:
    return replace(state, messages={**state.messages, "msg_6": replace(MESSAGES[2], id="msg_6")})


def test_a_sound_state_has_no_violations() -> None:
    assert violations(PROMISES, SOUND) == []


FAULTS: Mapping[str, tuple[Callable[[State], State], str]] = {
    "lost": (without("msg_3"), "I1: msg_3 (a-3) was acknowledged and is gone"),
    "waits": (altered("msg_3", state="ready", outcomes=0), "I7: msg_3 is still ready"),
    "held-by-nobody": (altered("msg_5", state="running", outcomes=0), "I7: msg_5 is still running"),
    "two-outcomes": (altered("msg_1", outcomes=2), "I4: msg_1 is success and has 2 results"),
    "no-result": (altered("msg_1", outcomes=0), "I4: msg_1 is success and has 0 results"),
    "result-too-soon": (altered("msg_1", state="running"), "I4: msg_1 is running and has 1 results"),
    "never-claimed": (altered("msg_1", epoch=0), "I4: msg_1 ended without ever being claimed"),
    "result-of-nothing": (lambda s: replace(s, strays=["msg_9"]), "I4: there is a result of msg_9"),
    "wrong-outcome": (altered("msg_3", state="success"), "I1: msg_3 (fails) ended as success (None)"),
    "foreign-result": (altered("msg_1", result={"nonce": "a-2"}), "holds 'a-1' and a result of 'a-2'"),
    "foreign-payload": (altered("msg_4", nonce="b-1"), "I1: msg_4 is a-4, but holds 'b-1' and a result of None"),
    "accepted-twice": (twice, "I1: 'a-3' is there 2 times"),
    "key-of-nothing": (
        lambda s: replace(s, keys=[*KEYS, ("key x", "msg_9")]),
        "I1: the key 'key x' belongs to msg_9, which does not exist",
    ),
    "out-of-order": (altered("msg_1", completed_at=101), "in lane a/0"),
    "damaged": (lambda s: replace(s, damages=["page 7"]), "the database or the archive is damaged: page 7"),
    "poison": (altered("msg_3", code=POISON), "I1: 1 messages were given up for deaths, after 2 kills"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_a_violation_is_seen(fault: str) -> None:
    make, words = FAULTS[fault]
    found = violations(PROMISES, make(SOUND), kills=2)
    assert any(words in sentence for sentence in found), found


def test_a_key_with_two_messages_is_seen() -> None:
    again = Promise("msg_5", "a-1", "order", "key a-1")
    assert "I1: the key 'key a-1' was answered with ['msg_1', 'msg_5']" in violations([*PROMISES, again], SOUND)


def test_three_kills_may_cost_a_message_that_ran_alone() -> None:
    assert violations(PROMISES, altered("msg_3", code=POISON)(SOUND), kills=3) == []
