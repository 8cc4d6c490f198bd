"""Server-sent events as the HTML standard reads them (section 9.2.6): any line ending, any cut between two chunks.

It is strict where the standard leaves room for harm: bytes that are no UTF-8 end the stream, and so does an event that
never ends.
"""

import codecs
import re
from collections.abc import AsyncGenerator, AsyncIterable
from dataclasses import dataclass

MAX_EVENT_CHARS = 16 * 1024 * 1024
_ENDING = re.compile(r"\r\n|\r|\n")


class InvalidStream(ValueError):
    """That is no stream of events."""


@dataclass(frozen=True)
class Event:
    """One event: its type (`message` where none is given) and its data, several lines joined by line feeds."""

    event: str
    data: str


class Reader:
    """Makes events of bytes as they come. What was begun when the bytes end is no event."""

    def __init__(self, max_chars: int = MAX_EVENT_CHARS) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._max_chars = max_chars
        self._started = False
        self._after_return = False
        self._line: list[str] = []
        self._event = ""
        self._data: list[str] = []
        self._size = 0

    def feed(self, chunk: bytes) -> list[Event]:
        """The events that end in this chunk. Raises InvalidStream."""
        *lines, rest = _ENDING.split(self._decoded(chunk))
        events = []
        for line in lines:
            event = self._take("".join((*self._line, line)))
            self._line.clear()
            if event is not None:
                events.append(event)
        self._line.append(rest)
        self._size = self._size + len(rest) if not lines else len(rest) + sum(map(len, self._data))
        if self._size > self._max_chars:
            raise InvalidStream("An event of the stream is too long.")
        return events

    def _decoded(self, chunk: bytes) -> str:
        """The text, without the mark that may open a stream, and without the second half of a cut line ending."""
        try:
            text = self._decoder.decode(chunk)
        except UnicodeDecodeError:
            raise InvalidStream("The stream is not UTF-8.") from None
        if not text:
            return text
        second_half = self._after_return and text.startswith("\n")
        self._after_return = text.endswith("\r")
        started, self._started = self._started, True
        if not started:
            return text.removeprefix("\ufeff")
        return text[1:] if second_half else text

    def _take(self, line: str) -> Event | None:
        if not line:
            return self._dispatched()
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "event":
            self._event = value
        elif name == "data":
            self._data.append(value)
        return None  # `id` and `retry` serve reconnection, which asks again; a comment has an empty name

    def _dispatched(self) -> Event | None:
        event, data = self._event, self._data
        self._event, self._data = "", []
        return Event(event or "message", "\n".join(data)) if data else None


async def events(chunks: AsyncIterable[bytes]) -> AsyncGenerator[Event, None]:
    """The events of a body. Raises InvalidStream, and whatever the body raises."""
    reader = Reader()
    async for chunk in chunks:
        for event in reader.feed(chunk):
            yield event
