"""Codes of an authenticator, held to the vectors of RFC 4226 and RFC 6238."""

from urllib.parse import parse_qs, urlsplit

import pytest

from pulse.tenancy.people.second_factor.totp import SECRET_BYTES, address_of, as_text, code_at, new_secret, step_of

# The secret of both documents.
SECRET = b"12345678901234567890"
AT_MS = 1_111_111_111_000
STEP = AT_MS // 30_000


@pytest.mark.parametrize(
    ("seconds", "code"),
    [
        (59, "94287082"),
        (1_111_111_109, "07081804"),
        (1_111_111_111, "14050471"),
        (1_234_567_890, "89005924"),
        (2_000_000_000, "69279037"),
        (20_000_000_000, "65353130"),
    ],
)
def test_the_vectors_of_rfc_6238(seconds: int, code: str) -> None:
    assert code_at(SECRET, seconds // 30, digits=8) == code
    assert code_at(SECRET, seconds // 30) == code[2:]


@pytest.mark.parametrize(
    ("step", "code"),
    list(
        enumerate(["755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871", "520489"])
    ),
)
def test_the_vectors_of_rfc_4226(step: int, code: str) -> None:
    assert code_at(SECRET, step) == code


@pytest.mark.parametrize(("away", "fits"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
def test_a_clock_may_be_one_step_off(away: int, fits: bool) -> None:
    assert step_of(SECRET, code_at(SECRET, STEP + away), AT_MS, 0) == (STEP + away if fits else None)


@pytest.mark.parametrize("after", [STEP, STEP + 1])
def test_a_step_that_was_used_is_over(after: int) -> None:
    assert step_of(SECRET, code_at(SECRET, STEP), AT_MS, STEP - 1) == STEP
    assert step_of(SECRET, code_at(SECRET, STEP), AT_MS, after) is None


@pytest.mark.parametrize("code", ["", "050471 ", "50471", "0050471", "٠٥٠٤٧١", "000000", "é"])
def test_what_is_no_code(code: str) -> None:
    assert code_at(SECRET, STEP) == "050471"
    assert step_of(SECRET, code, AT_MS, 0) is None


def test_the_address_for_the_authenticator() -> None:
    secret = new_secret()
    assert len(secret) == SECRET_BYTES
    assert secret != new_secret()
    address = address_of(secret, "ada+x@example.com")
    parts = urlsplit(address)
    assert (parts.scheme, parts.netloc, parts.path) == ("otpauth", "totp", "/Pulse%3Aada%2Bx%40example.com")
    assert parse_qs(parts.query) == {
        "secret": [as_text(secret)],
        "issuer": ["Pulse"],
        "algorithm": ["SHA1"],
        "digits": ["6"],
        "period": ["30"],
    }
    assert as_text(SECRET) == "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
