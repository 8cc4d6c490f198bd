"""What a regular expression is made of: the tree that `parsing.py` reads and `automaton.py` runs."""

from dataclasses import dataclass
from typing import Literal

LINE_ENDS = "\n\r\u2028\u2029"
Ranges = tuple[tuple[str, str], ...]
AnchorKind = Literal["start", "end", "word", "not_word"]


@dataclass(frozen=True)
class Chars:
    """One character out of a set, or (`negated`) none of them. With `folded`, upper and lower case are the same."""

    ranges: Ranges
    negated: bool = False
    folded: bool = False

    def has(self, char: str) -> bool:
        forms = {char, char.lower(), char.upper()} if self.folded else {char}
        found = any(first <= form <= last for form in forms if len(form) == 1 for first, last in self.ranges)
        return found is not self.negated


@dataclass(frozen=True)
class Anchor:
    """A place between characters; `lines`: line ends count as ends of the text."""

    kind: AnchorKind
    lines: bool = False


@dataclass(frozen=True)
class Sequence:
    parts: "tuple[Node, ...]"


@dataclass(frozen=True)
class Choice:
    ways: "tuple[Node, ...]"


@dataclass(frozen=True)
class Repeat:
    """`part`, from `least` to `most` times (None: without end)."""

    part: "Node"
    least: int
    most: int | None


Node = Chars | Anchor | Sequence | Choice | Repeat


def is_word(char: str) -> bool:
    return char.isascii() and (char.isalnum() or char == "_")
