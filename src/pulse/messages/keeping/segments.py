"""Segments of the archive: many results in one object, a line of JSON each, compressed."""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec
import zstandard

from pulse.core.errors import Misconfigured

MAX_LINES = 5_000
MAX_BYTES = 16 << 20
HOUR_MS = 3_600_000


class _Line(msgspec.Struct):
    id: str


_line = msgspec.json.Decoder(_Line)


@dataclass(frozen=True)
class Segment:
    """A segment's row in the directory."""

    id: str
    organization_id: str
    environment_id: str
    status: str
    hour: int
    object_key: str
    messages: int
    bytes: int
    sha256: str
    created_at: int


def hour_of(ms: int) -> int:
    """The beginning of the hour, in ms since 1970 (UTC)."""
    return ms - ms % HOUR_MS


def object_key(organization_id: str, environment_id: str, status: str, hour: int, segment_id: str) -> str:
    at = datetime.fromtimestamp(hour / 1000, UTC)
    return f"{organization_id}/{environment_id}/{status}/{at:%Y/%m/%d/%H}-{segment_id}.ndjson.zst"


def pack(lines: list[bytes]) -> bytes:
    """The object of a segment with these lines."""
    return zstandard.ZstdCompressor(level=3, write_checksum=True).compress(b"\n".join(lines) + b"\n")


def unpack(data: bytes, sha256: str) -> dict[str, bytes]:
    """The lines by message id. Raises Misconfigured where the object is not what was written."""
    if hashlib.sha256(data).hexdigest() != sha256:
        raise Misconfigured("A segment of the archive is damaged: its checksum does not fit. Restore it from a backup.")
    lines = zstandard.ZstdDecompressor().decompress(data).splitlines()
    return {_line.decode(line).id: line for line in lines}
