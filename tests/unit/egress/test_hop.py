"""What is sent, and what a redirect makes of it."""

import pytest

from pulse.egress.hop import Hop, first_hop
from pulse.egress.port import EgressError, Request

HERE = "https://api.example.com/v1/items"
SECRETS = (
    ("Authorization", "Bearer sk-live-1"),
    ("Cookie", "session=1"),
    ("Proxy-Authorization", "Basic x"),
    ("X-Api-Key", "sk-live-2"),
)


def hop(method: str = "GET", *headers: tuple[str, str], url: str = HERE, body: bytes = b"") -> Hop:
    return first_hop(Request(method, url, headers, body, credentials=frozenset(("X-Api-Key",))))


def moved(before: Hop, status: int, location: str) -> Hop:
    after = before.redirected(status, location)
    assert after is not None
    return after


def names(sent: Hop) -> set[str]:
    return {name for name, _ in sent.headers}


def test_what_a_server_expects_of_any_client_is_sent() -> None:
    assert hop().wire_headers() == [
        (b"host", b"api.example.com"),
        (b"accept", b"*/*"),
        (b"accept-encoding", b"gzip, deflate"),
        (b"user-agent", b"Pulse"),
    ]


def test_what_is_given_goes_first_and_instead() -> None:
    sent = hop("get", ("User-Agent", "mine/1"), ("X-Tag", "a"), ("X-Tag", "b"), ("Accept", "text/plain"))
    assert sent.method == "GET"
    assert sent.wire_headers() == [
        (b"host", b"api.example.com"),
        (b"user-agent", b"mine/1"),
        (b"x-tag", b"a"),
        (b"x-tag", b"b"),
        (b"accept", b"text/plain"),
        (b"accept-encoding", b"gzip, deflate"),
    ]


@pytest.mark.parametrize(
    ("method", "body", "length"),
    [("POST", b"{}", b"2"), ("POST", b"", b"0"), ("PUT", b"", b"0"), ("DELETE", b"x", b"1"), ("GET", b"", None)],
)
def test_the_length_of_the_body_is_told(method: str, body: bytes, length: bytes | None) -> None:
    assert dict(hop(method, body=body).wire_headers()).get(b"content-length") == length


@pytest.mark.parametrize(
    "name",
    [
        *("Host", "Content-Length", "Transfer-Encoding", "Connection", "Keep-Alive", "Proxy-Connection", "TE"),
        *("Trailer", "Upgrade", "Expect"),
    ],
)
def test_how_a_message_is_framed_is_not_the_callers_to_say(name: str) -> None:
    assert hop("POST", (name, "127.0.0.1"), body=b"{}").wire_headers() == hop("POST", body=b"{}").wire_headers()


@pytest.mark.parametrize("scheme", ["NTLM", "Negotiate", "negotiate"])
def test_who_signs_a_connection_has_it_alone(scheme: str) -> None:
    assert (b"connection", b"close") in hop("GET", ("Authorization", f"{scheme} TlRMTVNTUAAB")).wire_headers()
    assert (b"connection", b"close") not in hop("GET", ("Authorization", "Bearer x")).wire_headers()


@pytest.mark.parametrize("method", ["CONNECT", "trace", "TRACK", "", "GET /", "GE\nT", "GÉT"])
def test_a_method_that_is_not_sent_is_refused(method: str) -> None:
    with pytest.raises(EgressError, match="That method cannot be sent"):
        hop(method)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("", "x"),
        ("a b", "x"),
        ("a:b", "x"),
        ("a\n", "x"),
        ("ä", "x"),
        ("a", "secret\r\nHost: evil"),
        ("a", "secret\n"),
        ("a", "secret\x00"),
        ("a", "secret\x7f"),
        ("a", "secret→"),
    ],
)
def test_a_header_that_cannot_be_sent_is_refused_and_not_repeated(name: str, value: str) -> None:
    with pytest.raises(EgressError, match="Header 2 has characters") as caught:
        hop("GET", ("x-fine", "fine"), (name, value))
    assert "secret" not in caught.value.message


@pytest.mark.parametrize(
    ("status", "method", "becomes"),
    [
        *((301, "GET", "GET"), (301, "POST", "GET"), (301, "PUT", "PUT"), (301, "HEAD", "HEAD")),
        *((302, "GET", "GET"), (302, "POST", "GET"), (302, "DELETE", "DELETE"), (302, "HEAD", "HEAD")),
        *((303, "GET", "GET"), (303, "POST", "GET"), (303, "PUT", "GET"), (303, "HEAD", "HEAD")),
        *((307, "POST", "POST"), (307, "GET", "GET"), (308, "POST", "POST"), (308, "PUT", "PUT")),
    ],
)
def test_a_redirect_keeps_the_method_or_makes_it_get(status: int, method: str, becomes: str) -> None:
    headers = (("Content-Type", "application/json"), ("X-Tag", "kept"))
    after = moved(hop(method, *headers, body=b"{}"), status, "/moved")
    assert after.method == becomes
    kept = becomes == method
    assert after.body == (b"{}" if kept else b"")
    assert names(after) == ({"content-type", "x-tag"} if kept else {"x-tag"})


@pytest.mark.parametrize("status", [200, 201, 204, 300, 304, 305, 306, 309, 400, 500])
def test_other_statuses_lead_nowhere(status: int) -> None:
    assert hop().redirected(status, "/moved") is None


def test_a_redirect_without_a_place_leads_nowhere() -> None:
    assert hop().redirected(302, None) is None


@pytest.mark.parametrize(
    "location",
    [
        "https://evil.example/",
        "https://api.example.com.evil.example/",
        "https://example.com/",
        "https://sub.api.example.com/",
        "https://api.example.com:8443/",
        "http://api.example.com/",
        "http://api.example.com:443/",
        "//other.example/",
    ],
)
def test_credentials_go_to_no_other_origin(location: str) -> None:
    after = moved(hop("GET", *SECRETS, ("X-Tag", "kept")), 307, location)
    assert names(after) == {"x-tag"}


@pytest.mark.parametrize("location", ["/moved", "https://api.example.com/", "https://API.example.com:443/x", "?page=2"])
def test_credentials_stay_with_their_origin(location: str) -> None:
    assert names(moved(hop("GET", *SECRETS), 307, location)) == {name.lower() for name, _ in SECRETS}


def test_credentials_that_were_dropped_do_not_come_back() -> None:
    away = moved(hop("GET", *SECRETS), 302, "https://evil.example/")
    assert names(moved(away, 302, HERE)) == set()


def test_a_redirect_in_utf8_is_read_as_such() -> None:
    sent = "/straße".encode().decode("latin-1")
    assert moved(hop(), 302, sent).target.path == "/stra%C3%9Fe"
    assert moved(hop(), 302, "/stra\xdfe").target.path == "/stra%C3%9Fe"
