"""Finds whether a pattern matches somewhere in a text, in one pass over it (Thompson, 1968).

A pattern becomes a program of small instructions. The matcher walks over the text once and keeps the set of
instructions it could be at, so that no pattern costs more than (length of the text) x (size of the program); steps
that were taken before are remembered. There is a bound on the work all the same: who passes it gets an error, not a
wrong answer.
"""

from dataclasses import dataclass
from typing import Literal

from pulse.core.errors import InvalidInput
from pulse.prompts.templates.assertions.parsing import InvalidPattern, parse
from pulse.prompts.templates.assertions.patterns import (
    LINE_ENDS,
    Anchor,
    Chars,
    Choice,
    Node,
    Repeat,
    Sequence,
    is_word,
)

MAX_PROGRAM = 5_000
MAX_WORK = 1_000_000
MAX_REMEMBERED = 20_000
# What stood before a place: nothing, a line end, a character of a word, another one.
Before = Literal["start", "line", "word", "other"]


class TooMuchWork(InvalidInput):
    """Looking for this regular expression takes too long: make it or the text shorter."""

    code = "pattern_too_costly"


@dataclass(frozen=True)
class _Fork:
    """Goes on at each of these."""

    to: tuple[int, ...]


class Effort:
    """How much work may still be spent, on one text or on several."""

    def __init__(self) -> None:
        self._left = MAX_WORK

    def spend(self, amount: int) -> None:
        """Raises TooMuchWork."""
        self._left -= amount
        if self._left < 0:
            raise TooMuchWork


Instruction = Chars | Anchor | _Fork | None


class Pattern:
    """A regular expression, ready to be looked for."""

    def __init__(self, pattern: str, flags: str = "") -> None:
        """Raises InvalidPattern."""
        # Each instruction goes on at the next one, but for forks; None is the end.
        self._program: list[Instruction] = []
        self._emit(parse(pattern, flags))
        self._add(None)

    def is_in(self, text: str, effort: Effort | None = None) -> bool:
        """Whether it matches anywhere in the text. Raises TooMuchWork."""
        effort = effort or Effort()
        steps: dict[tuple[frozenset[int], Before, str], frozenset[int] | None] = {}
        before = _START
        current = frozenset((0,))
        for char in (*text, ""):
            key = (current, before, char)
            if key not in steps:
                if len(steps) >= MAX_REMEMBERED:
                    steps.clear()
                effort.spend(1 + len(current) + len(self._program) // 8)
                steps[key] = self._step(current, before, char)
            after = steps[key]
            if after is None:
                return True
            current, before = after, _kind(char)
        return False

    def _step(self, current: frozenset[int], before: Before, char: str) -> frozenset[int] | None:
        """Where it can be after the character, or None where a match ends before it. "" is the end of the text."""
        # A match may begin at any character.
        following = {0}
        pending, seen = list(current), set(current)
        while pending:
            at = pending.pop()
            instruction = self._program[at]
            if instruction is None:
                return None
            if isinstance(instruction, Chars):
                if char and instruction.has(char):
                    following.add(at + 1)
                continue
            for to in _leads_to(instruction, at, before, char):
                if to not in seen:
                    seen.add(to)
                    pending.append(to)
        return frozenset(following)

    # ---- making the program ----------------------------------------------------------------------------------

    def _emit(self, node: Node) -> None:
        if isinstance(node, Sequence):
            for part in node.parts:
                self._emit(part)
        elif isinstance(node, Choice):
            self._emit_choice(node)
        elif isinstance(node, Repeat):
            self._emit_repeat(node)
        else:
            self._add(node)

    def _emit_choice(self, node: Choice) -> None:
        fork = self._add(None)
        starts: list[int] = []
        ends: list[int] = []
        for way in node.ways:
            starts.append(len(self._program))
            self._emit(way)
            ends.append(self._add(None))
        self._program[fork] = _Fork(tuple(starts))
        for end in ends:
            self._program[end] = _Fork((len(self._program),))

    def _emit_repeat(self, node: Repeat) -> None:
        for _ in range(node.least):
            self._emit(node.part)
        if node.most is None:
            fork = self._add(None)
            self._emit(node.part)
            self._add(_Fork((fork,)))
            self._program[fork] = _Fork((fork + 1, len(self._program)))
            return
        forks: list[int] = []
        for _ in range(node.most - node.least):
            forks.append(self._add(None))
            self._emit(node.part)
        for fork in forks:
            self._program[fork] = _Fork((fork + 1, len(self._program)))

    def _add(self, instruction: Instruction) -> int:
        if len(self._program) >= MAX_PROGRAM:
            raise InvalidPattern("The regular expression is too large once its repetitions are written out.")
        self._program.append(instruction)
        return len(self._program) - 1


_START: Before = "start"


def _kind(char: str) -> Before:
    if is_word(char):
        return "word"
    return "line" if char and char in LINE_ENDS else "other"


def _leads_to(instruction: Anchor | _Fork, at: int, before: Before, char: str) -> tuple[int, ...]:
    if isinstance(instruction, _Fork):
        return instruction.to
    return (at + 1,) if _holds(instruction, before, char) else ()


def _holds(anchor: Anchor, before: Before, char: str) -> bool:
    """Whether the anchor holds between what was before and the character after ("" at the end)."""
    if anchor.kind == "start":
        return before == "start" or (anchor.lines and before == "line")
    if anchor.kind == "end":
        return not char or (anchor.lines and char in LINE_ENDS)
    at_edge = (before == "word") is not is_word(char)
    return at_edge is (anchor.kind == "word")
