"""Regular expressions that cannot be made to hang: JavaScript's syntax without what needs backtracking.

Taken are literals, `.`, classes, `\\d \\w \\s \\b` and their opposites, `\\t \\n \\r \\f \\v \\0 \\xHH \\uHHHH
\\u{H…}`, groups (capturing, named or not: all the same here), `|`, `* + ? {m,n}` (greedy or lazy: whether there is a
match does not depend on it), `^` and `$`, and the flags i, m, s (g and u are taken and change nothing). Refused, with
their place, are backreferences, look-around and `\\p{…}`. Characters are code points. `automaton.py` finds matches.
"""

from pulse.core.errors import InvalidInput
from pulse.prompts.templates.assertions.patterns import Anchor, Chars, Choice, Node, Ranges, Repeat, Sequence

MAX_PATTERN = 2_000
MAX_REPEAT = 1_000
MAX_GROUPS_DEEP = 50
FLAGS = frozenset("imsgu")


class InvalidPattern(InvalidInput):
    """This is no regular expression that can be used here."""

    code = "invalid_pattern"


def parse(pattern: str, flags: str = "") -> Node:
    """The tree of a pattern. Raises InvalidPattern, with `position` among its details."""
    if len(pattern) > MAX_PATTERN:
        raise InvalidPattern(f"A regular expression has at most {MAX_PATTERN:,} characters.", position=MAX_PATTERN)
    if not set(flags) <= FLAGS:
        raise InvalidPattern(f"The flags are some of i, m and s, not {flags[:20]!r}.", position=0)
    return _Parser(pattern, flags).whole()


_DIGITS: Ranges = (("0", "9"),)
_WORDS: Ranges = (("0", "9"), ("A", "Z"), ("_", "_"), ("a", "z"))
_SPACES: Ranges = (
    ("\t", "\r"),
    (" ", " "),
    ("\xa0", "\xa0"),
    ("\u1680", "\u1680"),
    ("\u2000", "\u200a"),
    ("\u2028", "\u2029"),
    ("\u202f", "\u202f"),
    ("\u205f", "\u205f"),
    ("\u3000", "\u3000"),
    ("\ufeff", "\ufeff"),
)
_KINDS = {"d": _DIGITS, "w": _WORDS, "s": _SPACES}
_CONTROLS = {"t": "\t", "n": "\n", "r": "\r", "f": "\f", "v": "\v", "0": "\0"}
_LINE_ENDS: Ranges = (("\n", "\n"), ("\r", "\r"), ("\u2028", "\u2029"))
_LAST = "\U0010ffff"


class _Parser:
    """Reads a pattern from left to right."""

    def __init__(self, pattern: str, flags: str) -> None:
        self._text = pattern
        self._at = 0
        self._deep = 0
        self._folded, self._lines, self._dot_all = "i" in flags, "m" in flags, "s" in flags

    def whole(self) -> Node:
        tree = self._choice()
        if self._at < len(self._text):
            raise self._wrong("a closing parenthesis without an opening one")
        return tree

    def _choice(self) -> Node:
        ways = [self._sequence()]
        while self._take("|"):
            ways.append(self._sequence())
        return ways[0] if len(ways) == 1 else Choice(tuple(ways))

    def _sequence(self) -> Node:
        parts: list[Node] = []
        while self._at < len(self._text) and self._text[self._at] not in "|)":
            parts.append(self._term())
        return parts[0] if len(parts) == 1 else Sequence(tuple(parts))

    def _term(self) -> Node:
        part = self._atom()
        bounds = self._quantifier()
        if bounds is None:
            return part
        if isinstance(part, Anchor):
            raise self._wrong("nothing to repeat")
        least, most = bounds
        if most is not None and least > most:
            raise self._wrong("the numbers of a repetition the wrong way round")
        if max(least, most or 0) > MAX_REPEAT:
            raise self._wrong(f"more than {MAX_REPEAT:,} repetitions")
        self._take("?")
        return Repeat(part, least, most)

    def _atom(self) -> Node:
        char = self._next()
        if char == "(":
            return self._group()
        if char == "[":
            return self._class()
        if char == "\\":
            return self._escape()
        if char in "*+?":
            raise self._wrong("nothing to repeat")
        if char == ".":
            return Chars((), negated=True) if self._dot_all else Chars(_LINE_ENDS, negated=True)
        if char in "^$":
            return Anchor("start" if char == "^" else "end", self._lines)
        return self._literal(char)

    def _group(self) -> Node:
        if self._take("?"):
            self._group_kind()
        self._deep += 1
        if self._deep > MAX_GROUPS_DEEP:
            raise self._wrong(f"groups more than {MAX_GROUPS_DEEP} deep")
        inside = self._choice()
        self._deep -= 1
        if not self._take(")"):
            raise self._wrong("a group that is not closed")
        return Sequence((inside,)) if isinstance(inside, Anchor) else inside

    def _group_kind(self) -> None:
        if self._take(":"):
            return
        named = self._text.find(">", self._at)
        name = self._text[self._at + 1 : named]
        if not self._take("<") or named < 0 or not name.isidentifier():
            raise self._wrong("look-around, which cannot be used here")
        self._at = named + 1

    def _quantifier(self) -> tuple[int, int | None] | None:
        simple = {"*": (0, None), "+": (1, None), "?": (0, 1)}
        char = self._text[self._at : self._at + 1]
        if char in simple:
            self._at += 1
            return simple[char]
        return self._counted() if char == "{" else None

    def _counted(self) -> tuple[int, int | None] | None:
        """`{2}`, `{2,}` or `{2,3}`; any other brace stands for itself."""
        end = self._text.find("}", self._at)
        least, comma, most = self._text[self._at + 1 : max(end, 0)].partition(",")
        if not _is_number(least) or (most and not _is_number(most)):
            return None
        self._at = end + 1
        if max(len(least), len(most)) > 6:
            raise self._wrong(f"more than {MAX_REPEAT:,} repetitions")
        return int(least), (int(most) if most else None) if comma else int(least)

    def _escape(self) -> Node:
        char = self._next()
        if char in "bB":
            return Anchor("word" if char == "b" else "not_word")
        kind = self._kind(char)
        return kind if kind is not None else self._literal(self._escaped(char))

    def _kind(self, char: str) -> Chars | None:
        ranges = _KINDS.get(char.lower())
        return None if ranges is None else Chars(ranges, negated=char.isupper())

    def _escaped(self, char: str) -> str:
        """The character that an escape stands for."""
        if char == "x":
            return self._hex(2)
        if char == "u":
            return self._braced() if self._take("{") else self._hex(4)
        if char == "0" and self._text[self._at : self._at + 1].isdigit():
            raise self._wrong("an octal number")
        if char in _CONTROLS:
            return _CONTROLS[char]
        if char.isascii() and char.isalnum():
            words = "a backreference" if char.isdigit() or char == "k" else f"\\{char}"
            raise self._wrong(f"{words}, which cannot be used here")
        return char

    def _hex(self, digits: int) -> str:
        found = self._text[self._at : self._at + digits]
        if len(found) < digits or any(digit not in "0123456789abcdefABCDEF" for digit in found):
            raise self._wrong("a character's number that is none")
        self._at += digits
        return chr(int(found, 16))

    def _braced(self) -> str:
        digits = self._text.find("}", self._at) - self._at
        if not 1 <= digits <= 6:
            raise self._wrong("a character's number that is none")
        number = self._text[self._at : self._at + digits]
        if any(digit not in "0123456789abcdefABCDEF" for digit in number) or int(number, 16) > ord(_LAST):
            raise self._wrong("a character's number that is none")
        self._at += digits + 1
        return chr(int(number, 16))

    def _class(self) -> Node:
        negated = self._take("^")
        ranges: list[tuple[str, str]] = []
        while not self._take("]"):
            first = self._class_item()
            if isinstance(first, Chars):
                ranges.extend(_as_ranges(first))
            elif self._is_range():
                self._at += 1
                ranges.append(self._range(first, self._class_item()))
            else:
                ranges.append((first, first))
        return Chars(tuple(ranges), negated, self._folded)

    def _is_range(self) -> bool:
        """Whether a hyphen stands here between two items; before the closing bracket it stands for itself."""
        return self._text[self._at : self._at + 1] == "-" and self._text[self._at + 1 : self._at + 2] not in ("]", "")

    def _range(self, first: str, last: str | Chars) -> tuple[str, str]:
        if isinstance(last, Chars) or first > last:
            raise self._wrong("a range that is none")
        return first, last

    def _class_item(self) -> str | Chars:
        char = self._next()
        if char != "\\":
            return char
        char = self._next()
        return "\b" if char == "b" else self._kind(char) or self._escaped(char)

    def _literal(self, char: str) -> Chars:
        return Chars(((char, char),), folded=self._folded)

    def _next(self) -> str:
        if self._at >= len(self._text):
            raise self._wrong("an end where something is missing")
        self._at += 1
        return self._text[self._at - 1]

    def _take(self, char: str) -> bool:
        found = self._text.startswith(char, self._at)
        self._at += len(char) if found else 0
        return found

    def _wrong(self, what: str) -> InvalidPattern:
        return InvalidPattern(f"The regular expression has {what} at character {self._at}.", position=self._at)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _as_ranges(chars: Chars) -> Ranges:
    """A set as ranges, its opposite worked out."""
    if not chars.negated:
        return chars.ranges
    found, start = [], 0
    for first, last in chars.ranges:
        if start < ord(first):
            found.append((chr(start), chr(ord(first) - 1)))
        start = ord(last) + 1
    return (*found, (chr(start), _LAST))
