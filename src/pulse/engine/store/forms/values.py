"""How values stand in the database: JSON as text, sealed by the application's codec where it has one; times."""

import base64
import json
import logging
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Protocol

from pulse.core.errors import InvalidInput
from pulse.storage.database import Dialect

log = logging.getLogger(__name__)
WARN_BYTES, MAX_BYTES = 256 * 1024, 2 * 1024 * 1024
_SEALED = "$sealed"


class Codec(Protocol):
    """Turns JSON texts into what is stored and back: encryption at rest, say. Called in any thread."""

    def encode(self, plain: bytes) -> bytes: ...

    def decode(self, stored: bytes) -> bytes: ...


class NotStorable(InvalidInput):
    """The value is not plain JSON, or too large."""

    code = "not_storable"


def plain_json(value: object, what: str) -> str:
    """The value as JSON text.

    Raises NotStorable for what is not JSON (NaN, other classes, tuples as keys), for NUL characters and halves of
    surrogate pairs, and for more than 2 MB; more than 256 KB is logged as a warning. Numbers as keys become texts.
    """
    try:
        text = _ENCODER.encode(value)
        size = len(text) if text.isascii() else len(text.encode())
    except (TypeError, ValueError, RecursionError) as error:
        raise NotStorable(f"{what} cannot be stored as JSON: {error}.") from None
    if _SUSPICIOUS.search(text):
        _check_characters(value, what)
    if size > MAX_BYTES:
        raise NotStorable(
            f"{what} has {size:,} bytes of JSON; at most {MAX_BYTES:,} are stored. Keep it elsewhere.",
            limit=MAX_BYTES,
            size=size,
        )
    if size > WARN_BYTES:
        log.warning("%s has %s bytes of JSON: keep large values elsewhere, and their names here", what, f"{size:,}")
    return text


def check_text(record: object, what: str) -> None:
    """Raises NotStorable where a text field of the record has a character that cannot be stored."""
    for name, value in vars(record).items():
        if isinstance(value, str) and not (value.isascii() and "\0" not in value):
            _check_characters(value, f"{name} of {what}")


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"a {type(value).__name__} is no JSON value")


_ENCODER = json.JSONEncoder(allow_nan=False, separators=(",", ":"), default=_plain)


def compact(value: object) -> str:
    """JSON text of a value that is known to be plain JSON."""
    return _ENCODER.encode(value)


# Escapes of NUL and of halves of surrogate pairs; pairs have them too, so that a second look is needed.
_SUSPICIOUS = re.compile(r"\\u(?:0000|d[89a-f])")


def _check_characters(value: object, what: str) -> None:
    pending = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, str):
            if "\0" in item:
                raise NotStorable(f"{what} has a NUL character (\\u0000), which cannot be stored.")
            if not _is_encodable(item):
                raise NotStorable(f"{what} has half of a surrogate pair, which is no character.")
        elif isinstance(item, Mapping):
            pending.extend([*item.keys(), *item.values()])
        elif isinstance(item, list | tuple):
            pending.extend(item)


def _is_encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


class Values:
    """Values on their way in and out of one database."""

    def __init__(self, dialect: Dialect, codec: Codec | None = None) -> None:
        self._codec = codec
        # The driver's form of a time where rows are handed to it directly.
        self.moment: Callable[[datetime | None], object] = moment_text if dialect == "sqlite" else _itself

    def seal(self, text: str) -> str:
        """What is stored for a JSON text."""
        if self._codec is None:
            return text
        return json.dumps({_SEALED: base64.b64encode(self._codec.encode(text.encode())).decode()})

    def load(self, stored: str | None) -> Any:
        """The value of what is stored."""
        if stored is None:
            return None
        value = json.loads(stored)
        if isinstance(value, dict) and value.keys() == {_SEALED}:
            if self._codec is None:
                raise InvalidInput("This was stored with a codec, and the engine was made without one.")
            return json.loads(self._codec.decode(base64.b64decode(value[_SEALED])))
        return value


def _itself(moment: datetime | None) -> object:
    return moment


@lru_cache(1_024)
def moment_text(moment: datetime | None) -> str | None:
    """Every time has the same number of characters, so that texts sort as times do.

    The same times are written again and again, so their texts are kept for a while.
    """
    return None if moment is None else moment.isoformat(timespec="milliseconds")


def moment_at(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)


def ms_of(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


def moment_of(stored: object) -> datetime | None:
    """The time that a column holds."""
    if stored is None or isinstance(stored, datetime):
        return stored
    return datetime.fromisoformat(str(stored))
