"""Why a message was ignored: what each workflow says, those included that were passed over without a look at them."""

from itertools import islice
from typing import Any

import msgspec
from msgspec.structs import replace

from pulse.evaluator.routing import Route
from pulse.messages.records import Work
from pulse.messages.result import empty_body
from pulse.sandbox.port import Verdict

MAX_REASONS = 50
_parts = msgspec.json.Decoder(dict[str, msgspec.Raw])
_reasons = msgspec.json.Decoder(list[dict[str, Any]])


class _Typed(msgspec.Struct):
    type: Any = msgspec.UNSET


_typed = msgspec.json.Decoder(_Typed)


def without_sandbox(work: Work, route: Route) -> Verdict:
    """The verdict on a message that no workflow has to look at."""
    reasons = [*route.told, *_passed_over(work, route, ())]
    return Verdict(status="ignore", body=empty_body(reasons=reasons[:MAX_REASONS]), code=route.code)


def with_all_reasons(work: Work, route: Route, verdict: Verdict) -> Verdict:
    """The verdict of the sandbox, with the reasons of those that were passed over among those of the others."""
    if verdict.code != "no_match" or route.found is None or len(route.plans) == len(route.found.listings):
        return verdict
    parts = _parts.decode(verdict.body)
    told = _reasons.decode(parts["reasons"])
    more = _passed_over(work, route, [plan.workflow_id for plan in route.plans])
    places = {listing.id: position for position, listing in enumerate(route.found.listings)}
    merged = sorted([*told, *more], key=lambda reason: places.get(reason.get("workflowId", ""), 0))
    body = msgspec.json.encode({**parts, "reasons": merged[:MAX_REASONS]})
    return replace(verdict, body=body)


def _passed_over(work: Work, route: Route, tried: list[str] | tuple[str, ...]) -> list[dict[str, Any]]:
    if route.found is None:
        return []
    seen = _seen(work)
    reasons = islice(route.found.passed_over(tried), MAX_REASONS)
    return [{**reason, **seen} if "rule" in reason else reason for reason in reasons]


def _seen(work: Work) -> dict[str, Any]:
    """The message's type as it stands in it, which may be no text."""
    found = _typed.decode(work.payload).type
    return {} if found is msgspec.UNSET else {"seen": found}
