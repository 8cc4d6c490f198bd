"""Vector memory in records, and what it needs from others: an embedding model, and an index to search in."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from pulse.core.errors import Fault, InvalidFields, PulseError

Mode = Literal["vector", "full_text"]
Metadata = Mapping[str, Any]
MAX_ID = 200
MAX_TITLE = 500
MAX_CONTENT = 1024 * 1024
MAX_METADATA = 40
MAX_METADATA_TEXT = 8_192
_NAMESPACE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_FIELD = re.compile(r"[^\W_$][^\x00-\x1f$]{0,99}")


class IndexFailed(PulseError):
    """The index of vectors did not do it. `retryable`: the same may be done later.

    `reason` is `unauthorized`, `not_found`, `rejected`, `rate_limited`, `unreachable`, `timeout` or `bad_answer`.
    """

    code = "vector_index_failed"

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason

    @property
    def retryable(self) -> bool:
        return self.reason in ("rate_limited", "unreachable", "timeout")


@dataclass(frozen=True)
class Space:
    """Where documents are: an organization's environment, and a namespace in it. Nothing is found across spaces.

    A namespace has 1 to 64 letters, digits, `_`, `.` or `-`. Raises InvalidFields.
    """

    organization_id: str
    environment_id: str
    namespace: str = "default"

    def __post_init__(self) -> None:
        if not (self.organization_id and self.environment_id):
            raise InvalidFields([Fault("organizationId", "invalid", "A space belongs to an environment.")])
        given: Any = self.namespace
        if not isinstance(given, str) or not _NAMESPACE.fullmatch(given):
            words = "A namespace has 1 to 64 letters, digits, `_`, `.` or `-`, and begins with a letter or digit."
            raise InvalidFields([Fault("namespace", "invalid", words)])


@dataclass(frozen=True)
class Document:
    """A text under an id of the caller's own: `content` at most 1 MiB in UTF-8, `title` at most 500 characters.

    `metadata` has at most 40 fields, whose names begin with a letter or digit and have no `$`; values are text,
    finite numbers, booleans, or lists of texts, at most 8 KiB of JSON in all. Raises InvalidFields.
    """

    id: str
    content: str = field(repr=False)
    title: str = ""
    metadata: Metadata = field(default_factory=dict)

    def __post_init__(self) -> None:
        if faults := _faults(self):
            raise InvalidFields(faults)


@dataclass(frozen=True)
class Match:
    """A chunk that was found. `id` and `title` are its document's, `position` counts that document's chunks from 0.

    `similarity` is the cosine, from -1 to 1, in mode `vector`; in mode `full_text`, from 0 to 1, how much of what was
    asked for it has. The two cannot be compared.
    """

    id: str
    title: str
    content: str
    similarity: float
    metadata: Metadata
    position: int = 0


@dataclass(frozen=True)
class Found:
    """What a search came to, best first. `mode` says how it was made.

    `unsearched` counts the chunks of the space that mode `vector` cannot see: embedded by another model, or by none.
    """

    mode: Mode
    matches: Sequence[Match]
    unsearched: int = 0


@dataclass(frozen=True)
class Piece:
    """A chunk of a document as it is indexed; `vector` of length one, None where there is no embedding model."""

    position: int
    content: str
    vector: Sequence[float] | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Known:
    """What an index has under a document's id. `digest` stands for all that the document says."""

    digest: str
    key: str | None
    model: str | None


@dataclass(frozen=True)
class Indexed:
    """A document as it is indexed, with all its chunks."""

    document: Document
    pieces: Sequence[Piece]
    known: Known


class Embedder(Protocol):
    """A model that turns texts into vectors. Vectors of two names never meet in a search."""

    @property
    def name(self) -> str:
        """Provider and model, such as `openai/text-embedding-3-small`."""
        ...

    async def embed(self, texts: Sequence[str]) -> Sequence[Sequence[float]]:
        """One vector a text, in order, all of one length."""
        ...


class Index(Protocol):
    """Where vectors are kept and searched. Every method raises Unavailable or IndexFailed."""

    async def known(self, space: Space, ids: Sequence[str]) -> Mapping[str, Known]:
        """What is there of these documents."""
        ...

    async def put(self, space: Space, entries: Sequence[Indexed]) -> None:
        """Indexes documents in place of what was there under their ids."""
        ...

    async def search(
        self, space: Space, model: str, vector: Sequence[float], limit: int, condition: Mapping[str, Any] | None
    ) -> Sequence[Match]:
        """The chunks nearest to a vector among those of that model whose documents meet the condition, best first."""
        ...

    async def unsearched(self, space: Space, model: str | None) -> int:
        """How many chunks have no vector of that model; 0 where that cannot be known."""
        ...

    async def delete(self, space: Space, ids: Sequence[str]) -> None:
        """Deletes documents; one that is not there is no error."""
        ...

    async def clear(self, space: Space) -> None:
        """Deletes every document of the space."""
        ...

    async def check(self) -> None:
        """Whether it can be searched now."""
        ...


class TextIndex(Protocol):
    """An index that keeps the texts too, and knows their words. Every method raises Unavailable."""

    async def search_text(
        self, space: Space, query: str, limit: int, condition: Mapping[str, Any] | None
    ) -> Sequence[Match]:
        """The chunks that have most of the query's words, best first, whatever model they were embedded by."""
        ...

    async def outdated(self, space: Space, model: str, limit: int) -> Sequence[Indexed]:
        """Documents whose chunks have no vectors of that model, without vectors, in the order of ids."""
        ...

    async def revise(self, space: Space, entries: Sequence[Indexed]) -> int:
        """Puts those whose documents still say what they said when they were read; returns how many did."""
        ...


def _faults(document: Document) -> list[Fault]:
    faults = []
    if not _is_text(document.id, MAX_ID) or not document.id or not document.id.isprintable():
        faults.append(Fault("id", "invalid", f"A document's id is a text of 1 to {MAX_ID} printable characters."))
    if not _is_text(document.title, MAX_TITLE):
        faults.append(Fault("title", "invalid", f"A title is a text of at most {MAX_TITLE} characters."))
    if not _is_text(document.content, MAX_CONTENT) or len(document.content.encode()) > MAX_CONTENT:
        faults.append(Fault("content", "invalid", f"Content is Unicode text of at most {MAX_CONTENT:,} bytes."))
    return faults + _metadata_faults(document.metadata)


def _metadata_faults(metadata: Any) -> list[Fault]:
    if not isinstance(metadata, Mapping) or len(metadata) > MAX_METADATA:
        return [Fault("metadata", "invalid", f"Metadata is an object of at most {MAX_METADATA} fields.")]
    faults = []
    for name, value in metadata.items():
        if not isinstance(name, str) or not _FIELD.fullmatch(name) or not _is_text(name, 100):
            faults.append(Fault("metadata", "invalid", f"{str(name)[:50]!r} is no name of a field."))
        elif not _is_value(value):
            words = "A value is a text, a finite number, a boolean, or a list of texts."
            faults.append(Fault(f"metadata.{name}", "invalid", words))
    if not faults and sum(len(repr(name)) + len(repr(value)) for name, value in metadata.items()) > MAX_METADATA_TEXT:
        faults.append(Fault("metadata", "too_large", f"Metadata has at most {MAX_METADATA_TEXT:,} characters."))
    return faults


def _is_value(value: Any) -> bool:
    if isinstance(value, list):
        return all(_is_text(each, MAX_METADATA_TEXT) for each in value)
    if isinstance(value, bool):
        return True
    if isinstance(value, int | float):
        return abs(value) < 1e308
    return _is_text(value, MAX_METADATA_TEXT)


def _is_text(value: Any, longest: int) -> bool:
    """Whether it is text that any database keeps: no NUL, and no half of a surrogate pair."""
    if not isinstance(value, str) or len(value) > longest:
        return False
    return "\0" not in value and not any("\ud800" <= letter <= "\udfff" for letter in value)
