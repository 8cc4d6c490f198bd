"""Regular expressions: the same answers as another engine's, in one pass, with no pattern that hangs."""

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pulse.prompts.templates.assertions import automaton
from pulse.prompts.templates.assertions.automaton import Pattern, TooMuchWork
from pulse.prompts.templates.assertions.parsing import MAX_PATTERN, InvalidPattern

LETTERS = st.sampled_from(["a", "b", "c", ".", r"\d", r"\w", r"\s", r"\W", "[ab]", "[^a]", r"[\d_-]", "[a-c]", r"\."])
ANCHORS = st.sampled_from([r"\b", r"\B", "^", "(?:)"])
QUANTIFIERS = st.sampled_from(["*", "+", "?", "{2}", "{1,2}", "{0,3}", "{2,}", "*?", "+?"])


def combined(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    group = inner.map("({})".format)
    return st.one_of(
        st.tuples(group, QUANTIFIERS).map("".join),
        st.lists(inner, min_size=2, max_size=3).map("".join),
        st.lists(inner, min_size=2, max_size=3).map(lambda ways: f"(?:{'|'.join(ways)})"),
    )


PATTERNS = st.recursive(LETTERS | ANCHORS | st.tuples(LETTERS, QUANTIFIERS).map("".join), combined, max_leaves=6)


@settings(max_examples=300, deadline=None)
@given(pattern=PATTERNS, text=st.text(alphabet="abc1_ -.\n", min_size=1, max_size=8), folded=st.booleans())
def test_it_finds_what_another_engine_finds(pattern: str, text: str, folded: bool) -> None:
    other = re.compile(pattern, re.ASCII | (re.IGNORECASE if folded else 0))
    assert Pattern(pattern, "i" if folded else "").is_in(text) is bool(other.search(text))


@pytest.mark.parametrize(
    ("pattern", "flags", "text", "found"),
    [
        ("", "", "", True),
        ("^$", "", "", True),
        ("^$", "", "x", False),
        ("b$", "", "b\n", False),  # JavaScript's end is the very end
        ("b$", "m", "b\nx", True),
        ("^x", "m", "b\u2028x", True),
        ("a.b", "", "a\nb", False),
        ("a.b", "s", "a\nb", True),
        ("ÄRGER", "i", "kein ärger", True),
        ("[^a]", "i", "A", False),
        (r"\u00e9\x41\u{1F600}", "", "éA😀", True),
        (r"\t\n\r\f\v\0", "", "\t\n\r\f\v\0", True),
        (r"[\b]", "", "\b", True),
        (r"[\]\\^-]", "", "^", True),
        ("[a-]", "", "-", True),
        ("[-a]", "", "-", True),
        (r"[^\d\s]", "", "12 3", False),
        (r"[\D]", "", "1", False),
        (r"[^\W]", "", "-", False),
        (r"\s", "", "\u3000", True),
        (r"\d", "", "٣", False),
        (r'{"ok": *true}', "", '{"ok":  true}', True),
        ("a{,2}", "", "a{,2}", True),
        ("a{2", "", "a{2", True),
        ("x{3}", "g", "xx", False),
        (r"(?<year>\d{4})-\d{2}", "u", "on 2026-11", True),
        ("a|", "", "zzz", True),
        ("(a*)*b", "", "aaab", True),
        ("(|a)+$", "", "b", True),
        (".", "", "😀", True),
        ("^.$", "", "😀", True),
        (r"\$\(\)", "", "$()", True),
        ("[]", "", "x", False),
        ("[^]", "", "\n", True),
    ],
)
def test_the_syntax_is_javascripts(pattern: str, flags: str, text: str, found: bool) -> None:
    assert Pattern(pattern, flags).is_in(text) is found


@pytest.mark.parametrize(
    ("pattern", "words", "position"),
    [
        ("(", "not closed", 1),
        ("a)", "without an opening one", 1),
        ("[a", "an end", 2),
        ("a\\", "an end", 2),
        ("*a", "nothing to repeat", 1),
        ("a**", "nothing to repeat", 3),
        ("^*", "nothing to repeat", 2),
        ("(?=a)", "look-around", 2),
        ("(?!a)", "look-around", 2),
        ("(?<=a)", "look-around", 3),
        ("(?<!a)", "look-around", 3),
        (r"(a)\1", "backreference", 5),
        (r"\k<a>", "backreference", 2),
        (r"\p{L}", r"\p", 2),
        (r"\00", "octal", 2),
        (r"\xZZ", "character's number", 2),
        (r"\u{110000}", "character's number", 3),
        (r"\u{}", "character's number", 3),
        ("[b-a]", "range", 4),
        (r"[a-\d]", "range", 5),
        ("a{2,1}", "wrong way round", 6),
        ("a{1001}", "1,000 repetitions", 7),
        ("a{99999999}", "1,000 repetitions", 11),
        ("(" * 51 + ")" * 51, "50 deep", 51),
    ],
)
def test_what_cannot_be_used_is_refused_with_its_place(pattern: str, words: str, position: int) -> None:
    with pytest.raises(InvalidPattern) as refused:
        Pattern(pattern)
    assert words in refused.value.message
    assert refused.value.details["position"] == position


def test_a_pattern_has_a_limited_size() -> None:
    for pattern in ("a" * (MAX_PATTERN + 1), "((a{100}){100}){100}", "(a{1000}){6}"):
        with pytest.raises(InvalidPattern):
            Pattern(pattern)
    with pytest.raises(InvalidPattern, match="flags"):
        Pattern("a", "x")


@pytest.mark.parametrize("pattern", ["(a+)+$", "^(a|a)*$", "^(a|aa)+$", "(.*)*x", ".*.*.*.*x", "([a-z]+)*[0-9]"])
def test_what_makes_other_engines_hang_is_over_soon(pattern: str) -> None:
    started = time.process_time()
    assert Pattern(pattern).is_in("a" * 50_000 + "!") is False
    assert time.process_time() - started < 2


def test_the_work_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(automaton, "MAX_WORK", 5_000)
    text = "".join("ab"[number * number % 7 % 2] for number in range(5_000))
    with pytest.raises(TooMuchWork):
        Pattern("a.{300}c").is_in(text)


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(automaton, "MAX_REMEMBERED", 5)
    assert Pattern(r"(\w+) is (a|the) \w{2,9}$").is_in("what is more: this is the answer")
