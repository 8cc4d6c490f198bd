"""What a body must be: JSON within its limits, however it is packed. What is refused is refused with its code."""

import gzip
import json
import zlib
from collections.abc import AsyncIterator

import pytest

from tests.integration.receiver.installation import Installation, Tenant

PROBLEM = "application/problem+json"
LIMIT = 1 << 20


def nested(depth: int) -> bytes:
    """A message that is nested so deep, itself included."""
    return b'{"a":' + b"[" * (depth - 1) + b"]" * (depth - 1) + b"}"


def with_keys(count: int) -> bytes:
    return json.dumps({f"k{number}": 0 for number in range(count)}).encode()


REFUSED = {
    "empty": b"",
    "spaces": b"  \n ",
    "truncated": b'{"a": 1',
    "truncated text": b'{"a": "b',
    "two values": b"{} {}",
    "single quotes": b"{'a': 1}",
    "a comma too many": b'{"a": 1,}',
    "a comment": b'{"a": 1} // x',
    "no JSON": b"hello",
    "a BOM": b"\xef\xbb\xbf{}",
    "UTF-16": '{"a": 1}'.encode("utf-16"),
    "a stray byte": b'{"a": "\xff"}',
    "latin-1": '{"a": "é"}'.encode("latin-1"),
    "half a character": b'{"a": "\xc3"}',
    "an overlong slash": b'{"a": "\xc0\xaf"}',
    "a surrogate as bytes": b'{"a": "\xed\xa0\x80"}',
    "NaN": b'{"a": NaN}',
    "Infinity": b'{"a": Infinity}',
    "-Infinity": b'{"a": -Infinity}',
    "a number beyond doubles": b'{"a": 1e999}',
    "an integer beyond doubles": b'{"a": 1' + b"0" * 400 + b"}",
    "five thousand digits": b'{"a": ' + b"1" * 5_000 + b"}",
    "a leading zero": b'{"a": 01}',
    "hexadecimal": b'{"a": 0x10}',
    "a name twice": b'{"a": 1, "a": 2}',
    "a name twice, deep": b'{"a": [{"b": 1, "b": 1}]}',
    "a name twice, escaped": b'{"a": 1, "\\u0061": 2}',
    "a lone high surrogate": b'{"a": "\\ud800"}',
    "a lone low surrogate": b'{"a": "\\udc00x"}',
    "a lone surrogate as a name": b'{"\\ud800": 1}',
    "NUL, escaped": b'{"a": "x\\u0000"}',
    "NUL as a name": b'{"\\u0000": 1}',
    "NUL as it is": b'{"a": "\0"}',
    "a line break in text": b'{"a": "x\ny"}',
    "65 levels": nested(65),
    "a hundred thousand levels": b"[" * 100_000,
    "10,001 names": with_keys(10_001),
    "10,001 names in small objects": b'{"a":[' + b",".join([b'{"b":0}'] * 10_001) + b"]}",
}


@pytest.mark.parametrize("raw", REFUSED.values(), ids=REFUSED)
async def test_a_body_that_is_no_json_is_refused(pulse: Installation, acme: Tenant, raw: bytes) -> None:
    answer = await pulse.send(acme, raw)
    assert (answer.status_code, answer.headers["content-type"]) == (400, PROBLEM)
    problem = answer.json()
    assert (problem["code"], problem["status"]) == ("invalid_json", 400)
    assert problem["detail"].endswith(".")
    assert await pulse.count(acme) == 0


@pytest.mark.parametrize(
    ("raw", "place"),
    [
        (b"", {"position": 0, "line": 1, "column": 1}),
        (b'{"a":\n 1,\n}', {"position": 10, "line": 3, "column": 1}),
        (b'{"a": "b\x00"}', {"position": 8, "line": 1, "column": 9}),
        ('{"é": x}'.encode(), {"position": 6, "line": 1, "column": 7}),
        (b'{"a": "\xff"}', {"position": 7}),
        (b"\xef\xbb\xbf{}", {"position": 0, "line": 1, "column": 1}),
        (b"{} []", {"position": 3, "line": 1, "column": 4}),
    ],
)
async def test_a_fault_of_syntax_has_its_place(
    pulse: Installation, acme: Tenant, raw: bytes, place: dict[str, int]
) -> None:
    problem = (await pulse.send(acme, raw)).json()
    assert {name: problem.get(name) for name in place} == place


async def test_what_cannot_have_a_place_says_what_it_is(pulse: Installation, acme: Tenant) -> None:
    async def problem(raw: bytes) -> dict[str, object]:
        return dict((await pulse.send(acme, raw)).json())

    assert (await problem(b'{"x": 1, "twice": 1, "twice": 2}'))["key"] == "twice"
    assert (await problem(nested(65)))["limit"] == 64
    assert (await problem(with_keys(10_001)))["limit"] == 10_000
    assert "NaN" in str((await problem(b'{"a": NaN}'))["detail"])


@pytest.mark.parametrize(
    "raw", [nested(64), with_keys(10_000), b'{"a": 1' + b"0" * 308 + b"}", b'{"a": "\\ud83d\\ude00"}']
)
async def test_what_is_just_within_the_limits_is_taken(pulse: Installation, acme: Tenant, raw: bytes) -> None:
    assert (await pulse.send(acme, raw)).status_code == 202


@pytest.mark.parametrize("raw", [b"[]", b"[{}]", b"1", b'"text"', b"null", b"true", b"-0.5e3"])
async def test_json_that_is_no_message_is_refused(pulse: Installation, acme: Tenant, raw: bytes) -> None:
    answer = await pulse.send(acme, raw)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_message")


@pytest.mark.parametrize("kind", ["1", "[]", "{}", "true", json.dumps("x" * 201)])
async def test_a_type_is_short_text(pulse: Installation, acme: Tenant, kind: str) -> None:
    answer = await pulse.send(acme, b'{"type": ' + kind.encode() + b"}")
    assert (answer.status_code, answer.json()["code"], answer.json()["path"]) == (422, "invalid_message", "type")


@pytest.mark.parametrize("kind", ["null", '""', '"é.😀"', json.dumps("x" * 200)])
async def test_types_that_are_taken(pulse: Installation, acme: Tenant, kind: str) -> None:
    assert (await pulse.send(acme, b'{"type": ' + kind.encode() + b"}")).status_code == 202


# Sizes. A message may have as many bytes as MAX_MESSAGE_BYTES, as it was sent and as it is unpacked.


def sized(size: int) -> bytes:
    return b'{"a":"' + b"x" * (size - 8) + b'"}'


async def chunks(body: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(body), 100_000):
        yield body[start : start + 100_000]


async def test_the_largest_message_is_taken(pulse: Installation, acme: Tenant) -> None:
    message_id = await pulse.sent(acme, sized(LIMIT))
    assert len(await pulse.payload(acme, message_id)) > LIMIT


@pytest.mark.parametrize("chunked", [False, True])
async def test_one_byte_more_is_refused(pulse: Installation, acme: Tenant, chunked: bool) -> None:
    body = sized(LIMIT + 1)
    headers = {"content-type": "application/json", **acme.headers}
    content = chunks(body) if chunked else body
    answer = await pulse.client.post("/v1/messages", content=content, headers=headers)
    assert (answer.status_code, answer.headers["content-type"]) == (413, PROBLEM)
    problem = answer.json()
    assert (problem["code"], problem["limit"], problem["size"]) == ("too_large", LIMIT, LIMIT + 1)
    assert str(LIMIT) in problem["detail"]


async def test_a_declared_size_is_believed_before_anything_is_read(pulse: Installation, acme: Tenant) -> None:
    read: list[int] = []

    async def never_read() -> AsyncIterator[bytes]:
        read.append(1)
        yield b"{}"

    headers = {"content-type": "application/json", "content-length": str(10**12), **acme.headers}
    answer = await pulse.client.post("/v1/messages", content=never_read(), headers=headers)
    assert (answer.status_code, answer.json()["size"], read) == (413, 10**12, [])


@pytest.mark.parametrize("encoding", ["gzip", "GZIP", "deflate", "identity", ""])
async def test_packed_bodies_are_taken(pulse: Installation, acme: Tenant, encoding: str) -> None:
    plain = b'{"n":1.50}'
    packed = {"gzip": gzip.compress(plain), "deflate": zlib.compress(plain)}
    answer = await pulse.send(acme, packed.get(encoding.lower(), plain), content_encoding=encoding)
    assert answer.status_code == 202
    assert (await pulse.payload(acme, answer.json()["id"])).endswith(b',"n":1.50}')


async def test_a_bomb_is_stopped_at_the_limit(pulse: Installation, acme: Tenant) -> None:
    bomb = gzip.compress(b'{"a":"' + b"x" * (50 << 20) + b'"}', compresslevel=9)
    assert len(bomb) < LIMIT // 10
    answer = await pulse.send(acme, bomb, content_encoding="gzip")
    assert (answer.status_code, answer.json()["code"], answer.json()["limit"]) == (413, "too_large", LIMIT)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b'{"a": 1}',
        gzip.compress(b'{"a": 1}')[:-4],
        gzip.compress(b'{"a": 1}')[:12],
        gzip.compress(b'{"a": 1}')[:-8] + b"12345678",
        gzip.compress(b'{"a": 1}') + gzip.compress(b'{"a": 2}'),
        gzip.compress(b'{"a": 1}') + b"junk",
    ],
    ids=["empty", "not packed", "cut off", "cut off early", "wrong checksum", "two members", "trailing junk"],
)
async def test_a_body_that_cannot_be_unpacked_whole_is_refused(pulse: Installation, acme: Tenant, body: bytes) -> None:
    answer = await pulse.send(acme, body, content_encoding="gzip")
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_encoding")
    assert await pulse.count(acme) == 0


@pytest.mark.parametrize("encoding", ["br", "zstd", "compress", "gzip, gzip", "x" * 5_000])
async def test_other_encodings_are_refused(pulse: Installation, acme: Tenant, encoding: str) -> None:
    answer = await pulse.send(acme, b"{}", content_encoding=encoding)
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")
    assert "gzip" in answer.json()["detail"]


@pytest.mark.parametrize(
    "media",
    ["application/x-www-form-urlencoded", "text/plain", "multipart/form-data", "application/xml", "json", "*/*"],
)
async def test_other_kinds_of_bodies_are_refused(pulse: Installation, acme: Tenant, media: str) -> None:
    answer = await pulse.send(acme, b"{}", content_type=media)
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")
    assert "application/json" in answer.json()["detail"]


@pytest.mark.parametrize(
    "media", ["application/json", "application/json; charset=utf-8", "Application/JSON", "application/cloudevents+json"]
)
async def test_forms_of_json_that_are_taken(pulse: Installation, acme: Tenant, media: str) -> None:
    assert (await pulse.send(acme, b"{}", content_type=media)).status_code == 202


async def test_no_kind_at_all_counts_as_json(pulse: Installation, acme: Tenant) -> None:
    assert (await pulse.client.post("/v1/messages", content=b"{}", headers=acme.headers)).status_code == 202
