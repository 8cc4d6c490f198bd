"""The verdicts on messages that were ended from outside."""

import json
from dataclasses import replace

import pytest

from pulse.core.clock import SystemClock, parse_iso
from pulse.messages.result import empty_body
from pulse.sandbox.deno.limits import Limits
from pulse.sandbox.deno.verdicts import crashed, timed_out, too_old
from pulse.sandbox.port import Verdict

LIMITS = replace(Limits(), script_timeout_ms=1_234, message_timeout_ms=5_678)


@pytest.mark.parametrize(
    ("verdict", "error_type", "code", "words", "advice"),
    [
        (timed_out(LIMITS), "TimeoutError", "script_timeout", "1234 ms", "SCRIPT_TIMEOUT"),
        (too_old(LIMITS), "TimeoutError", "message_timeout", "5678 ms", "MESSAGE_TIMEOUT"),
        (crashed(3), "SandboxCrash", "sandbox_crash", "died 3 times", "ISOLATE_MEMORY"),
    ],
    ids=["script", "message", "crash"],
)
def test_a_failure_looks_like_any_other_verdict(
    verdict: Verdict, error_type: str, code: str, words: str, advice: str
) -> None:
    body = json.loads(verdict.body)
    assert set(body) == set(json.loads(empty_body()))
    assert (verdict.status, verdict.code, verdict.error_type) == ("fail", code, error_type)
    assert verdict.error is not None
    assert words in verdict.error
    [error] = body["errors"]
    suggestion, timestamp = error.pop("suggestion"), error.pop("timestamp")
    assert error == {"error": verdict.error, "errorType": error_type, "code": code}
    assert advice in suggestion
    assert 0 <= SystemClock().now_ms() - parse_iso(timestamp) < 600_000
