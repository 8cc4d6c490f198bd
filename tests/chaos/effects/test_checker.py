"""The checker of effects sees every kind of violation in evidence made by hand, and none where there is none."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from tests.chaos.effects.checker import Evidence, Letter, Look, violations
from tests.chaos.effects.peer import Request
from tests.chaos.rig.checker import POISON
from tests.chaos.rig.state import Message

ORDERS = {"msg_1": "n1", "msg_2": "n2"}


def request(at: int, message: str, seq: int, receipt: str, **body: Any) -> Request:
    said = {"order": ORDERS[message], "name": f"a{seq}", **body}
    return Request(at, f"{message}:wf_1:{seq}", json.dumps(said), receipt)


def order(message: str, receipts: list[str]) -> Message:
    nonce, child = ORDERS[message], f"child of {message}"
    result = {"order": nonce, "receipts": receipts, "mail": f"<{nonce}@host>", "child": child}
    return Message(message, "success", nonce, result=result)


def child(message: str) -> Message:
    return Message(f"child of {message}", "success", ORDERS[message], result={"childOf": ORDERS[message]})


REQUESTS = (
    request(1, "msg_1", 1, "r1"),
    # It was cut off by the first kill, and repeated with another answer.
    request(2, "msg_1", 2, "r2", after="r1"),
    request(3, "msg_2", 1, "r3"),
    request(20, "msg_1", 2, "r4", after="r1"),
    request(21, "msg_2", 2, "r5", after="r3"),
)
LOOKS = (Look(10, answered=frozenset({"msg_1:wf_1:1", "msg_2:wf_1:1"})), Look(30, ended=frozenset({"msg_2"})))
MESSAGES = (order("msg_1", ["r1", "r4"]), order("msg_2", ["r3", "r5"]), child("msg_1"), child("msg_2"))
LETTERS = (Letter("d1", "n1", "<n1@host>"), Letter("d2", "n2", "<n2@host>"))
SOUND = Evidence(ORDERS, REQUESTS, LOOKS, {message.id: message for message in MESSAGES}, LETTERS, kills=2)


def test_sound_evidence_has_no_violations() -> None:
    assert violations(SOUND) == []


def asked(*more: Request) -> Callable[[Evidence], Evidence]:
    return lambda evidence: replace(evidence, requests=[*evidence.requests, *more])


def altered(message_id: str, **changes: Any) -> Callable[[Evidence], Evidence]:
    def alter(evidence: Evidence) -> Evidence:
        changed = replace(evidence.messages[message_id], **changes)
        return replace(evidence, messages={**evidence.messages, message_id: changed})

    return alter


def without(message_id: str) -> Callable[[Evidence], Evidence]:
    return lambda e: replace(e, messages={k: v for k, v in e.messages.items() if k != message_id})


def sent(*letters: Letter) -> Callable[[Evidence], Evidence]:
    return lambda evidence: replace(evidence, letters=letters)


def result(**changes: Any) -> dict[str, Any]:
    return {**(MESSAGES[0].result or {}), **changes}


FAULTS: Mapping[str, tuple[Callable[[Evidence], Evidence], str]] = {
    "recorded-and-repeated": (asked(request(11, "msg_1", 1, "r9")), "I2: msg_1:wf_1:1 was recorded 1 ns before"),
    "ended-and-repeated": (asked(request(31, "msg_2", 2, "r9", after="r3")), "I2: msg_2:wf_1:2 was recorded 1 ns"),
    "another-body": (asked(request(22, "msg_1", 2, "r9", after="r2")), "I3: the key 'msg_1:wf_1:2' came with"),
    "another-key": (
        asked(replace(request(22, "msg_1", 2, "r9", after="r1"), key="msg_1:wf_1:3")),
        "I3: ('n1', 'a2') came under ['msg_1:wf_1:2', 'msg_1:wf_1:3']",
    ),
    "lost": (without("msg_1"), "I1: msg_1 was accepted and is gone"),
    "failed": (altered("msg_1", state="fail", code="internal_error"), "I1: msg_1 is fail (internal_error)"),
    "waits": (altered("msg_1", state="ready", outcomes=0), "I1: msg_1 is ready (None) and has 0 results"),
    "two-outcomes": (altered("msg_1", outcomes=2), "I1: msg_1 is success (None) and has 2 results"),
    "given-up": (altered("msg_1", state="fail", code=POISON), "I1: 1 messages were given up for deaths, after 2"),
    "foreign-receipt": (altered("msg_1", result=result(receipts=["r3"])), "I1: msg_1 is order 'n1', and holds"),
    "unknown-receipt": (altered("msg_1", result=result(receipts=["r0"])), "I1: msg_1 is order 'n1', and holds"),
    "unrecorded-receipt": (altered("msg_1", result=result(receipts=["r4"])), "I2: msg_1 holds a receipt that it did"),
    "foreign-result": (altered("msg_1", result=result(order="n2")), "I1: msg_1 is order 'n1', and holds"),
    "no-child": (without("child of msg_1"), "I2: order 'n1' has 0 children"),
    "two-children": (
        lambda e: replace(e, messages={**e.messages, "more": replace(child("msg_1"), id="more")}),
        "I2: order 'n1' has 2 children",
    ),
    "child-failed": (altered("child of msg_1", state="fail"), "I1: the child of order 'n1' is fail"),
    "no-mail": (sent(LETTERS[0]), "I2: the mails of order 'n2' are []"),
    "two-mails": (sent(*LETTERS, Letter("d3", "n1", "<n1@host>")), "I2: the mails of order 'n1' are"),
    "two-mails-of-a-key": (sent(*LETTERS, LETTERS[0]), "I2: 2 mails were sent under the key of d1"),
    "journal-left": (lambda e: replace(e, journal=3), "3 rows of journals are left"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_violation_is_seen(fault: str) -> None:
    make, words = FAULTS[fault]
    found = violations(make(SOUND))
    assert any(words in sentence for sentence in found), found


def test_three_kills_may_cost_a_message_that_ran_alone() -> None:
    poisoned = altered("msg_1", state="fail", code=POISON)(replace(SOUND, kills=3, journal=3))
    assert violations(poisoned) == []
