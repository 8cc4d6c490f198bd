"""Secrets at rest: what was sealed opens in its own place, under its own master key, and nowhere else."""

import base64

import pytest

from pulse.core.errors import Misconfigured
from pulse.tenancy.secrets.vault import KEY_BYTES, Vault, new_master_key

SECRET = b"the secret"


def test_what_was_sealed_opens() -> None:
    vault = Vault([new_master_key()])
    wrapped = vault.new_data_key("org_1")
    for secret in (SECRET, b"", b"\0" * 10_000, "schlüssel".encode()):
        assert vault.open(wrapped, "org_1", "a name", vault.seal(wrapped, "org_1", "a name", secret)) == secret


def test_nothing_of_the_secret_shows() -> None:
    vault = Vault([new_master_key()])
    wrapped = vault.new_data_key("org_1")
    sealed = [vault.seal(wrapped, "org_1", "n", SECRET) for _ in range(50)]
    assert SECRET not in b"".join(sealed)
    assert len(set(sealed)) == len({one[:12] for one in sealed}) == 50


def test_a_secret_that_was_moved_does_not_open() -> None:
    vault = Vault([new_master_key()])
    wrapped, other = vault.new_data_key("org_1"), vault.new_data_key("org_2")
    mine, second = (vault.seal(wrapped, "org_1", name, SECRET) for name in ("source:1", "source:2"))
    theirs = vault.seal(other, "org_2", "source:1", SECRET)
    for key, organization, name, sealed in (
        (wrapped, "org_1", "source:2", mine),  # another row
        (wrapped, "org_1", "source:1", second),
        (wrapped, "org_1", "source:1", theirs),  # another organization's row
        (other, "org_1", "source:1", theirs),  # and its data key with it
        (other, "org_2", "source:1", mine),
        (wrapped, "org_2", "source:1", mine),
        (wrapped, "org_1|source:1", "1", mine),
    ):
        with pytest.raises(Misconfigured, match="PULSE_SECRET_KEY"):
            vault.open(key, organization, name, sealed)


@pytest.mark.parametrize("at", [0, 11, 12, -17, -1])
def test_a_secret_that_was_changed_does_not_open(at: int) -> None:
    vault = Vault([new_master_key()])
    wrapped = vault.new_data_key("org_1")
    sealed = bytearray(vault.seal(wrapped, "org_1", "n", SECRET))
    sealed[at] ^= 1
    with pytest.raises(Misconfigured):
        vault.open(wrapped, "org_1", "n", bytes(sealed))


@pytest.mark.parametrize("sealed", [b"", b"short", b"x" * 12, b"x" * 27, b"x" * 100])
def test_what_was_never_sealed_does_not_open(sealed: bytes) -> None:
    vault = Vault([new_master_key()])
    with pytest.raises(Misconfigured):
        vault.open(vault.new_data_key("org_1"), "org_1", "n", sealed)


def test_old_master_keys_still_open() -> None:
    old, new = new_master_key(), new_master_key()
    wrapped = Vault([old]).new_data_key("org_1")
    sealed = Vault([old]).seal(wrapped, "org_1", "n", SECRET)
    rotated = Vault([new, old])
    assert rotated.open(wrapped, "org_1", "n", sealed) == SECRET
    fresh = rotated.new_data_key("org_2")
    assert Vault([new]).open(fresh, "org_2", "n", rotated.seal(fresh, "org_2", "n", SECRET)) == SECRET
    with pytest.raises(Misconfigured):
        Vault([new]).open(wrapped, "org_1", "n", sealed)


@pytest.mark.parametrize(
    "key",
    [
        "",
        "short",
        "x" * 44,
        base64.urlsafe_b64encode(b"x" * 31).decode(),
        base64.b64encode(b"x" * 33).decode(),
        "é" * 44,
        "=",
    ],
)
def test_a_bad_key_says_what_a_good_one_is(key: str) -> None:
    with pytest.raises(Misconfigured, match=f"{KEY_BYTES} random bytes") as told:
        Vault([key])
    assert not key or key not in told.value.message


def test_no_key_is_refused() -> None:
    with pytest.raises(Misconfigured, match="not set"):
        Vault([])


def test_the_key_that_openssl_makes_is_taken() -> None:
    raw = bytes(range(220, 252))
    plain, url_safe = base64.b64encode(raw).decode(), base64.urlsafe_b64encode(raw).decode()
    assert "+" in plain or "/" in plain
    wrapped = Vault([plain]).new_data_key("org_1")
    assert Vault([url_safe]).open(wrapped, "org_1", "n", Vault([plain]).seal(wrapped, "org_1", "n", SECRET)) == SECRET
