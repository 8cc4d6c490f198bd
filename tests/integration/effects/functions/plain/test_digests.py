"""`sha256`, `hmacSha256`, `base64Encode`, `base64Decode` and `uuid`: known vectors, and Python's own as the judge."""

import base64
import hashlib
import hmac
import json
import uuid
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.integration.effects.functions.bench import Bench

# FIPS 180-4's examples and NIST's short and long messages that are text.
SHA256 = {
    "": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "abc": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq": (
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
    ),
    "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmn"
    "hijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu": (
        "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"
    ),
    "a" * 1_000_000: "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0",
}
# RFC 4231, 4.2 to 4.8, as far as keys and data are text in UTF-8.
HMAC = [
    ("\x0b" * 20, "Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
    ("Jefe", "what do ya want for nothing?", "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"),
    ("\x0c" * 20, "Test With Truncation", "a3b6167473100ee06e0c796c2955552bfa6f7c0a6a8aef8b93f860aab0cd20c5"),
]
# RFC 4648, 10.
BASE64 = {
    "": "",
    "f": "Zg==",
    "fo": "Zm8=",
    "foo": "Zm9v",
    "foob": "Zm9vYg==",
    "fooba": "Zm9vYmE=",
    "foobar": "Zm9vYmFy",
}

texts = st.text(st.characters(codec="utf-8"), max_size=200)
each = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


async def found(bench: Bench, expression: str, **message: Any) -> Any:
    return (await bench.run(f"___result___ = {expression}", message=message)).result


async def test_the_vectors_of_nist(bench: Bench) -> None:
    short = {text: digest for text, digest in SHA256.items() if len(text) < 1_000}
    assert await found(bench, "texts.map(sha256)", texts=list(short)) == list(short.values())
    assert await found(bench, "sha256('a'.repeat(1_000_000))") == SHA256["a" * 1_000_000]


async def test_the_vectors_of_rfc_4231(bench: Bench) -> None:
    listed = [[key, text] for key, text, _ in HMAC]
    digests = await found(bench, "listed.map(([key, text]) => hmacSha256(key, text))", listed=listed)
    assert digests == [digest for *_, digest in HMAC]


async def test_the_vectors_of_rfc_4648(bench: Bench) -> None:
    assert await found(bench, "texts.map(base64Encode)", texts=list(BASE64)) == list(BASE64.values())
    assert await found(bench, "codes.map(base64Decode)", codes=list(BASE64.values())) == list(BASE64)


@each
@given(listed=st.lists(texts | st.integers(0, 300).map("ä".__mul__), min_size=20, max_size=40), key=texts)
async def test_digests_are_those_of_python(bench: Bench, listed: list[str], key: str) -> None:
    digests = await found(bench, "listed.map((text) => [sha256(text), hmacSha256(key, text)])", listed=listed, key=key)
    assert digests == [
        [
            hashlib.sha256(text.encode()).hexdigest(),
            hmac.new(key.encode(), text.encode(), hashlib.sha256).hexdigest(),
        ]
        for text in listed
    ]


@pytest.mark.parametrize("length", [54, 55, 56, 57, 63, 64, 65, 119, 120, 128, 200])
async def test_at_every_border_of_a_block(bench: Bench, length: int) -> None:
    text, key = "x" * length, "k" * length
    digests = await found(bench, "[sha256(text), hmacSha256(key, text)]", text=text, key=key)
    expected = hmac.new(key.encode(), text.encode(), hashlib.sha256).hexdigest()
    assert digests == [hashlib.sha256(text.encode()).hexdigest(), expected]


@each
@given(listed=st.lists(texts, min_size=20, max_size=40))
async def test_base64_is_that_of_python_and_comes_back(bench: Bench, listed: list[str]) -> None:
    codes = await found(bench, "listed.map(base64Encode)", listed=listed)
    assert codes == [base64.b64encode(text.encode()).decode() for text in listed]
    assert await found(bench, "codes.map(base64Decode)", codes=codes) == listed


@each
@given(listed=st.lists(st.binary(max_size=60), min_size=20, max_size=40))
async def test_bytes_that_are_no_text_are_replaced(bench: Bench, listed: list[bytes]) -> None:
    codes = [base64.b64encode(data).decode() for data in listed]
    back = await found(bench, "codes.map(base64Decode)", codes=codes)
    assert back == [data.decode(errors="replace") for data in listed]


@pytest.mark.parametrize("code", ["%%%", "Zg=", "Zg===", "Z", "Zm9v!"])
async def test_what_is_no_base64_is_a_syntax_error(bench: Bench, code: str) -> None:
    script = f"try {{ base64Decode({json.dumps(code)}) }} catch (e) {{ ___result___ = e instanceof SyntaxError }}"
    assert (await bench.run(script)).result is True


async def test_what_is_no_text_is_made_one(bench: Bench) -> None:
    values = "[5, null, undefined, [1, 2], true, '\\ud800']"
    expected = [hashlib.sha256(text.encode()).hexdigest() for text in ("5", "null", "undefined", "1,2", "true", "�")]
    assert await found(bench, f"{values}.map((value) => sha256(value))") == expected
    assert await found(bench, "base64Decode(base64Encode('\\udfff'))") == "�"


async def test_what_cannot_be_made_one_is_an_error(bench: Bench) -> None:
    script = """const tried = (f) => { try { f(); return 'done' } catch (e) { return e.name } };
        const none = [Object.create(null), { toString() { throw new RangeError('mine') } }];
        ___result___ = none.map((value) => [sha256, base64Encode, base64Decode].map((f) => tried(() => f(value))))"""
    assert (await bench.run(script)).result == [["TypeError"] * 3, ["RangeError"] * 3]


async def test_a_script_that_breaks_built_ins_gets_right_digests_all_the_same(bench: Bench) -> None:
    script = """Uint8Array.prototype.set = () => {}; Math.floor = () => 7; TextEncoder.prototype.encode = () => [];
        String.prototype.toWellFormed = () => 'x'; Math.cbrt = Math.sqrt = () => 1; Uint8Array.fromBase64 = () => [];
        globalThis.TextDecoder = null;
        ___result___ = [sha256('abc'), hmacSha256('Jefe', 'what do ya want for nothing?'), base64Decode('Zm9v')]"""
    assert (await bench.run(script)).result == [SHA256["abc"], HMAC[1][2], "foo"]


async def test_uuids_are_of_version_4_and_all_different(bench: Bench) -> None:
    made = await found(bench, "Array.from({ length: 500 }, uuid)")
    assert len(set(made)) == 500
    assert {uuid.UUID(each).version for each in made} == {4}
    assert {uuid.UUID(each).variant for each in made} == {uuid.RFC_4122}
    assert all(each == str(uuid.UUID(each)) for each in made)


async def test_uuids_are_the_same_at_each_evaluation(bench: Bench) -> None:
    script = "___result___ = [uuid(), Math.random(), uuid()]"
    first = await bench.run(script)
    assert (await bench.run(script, like=first)).result == first.result


@pytest.mark.parametrize("name", ["uuid", "sha256", "hmacSha256", "base64Encode", "base64Decode", "renderTemplate"])
async def test_no_message_can_put_something_in_their_place(bench: Bench, name: str) -> None:
    assert await found(bench, f"[typeof {name}, message.{name}]", **{name: "mine"}) == ["function", "mine"]
