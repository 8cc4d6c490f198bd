"""Compressed bodies come out whole, in pieces, or not at all."""

import gzip
import zlib
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pulse.egress.inflating import PIECE, Broken, Inflation, inflation

# A busy machine is no fault.
unhurried = settings(deadline=None)

TEXT = b'{"items": [1, 2, 3]}' * 20_000


def raw_deflate(body: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(body) + packer.flush()


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "deflate": zlib.compress,
    "deflate, bare": raw_deflate,
}


def inflated(coding: str, *chunks: bytes) -> bytes:
    undone = inflation(coding)
    assert undone is not None
    out = b"".join(piece for chunk in chunks for piece in undone.pieces(chunk))
    undone.finish()
    return out


def cut(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


@pytest.mark.parametrize("size", [1, 7, 1000, 1_000_000])
@pytest.mark.parametrize("packer", PACKERS)
def test_a_body_comes_out_as_it_went_in(packer: str, size: int) -> None:
    packed = PACKERS[packer](TEXT)
    assert inflated(packer.partition(",")[0], *cut(packed, size)) == TEXT


@unhurried
@given(st.lists(st.binary(max_size=200), max_size=4), st.integers(1, 50))
def test_members_one_after_the_other_are_one_body(bodies: list[bytes], size: int) -> None:
    packed = b"".join(map(gzip.compress, bodies))
    assert inflated("gzip", *cut(packed, size)) == b"".join(bodies)


@pytest.mark.parametrize("padding", [b"\x00" * 512, b"\x1f", b"garbage"])
@pytest.mark.parametrize("size", [1, 1_000_000])
def test_padding_after_a_body_is_no_part_of_it(padding: bytes, size: int) -> None:
    assert inflated("gzip", *cut(gzip.compress(TEXT) + padding, size)) == TEXT


@pytest.mark.parametrize("packer", PACKERS)
def test_a_body_that_ends_too_early_is_broken(packer: str) -> None:
    with pytest.raises(Broken):
        inflated(packer.partition(",")[0], PACKERS[packer](TEXT)[:-9])


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_what_is_not_compressed_is_broken(coding: str) -> None:
    with pytest.raises(Broken):
        inflated(coding, b"<html>not compressed at all</html>")


def test_a_member_that_is_broken_after_its_beginning_is_broken() -> None:
    second = bytearray(gzip.compress(TEXT))
    second[-6] ^= 0xFF
    with pytest.raises(Broken):
        inflated("gzip", gzip.compress(b"first"), bytes(second))


def test_no_body_at_all_is_fine() -> None:
    assert inflated("gzip") == inflated("deflate") == b""


def test_a_bomb_comes_out_piece_by_piece() -> None:
    bomb = gzip.compress(bytes(64 * 1024 * 1024))
    undone = Inflation("gzip")
    pieces = undone.pieces(bomb)
    first = [next(pieces) for _ in range(3)]
    assert [len(piece) for piece in first] == [PIECE] * 3


@pytest.mark.parametrize("codings", [None, "", "identity", "br", "zstd", "utf-8", " , identity"])
def test_what_nobody_asked_for_is_left_as_it_is(codings: str | None) -> None:
    assert inflation(codings) is None


@pytest.mark.parametrize("codings", ["GZIP", " gzip , identity", "x-gzip", "Deflate"])
def test_a_coding_is_known_however_it_is_written(codings: str) -> None:
    assert inflation(codings) is not None


@pytest.mark.parametrize("codings", ["gzip, gzip", "gzip,deflate", "br, gzip", "gzip,gzip,gzip,gzip,gzip"])
def test_codings_on_codings_are_refused(codings: str) -> None:
    with pytest.raises(Broken):
        inflation(codings)


@pytest.mark.parametrize("packer", PACKERS)
def test_a_body_that_ends_just_after_a_piece_comes_out_whole(packer: str) -> None:
    """The last byte of what is packed may be read before the last bytes of what it holds are out."""
    for size in range(PIECE - 2, PIECE + 300):
        assert inflated(packer.partition(",")[0], PACKERS[packer](bytes(size))) == bytes(size), size
