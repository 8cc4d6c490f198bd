"""The tone of a text by the lexicon: the same text gives the same answer, at no cost and within a millisecond or so.

Each word of feeling weighs what the lexicon says, turned by what stands before it:

* a negation among the three words before it turns its weight to the other side, at three quarters (*not good* is bad,
  but less than *bad* is), and takes away its emotions; *but*, *however* and *although* end a negation's reach;
* an intensifier right before it (*very*, *extremely*) or a diminisher (*slightly*, *barely*) makes it more or less;
* capitals among ordinary words make it a quarter more, and exclamation marks add a little to the whole;
* what follows *but* or *however* counts half as much again as what came before.

`compound` is the sum, brought between -1 and 1 by x / sqrt(x² + 15) (as VADER does it; Hutto and Gilbert, 2014).
From 0.05 upward a text is positive, from -0.05 downward negative. English only; irony is beyond it.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from pulse.prompts.templates.sentiment.lexicon import EMOTIONS, Entry, find

Label = Literal["positive", "negative", "neutral"]
LABELS: tuple[Label, ...] = ("positive", "negative", "neutral")
THRESHOLD = 0.05
MAX_TEXT = 100_000
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_NEGATIONS = frozenset(
    (
        *(
            "not",
            "no",
            "never",
            "none",
            "nobody",
            "nothing",
            "neither",
            "nor",
            "nowhere",
            "without",
            "hardly",
            "cannot",
        ),
        *("isnt", "arent", "wasnt", "werent", "dont", "doesnt", "didnt", "wont", "wouldnt", "shouldnt", "couldnt"),
        *("cant", "hasnt", "havent", "hadnt", "aint", "lacks"),
    )
)
_TURNS = frozenset(("but", "however", "although", "though", "yet"))
_MORE = {
    **dict.fromkeys(("very", "really", "so", "quite", "truly", "deeply", "highly", "particularly", "especially"), 1.3),
    **dict.fromkeys(("extremely", "incredibly", "absolutely", "completely", "totally", "utterly", "insanely"), 1.6),
    **dict.fromkeys(("most", "super", "hugely", "immensely", "exceptionally", "remarkably"), 1.5),
    **dict.fromkeys(("slightly", "somewhat", "mildly", "barely", "marginally", "little", "bit"), 0.5),
    **dict.fromkeys(("fairly", "rather", "pretty", "kinda", "partly", "almost"), 0.8),
}
_REACH = 3
_TURNED = -0.75
_CAPITALS = 1.25
_AFTER_TURN = 1.5
_SHARE_OF_NEUTRAL = 0.6


@dataclass(frozen=True)
class Sentiment:
    """How a text sounds. `compound` is from -1 (bad) to 1 (good); the shares of `positive`, `negative` and `neutral`
    words add up to 1, as do those of `emotions` where there are any. `profile` is one word for the whole.
    """

    label: Label
    compound: float
    positive: float
    negative: float
    neutral: float
    emotions: Mapping[str, float] = field(default_factory=dict)
    profile: str = "neutral"


@dataclass(frozen=True)
class _Felt:
    """A word of feeling with its weight in this place."""

    weight: float
    emotions: tuple[str, ...]


def tone_of(text: str) -> Sentiment:
    """The tone of the first MAX_TEXT characters of a text."""
    text = text[:MAX_TEXT]
    words = _WORD.findall(text)
    felt = _felt(words)
    return _summed(felt, len(words), text.count("!"))


def label_of(compound: float) -> Label:
    if abs(compound) < THRESHOLD:
        return "neutral"
    return "positive" if compound > 0 else "negative"


def profile_of(label: Label, compound: float, emotions: Mapping[str, float]) -> str:
    """One word for a tone: by the strongest emotion where one stands out, or else by the label."""
    strongest = max(EMOTIONS.values(), key=lambda name: emotions.get(name, 0.0))
    if emotions.get(strongest, 0.0) < 0.4:
        return label
    named = {
        "anger": "aggressive" if compound <= -0.5 else "irritated",
        "fear": "anxious",
        "sadness": "sad",
        "joy": "enthusiastic" if compound >= 0.6 else "friendly",
        "trust": "reassuring",
    }
    fits = (strongest in ("joy", "trust")) is (label == "positive")
    return named[strongest] if fits and label != "neutral" else label


def _felt(words: Sequence[str]) -> list[_Felt]:
    plain = [word.lower().replace("’", "'") for word in words]
    shouting = sum(word.isupper() and len(word) > 1 for word in words) > len(words) / 2
    felt: list[_Felt] = []
    last_turn = max((at for at, word in enumerate(plain) if word in ("but", "however")), default=-1)
    for at, word in enumerate(plain):
        entry = find(word)
        if entry is None or word in _MORE or word in _NEGATIONS:
            continue
        factor = _intensity(plain, at) * (_AFTER_TURN if -1 < last_turn < at else 1.0)
        if words[at].isupper() and len(word) > 1 and not shouting:
            factor *= _CAPITALS
        felt.append(_placed(entry, factor, negated=_is_negated(plain, at)))
    return felt


def _placed(entry: Entry, factor: float, *, negated: bool) -> _Felt:
    if negated:
        return _Felt(entry.weight * factor * _TURNED, ())
    return _Felt(entry.weight * factor, entry.emotions)


def _intensity(words: Sequence[str], at: int) -> float:
    before = words[at - 1] if at else ""
    # "a bit slow", "a little late"
    return _MORE.get(before, 1.0)


def _is_negated(words: Sequence[str], at: int) -> bool:
    before = words[max(0, at - _REACH) : at]
    for word in reversed(before):
        if word in _TURNS:
            return False
        if word.replace("'", "") in _NEGATIONS:
            return not (word == "never" and {"so", "this"} & set(before))
    return False


def _summed(felt: Sequence[_Felt], words: int, exclamations: int) -> Sentiment:
    total = sum(each.weight for each in felt)
    total += math.copysign(min(exclamations, 4) * 0.3, total) if total else 0.0
    compound = round(total / math.sqrt(total * total + 15), 4)
    label = label_of(compound)
    emotions = _emotions(felt)
    positive, negative, neutral = _shares(felt, words)
    return Sentiment(
        label=label,
        compound=compound,
        positive=positive,
        negative=negative,
        neutral=neutral,
        emotions=emotions,
        profile=profile_of(label, compound, emotions),
    )


def _shares(felt: Sequence[_Felt], words: int) -> tuple[float, float, float]:
    good = sum(each.weight for each in felt if each.weight > 0)
    bad = -sum(each.weight for each in felt if each.weight < 0)
    rest = (words - len(felt)) * _SHARE_OF_NEUTRAL
    whole = good + bad + rest
    if not whole:
        return 0.0, 0.0, 1.0
    positive, negative = round(good / whole, 4), round(bad / whole, 4)
    return positive, negative, round(1 - positive - negative, 4)


def _emotions(felt: Sequence[_Felt]) -> dict[str, float]:
    sums = dict.fromkeys(EMOTIONS.values(), 0.0)
    for each in felt:
        for name in each.emotions:
            sums[name] += abs(each.weight) / len(each.emotions)
    whole = sum(sums.values())
    return {name: round(amount / whole, 4) for name, amount in sums.items()} if whole else sums
