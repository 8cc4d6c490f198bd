"""Stripe's signatures: one fitting `v1` of one time within five minutes is taken, everything else refused."""

import hashlib
import hmac

import pytest

from pulse.core.signatures import WINDOW_S, stripe_fault

NOW_S = 1_795_000_000
SECRET, OTHER = "whsec_of_this_endpoint", "whsec_of_another_one"
BODY = b'{"id": "evt_1", "type": "checkout.session.completed"}'


def digest(secret: str = SECRET, body: bytes = BODY, at: object = NOW_S, algorithm: str = "sha256") -> str:
    return hmac.new(secret.encode(), f"{at}.".encode() + body, getattr(hashlib, algorithm)).hexdigest()


def fault(header: str, *secrets: str, body: bytes = BODY, now_ms: int = NOW_S * 1000) -> str | None:
    return stripe_fault(header, body, secrets or (SECRET,), now_ms)


GOOD = f"t={NOW_S},v1={digest()}"


@pytest.mark.parametrize(
    "header",
    [
        GOOD,
        f"v1={digest()},t={NOW_S}",
        f"t={NOW_S},v1={digest(OTHER)},v1={digest()}",
        f"t={NOW_S},v1={digest()},v0={'0' * 64}",
        f"t={NOW_S},v1=,v1={digest()},scheme",
        f"t={NOW_S}, v1={digest()}",
    ],
)
def test_what_stripe_sends_is_taken(header: str) -> None:
    assert fault(header) is None


@pytest.mark.parametrize("secrets", [(SECRET, OTHER), (OTHER, SECRET)])
def test_each_live_secret_may_have_signed(secrets: tuple[str, str]) -> None:
    assert fault(GOOD, *secrets) is None


@pytest.mark.parametrize(
    "header",
    [
        "",
        ",",
        "=",
        "t=,v1=",
        f"t={NOW_S}",
        f"v1={digest()}",
        f"t={NOW_S},v1=",
        f"t={NOW_S},v0={digest()}",
        f"t={NOW_S},v2={digest()}",
        f"t={NOW_S},V1={digest()}",
        f"t={NOW_S},v1={digest().upper()}",
        f"t={NOW_S},v1={digest()[:-1]}",
        f"t={NOW_S},v1={digest()}0",
        f"t={NOW_S},v1={digest()[::-1]}",
        f"t={NOW_S},v1={digest()[:32]}",
        f"t={NOW_S},v1={'é' * 64}",
        f"t={NOW_S},v1={digest(OTHER)}",
        f"t={NOW_S},v1={digest(algorithm='sha1')}",
        f"t={NOW_S},v1={digest(algorithm='sha512')}",
        f"t={NOW_S},v1={hmac.new(SECRET.encode(), BODY, 'sha256').hexdigest()}",
        f"t={NOW_S + 1},v1={digest()}",
        f"t={NOW_S},t={NOW_S},v1={digest()}",
        f"{GOOD},{GOOD}",
        f"{GOOD}, {GOOD}",
        f"t={NOW_S}.0,v1={digest(at=f'{NOW_S}.0')}",
        f"t=-{NOW_S},v1={digest(at=-NOW_S)}",
        f"t={'9' * 5_000},v1={digest(at='9' * 5_000)}",
        f"t=١٢٣,v1={digest(at='١٢٣')}",
    ],
)
def test_everything_else_is_refused(header: str) -> None:
    assert fault(header)


@pytest.mark.parametrize("body", [b"", BODY + b" ", BODY[:-1], BODY.replace(b"evt_1", b"evt_2"), b"." + BODY])
def test_another_body_is_refused(body: bytes) -> None:
    assert fault(GOOD, body=body)


@pytest.mark.parametrize("secrets", [(OTHER,), (SECRET + " ",), (SECRET.removeprefix("whsec_"),), ("é" * 20,)])
def test_other_secrets_are_refused(secrets: tuple[str, ...]) -> None:
    assert fault(GOOD, *secrets)


def test_without_a_secret_nothing_is_taken() -> None:
    assert stripe_fault(GOOD, BODY, (), NOW_S * 1000)


@pytest.mark.parametrize(("off", "fits"), [(0, True), (WINDOW_S, True), (-WINDOW_S, True), (301, False), (-301, False)])
def test_the_window(off: int, fits: bool) -> None:
    found = fault(f"t={NOW_S + off},v1={digest(at=NOW_S + off)}")
    assert found is None if fits else "five minutes" in str(found)
