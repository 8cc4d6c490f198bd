"""The verdicts on messages that were ended from outside: what is said of a script that no longer can say anything."""

import time

import msgspec

from pulse.core.clock import iso
from pulse.sandbox.deno.limits import Limits
from pulse.sandbox.port import Verdict


def timed_out(limits: Limits) -> Verdict:
    message = f"A script ran for more than {limits.script_timeout_ms} ms without a pause, and was stopped"
    advice = "Make the script do less at a time, look for a loop without an end, or raise SCRIPT_TIMEOUT."
    return _failure("TimeoutError", "script_timeout", message, advice)


def too_old(limits: Limits) -> Verdict:
    message = f"The message was not finished within {limits.message_timeout_ms} ms"
    return _failure(
        "TimeoutError", "message_timeout", message, "Wait for less in one message, or raise MESSAGE_TIMEOUT."
    )


def crashed(lone_deaths: int) -> Verdict:
    message = f"The sandbox process died {lone_deaths} times while it ran this message alone"
    advice = "The scripts most likely need more memory than ISOLATE_MEMORY allows. Work on smaller parts."
    return _failure("SandboxCrash", "sandbox_crash", message, advice)


def _failure(error_type: str, code: str, message: str, suggestion: str) -> Verdict:
    timestamp = iso(time.time_ns() // 1_000_000)
    error = {"error": message, "errorType": error_type, "code": code, "suggestion": suggestion, "timestamp": timestamp}
    body = {"log": [], "errors": [error], "reasons": [], "kept": [], "globals": {}, "tooLarge": []}
    return Verdict(status="fail", body=msgspec.json.encode(body), code=code, error_type=error_type, error=message)
