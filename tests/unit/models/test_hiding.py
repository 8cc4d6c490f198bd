"""Keys that providers repeat are taken out of what they say."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulse.models.port import Access, ModelFailed, Prompt
from pulse.models.wire.failures import failed
from pulse.models.wire.hiding import HIDDEN, MAX_MESSAGE, secrets_of, shown

KEY = "9f8e7d6c-pulse-tenant-key-0a1b2c3d"


@pytest.mark.parametrize(
    "text",
    [
        f"Incorrect key provided: {KEY}.",
        f"No such key: {KEY[:12]}…",
        f"The key that ends in {KEY[-8:]} has expired",
        f"({KEY})({KEY})",
        f"Authorization: Bearer {KEY}",
    ],
)
def test_the_key_is_hidden_whole_and_in_part(text: str) -> None:
    told = shown(text, [KEY])
    assert HIDDEN in told
    assert KEY[:8] not in told
    assert KEY[-8:] not in told


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("Incorrect API key provided: sk-proj-abcdef1234567890.", "Incorrect API key provided:"),
        ("Incorrect API key provided: sk-pr*************wxyz. Find it elsewhere.", "Find it elsewhere."),
        ("invalid x-api-key sk-ant-api03-AAAA-bbbb", "invalid x-api-key"),
        ("API key AIzaSyA1234567890abcdefg is not valid", "is not valid"),
        ("token ya29.a0AfH6SMBx-yz1234 expired", "expired"),
        ("key AKIAIOSFODNN7EXAMPLE is unknown", "is unknown"),
        ("bad assertion eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJhIn0.c2ln", "bad assertion"),
        ("-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBg\n-----END PRIVATE KEY----- is no key", "is no key"),
        ("xai-0123456789abcdef is disabled", "is disabled"),
    ],
)
def test_whatever_looks_like_a_key_is_hidden(text: str, kept: str) -> None:
    told = shown(text, [])
    assert HIDDEN in told
    assert kept in told
    for secret in (
        "abcdef1234567890",
        "wxyz",
        "AAAA",
        "A1234567890",
        "a0AfH6SMBx",
        "IOSFODNN7",
        "c2ln",
        "MIIEvQ",
        "0123456789abcdef",
    ):
        assert secret not in told


@pytest.mark.parametrize(
    "text",
    [
        "This model's maximum context length is 128000 tokens.",
        "Rate limit reached for gpt-4.1 in organization org-abc on tokens per min: Limit 30000.",
        "Use the **bold** word. Paris is key to this task-list.",
    ],
)
def test_plain_words_are_left_as_they_are(text: str) -> None:
    assert shown(text, [KEY]) == text


def test_a_long_sentence_is_cut() -> None:
    assert shown("word " * 500, []) == ("word " * 60)[: MAX_MESSAGE - 1] + "…"
    assert len(shown("x" * 100_000, [])) == MAX_MESSAGE


@given(st.text(max_size=80), st.text(st.characters(codec="ascii", categories=("L", "N")), min_size=16, max_size=60))
def test_no_eight_letters_of_a_key_at_its_ends_are_ever_shown(around: str, key: str) -> None:
    told = shown(f"{around} {key} {around}", [key])
    if key[:8] not in around and key[-8:] not in around:
        assert key not in told.replace(HIDDEN, "")


def test_all_that_proves_who_asks_is_a_secret() -> None:
    account = (
        '{"private_key": "-----BEGIN PRIVATE KEY-----\\n'
        + "A" * 64
        + "\\n"
        + "B" * 64
        + '\\n-----END PRIVATE KEY-----\\n"}'
    )
    access = Access(
        api_key="key-one", access_key="AKIA0", secret_key="secret-two", session_token="session-three",
        service_account=account, headers={"x-gateway": "gateway-four", "x-short": "yes"},
    )  # fmt: skip
    expected = {"key-one", "AKIA0", "secret-two", "session-three", "gateway-four", "A" * 64, "B" * 64}
    assert set(secrets_of(access)) == expected


def test_an_access_shows_none_of_its_secrets() -> None:
    access = Access(
        "https://api.example.com", "k1-secret", "k2-secret", "k3-secret", "k4-secret", "k5-secret", "us-east-2"
    )
    assert "secret" not in repr(access)
    assert "gateway" not in repr(Access(headers={"x": "gateway-four"}))


def test_a_failure_is_retryable_or_not_by_its_reason() -> None:
    assert failed("rate_limited", "X").retryable
    assert not failed("quota_exceeded", "X").retryable
    assert isinstance(failed("timeout", "X", retry_after_s=3.0), ModelFailed)
    assert Prompt("m", "t").takes == {"temperature", "system", "schema", "vision"}
