"""What a refusal means: one closed table for all providers, whose words do not contradict each other.

A provider's own words are passed on as `hiding` leaves them.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

import msgspec

from pulse.egress.port import (
    AddressRefused,
    AnswerTooLarge,
    EgressError,
    InvalidAddress,
    TimedOut,
    TooManyRedirects,
    Unreachable,
)
from pulse.models.port import ModelFailed
from pulse.models.wire.hiding import shown

# In the providers' own terms: OpenAI and those like it, Anthropic, Google (google.rpc.Code and ErrorInfo), AWS, OAuth.
WORDS: Mapping[str, str] = {
    "invalid_api_key": "unauthorized",
    "authentication_error": "unauthorized",
    "UNAUTHENTICATED": "unauthorized",
    "API_KEY_INVALID": "unauthorized",
    "UnrecognizedClientException": "unauthorized",
    "InvalidSignatureException": "unauthorized",
    "IncompleteSignatureException": "unauthorized",
    "MissingAuthenticationTokenException": "unauthorized",
    "ExpiredTokenException": "unauthorized",
    "InvalidClientTokenId": "unauthorized",
    "invalid_grant": "unauthorized",
    "invalid_client": "unauthorized",
    "unauthorized_client": "unauthorized",
    "permission_error": "forbidden",
    "PERMISSION_DENIED": "forbidden",
    "unsupported_country_region_territory": "forbidden",
    "AccessDeniedException": "forbidden",
    "model_not_found": "model_not_found",
    "not_found_error": "model_not_found",
    "NOT_FOUND": "model_not_found",
    "ResourceNotFoundException": "model_not_found",
    "context_length_exceeded": "context_too_long",
    "string_above_max_length": "context_too_long",
    "request_too_large": "context_too_long",
    "content_filter": "content_filtered",
    "content_policy_violation": "content_filtered",
    "invalid_prompt": "content_filtered",
    "insufficient_quota": "quota_exceeded",
    "billing_hard_limit_reached": "quota_exceeded",
    "billing_not_active": "quota_exceeded",
    "billing_error": "quota_exceeded",
    "quota_per_day": "quota_exceeded",
    "ServiceQuotaExceededException": "quota_exceeded",
    "rate_limit_exceeded": "rate_limited",
    "rate_limit_error": "rate_limited",
    "RESOURCE_EXHAUSTED": "rate_limited",
    "ThrottlingException": "rate_limited",
    "overloaded_error": "overloaded",
    "server_is_overloaded": "overloaded",
    "slow_down": "overloaded",
    "UNAVAILABLE": "overloaded",
    "ServiceUnavailableException": "overloaded",
    "ModelNotReadyException": "overloaded",
    "timeout_error": "timeout",
    "DEADLINE_EXCEEDED": "timeout",
    "ModelTimeoutException": "timeout",
    "ModelErrorException": "provider_error",
    "ModelStreamErrorException": "provider_error",
}

# 409, 425 and 529 are a provider's way of saying "not now".
STATUSES: Mapping[int, str] = {
    401: "unauthorized",
    402: "quota_exceeded",
    403: "forbidden",
    404: "model_not_found",
    408: "timeout",
    409: "overloaded",
    413: "context_too_long",
    425: "overloaded",
    429: "rate_limited",
    503: "overloaded",
    504: "timeout",
    529: "overloaded",
}

# Words that go with any status below 500: they count where there is no status, in the middle of a stream.
VAGUE_WORDS = frozenset(("invalid_request_error", "INVALID_ARGUMENT", "FAILED_PRECONDITION", "ValidationException"))
# Where a provider has one word for many things, its sentence tells which. Only these two reasons are looked into.
VAGUE = frozenset(("invalid_request", "forbidden"))
PHRASES: Sequence[tuple[re.Pattern[str], str]] = [
    (re.compile(pattern, re.IGNORECASE), reason)
    for pattern, reason in (
        (r"api key (not valid|expired)|(incorrect|invalid) api key", "unauthorized"),
        (r"(prompt|input) is too long|input (token count|length)|too many (input )?tokens", "context_too_long"),
        (r"context (length|limit|window)", "context_too_long"),
        (r"credit balance|insufficient (credit|balance|funds)|any credits", "quota_exceeded"),
        (r"content (management )?policy|content filter|usage polic", "content_filtered"),
        (r"model identifier is invalid|model.{0,100}(does not exist|not found)", "model_not_found"),
    )
]

SAYS: Mapping[str, str] = {
    "unauthorized": "{provider} does not accept the credential: check it, or give a new one.",
    "forbidden": "{provider} does not allow this with that credential: check what it may do, and the region.",
    "model_not_found": "{provider} has no such model for that credential: check the model's name.",
    "invalid_request": "{provider} does not take this request.",
    "context_too_long": "The prompt is longer than the model takes: shorten it, or choose a model that takes more.",
    "content_filtered": "{provider} filtered the prompt or the answer for its content.",
    "quota_exceeded": "The account at {provider} has used up what it may: check its plan and its billing.",
    "rate_limited": "{provider} wants fewer requests: try again later.",
    "overloaded": "{provider} is overloaded: try again later.",
    "timeout": "{provider} did not answer in time: try again, or allow more time.",
    "unreachable": "{provider} cannot be reached, or broke the connection off: try again later.",
    "address_refused": "The address of {provider} may not be reached from here: check the base URL.",
    "bad_answer": "{provider} answered with something that cannot be understood.",
    "provider_error": "{provider} failed to answer: try again later.",
}

_EGRESS: Sequence[tuple[type[EgressError], str]] = [
    (AddressRefused, "address_refused"),
    (InvalidAddress, "invalid_request"),
    (TimedOut, "timeout"),
    (Unreachable, "unreachable"),
    (AnswerTooLarge, "bad_answer"),
    (TooManyRedirects, "bad_answer"),
]


@dataclass(frozen=True)
class Refusal:
    """What an error says: its words in the provider's own terms, the most telling first, and its sentence."""

    words: Sequence[str] = ()
    message: str = ""
    retry_after_s: float | None = None


def failed(
    reason: str, provider: str, said: str = "", *, secrets: Sequence[str] = (), retry_after_s: float | None = None
) -> ModelFailed:
    """The failure, with what the provider said about it."""
    words = shown(said, secrets)
    message = SAYS[reason].format(provider=provider)
    return ModelFailed(reason, f"{message} It said: {words}" if words else message, retry_after_s=retry_after_s)


def of_egress(error: EgressError, provider: str) -> ModelFailed:
    """No answer came at all."""
    reason = next((reason for kind, reason in _EGRESS if isinstance(error, kind)), "unreachable")
    return failed(reason, provider)


def of_reply(
    provider: str, status: int, headers: Mapping[str, str], body: bytes, *, secrets: Sequence[str], now_ms: int
) -> ModelFailed:
    """A reply that is no success. `headers` have names in lower case."""
    refusal = read(body)
    wait = retry_after_s(headers, now_ms)
    return failed(
        reason_of(status, refusal),
        provider,
        refusal.message,
        secrets=secrets,
        retry_after_s=wait if wait is not None else refusal.retry_after_s,
    )


def of_event(provider: str, error: Any, *, secrets: Sequence[str]) -> ModelFailed:
    """An error in the middle of a stream, where the status was good."""
    refusal = _read(error)
    reason = reason_of(None, refusal)
    return failed(reason, provider, refusal.message, secrets=secrets, retry_after_s=refusal.retry_after_s)


def reason_of(status: int | None, refusal: Refusal) -> str:
    """One of FAILURES. A word weighs more than the status, and the sentence more where the word is vague.

    `status` is None where the failure came in a stream, whose own status was good.
    """
    named = next((WORDS[word] for word in refusal.words if word in WORDS), None)
    if status is None:
        status = 400 if VAGUE_WORDS & set(refusal.words) else 500
    reason = named or STATUSES.get(status) or _of_class(status)
    if reason in VAGUE:
        return next((told for pattern, told in PHRASES if pattern.search(refusal.message)), reason)
    return reason


def _of_class(status: int) -> str:
    if status >= 500:
        return "provider_error"
    return "invalid_request" if status >= 400 else "bad_answer"


# ---- what an error says ------------------------------------------------------------------------------------------


def read(body: bytes) -> Refusal:
    """An error's words and sentence, whatever form it has; nothing of a body that is not JSON."""
    try:
        return _read(msgspec.json.decode(body))
    except (msgspec.DecodeError, UnicodeDecodeError):
        return Refusal()


def _read(value: Any) -> Refusal:
    if isinstance(value, list) and value:
        value = value[0]
    if not isinstance(value, dict):
        return Refusal(message=value if isinstance(value, str) else "")
    inner = value.get("error")
    if isinstance(inner, dict):
        value = inner
    elif isinstance(inner, str):  # xAI has its sentence there, OAuth its word
        value = {"message": inner, "code": inner} | value
    details = [detail for detail in _list(value.get("details")) if isinstance(detail, dict)]
    message = next((text for name in _SENTENCES if isinstance(text := value.get(name), str) and text), "")
    return Refusal(tuple(_words(value, details)), message, _delay_s(details))


_SENTENCES = ("error_description", "message", "detail")


def _words(value: Mapping[str, Any], details: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """The narrow words first: what is wrong with the key comes before "invalid argument"."""
    for detail in details:
        if any("PerDay" in str(violation) for violation in _list(detail.get("violations"))):
            yield "quota_per_day"
    found = [detail.get("reason") for detail in details]
    found += [value.get(name) for name in ("code", "status", "type", "error")]
    yield from (word for word in found if isinstance(word, str))


def _delay_s(details: Sequence[Mapping[str, Any]]) -> float | None:
    """Google's RetryInfo: `"34s"`, `"0.5s"`."""
    delays = (detail.get("retryDelay") for detail in details)
    return next((_seconds(delay.removesuffix("s")) for delay in delays if isinstance(delay, str)), None)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


# ---- when to try again -------------------------------------------------------------------------------------------


def retry_after_s(headers: Mapping[str, str], now_ms: int) -> float | None:
    """Seconds to wait, of `retry-after-ms` or `Retry-After` (RFC 9110, 10.2.3: seconds, or an HTTP date)."""
    exact = _seconds(headers.get("retry-after-ms", ""))
    if exact is not None:
        return exact / 1000
    text = headers.get("retry-after", "").strip()
    seconds = _seconds(text)
    return seconds if seconds is not None else _until_s(text, now_ms)


def _seconds(text: str) -> float | None:
    return float(text) if re.fullmatch(r"\d{1,9}(\.\d{1,9})?", text.strip(), re.ASCII) else None


def _until_s(text: str, now_ms: int) -> float | None:
    try:
        moment = parsedate_to_datetime(text)
        return max(0.0, moment.timestamp() - now_ms / 1000) if moment.tzinfo else None
    except (ValueError, TypeError, OverflowError):
        return None
