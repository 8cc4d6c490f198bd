"""The repository's own files, as these tests see them: what git knows or would add, and is there."""

import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MADE_BY_MACHINE = {"generated", "static", "node_modules"}


@cache
def files() -> tuple[Path, ...]:
    """Paths relative to the root, sorted; what a machine wrote is left out (see `everything` for that too)."""
    return tuple(path for path in everything() if not MADE_BY_MACHINE & set(path.parts))


@cache
def everything() -> tuple[Path, ...]:
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    return tuple(sorted(Path(name) for name in set(names) if name and (ROOT / name).is_file()))


def below(*folders: str, suffix: str = "") -> list[Path]:
    """The files below any of these folders, with this ending."""
    return [
        path
        for path in files()
        if path.name.endswith(suffix) and any(path.is_relative_to(folder) for folder in folders)
    ]


def text(path: Path) -> str | None:
    """The content of a file, or nothing if it is not text."""
    try:
        return (ROOT / path).read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return None


def listed(faults: list[str]) -> str:
    """What an assertion says: each fault on a line of its own."""
    return "\n  ".join([f"{len(faults)} found:", *faults])
