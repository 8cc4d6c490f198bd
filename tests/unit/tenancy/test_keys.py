"""API keys: their text, what is read of it, and that only their digest is kept."""

import hashlib
import string

import pytest

from pulse.core.ids import ALPHABET
from pulse.tenancy.keys import digest_of, key_text, new_secret, read_key, same

KEY_ID = "key_01m7ycmg3se29t5zwb6f1rywf3"


def test_a_secret_has_160_random_bits() -> None:
    secrets = {new_secret() for _ in range(200)}
    assert len(secrets) == 200
    assert {len(secret) for secret in secrets} == {32}
    assert set("".join(secrets)) <= set(ALPHABET)


def test_what_is_written_is_read() -> None:
    secret = new_secret()
    text = key_text("development", KEY_ID, secret)
    assert text == f"pk_development_{KEY_ID.removeprefix('key_')}_{secret}"
    found = read_key(text)
    assert found is not None
    assert (found.key_id, found.digest) == (KEY_ID, hashlib.sha256(secret.encode()).digest())


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("production", "production"),
        ("EU West", "euwest"),
        ("eu-west-1", "eu-west-1"),
        ("a_b", "ab"),
        ("日本", "env"),
        ("", "env"),
        ("x" * 300, "x" * 20),
        ("pk_x_y", "pkxy"),
        ("../\n\x1b[31m", "31m"),
    ],
)
def test_any_name_of_an_environment_makes_a_key_that_is_read(name: str, shown: str) -> None:
    text = key_text(name, KEY_ID, new_secret())
    assert text.split("_")[1] == shown
    found = read_key(text)
    assert found is not None
    assert found.key_id == KEY_ID


GOOD = key_text("development", KEY_ID, "0" * 32)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "pk",
        GOOD[:-1],
        GOOD + "0",
        GOOD + "\n",
        " " + GOOD,
        GOOD.upper(),
        GOOD.replace("pk_", "sk_"),
        GOOD.replace("_", "-"),
        GOOD.replace("development", ""),
        GOOD.replace("development", "x" * 21),
        GOOD.replace("development", "é"),
        GOOD[:-1] + "é",
        GOOD[:-1] + "\0",
        GOOD + GOOD,
        "x" * 100_000,
    ],
)
def test_what_is_no_key(text: str) -> None:
    assert read_key(text) is None


def test_digests_are_compared_whole() -> None:
    digest = digest_of("a")
    assert same(digest, digest_of("a"))
    for other in (digest_of("b"), digest[:-1], b"", digest + b"x", digest[:-1] + bytes([digest[-1] ^ 1])):
        assert not same(digest, other)


def test_the_alphabet_has_no_letters_that_look_alike() -> None:
    assert set(ALPHABET) == set(string.digits + string.ascii_lowercase) - set("ilou")
