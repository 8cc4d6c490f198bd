"""How texts are cut: nothing is lost, nothing is too long, and the cuts are where a reader would make them."""

from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pulse.memory.vectors.chunks import LONGEST, OVERLAP, Chunk, split

TEXTS = st.text(st.sampled_from("ab \n.!?,;。é"), max_size=400) | st.text(max_size=200)


@given(TEXTS, st.integers(1, 60), st.integers(0, 59))
@example("a" * 100, 10, 9)
@example("\n\n" * 50, 7, 6)
@example(";;;;。;;;", 7, 6)
def test_no_character_is_lost_or_out_of_place(text: str, longest: int, overlap: int) -> None:
    overlap = min(overlap, longest - 1)
    chunks = list(split(text, longest=longest, overlap=overlap))
    joined = ""
    for chunk in chunks:
        assert 1 <= len(chunk.text) <= longest
        assert text[chunk.start : chunk.start + len(chunk.text)] == chunk.text
        assert len(joined) - overlap <= chunk.start <= len(joined)
        assert chunk.start + len(chunk.text) > len(joined)
        joined = text[: chunk.start] + chunk.text
    assert joined == text


def test_a_short_text_is_one_chunk() -> None:
    assert list(split("Hello, Ada.")) == [Chunk(0, "Hello, Ada.")]
    assert list(split("x" * LONGEST)) == [Chunk(0, "x" * LONGEST)]
    assert list(split("")) == []


def test_paragraphs_come_before_sentences_and_sentences_before_words() -> None:
    text = "One two three. Four five six.\n\nSeven eight. Nine ten eleven twelve"
    assert [chunk.text for chunk in split(text, longest=40, overlap=0)] == [
        "One two three. Four five six.\n\n",
        "Seven eight. Nine ten eleven twelve",
    ]
    assert [chunk.text for chunk in split(text, longest=20, overlap=0)] == [
        "One two three. ",
        "Four five six.\n\n",
        "Seven eight. ",
        "Nine ten eleven ",
        "twelve",
    ]


def test_chunks_share_whole_words() -> None:
    text = " ".join(f"word{n}" for n in range(40))
    chunks = list(split(text, longest=60, overlap=20))
    for one, other in pairwise(chunks):
        shared = text[other.start : one.start + len(one.text)]
        assert 0 < len(shared) <= 20
        assert shared.startswith("word")


def test_a_text_without_any_place_to_cut_is_cut_all_the_same() -> None:
    chunks = list(split("x" * 3000))
    assert [chunk.start for chunk in chunks] == [0, LONGEST - OVERLAP, 2 * (LONGEST - OVERLAP)]


def test_an_overlap_as_long_as_a_chunk_makes_no_sense() -> None:
    for overlap in (10, -1):
        with pytest.raises(ValueError, match="overlap"):
            list(split("text", longest=10, overlap=overlap))
