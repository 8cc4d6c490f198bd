"""Addresses of http and https are read strictly, and what is sent is what was read."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pulse.egress.port import InvalidAddress
from pulse.egress.target import MAX_CHARACTERS, Target, ascii_host, join, parse

# A busy machine is no fault.
unhurried = settings(deadline=None)


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("http://example.com", Target("http", "example.com", 80, "/")),
        ("HTTPS://API.Example.COM/V1?a=b&c=%20#top", Target("https", "api.example.com", 443, "/V1?a=b&c=%20")),
        ("https://example.com:8443/", Target("https", "example.com", 8443, "/")),
        ("http://example.com:443/", Target("http", "example.com", 443, "/")),
        ("https://example.com:443/", Target("https", "example.com", 443, "/")),
        ("https://example.com:/", Target("https", "example.com", 443, "/")),
        ("https://example.com./x", Target("https", "example.com", 443, "/x")),
        ("https://bücher.example/straße", Target("https", "xn--bcher-kva.example", 443, "/stra%C3%9Fe")),
        ("https://my_service.example/", Target("https", "my_service.example", 443, "/")),
        ("http://[2606:4700:4700::1111]:8080/x", Target("http", "2606:4700:4700::1111", 8080, "/x")),
        ("http://127.1/", Target("http", "127.1", 80, "/")),
        ("https://example.com?q", Target("https", "example.com", 443, "/?q")),
        ("https://example.com/a/../b/./c", Target("https", "example.com", 443, "/b/c")),
        ("https://example.com/a|b{c}\"d'e", Target("https", "example.com", 443, "/a|b%7Bc%7D%22d'e")),
        ("https://example.com/@user:name", Target("https", "example.com", 443, "/@user:name")),
    ],
)
def test_an_address_is_read(url: str, target: Target) -> None:
    assert parse(url) == target


@pytest.mark.parametrize(
    ("url", "authority"),
    [
        ("http://example.com", "example.com"),
        ("http://example.com:80", "example.com"),
        ("http://example.com:443", "example.com:443"),
        ("https://example.com:8443", "example.com:8443"),
        ("https://[2606:4700::1]", "[2606:4700::1]"),
        ("https://[2606:4700::1]:8443", "[2606:4700::1]:8443"),
    ],
)
def test_the_host_header_names_a_port_that_is_not_the_usual_one(url: str, authority: str) -> None:
    assert parse(url).authority == authority
    assert parse(url).url == f"{url.partition(':')[0]}://{authority}/"


@pytest.mark.parametrize(
    "url",
    [
        *("", "/", "example.com", "//example.com", "ftp://example.com", "file:///etc/passwd", "gopher://example.com"),
        *(
            "http:example.com",
            "http:/example.com",
            "http:///example.com",
            "https://",
            "http://?",
            "http://#",
            "http://:80",
        ),
        *(
            "data:text/plain,x",
            "javascript:alert(1)",
            "dict://example.com:11211/stat",
            "ws://example.com",
            "httpss://x",
        ),
        *(
            " http://example.com",
            "http://example.com ",
            "ht\ntp://example.com",
            "http://exam\tple.com",
            "http://a\x00b",
        ),
        *(
            "http://example.com/\r\nX: y",
            "http://example.com/a b",
            "http://example.com/\x7f",
            "http://example.com/\x85",
        ),
        *("http://example.com\\@evil.example", "http:\\\\example.com", "http://example.com/a\\b"),
        *("http://user@example.com", "http://user:pass@example.com", "http://@example.com", "http://:@example.com"),
        *("http://a@b@example.com", "http://example.com%40evil.example", "http://exa%6dple.com", "http://%6c"),
        *("http://example.com:0", "http://example.com:65536", "http://example.com:99999999", "http://example.com:-1"),
        *("http://example.com:+80", "http://example.com:8_0", "http://example.com:８０", "http://example.com:80:80"),
        *(
            "http://example.com:http",
            "http://example.com:0x50",
            "http://[::1",
            "http://::1",
            "http://[::1]x",
            "http://[]",
        ),
        *(
            "http://[::1%25lo]",
            "http://[::1%lo]",
            "http://[v1.x]",
            "http://[1.2.3.4]",
            "http://[::1]:80:80",
            "http://[:",
        ),
        *("http://256.1.1.1", "http://0177.0.0.1", "http://.", "http://..", "http://a..b", "http://.a", "http://a.."),
        *(
            "http://-a",
            "http://a,b",
            "http://a;b",
            "http://a!b",
            "http://(a)",
            "http://a$b",
            'http://a"b',
            "http://a`b",
        ),
        *("http://<a>", "http://a|b", "http://{a}", "http://a^b", "http://a+b", "http://a=b", "http://a&b", "http://*"),
        *("http://\ud800", "http://example.com/\ud800", f"http://{'a' * 64}.com", f"http://{'a.' * 127}com"),
        *("http://①②⑦.⓪.⓪.①", "http://１２７.0.0.1", "http://\u200dexample.com", "http://exa\u00admple.com"),
        f"http://example.com/{'a' * MAX_CHARACTERS}",
    ],
)
def test_what_is_no_address_is_refused_in_words_that_do_not_repeat_it(url: str) -> None:
    with pytest.raises(InvalidAddress) as caught:
        parse(url)
    assert caught.value.message.endswith((".", "passwords."))
    assert len(caught.value.message) < 160
    assert "evil" not in caught.value.message


def test_an_address_as_long_as_may_be_is_read() -> None:
    url = "http://example.com/"
    assert parse(url + "a" * (MAX_CHARACTERS - len(url))).path.count("a") == MAX_CHARACTERS - len(url)


@unhurried
@given(st.one_of(st.text(max_size=40), st.text("abc.:/@\\[]%?#0x1 \t\n", max_size=40)))
@example("example.com/?x=\u2028")
def test_what_is_read_is_sent_as_it_was_read(rest: str) -> None:
    """Nothing but InvalidAddress is raised, and reading the address that came of it once more changes nothing."""
    try:
        target = parse(f"http://{rest}")
    except InvalidAddress:
        return
    assert target.url.isascii()
    assert target.url.isprintable()
    assert " " not in target.url
    assert parse(target.url) == target


@pytest.mark.parametrize(
    ("location", "url"),
    [
        ("/moved", "https://example.com:8443/moved"),
        ("moved", "https://example.com:8443/a/moved"),
        ("../moved", "https://example.com:8443/moved"),
        ("?page=2", "https://example.com:8443/a/b?page=2"),
        ("#part", "https://example.com:8443/a/b?page=1"),
        ("//other.example/x", "https://other.example/x"),
        ("http://other.example", "http://other.example/"),
        ("/straße", "https://example.com:8443/stra%C3%9Fe"),
    ],
)
def test_a_redirect_is_read_from_where_it_was_given(location: str, url: str) -> None:
    assert join(parse("https://example.com:8443/a/b?page=1"), location).url == url


@pytest.mark.parametrize(
    "location",
    [
        *(
            "ftp://example.com",
            "file:///etc/passwd",
            "http://[",
            "//user:pass@example.com",
            "javascript:alert(1)",
        ),
        *("http://a b", "/a\\b", "\\\\evil.example", "/a\nb", "\thttp://evil.example", "http:\\\\evil.example"),
        "/" * 9000,
    ],
)
def test_a_redirect_to_what_is_no_address_is_refused(location: str) -> None:
    with pytest.raises(InvalidAddress):
        join(parse("https://example.com/"), location)


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("Example.COM.", "example.com"),
        ("bücher", "xn--bcher-kva"),
        ("a/b", None),
        ("", None),
        ("a:1", None),
        ("%61", None),
    ],
)
def test_a_host_is_read_as_it_is_looked_up(text: str, host: str | None) -> None:
    assert ascii_host(text) == host


def test_who_writes_a_password_into_an_address_is_told_where_it_belongs() -> None:
    with pytest.raises(InvalidAddress, match="send them in an Authorization header") as caught:
        parse("https://me:sk-live-1@api.example.com/")
    assert "sk-live" not in caught.value.message
