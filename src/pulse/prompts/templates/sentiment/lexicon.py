"""The lexicon: words with their weights and emotions, read once from `lexicon.txt`."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

EMOTIONS = {"j": "joy", "a": "anger", "f": "fear", "s": "sadness", "t": "trust"}


@dataclass(frozen=True)
class Entry:
    """What a word says: `weight` from -4 (very bad) to 4 (very good), and the emotions that it tells of."""

    weight: float
    emotions: tuple[str, ...]


@cache
def lexicon() -> Mapping[str, Entry]:
    """Every word of the lexicon, in lower case."""
    text = files(__package__).joinpath("lexicon.txt").read_text(encoding="utf-8")
    return dict(pair for line in text.splitlines() if line and not line.startswith("#") for pair in _entries(line))


def find(word: str) -> Entry | None:
    """The word's entry, or that of the word it is an ordinary form of: `annoys`, `happily`, `enjoying`."""
    words = lexicon()
    return next((words[form] for form in _forms(word) if form in words), None)


def _entries(line: str) -> Iterator[tuple[str, Entry]]:
    marks, _, words = line.partition("|")
    weight, letters = marks.split()
    emotions = tuple(EMOTIONS[letter] for letter in letters if letter != "-")
    for word in words.split():
        yield word, Entry(float(weight), emotions)


# An ending, and what may have stood in its place.
_ENDINGS = (
    ("'s", ("",)),
    ("s", ("",)),
    ("es", ("",)),
    ("ies", ("y",)),
    ("ed", ("", "e")),
    ("ied", ("y",)),
    ("ing", ("", "e")),
    ("ly", ("", "le")),
    ("ily", ("y",)),
    ("ness", ("",)),
    ("iness", ("y",)),
    ("est", ("", "e")),
    ("iest", ("y",)),
    ("er", ("", "e")),
    ("ier", ("y",)),
)


def _forms(word: str) -> Iterator[str]:
    yield word
    for ending, before in _ENDINGS:
        stem = word.removesuffix(ending)
        if len(stem) >= 3 and stem != word:
            yield from (stem + letters for letters in before)
