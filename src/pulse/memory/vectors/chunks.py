"""How a text is cut: at paragraphs where that can be, else at sentences, else between words."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

LONGEST = 1_200
OVERLAP = 150
# From the best place to end a chunk to the worst. Each match ends where a chunk may end.
_ENDS = (
    re.compile(r"\n[ \t]*\n\s*"),
    re.compile(r"[.!?…][\"')\]»”’]*\s+|[。！？]+|\n"),
    re.compile(r"[;:,]\s+|[、，；]"),
    re.compile(r"\s+"),
)
_WORD = re.compile(r"(?<=\s)\S")


@dataclass(frozen=True)
class Chunk:
    """A piece of a text, just as it stands there from `start` on."""

    start: int
    text: str


def split(text: str, *, longest: int = LONGEST, overlap: int = OVERLAP) -> Iterator[Chunk]:
    """The text in chunks of at most `longest` characters. Each begins within the last `overlap` characters of the one
    before, at a word if it can, or right after it: joined without what they share, they are the text again.
    """
    if not 0 <= overlap < longest:
        raise ValueError("chunks overlap by less than their length")
    start = end = 0
    while end < len(text):
        end = _end(text, start, longest, end)
        yield Chunk(start, text[start:end])
        start = _next_start(text, start, end, overlap)


def _end(text: str, start: int, longest: int, after: int) -> int:
    """Where the chunk from `start` ends; always beyond `after`, where the one before ended."""
    last = start + longest
    if last >= len(text):
        return len(text)
    # Half full at least, so that a heading does not stand alone.
    earliest = max(after, start + longest // 2)
    for ends in _ENDS:
        places = [found.end() for found in ends.finditer(text, earliest, last) if found.end() > earliest]
        if places:
            return places[-1]
    return last


def _next_start(text: str, start: int, end: int, overlap: int) -> int:
    if overlap == 0 or end >= len(text):
        return end
    earliest = max(start + 1, end - overlap)
    word = _WORD.search(text, earliest, end)
    return word.start() if word is not None else end if text[end - 1].isspace() else earliest
