"""Bodies that come compressed, taken apart in pieces, so that a small one cannot become a large one unseen.

One coding is undone; a server that stacks several is refused, because a few kilobytes could then keep the processor
busy for minutes without a byte coming out.
"""

import zlib
from collections.abc import Iterator

PIECE = 64 * 1024
_CODINGS = ("gzip", "x-gzip", "deflate")


class Broken(ValueError):
    """That is not what its coding says."""


class Inflation:
    """A body in `gzip` (RFC 1952, of one or more members) or `deflate` (RFC 1950, or RFC 1951 as some servers do)."""

    def __init__(self, coding: str) -> None:
        self._gzip = coding != "deflate"
        self._state: zlib._Decompress | None = None
        self._members = 0
        self._silent = True
        self._ended = False

    def pieces(self, data: bytes) -> Iterator[bytes]:
        """What comes of the next bytes, at most PIECE at a time. Raises Broken."""
        full = False
        while (data or full) and not self._ended:
            state = self._state = self._current(data)
            piece = self._inflated(state, data)
            data = self._rest(state)
            full = len(piece) == PIECE and not state.eof
            if piece:
                self._silent = False
                yield piece

    def finish(self) -> None:
        """To be called at the end of the body. Raises Broken where it comes too early."""
        whole = self._state is None or self._state.eof or self._ended
        if not whole and not (self._members and self._silent):
            raise Broken("it ends too early")

    def _current(self, data: bytes) -> "zlib._Decompress":
        if self._state is not None and not self._state.eof:
            return self._state
        self._members += self._state is not None
        self._silent = True
        if self._gzip:
            return zlib.decompressobj(zlib.MAX_WBITS | 16)
        # The first byte of RFC 1950 names its method, which is 8; a block of RFC 1951 does not begin so.
        return zlib.decompressobj(zlib.MAX_WBITS if data[0] & 0x0F == 8 else -zlib.MAX_WBITS)

    def _inflated(self, state: "zlib._Decompress", data: bytes) -> bytes:
        try:
            return state.decompress(data, PIECE)
        except zlib.error as error:
            # Some servers pad what they send: what is no member, after a whole one, is no part of the body.
            if not self._members or not self._silent:
                raise Broken(str(error)) from None
            self._ended = True
            return b""

    def _rest(self, state: "zlib._Decompress") -> bytes:
        if not state.eof:
            return state.unconsumed_tail
        self._ended = self._ended or not self._gzip
        return state.unused_data


def inflation(codings: str | None) -> Inflation | None:
    """What undoes a Content-Encoding; None where the body is as it is, or in a coding that nobody asked for.

    Raises Broken where there is more than one.
    """
    named = [coding for word in (codings or "").lower().split(",") if (coding := word.strip()) not in {"", "identity"}]
    if len(named) > 1:
        raise Broken("more than one coding")
    return Inflation(named[0]) if named and named[0] in _CODINGS else None
