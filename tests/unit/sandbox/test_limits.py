"""The limits as the child is told of them."""

import json
import re
from pathlib import Path

from pulse.sandbox.deno import command
from pulse.sandbox.deno.limits import MIB, Limits


def test_the_child_is_told_every_limit_that_it_reads_and_no_other() -> None:
    sources = [path.read_text() for path in Path(command.RUNTIME).rglob("*.js")]
    read = {name for source in sources for name in re.findall(r"settings\.(\w+)", source)}
    assert read == set(Limits().for_child([]))


def test_it_is_told_in_json() -> None:
    told = json.loads(json.dumps(Limits(effects=7, realm="fresh").for_child(["a", "b"])))
    assert (told["effects"], told["realm"], told["functions"]) == (7, "fresh", ["a", "b"])


def test_the_mark_is_below_what_the_heap_may_hold() -> None:
    limits = Limits(isolate_memory=100)
    assert limits.memory_mark == 70 * MIB
    assert limits.for_child([])["memoryMark"] == limits.memory_mark


def test_a_verdict_fits_into_a_frame() -> None:
    limits = Limits()
    assert 4 * (limits.result_size + 2 * limits.log_size) < limits.frame_size
    assert limits.asks_size * 4 < limits.frame_size
    assert limits.effect_size <= limits.asks_size
