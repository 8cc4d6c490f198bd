"""Signatures of webhooks: what fits is taken, everything else is refused however it looks."""

import base64
from collections.abc import Callable, Iterator

import pytest

from pulse.core.signatures import WINDOW_S
from pulse.receiver.problems import InvalidSignature
from pulse.receiver.signatures import verify
from pulse.tenancy.records import Source, SourceKind
from tests.unit.receiver.webhooks import (
    BODY,
    SECRET,
    STANDARD_SECRET,
    github,
    hex_of,
    plain_hmac,
    slack,
    standard,
    standard_signature,
    stripe,
)

NOW_S = 1_795_000_000
OTHER = "whsec_" + base64.b64encode(b"another secret of thirty-two byt").decode()


def source(kind: SourceKind, *secrets: str) -> Source:
    return Source("src_1", "org_1", "env_1", "a source", kind, 0, secrets)


SIGNED: dict[SourceKind, tuple[str, Callable[[], dict[str, str]]]] = {
    "github": (SECRET, github),
    "hmac": (SECRET, plain_hmac),
    "standard": (STANDARD_SECRET, lambda: standard(sent_at=NOW_S)),
    "stripe": (SECRET, lambda: stripe(sent_at=NOW_S)),
    "slack": (SECRET, lambda: slack(sent_at=NOW_S)),
}
GIVEN_IN_HEX: tuple[SourceKind, ...] = ("github", "hmac")
HEADER = {
    "github": "x-hub-signature-256",
    "hmac": "x-signature-256",
    "standard": "webhook-signature",
    "stripe": "stripe-signature",
    "slack": "x-slack-signature",
}


@pytest.mark.parametrize("kind", SIGNED)
def test_what_fits_is_taken(kind: SourceKind) -> None:
    secret, sign = SIGNED[kind]
    assert verify(source(kind, secret), sign(), BODY, NOW_S * 1000).event


@pytest.mark.parametrize("kind", SIGNED)
@pytest.mark.parametrize("place", [0, 1])
def test_two_secrets_are_live_while_one_is_rotated(kind: SourceKind, place: int) -> None:
    secret, sign = SIGNED[kind]
    secrets = [OTHER, OTHER]
    secrets[place] = secret
    assert verify(source(kind, *secrets), sign(), BODY, NOW_S * 1000).event


def damaged(signature: str) -> Iterator[tuple[str, str]]:
    """Ways in which a signature can be wrong, by their names."""
    start, _, rest = signature.replace(",", "=", 1).partition("=")
    mark = "," if "," in signature else "="
    yield "empty", ""
    yield "only its prefix", start + mark
    yield "no prefix", rest
    yield "another prefix", f"sha1{mark}{rest}"
    yield "a later version", f"v2{mark}{rest}"
    yield "the prefix twice", start + mark + signature
    yield "prefix in capitals", start.upper() + mark + rest
    yield "one character other", signature[:-2] + ("A" if signature[-2] != "A" else "B") + signature[-1]
    yield "one character less", signature[:-1]
    yield "one character more", signature + "0"
    yield "cut to half", signature[: len(signature) // 2]
    yield "zeros", start + mark + "0" * len(rest)
    yield "reversed", start + mark + rest[::-1]
    yield "other case", start + mark + rest.swapcase()
    yield "a space within", signature[:20] + " " + signature[20:]
    yield "a letter like another", signature[:-2] + "\xe9" + signature[-1]
    yield "very long", signature * 2_000
    yield "a null", "null"


NEGATIVES = [
    (kind, name, signature)
    for kind, (_, sign) in SIGNED.items()
    # Stripe's header has several parts: see tests/unit/core/test_signatures.py.
    if kind != "stripe"
    for name, signature in damaged(sign()[HEADER[kind]])
]


@pytest.mark.parametrize(("kind", "name", "signature"), NEGATIVES, ids=[f"{k}: {n}" for k, n, _ in NEGATIVES])
def test_a_damaged_signature_is_refused(kind: SourceKind, name: str, signature: str) -> None:
    secret, sign = SIGNED[kind]
    with pytest.raises(InvalidSignature):
        verify(source(kind, secret), {**sign(), HEADER[kind]: signature}, BODY, NOW_S * 1000)


@pytest.mark.parametrize("kind", SIGNED)
def test_no_signature_is_refused(kind: SourceKind) -> None:
    secret, sign = SIGNED[kind]
    headers = {name: value for name, value in sign().items() if name != HEADER[kind]}
    with pytest.raises(InvalidSignature):
        verify(source(kind, secret), headers, BODY, NOW_S * 1000)


BODIES = {
    "empty": b"",
    "one byte other": BODY[:-1] + b" ",
    "one byte more": BODY + b"\n",
    "one byte less": BODY[:-1],
    "other order": b'{"number": 7, "action": "opened"}',
    "without spaces": BODY.replace(b" ", b""),
}


@pytest.mark.parametrize("kind", SIGNED)
@pytest.mark.parametrize("body", BODIES)
def test_another_body_is_refused(kind: SourceKind, body: str) -> None:
    secret, sign = SIGNED[kind]
    with pytest.raises(InvalidSignature):
        verify(source(kind, secret), sign(), BODIES[body], NOW_S * 1000)


@pytest.mark.parametrize("kind", SIGNED)
@pytest.mark.parametrize("secrets", [(), (OTHER,), (OTHER, OTHER), ("x" * 32,), ("é" * 20,), (SECRET + " ",)])
def test_other_secrets_are_refused(kind: SourceKind, secrets: tuple[str, ...]) -> None:
    with pytest.raises(InvalidSignature):
        verify(source(kind, *secrets), SIGNED[kind][1](), BODY, NOW_S * 1000)


@pytest.mark.parametrize("algorithm", ["md5", "sha1", "sha224", "sha384", "sha512", "sha3_256"])
def test_other_algorithms_are_refused(algorithm: str) -> None:
    digest = hex_of(SECRET, BODY, algorithm)
    for named in (algorithm, "sha256"):
        for header in ("x-hub-signature-256", "x-hub-signature", "x-signature-256"):
            for kind in GIVEN_IN_HEX:
                with pytest.raises(InvalidSignature):
                    verify(source(kind, SECRET), {header: f"{named}={digest}"}, BODY, 0)
    signature = standard_signature(BODY, sent_at=NOW_S, algorithm=algorithm)
    headers = {**standard(sent_at=NOW_S), "webhook-signature": signature}
    with pytest.raises(InvalidSignature):
        verify(source("standard", STANDARD_SECRET), headers, BODY, NOW_S * 1000)


def test_githubs_older_header_proves_nothing() -> None:
    with pytest.raises(InvalidSignature):
        verify(source("github", SECRET), {"x-hub-signature": f"sha1={hex_of(SECRET, BODY, 'sha1')}"}, BODY, 0)


@pytest.mark.parametrize("off", [WINDOW_S + 1, -WINDOW_S - 1, 3_600, -86_400, 10**11])
def test_a_time_outside_the_window_is_refused(off: int) -> None:
    headers = standard(sent_at=NOW_S + off)
    with pytest.raises(InvalidSignature, match="five minutes"):
        verify(source("standard", STANDARD_SECRET), headers, BODY, NOW_S * 1000)


@pytest.mark.parametrize("off", [-WINDOW_S, -1, 0, 1, WINDOW_S])
def test_a_time_within_the_window_is_taken(off: int) -> None:
    assert verify(source("standard", STANDARD_SECRET), standard(sent_at=NOW_S + off), BODY, NOW_S * 1000).id == "msg_1"


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "now",
        "-1",
        "+1795000000",
        "1795000000.0",
        "1_795_000_000",
        "0x6afd6fc0",
        "١٢٣",
        "²",
        "9" * 400,
        "9" * 5_000,
    ],
)
def test_a_time_that_is_none_is_refused(text: str) -> None:
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": text,
        "webhook-signature": standard_signature(BODY, sent_at=text),
    }
    with pytest.raises(InvalidSignature):
        verify(source("standard", STANDARD_SECRET), headers, BODY, NOW_S * 1000)


@pytest.mark.parametrize("message_id", ["", ".", "a.b", "msg_1.1795000000"])
def test_an_id_that_could_be_read_in_two_ways_is_refused(message_id: str) -> None:
    headers = standard(message_id=message_id, sent_at=NOW_S)
    with pytest.raises(InvalidSignature):
        verify(source("standard", STANDARD_SECRET), headers, BODY, NOW_S * 1000)


def test_a_part_of_the_id_cannot_become_a_part_of_the_body() -> None:
    headers = {**standard(b"x." + BODY, sent_at=NOW_S), "webhook-timestamp": f"{NOW_S}.x"}
    with pytest.raises(InvalidSignature):
        verify(source("standard", STANDARD_SECRET), headers, BODY, NOW_S * 1000)


def test_one_good_signature_among_others_is_enough() -> None:
    good = standard(sent_at=NOW_S)
    several = f"v1a,xyz {standard_signature(BODY, OTHER, 'msg_1', NOW_S)} {good['webhook-signature']} v1,"
    headers = {**good, "webhook-signature": several}
    assert verify(source("standard", STANDARD_SECRET), headers, BODY, NOW_S * 1000).id == "msg_1"


@pytest.mark.parametrize(
    "secret", ["plain text, 20 chars", "whsec_not base64 at all", "é is not ASCII, though long", "whsec_é"]
)
def test_a_standard_secret_may_be_any_text(secret: str) -> None:
    key = base64.b64encode(secret.encode()).decode()
    signature = standard_signature(BODY, key, sent_at=NOW_S)
    headers = {**standard(sent_at=NOW_S), "webhook-signature": signature}
    assert verify(source("standard", secret), headers, BODY, NOW_S * 1000).id == "msg_1"


def test_only_the_chosen_headers_are_kept() -> None:
    noise = {"authorization": "Bearer x", "cookie": "a=b", "x-forwarded-for": "1.2.3.4", "x-hub-signature-256": "s"}
    kept = {
        "x-github-event": "issues",
        "x-github-delivery": "d",
        "user-agent": "u" * 600,
        "content-type": "application/json",
    }
    headers = {**noise, **github(), **kept}
    found = verify(source("github", SECRET), headers, BODY, 0).headers
    assert found == {**kept, "user-agent": "u" * 500}


def test_without_signatures_everything_is_taken() -> None:
    found = verify(source("none"), {"x-event": "e", "x-delivery": "d", "cookie": "c"}, BODY, 0)
    assert (found.event, found.id, found.headers) == ("e", "d", {"x-event": "e", "x-delivery": "d"})
    assert verify(source("none"), {}, BODY, 0).event == "message"
