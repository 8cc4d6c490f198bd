"""API keys: `pk_<environment>_<id>_<secret>`. The secret has 160 random bits, so a fast hash is enough to keep it."""

import hashlib
import hmac
import os
import re
from dataclasses import dataclass

from pulse.core.ids import ALPHABET

_KEY = re.compile(r"pk_([a-z0-9-]{1,20})_([0-9a-z]{26})_([0-9a-z]{32})")


@dataclass(frozen=True)
class PresentedKey:
    """What a request shows: the key's id and the digest of its secret."""

    key_id: str
    digest: bytes


def new_secret() -> str:
    number = int.from_bytes(os.urandom(20))
    return "".join(ALPHABET[(number >> shift) & 31] for shift in range(155, -1, -5))


def key_text(environment_name: str, key_id: str, secret: str) -> str:
    """The key as its owner keeps it. The environment's name in it is for people to see, and proves nothing."""
    shown = re.sub(r"[^a-z0-9-]", "", environment_name.lower())[:20] or "env"
    return f"pk_{shown}_{key_id.removeprefix('key_')}_{secret}"


def read_key(text: str) -> PresentedKey | None:
    """The parts of a key, or None for what is none."""
    found = _KEY.fullmatch(text)
    return PresentedKey(f"key_{found[2]}", digest_of(found[3])) if found else None


def digest_of(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


def same(one: bytes, other: bytes) -> bool:
    return hmac.compare_digest(one, other)
