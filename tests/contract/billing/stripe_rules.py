"""What Stripe's public reference says of the requests that Pulse makes: their fields, and how they are refused."""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

_URL = re.compile(r"https?://[^\s]+")
_ORGANIZATION, _PLAN = re.compile(r"[A-Za-z0-9_]{1,200}"), re.compile(r"[a-z_]{1,100}")
_CUSTOMER, _NUMBER = re.compile(r"cus_[0-9]+"), re.compile(r"[1-9][0-9]*")
# The fields of each form, and what they look like; all are needed.
_FORMS: dict[str, dict[str, re.Pattern[str]]] = {
    "/v1/customers": {"name": re.compile(r".{1,256}", re.DOTALL), "metadata[organization_id]": _ORGANIZATION},
    "/v1/checkout/sessions": {
        "mode": re.compile("subscription"),
        "customer": _CUSTOMER,
        "client_reference_id": _ORGANIZATION,
        "line_items[0][price]": re.compile(r"price_[a-z]+"),
        "line_items[0][quantity]": _NUMBER,
        "metadata[organization_id]": _ORGANIZATION,
        "metadata[plan_key]": _PLAN,
        "metadata[price]": re.compile(r"price_[a-z]+"),
        "subscription_data[metadata][organization_id]": _ORGANIZATION,
        "subscription_data[metadata][plan_key]": _PLAN,
        "success_url": _URL,
        "cancel_url": _URL,
    },
    "/v1/billing_portal/sessions": {"customer": _CUSTOMER, "return_url": _URL},
}
# The lists, and what they are asked by.
_QUERIES = {
    "/v1/subscriptions": {
        "customer": _CUSTOMER,
        "status": re.compile("all|active|canceled|ended"),
        "limit": re.compile(r"[1-9][0-9]?|100"),
    },
    "/v1/checkout/sessions": {
        "customer": _CUSTOMER,
        "status": re.compile("open|complete|expired"),
        "limit": re.compile(r"[1-9][0-9]?|100"),
    },
}
SESSION = re.compile(r"/v1/checkout/sessions/(cs_[0-9]+)(/expire)?")
Answer = tuple[int, Mapping[str, Any] | bytes, Mapping[str, str]]


def expires(path: str) -> str:
    """The session that a path expires."""
    found = SESSION.fullmatch(path)
    return found[1] if found is not None and found[2] else ""


def refusal(
    status: int, message: str, param: str | None = None, kind: str = "invalid_request_error", code: str | None = None
) -> Answer:
    told = {"type": kind, "message": message, "param": param}
    return status, {"error": told if code is None else {**told, "code": code}}, {}


def no_customer(customer: str | None) -> Answer:
    return refusal(400, f"No such customer: '{customer}'", "customer", code="resource_missing")


def unknown(method: str, path: str) -> Answer:
    return refusal(404, f"Unrecognized request URL ({method}: {path}).")


def read_form(path: str, body: bytes) -> dict[str, str] | Answer:
    """The fields of a form that is as it must be, or the refusal."""
    wanted = {} if expires(path) else _FORMS.get(path)
    if wanted is None:
        return unknown("POST", path)
    pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, strict_parsing=bool(body))
    return dict(pairs) if (fault := _fault(pairs, wanted)) is None else fault


def read_query(path: str, raw: str) -> dict[str, str] | Answer:
    """What a list is asked by, or the refusal."""
    if path not in _QUERIES:
        return unknown("GET", path)
    pairs = parse_qsl(raw, keep_blank_values=True, strict_parsing=True)
    return dict(pairs) if (fault := _fault(pairs, _QUERIES[path], needs_all=False)) is None else fault


def _fault(
    pairs: list[tuple[str, str]], wanted: Mapping[str, re.Pattern[str]], *, needs_all: bool = True
) -> Answer | None:
    form = dict(pairs)
    for name in [*wanted.keys() - form.keys()] if needs_all else []:
        return refusal(400, f"Missing required param: {name}.", name)
    for name, value in pairs:
        if name not in wanted or len(form) != len(pairs):
            return refusal(400, f"Received unknown parameter: {name}", name)
        if not wanted[name].fullmatch(value):
            return refusal(400, f"Invalid {name}: {value}", name)
    return None
