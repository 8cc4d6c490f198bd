"""Words as full-text search knows them: folded here, so that both databases find the same, and scored here, so that
one organization's scores tell nothing of another's texts.
"""

import math
import re
import unicodedata
from collections.abc import Hashable, Mapping, Sequence
from typing import TypeVar

K = TypeVar("K", bound=Hashable)
MAX_TERMS = 32
_SATURATION = 1.2
# Chinese and Japanese have no spaces between words: each character counts as one.
_ALONE = "\u2e80-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_WORD = re.compile(rf"[{_ALONE}]|[^\W_{_ALONE}]+")
_QUERY = re.compile(r'"([^"]*)"|([^"]+)')


def folded(text: str) -> str:
    """The text's words, without case, accents and everything between them, one space apart."""
    # Twice, since each may leave the other something to do.
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text.casefold()).casefold())
    return " ".join(_WORD.findall("".join(letter for letter in plain if not unicodedata.combining(letter))))


def terms_of(query: str) -> list[str]:
    """What a query asks for: its words, and its phrases in double quotes, each once, the first 32 of them."""
    terms: dict[str, None] = {}
    for phrase, rest in _QUERY.findall(query):
        for term in [folded(phrase)] if phrase else folded(rest).split():
            terms.setdefault(term)
    return [term for term in terms if term][:MAX_TERMS]


def scores(terms: Sequence[str], texts: Mapping[K, str]) -> dict[K, float]:
    """How much of the terms each folded text has, from 0 to 1; a term that few of the texts have counts for more."""
    counts = {key: [_count(term, text) for term in terms] for key, text in texts.items()}
    having = [sum(1 for row in counts.values() if row[place]) for place in range(len(terms))]
    weights = [math.log(1 + (len(texts) - n + 0.5) / (n + 0.5)) for n in having]
    whole = sum(weights) or 1.0
    return {key: sum(map(_share, row, weights)) / whole for key, row in counts.items()}


def _count(term: str, text: str) -> int:
    # A space between two words ends one and begins the next.
    return f" {text.replace(' ', '  ')} ".count(f" {term.replace(' ', '  ')} ")


def _share(count: int, weight: float) -> float:
    return weight * count / (count + _SATURATION - 1) if count else 0.0
