"""Differences between versions: what `patch` would take, nothing where nothing differs, and soon there in any case."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulse.prompts.templates import comparison
from pulse.prompts.templates.comparison import unified_diff
from pulse.prompts.templates.records import TemplateVersion

TEXTS = st.lists(st.sampled_from(["a", "b", "", " c", "-d", "+e", "x\ry", "\u2028"]), max_size=8).map("\n".join)


def version(number: int, text: str, system: str | None = None, model: str | None = None) -> TemplateVersion:
    return TemplateVersion("tpl_1", number, "Reply", model, system, text, 0)


def patched(old: str, diff: str) -> str:
    """The new text, by the rules of a unified diff: an independent reader of the format."""
    before = old.split("\n")
    after: list[str] = []
    at = 0
    for line in diff.split("\n")[2:-1]:
        if line.startswith("@@"):
            start, count = (*line.split()[1][1:].split(","), "1")[:2]
            first = int(start) - 1 if int(count) else int(start)
            after += before[at:first]
            at = first
        elif line[0] == "+":
            after.append(line[1:])
        elif line[0] in " -":
            assert before[at] == line[1:]
            after += [] if line[0] == "-" else [line[1:]]
            at += 1
        else:
            assert line == "\\ No newline at end of file"
    return "\n".join(after + before[at:])


@given(old=TEXTS, new=TEXTS)
def test_a_diff_makes_the_new_text_of_the_old_one(old: str, new: str) -> None:
    diff = unified_diff(version(1, old + "\nend"), version(2, new + "\nend"))
    assert (not diff) is (old == new)
    assert not diff or patched(old + "\nend", diff) == new + "\nend"


def test_system_prompt_and_model_are_parts_of_their_own() -> None:
    diff = unified_diff(version(3, "same\n", "Be brief.\n", "mcf_1"), version(4, "same\n", None, "mcf_2"))
    assert diff == (
        "--- model (version 3)\n+++ model (version 4)\n@@ -1 +1 @@\n"
        "-mcf_1\n\\ No newline at end of file\n+mcf_2\n\\ No newline at end of file\n"
        "--- system (version 3)\n+++ system (version 4)\n@@ -1 +0,0 @@\n-Be brief.\n"
    )


def test_what_is_too_large_to_compare_is_changed_as_a_whole() -> None:
    old = "".join(f"{number % 150}\n" for number in range(60_000))
    new = "".join(f"{number * 7 % 150}\n" for number in range(60_000))
    started = time.process_time()
    diff = unified_diff(version(1, old), version(2, new))
    assert time.process_time() - started < 2
    assert diff.splitlines()[2] == "@@ -1,60000 +1,60000 @@"
    assert (diff.count("\n-"), diff.count("\n+")) == (60_000, 60_001)
    assert not unified_diff(version(1, old), version(2, old))


def test_a_whole_change_is_a_diff_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparison, "MAX_PAIRS", 0)
    diff = unified_diff(version(1, "a\nb\nend"), version(2, "b\nc\nend"))
    assert patched("a\nb\nend", diff) == "b\nc\nend"


def test_many_lines_at_once_are_a_whole_change(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparison, "MAX_LINES", 1)
    diff = unified_diff(version(1, "a", None), version(2, "a", "new\nsystem\n"))
    assert diff == "--- system (version 1)\n+++ system (version 2)\n@@ -0,0 +1,2 @@\n+new\n+system\n"
