"""Messages with the same partition key are evaluated in the order they came, whatever runs beside them."""

import itertools
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pulse.core.errors import Unavailable
from pulse.messages.intake import Nobody
from tests.contract.messages.office import A, B
from tests.integration.consumer.workshop import Workshop, eventually, open_workshop

LANES = st.lists(st.sampled_from([None, "a", "b", "c"]), min_size=1, max_size=10)
_folders = itertools.count(1)


async def drive(held: Workshop, lanes: list[str | None], random: Random) -> dict[str, tuple[str, str | None]]:
    """Accepts a message for each lane, and ends evaluations in an order of chance; where each message stands."""
    bench, waiting = held.bench, list(lanes)
    placed: dict[str, tuple[str, str | None]] = {}

    async def goes_on() -> bool:
        return bool(bench.running) or len(held.office.ended) == len(placed)

    while waiting or len(held.office.ended) < len(placed):
        if waiting and (not bench.running or random.random() < 0.5):
            organization_id, lane = random.choice([A, B]), waiting.pop()
            placed[await held.office.accept(organization_id, lane=lane)] = (organization_id, lane)
        elif bench.running:
            chosen = random.choice(sorted(bench.running))
            bench.finish(chosen)
            await bench.until(lambda chosen=chosen: chosen not in bench.running)  # type: ignore[misc]
        else:
            await eventually(goes_on)
    return placed


def check_order(started: list[str], overlaps: set[frozenset[str]], placed: dict[str, tuple[str, str | None]]) -> None:
    assert sorted(started) == sorted(placed), "each of them ran, once"
    for organization_id, lane in set(placed.values()):
        if lane is not None:
            members = [message_id for message_id, place in placed.items() if place == (organization_id, lane)]
            assert [message_id for message_id in started if message_id in members] == members
            pairs = {frozenset(pair) for pair in itertools.combinations(members, 2)}
            assert not pairs & overlaps, "two of one key ran at once"


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lanes=LANES, seed=st.integers(0, 2**32), passing=st.booleans(), concurrency=st.integers(1, 4))
async def test_order_is_kept_by_partition_key(
    tmp_path: Path, lanes: list[str | None], seed: int, passing: bool, concurrency: int
) -> None:
    folder = tmp_path / str(next(_folders))
    folder.mkdir()
    async with open_workshop(folder, held=True) as held:
        await held.start(concurrency=concurrency, batch=2)
        if not passing:
            held.office.intake.worker = Nobody()
        placed = await drive(held, lanes, Random(seed))
        check_order(held.bench.started, held.bench.overlaps, placed)


async def test_different_keys_run_side_by_side(held: Workshop) -> None:
    await held.start()
    first = [await held.office.accept(lane=lane) for lane in ("a", "b", "a", "b")]
    await held.bench.until_running(first[0], first[1])
    held.bench.finish(first[1])
    await held.bench.until_running(first[0], first[3])
    held.bench.finish_all()
    await held.until_states(first, "success")
    assert held.bench.started == [first[0], first[1], first[3], first[2]]


async def test_a_message_that_is_put_off_holds_up_those_behind_it(held: Workshop) -> None:
    first, second = [await held.office.accept(lane="lane") for _ in range(2)]
    held.bench.raising[first] = [Unavailable()]
    await held.start()
    await held.bench.until_running(first)
    held.bench.finish(first)
    await held.until_states([first, second], "ready", "blocked")
    held.clock.ms += 1_000
    await held.bench.until_running(first)
    held.bench.finish_all()
    await held.until_states([first, second], "success")
    assert held.bench.started == [first, first, second]


# Negative controls: the check sees what it is for.


@pytest.mark.parametrize(
    ("started", "overlaps"),
    [
        pytest.param(["2", "1"], set(), id="order"),
        pytest.param(["1"], set(), id="lost"),
        pytest.param(["1", "2", "2"], set(), id="twice"),
        pytest.param(["1", "2"], {frozenset("12")}, id="at-once"),
    ],
)
def test_the_check_bites(started: list[str], overlaps: set[frozenset[str]]) -> None:
    placed: dict[str, tuple[str, str | None]] = {"1": (A, "lane"), "2": (A, "lane")}
    check_order(["1", "2"], set(), placed)
    with pytest.raises(AssertionError):
        check_order(started, overlaps, placed)
