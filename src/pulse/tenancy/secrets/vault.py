"""Secrets at rest: AES-256-GCM under a data key of each organization, which the installation's master key wraps.

The associated data of a value is `organization|name|version`, so a ciphertext that is moved to another row, or another
organization, does not decrypt. Nonces are random, 96 bits (NIST SP 800-38D). Old master keys may be given after the
current one: they still unwrap, they no longer wrap.
"""

import base64
import os
from collections.abc import Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from pulse.core.errors import Misconfigured

_NONCE = 12
KEY_BYTES = 32


def new_master_key() -> str:
    """A new key for PULSE_SECRET_KEY: 32 random bytes in URL-safe base64."""
    return base64.urlsafe_b64encode(os.urandom(KEY_BYTES)).decode()


class Vault:
    """Seals and opens the secrets of organizations. `master_keys`: the current one first, then old ones."""

    def __init__(self, master_keys: Sequence[str]) -> None:
        self._masters = [AESGCM(_key_bytes(key)) for key in master_keys]
        if not self._masters:
            raise Misconfigured("PULSE_SECRET_KEY is not set.")

    def new_data_key(self, organization_id: str) -> bytes:
        """A new data key, wrapped."""
        return _seal(self._masters[0], os.urandom(KEY_BYTES), f"{organization_id}|data-key|1")

    def seal(self, wrapped: bytes, organization_id: str, name: str, secret: bytes) -> bytes:
        return _seal(self._unwrap(wrapped, organization_id), secret, f"{organization_id}|{name}|1")

    def open(self, wrapped: bytes, organization_id: str, name: str, sealed: bytes) -> bytes:
        """The secret. Raises Misconfigured where the row was moved or changed, or the master key is another one."""
        return _open([self._unwrap(wrapped, organization_id)], sealed, f"{organization_id}|{name}|1")

    def rewrapped(self, wrapped: bytes, organization_id: str) -> bytes | None:
        """The same data key under the current master key; None where it is under that one already.

        Raises Misconfigured where no master key that is given opens it.
        """
        bound_to = f"{organization_id}|data-key|1"
        try:
            _open(self._masters[:1], wrapped, bound_to)
        except Misconfigured:
            return _seal(self._masters[0], _open(self._masters[1:], wrapped, bound_to), bound_to)
        return None

    def _unwrap(self, wrapped: bytes, organization_id: str) -> AESGCM:
        return AESGCM(_open(self._masters, wrapped, f"{organization_id}|data-key|1"))


def _key_bytes(key: str) -> bytes:
    try:
        raw = base64.urlsafe_b64decode(key)
    except ValueError:
        raw = b""
    if len(raw) != KEY_BYTES:
        raise Misconfigured("PULSE_SECRET_KEY must be 32 random bytes in URL-safe base64.")
    return raw


def _seal(key: AESGCM, secret: bytes, bound_to: str) -> bytes:
    nonce = os.urandom(_NONCE)
    return nonce + key.encrypt(nonce, secret, bound_to.encode())


def _open(keys: Sequence[AESGCM], sealed: bytes, bound_to: str) -> bytes:
    for key in keys:
        try:
            return key.decrypt(sealed[:_NONCE], sealed[_NONCE:], bound_to.encode())
        except (InvalidTag, ValueError):
            continue
    raise Misconfigured("A stored secret cannot be read: PULSE_SECRET_KEY is not the key it was stored under.")
