"""What has changed between two versions of a template, as a unified diff."""

import difflib
from collections import Counter
from collections.abc import Iterator

from pulse.prompts.templates.records import TemplateVersion

MAX_LINES = 5_000
MAX_PAIRS = 500_000


def unified_diff(before: TemplateVersion, after: TemplateVersion) -> str:
    """The diff of their texts, system prompts and models, part by part; empty where nothing differs.

    Of texts that are too large to be compared line by line, all is shown as changed.
    """
    return "".join(part for name in ("configuration_id", "system", "text") for part in _part(name, before, after))


def _part(name: str, before: TemplateVersion, after: TemplateVersion) -> Iterator[str]:
    old, new = (_lines(getattr(each, name) or "") for each in (before, after))
    label = "model" if name == "configuration_id" else name
    titles = (f"{label} (version {before.version})", f"{label} (version {after.version})")
    compare = difflib.unified_diff if _is_easy(old, new) else _all
    for line in compare(old, new, *titles):
        yield line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"


def _is_easy(old: list[str], new: list[str]) -> bool:
    """Whether comparing takes less than a second or so: it grows with the pairs of equal lines."""
    if max(len(old), len(new)) > MAX_LINES:
        return False
    counts = Counter(old)
    return sum(counts[line] for line in new) <= MAX_PAIRS


def _all(old: list[str], new: list[str], before: str, after: str) -> Iterator[str]:
    """A diff that takes all of the old away and puts all of the new there."""
    if old == new:
        return
    yield from (f"--- {before}\n", f"+++ {after}\n", f"@@ -{_range(old)} +{_range(new)} @@\n")
    yield from (f"-{line}" for line in old)
    yield from (f"+{line}" for line in new)


def _range(lines: list[str]) -> str:
    return f"1,{len(lines)}" if lines else "0,0"


def _lines(text: str) -> list[str]:
    """The lines as they are in the text, cut at line feeds only."""
    cut = text.split("\n")
    ended = [f"{line}\n" for line in cut[:-1]]
    return [*ended, cut[-1]] if cut[-1] else ended
