"""What Stripe and Slack say within a body that they have signed."""

import json

import pytest

from pulse.core.errors import InvalidJson, InvalidMessage
from pulse.receiver.problems import InvalidSignature
from pulse.receiver.signatures import verify
from pulse.tenancy.records import SourceKind
from tests.unit.receiver.test_signatures import NOW_S, OTHER, source
from tests.unit.receiver.webhooks import BODY, SECRET, hex_of, slack, stripe


@pytest.mark.parametrize(
    ("body", "event", "delivery_id"),
    [
        (b'{"id": "evt_1", "type": "invoice.paid", "object": "event"}', "invoice.paid", "evt_1"),
        (b'{"id": "evt_1"}', "unknown", "evt_1"),
        (b'{"id": 7, "type": ["x"]}', "unknown", None),
        (b'{"id": "", "type": ""}', "unknown", None),
    ],
)
def test_what_an_event_of_stripe_says(body: bytes, event: str, delivery_id: str | None) -> None:
    found = verify(source("stripe", SECRET), stripe(body, sent_at=NOW_S), body, NOW_S * 1000)
    assert (found.event, found.id, found.is_known_by_id) == (event, delivery_id, True)


@pytest.mark.parametrize(
    ("body", "event", "delivery_id"),
    [
        (
            b'{"type": "event_callback", "event_id": "Ev0PV52K25", "event": {"type": "app_mention"}}',
            "app_mention",
            "Ev0PV52K25",
        ),
        (b'{"type": "app_rate_limited", "minute_rate_limited": 1518467820}', "app_rate_limited", None),
        (b'{"type": "event_callback", "event": {}}', "event_callback", None),
        (b'{"event": "text"}', "unknown", None),
    ],
)
def test_what_an_event_of_slack_says(body: bytes, event: str, delivery_id: str | None) -> None:
    found = verify(source("slack", SECRET), slack(body, sent_at=NOW_S), body, NOW_S * 1000)
    assert (found.event, found.id, found.challenge) == (event, delivery_id, None)


SLACKS_EXAMPLE = (
    b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar"
    b"&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com"
    b"%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a"
    b"14d10d2c447fce8b6703c"
)


def test_the_example_of_slacks_documentation_is_signed_well_and_is_no_json() -> None:
    headers = {
        "x-slack-signature": "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503",
        "x-slack-request-timestamp": "1531420618",
    }
    example = source("slack", "8f742231b10e8888abcd99yyyzzz85a5")
    with pytest.raises(InvalidJson):
        verify(example, headers, SLACKS_EXAMPLE, 1_531_420_618_000)
    with pytest.raises(InvalidSignature):
        verify(example, headers, SLACKS_EXAMPLE + b" ", 1_531_420_618_000)


def test_the_challenge_of_slack_is_wanted_back() -> None:
    body = b'{"token": "Jhj5dZrVaK7ZwHHjRyZWjbDl", "challenge": "3eZbrw1aBm2rZgRNFdxV", "type": "url_verification"}'
    found = verify(source("slack", SECRET), slack(body, sent_at=NOW_S), body, NOW_S * 1000)
    assert found.challenge == "3eZbrw1aBm2rZgRNFdxV"
    with pytest.raises(InvalidSignature):
        verify(source("slack", OTHER), slack(body, sent_at=NOW_S), body, NOW_S * 1000)


@pytest.mark.parametrize("challenge", ["", 7, None, "x" * 1_001, ["x"]])
def test_a_challenge_that_is_none_is_refused(challenge: object) -> None:
    body = json.dumps({"type": "url_verification", "challenge": challenge}).encode()
    with pytest.raises(InvalidMessage):
        verify(source("slack", SECRET), slack(body, sent_at=NOW_S), body, NOW_S * 1000)


@pytest.mark.parametrize("kind", ["stripe", "slack"])
@pytest.mark.parametrize("body", [b"[]", b"7", b'"x"', b"null"])
def test_what_is_no_object_is_no_event(kind: SourceKind, body: bytes) -> None:
    sign = {"stripe": stripe, "slack": slack}[kind]
    with pytest.raises(InvalidMessage):
        verify(source(kind, SECRET), sign(body, sent_at=NOW_S), body, NOW_S * 1000)


@pytest.mark.parametrize("kind", ["stripe", "slack"])
@pytest.mark.parametrize(("off", "fits"), [(0, True), (300, True), (-300, True), (301, False), (-301, False)])
def test_the_window_of_stripe_and_slack(kind: SourceKind, off: int, fits: bool) -> None:
    sign = {"stripe": stripe, "slack": slack}[kind]
    headers = sign(BODY, sent_at=NOW_S + off)
    if fits:
        assert verify(source(kind, SECRET), headers, BODY, NOW_S * 1000).event
        return
    with pytest.raises(InvalidSignature, match="five minutes"):
        verify(source(kind, SECRET), headers, BODY, NOW_S * 1000)


@pytest.mark.parametrize("text", ["", " ", "now", "-1", "1795000000.0", "\u0661\u0662", "9" * 400])
def test_a_time_of_slack_that_is_none_is_refused(text: str) -> None:
    signature = hex_of(SECRET, f"v0:{text}:".encode() + BODY)
    headers = {"x-slack-request-timestamp": text, "x-slack-signature": f"v0={signature}"}
    with pytest.raises(InvalidSignature):
        verify(source("slack", SECRET), headers, BODY, NOW_S * 1000)
