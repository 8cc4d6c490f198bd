"""A vector memory to test: its index, its model, and another organization's documents that must stay as they are."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

from pulse.memory.tables import MemoryTables
from pulse.memory.vectors.memory import VectorMemory
from pulse.memory.vectors.port import Document, Embedder, Index, Match, Space, TextIndex
from pulse.memory.vectors.words import folded
from pulse.storage.database import Database

OURS = Space("org_ours", "env_prod", "handbook")
THEIRS = (
    Space("org_theirs", "env_prod", "handbook"),
    Space("org_ours", "env_test", "handbook"),
    Space("org_ours", "env_prod", "other"),
)
GUIDES = [
    Document(
        "guide-schedules",
        "A schedule fires an event by a cron expression, such as 0 9 * * 1-5 for nine o'clock on weekdays.",
        "Schedules",
        {"section": "admin", "year": 2025, "draft": False, "tags": ["cron", "time"]},
    ),
    Document(
        "guide-retries",
        "A failed message can be replayed. A retry waits longer after each attempt, with some jitter.",
        "Retries and replay",
        {"section": "operations", "year": 2026, "draft": False, "tags": ["errors"]},
    ),
    Document(
        "guide-prompts",
        "A prompt is sent to a language model. Its template takes fields of the message in double braces.",
        "Prompts",
        {"section": "admin", "year": 2026.5, "draft": True},
    ),
    Document("guide-plain", "Übergrößen und Ärmellängen stehen in der Maßtabelle.", "Maße"),
]
SECRET = Document("guide-schedules", "The other organization's schedule fires the launch of its rocket.", "Schedules")


@dataclass
class Hashing:
    """A model that knows which words are the same: each turns one number of the vector. Counts what it is asked."""

    name: str = "test/hashing"
    length: int = 64
    asked: list[str] = field(default_factory=list)

    async def embed(self, texts: Sequence[str]) -> Sequence[Sequence[float]]:
        self.asked += texts
        return [self.vector(text) for text in texts]

    def vector(self, text: str) -> list[float]:
        numbers = [0.001] * self.length
        for word in folded(text).split():
            numbers[hashlib.sha256(word.encode()).digest()[0] % self.length] += 1.0
        return numbers


@dataclass
class Library:
    """The same index, in memories of several models."""

    index: Index
    texts: TextIndex | None
    model: Hashing

    def memory(self, embedder: Embedder | None = None) -> VectorMemory:
        return VectorMemory(self.index, embedder=embedder or self.model, texts=self.texts)

    def without_model(self) -> VectorMemory:
        return VectorMemory(self.index, texts=self.texts)

    async def found(self, query: str, space: Space = OURS, limit: int = 5) -> Sequence[Match]:
        return (await self.memory().search(space, query, limit)).matches

    async def ids(self, space: Space = OURS) -> list[str]:
        """The documents that are there, by a query that everything answers to in some measure."""
        return sorted({each.id for each in await self.found("anything", space, 100)})

    async def check_theirs(self) -> None:
        for space in THEIRS:
            [match] = await self.found("schedule", space, 100)
            assert (match.id, match.content) == (SECRET.id, SECRET.content)


@dataclass
class DatabaseLibrary(Library):
    """One in a database, and that database."""

    database: Database
    tables: MemoryTables
