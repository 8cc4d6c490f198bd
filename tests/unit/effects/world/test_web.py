"""What a server answers, as scripts get it; and what the execution log says of a request."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulse.effects.world.web import data_of, entry
from pulse.egress.port import Reply, Request
from tests.unit.egress.forms import WRITTEN

SECRET = "canary"


def data(body: bytes, kind: str | None = None) -> Any:
    return data_of(Reply(200, () if kind is None else (("content-type", kind),), body, "https://x.example/"))


@pytest.mark.parametrize(
    ("kind", "body", "expected"),
    [
        (None, b'{"a": 1}', {"a": 1}),
        (None, b"plain", "plain"),
        ("", b"[1]", [1]),
        ("Application/JSON;charset=utf-8", b"[1]", [1]),
        ("application/vnd.api+json", b"[1]", [1]),
        ("text/json", b"[1]", [1]),
        ("text/plain", b"[1]", "[1]"),
        ("application/javascript", b"[1]", "[1]"),
        ("application/json", b"\xef\xbb\xbf[1]", [1]),
        ("application/json", b"NaN", "NaN"),
        ("application/json", b'{"a": 1, "a": 2}', {"a": 2}),
        ("application/json", b'"\xff"', '"\ufffd"'),
        ("application/json", b"[" * 100_000, "[" * 100_000),
        ("text/plain", b"\xef\xbb\xbfx", "x"),
        ("text/plain; charset=utf-16", "Grüße".encode("utf-16"), "Grüße"),
        ("text/plain; CHARSET='Shift_JIS'", "日本".encode("shift_jis"), "日本"),
        ("text/plain; charset=utf-7", b"+AOQ-", "+AOQ-"),
        ("text/plain; charset=unicode_escape", b"\\u0041", "\\u0041"),
        ("text/plain; charset=zip", b"x", "x"),
        ("text/plain; charset=\x00", b"x", "x"),
        ("text/plain; charset=", b"x", "x"),
        ("text/plain; charset", b"x", "x"),
    ],
)
def test_bodies(kind: str | None, body: bytes, expected: Any) -> None:
    assert data(body, kind) == expected


@given(
    body=st.binary(max_size=300),
    kind=st.text(max_size=60) | st.sampled_from(["application/json", "text/plain; charset=gb18030"]),
)
def test_any_body_is_something_that_json_can_hold(body: bytes, kind: str) -> None:
    encoded = msgspec.json.encode(data(body, kind))
    json.loads(encoded)


@given(
    value=st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(st.characters(codec="utf-8")),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner),
        max_leaves=10,
    )
)
def test_json_comes_back(value: Any) -> None:
    assert data(json.dumps(value).encode() or b"", "application/json") == value


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (f"https://api.example.com/v1/orders?key={SECRET}", "https://api.example.com/v1/orders"),
        (f"https://api.example.com/v1#{SECRET}", "https://api.example.com/v1"),
        ("HTTPS://API.example.com:8443/a%20b", "https://api.example.com:8443/a%20b"),
        (f"https://user:{SECRET}@api.example.com/", None),
        (f"https://api.example.com\\@{SECRET}/", None),
        (f"http://[::1{SECRET}", None),
        (SECRET, None),
        ("", None),
    ],
)
def test_the_log_shows_addresses_without_what_may_be_secret(url: str, shown: str | None) -> None:
    told = entry(Request("GET", url), 200, 5)
    assert told.get("url") == shown
    assert SECRET not in json.dumps(told)


@pytest.mark.parametrize("host", WRITTEN)
def test_no_form_of_a_host_is_too_much_for_the_log(host: str) -> None:
    for url in (f"http://{host}/?{SECRET}", f"http://{host}:80?{SECRET}", f"{host}"):
        assert SECRET not in json.dumps(entry(Request("GET", url), None, None))
