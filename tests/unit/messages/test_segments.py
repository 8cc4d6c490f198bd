"""Segments: lines go in and come out as they were, and no damage goes unnoticed."""

import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulse.core.errors import Misconfigured
from pulse.messages import reading
from pulse.messages.keeping.segments import HOUR_MS, hour_of, object_key, pack, unpack


def line(message_id: str, **more: object) -> bytes:
    return json.dumps({"id": message_id, **more}, ensure_ascii=False, separators=(",", ":")).encode()


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@given(
    st.lists(st.tuples(st.integers(0, 10**9), st.text(max_size=30)), min_size=1, max_size=30, unique_by=lambda t: t[0])
)
def test_lines_come_out_as_they_went_in(messages: list[tuple[int, str]]) -> None:
    encodable = [(number, text.encode("utf-8", "replace").decode()) for number, text in messages]
    lines = {f"msg_{number}": line(f"msg_{number}", text=text) for number, text in encodable}
    data = pack(list(lines.values()))
    assert unpack(data, sha256(data)) == lines


def test_separators_in_text_do_not_cut_a_line() -> None:
    lines = {"msg_1": line("msg_1", text="a\u2028b\u2029c\u0085d\x0b\x0c\x1c"), "msg_2": line("msg_2")}
    data = pack(list(lines.values()))
    assert unpack(data, sha256(data)) == lines


def test_many_alike_take_little_room() -> None:
    lines = [line(f"msg_{n}", payload={"customer": "the same", "items": [1, 2, 3]}) for n in range(1_000)]
    assert len(pack(lines)) < sum(map(len, lines)) / 5


DATA = pack([line(f"msg_{n}", n=n) for n in range(20)])


@given(st.integers(0, len(DATA) * 8 - 1))
def test_every_flipped_bit_is_noticed(bit: int) -> None:
    damaged = bytearray(DATA)
    damaged[bit // 8] ^= 1 << bit % 8
    with pytest.raises(Misconfigured, match=r"damaged.*backup"):
        unpack(bytes(damaged), sha256(DATA))


@pytest.mark.parametrize("damaged", [b"", DATA[:-1], DATA + b"\0", DATA[1:], DATA * 2], ids=range(5))
def test_every_other_damage_is_noticed(damaged: bytes) -> None:
    with pytest.raises(Misconfigured, match="damaged"):
        unpack(damaged, sha256(DATA))


def test_another_segment_in_its_place_is_noticed() -> None:
    other = pack([line("msg_9")])
    with pytest.raises(Misconfigured, match="damaged"):
        unpack(DATA, sha256(other))


@pytest.mark.parametrize("ms", [0, 1, HOUR_MS - 1, HOUR_MS, 1_700_000_000_123])
def test_an_hour_begins_with_itself(ms: int) -> None:
    assert hour_of(ms) <= ms < hour_of(ms) + HOUR_MS
    assert hour_of(ms) % HOUR_MS == 0
    assert hour_of(hour_of(ms)) == hour_of(ms)


def test_a_key_says_whose_and_when() -> None:
    hour = hour_of(1_700_000_000_000)
    assert object_key("org_1", "env_1", "fail", hour, "seg_1") == "org_1/env_1/fail/2023/11/14/22-seg_1.ndjson.zst"


def test_totals_of_lists_stop_where_it_is_documented() -> None:
    assert reading.MAX_TOTAL == 10_000
