"""Server-sent events, cut wherever they may be."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pulse.models.wire.sse import Event, InvalidStream, Reader, events

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=20)
ENDINGS = st.sampled_from(["\n", "\r\n", "\r"])


def read(*chunks: bytes) -> list[Event]:
    reader = Reader()
    return [event for chunk in chunks for event in reader.feed(chunk)]


@st.composite
def streams(draw: st.DrawFn) -> tuple[bytes, list[Event]]:
    """The bytes of some events, with comments and fields of no account between, and the events."""
    end = draw(ENDINGS)
    expected, lines = [], []
    for kind, data in draw(
        st.lists(st.tuples(st.sampled_from(["", "ping", "message_stop"]), st.lists(TEXT, min_size=1)))
    ):
        lines += [f": {draw(TEXT)}", f"event: {kind}", "id: 7", *[f"data: {line}" for line in data], "retry: 10", ""]
        expected.append(Event(kind or "message", "\n".join(data)))
    return "".join(f"{line}{end}" for line in lines).encode(), expected


@given(streams(), st.lists(st.integers(0, 2000)), st.booleans())
def test_events_are_the_same_however_they_are_cut(
    stream: tuple[bytes, list[Event]], cuts: list[int], marked: bool
) -> None:
    raw = b"\xef\xbb\xbf" * marked + stream[0]
    places = sorted({0, len(raw), *[cut % (len(raw) + 1) for cut in cuts]})
    chunks = [raw[start:end] for start, end in pairwise(places)]
    assert read(*chunks) == stream[1]


@settings(max_examples=40)
@given(streams())
def test_events_are_the_same_byte_by_byte(stream: tuple[bytes, list[Event]]) -> None:
    assert read(*[bytes([byte]) for byte in stream[0]]) == stream[1]


@given(st.lists(st.binary(max_size=40)))
def test_any_bytes_are_events_or_refused(chunks: list[bytes]) -> None:
    try:
        assert all(isinstance(event, Event) for event in read(*chunks))
    except InvalidStream:
        assert not _is_utf_8(b"".join(chunks))


def _is_utf_8(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        pytest.param(b"data: one\n\ndata: two\n\n", [("message", "one"), ("message", "two")], id="two"),
        pytest.param(b"data:one\n\n", [("message", "one")], id="no-space"),
        pytest.param(b"data:  one\n\n", [("message", " one")], id="one-space-only-is-dropped"),
        pytest.param(b"data\n\n", [("message", "")], id="a-field-without-a-colon"),
        pytest.param(b"data: a\ndata: b\n\n", [("message", "a\nb")], id="several-lines"),
        pytest.param(b"data: a: b\n\n", [("message", "a: b")], id="a-colon-in-the-data"),
        pytest.param(b"event: x\n\ndata: a\n\n", [("message", "a")], id="a-type-without-data-is-forgotten"),
        pytest.param(b"event: x\ndata: a\n\ndata: b\n\n", [("x", "a"), ("message", "b")], id="a-type-holds-for-one"),
        pytest.param(b": keep-alive\n\n", [], id="a-comment"),
        pytest.param(b"DATA: a\nfoo: b\n\n", [], id="unknown-fields"),
        pytest.param(b"data: a\n", [], id="not-ended"),
        pytest.param(b"data: a\r\r", [("message", "a")], id="carriage-returns"),
        pytest.param(b"data: a\r\n\r\n", [("message", "a")], id="both"),
        pytest.param("data: a\u2028b\n\n".encode(), [("message", "a\u2028b")], id="other-separators-end-no-line"),
        pytest.param(b"\xef\xbb\xbfdata: a\n\n", [("message", "a")], id="a-mark-at-the-start"),
        pytest.param(b"data: \xef\xbb\xbf\n\n", [("message", "\ufeff")], id="a-mark-elsewhere-is-text"),
    ],
)
def test_a_stream_is_read_as_the_standard_says(raw: bytes, expected: list[tuple[str, str]]) -> None:
    assert read(raw) == [Event(kind, data) for kind, data in expected]


@pytest.mark.parametrize("raw", [b"data: \xff\n\n", b"\xc3("])
def test_bytes_that_are_no_text_are_refused(raw: bytes) -> None:
    with pytest.raises(InvalidStream, match="UTF-8"):
        read(raw)


@pytest.mark.parametrize(
    "chunk", [b"x" * 10, b"data: x\n", b"data: 0123456789\n"], ids=["a-line", "lines", "long-lines"]
)
def test_an_event_without_end_is_refused(chunk: bytes) -> None:
    reader = Reader(max_chars=1000)
    with pytest.raises(InvalidStream, match="too long"):
        for _ in range(2000):
            reader.feed(chunk)


def test_many_events_in_one_chunk_are_not_one_long_event() -> None:
    assert len(Reader(max_chars=100).feed(b"data: x\n\n" * 1000)) == 1000


async def test_a_body_is_read_to_its_end() -> None:
    async def body() -> object:
        yield b"data: a\n"
        yield b"\ndata: b\n\nda"

    assert [event.data async for event in events(body())] == ["a", "b"]  # type: ignore[arg-type]
