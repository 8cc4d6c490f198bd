"""What a refusal means, in every form that providers give it."""

import json
from typing import Any

import pytest

from pulse.egress.port import (
    AddressRefused,
    AnswerTooLarge,
    EgressError,
    InvalidAddress,
    TimedOut,
    TooManyRedirects,
    Unreachable,
)
from pulse.models.port import FAILURES
from pulse.models.wire import failures
from pulse.models.wire.failures import PHRASES, SAYS, STATUSES, WORDS, Refusal, of_event, of_reply, read, reason_of

NOW_MS = 1_792_540_800_000  # Wed, 21 Oct 2026 00:00:00 GMT
NOW_HTTP = "Wed, 21 Oct 2026 00:00:00 GMT"


def reply(status: int, body: Any, headers: dict[str, str] | None = None, secrets: tuple[str, ...] = ()) -> Any:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return of_reply("Anybody", status, headers or {}, raw, secrets=secrets, now_ms=NOW_MS)


def test_the_tables_are_closed() -> None:
    assert set(SAYS) == FAILURES
    told = {*WORDS.values(), *STATUSES.values(), *(reason for _, reason in PHRASES)}
    assert told <= FAILURES


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (302, "bad_answer"),
        (400, "invalid_request"),
        (401, "unauthorized"),
        (402, "quota_exceeded"),
        (403, "forbidden"),
        (404, "model_not_found"),
        (405, "invalid_request"),
        (408, "timeout"),
        (409, "overloaded"),
        (413, "context_too_long"),
        (422, "invalid_request"),
        (425, "overloaded"),
        (429, "rate_limited"),
        (500, "provider_error"),
        (502, "provider_error"),
        (503, "overloaded"),
        (504, "timeout"),
        (529, "overloaded"),
        (599, "provider_error"),
    ],
)
def test_a_status_alone_says_enough(status: int, reason: str) -> None:
    assert reply(status, b"").reason == reason
    assert reply(status, b"<html>Bad gateway</html>").reason == reason


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        pytest.param(
            401,
            {"error": {"message": "You didn't provide an API key.", "type": "invalid_request_error", "code": None}},
            "unauthorized",
            id="a-vague-word-does-not-hide-the-status",
        ),
        pytest.param(
            400,
            {"code": "Client specified an invalid argument", "error": "Incorrect API key provided: xa***23."},
            "unauthorized",
            id="xai-has-its-sentence-where-others-have-an-object",
        ),
        pytest.param(
            403,
            {
                "code": "The caller does not have permission",
                "error": "Your newly created team doesn't have any credits",
            },
            "quota_exceeded",
            id="xai-without-credits",
        ),
        pytest.param(400, {"error": "invalid_grant", "error_description": "Bad key"}, "unauthorized", id="oauth"),
        pytest.param(
            400,
            {"object": "error", "message": "The model `x` does not exist.", "type": "BadRequestError", "code": 400},
            "model_not_found",
            id="vllm-has-no-envelope",
        ),
        pytest.param(404, {"detail": "Not Found"}, "model_not_found", id="fastapi"),
        pytest.param(
            400,
            [{"error": {"code": 400, "message": "API key expired.", "status": "INVALID_ARGUMENT"}}],
            "unauthorized",
            id="a-list",
        ),
        pytest.param(
            400,
            {"error": {"message": "blocked", "code": "content_filter", "innererror": {"code": "ResponsibleAIPolicy"}}},
            "content_filtered",
            id="azure",
        ),
        pytest.param(429, {"error": {"message": "no", "code": 429, "type": None}}, "rate_limited", id="odd-types"),
        pytest.param(429, {"error": []}, "rate_limited", id="an-empty-list"),
        pytest.param(500, [], "provider_error", id="nothing"),
        pytest.param(400, 7, "invalid_request", id="a-number"),
    ],
)
def test_a_body_says_more(status: int, body: Any, reason: str) -> None:
    assert reply(status, body).reason == reason


def test_a_clear_word_is_not_looked_into_further() -> None:
    throttled = Refusal(("ThrottlingException",), "Too many tokens, please wait before trying again.")
    assert reason_of(429, throttled) == "rate_limited"
    vague = Refusal(("ValidationException",), "Too many tokens: 9000 > 8000.")
    assert reason_of(400, vague) == "context_too_long"


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        ({"type": "overloaded_error", "message": "Overloaded"}, "overloaded"),
        ({"type": "invalid_request_error", "message": "no such thing"}, "invalid_request"),
        ({"code": "rate_limit_exceeded", "message": "slow down"}, "rate_limited"),
        ({"code": 503, "status": "UNAVAILABLE", "message": "later"}, "overloaded"),
        ("something went wrong", "provider_error"),
        (None, "provider_error"),
    ],
)
def test_an_error_within_a_stream_has_no_status(error: Any, reason: str) -> None:
    assert of_event("Anybody", error, secrets=()).reason == reason


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (AddressRefused(), "address_refused"),
        (InvalidAddress(), "invalid_request"),
        (TimedOut(), "timeout"),
        (Unreachable(), "unreachable"),
        (AnswerTooLarge(), "bad_answer"),
        (TooManyRedirects(), "bad_answer"),
        (EgressError(), "unreachable"),
    ],
)
def test_what_egress_says_is_told_in_the_words_of_models(error: EgressError, reason: str) -> None:
    failed = failures.of_egress(error, "Anybody")
    assert failed.reason == reason
    assert failed.message == SAYS[reason].format(provider="Anybody")


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": " 0 "}, 0.0),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after-ms": "350", "retry-after": "1"}, 0.35),
        ({"retry-after": "Wed, 21 Oct 2026 00:00:30 GMT"}, 30.0),
        ({"retry-after": NOW_HTTP}, 0.0),
        ({"retry-after": "Tue, 20 Oct 2026 00:00:00 GMT"}, 0.0),
        ({"retry-after": "Wednesday, 21-Oct-26 00:01:00 GMT"}, 60.0),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "1e9"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "٧"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": ""}, None),
        ({"retry-after": "Wed, 99 Oct 2026 00:00:00 GMT"}, None),
        ({}, None),
    ],
)
def test_when_to_try_again(headers: dict[str, str], seconds: float | None) -> None:
    assert reply(429, {}, headers).retry_after_s == seconds


def test_google_says_when_to_try_again_in_the_body() -> None:
    details = [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34.5s"}]
    body = {"error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "message": "Quota", "details": details}}
    assert reply(429, body).retry_after_s == 34.5
    assert reply(429, body, {"retry-after": "3"}).retry_after_s == 3.0


def test_the_sentence_of_the_provider_is_passed_on() -> None:
    failed = reply(400, {"error": {"message": "max_tokens is\ntoo   large: 9000."}})
    assert failed.message == "Anybody does not take this request. It said: max_tokens is too large: 9000."


def test_nothing_of_a_page_is_passed_on() -> None:
    assert "script" not in reply(502, b"<html><script>track()</script></html>").message


def test_a_broken_body_is_no_error_of_ours() -> None:
    assert read(b"{") == Refusal()
    assert read(b"\xff") == Refusal()
    assert read(b"") == Refusal()
