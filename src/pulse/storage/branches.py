"""The branches of the schema: each noun has its own revisions, which migrations.py applies."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Branch:
    """The revisions of one noun: its name and the folder they lie in."""

    noun: str
    folder: Path
