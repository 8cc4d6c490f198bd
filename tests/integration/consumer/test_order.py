"""Messages with the same partition key are evaluated in the order they came, whatever runs beside them."""

import itertools
from pathlib import Path
from random import Random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.contract.messages.office import Office
from tests.integration.consumer.workshop import Workshop, open_workshop

LANES = st.lists(st.sampled_from([None, "a", "b", "c"]), min_size=1, max_size=10)
_organizations = itertools.count(1)


async def check_order(held: Workshop, lanes: list[str | None], random: Random, organizations: list[str]) -> None:
    """Accepts a message for each lane, ends evaluations in an order of chance, and looks at what ran when."""
    bench = held.bench
    placed: dict[str, tuple[str, str] | None] = {}
    waiting = list(lanes)
    while waiting or set(placed) - set(held.office.ended):
        if waiting and (not bench.running or random.random() < 0.5):
            lane, organization_id = waiting.pop(), random.choice(organizations)
            message_id = await held.office.accept(organization_id, lane=lane)
            placed[message_id] = None if lane is None else (organization_id, lane)
            continue
        open_ones = {key for key in placed if key not in held.office.ended}
        await bench.until(lambda open_ones=open_ones: bool(bench.running) or open_ones <= set(held.office.ended))  # type: ignore[misc]
        if bench.running:
            bench.finish(random.choice(sorted(bench.running)))
            await bench.until(lambda: True)
    started = [message_id for message_id in bench.started if message_id in placed]
    assert sorted(started) == sorted(placed), "each of them ran, once"
    for lane in {place for place in placed.values() if place is not None}:
        in_lane = [message_id for message_id, place in placed.items() if place == lane]
        assert [message_id for message_id in started if message_id in in_lane] == in_lane
        pairs = {frozenset(pair) for pair in itertools.combinations(in_lane, 2)}
        assert not pairs & bench.overlaps, "two of one key ran at once"


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lanes=LANES, random=st.randoms(use_true_random=False), passing=st.booleans(), concurrency=st.integers(1, 4))
async def test_order_is_kept_by_partition_key(
    tmp_path: Path, lanes: list[str | None], random: Random, passing: bool, concurrency: int
) -> None:
    folder = tmp_path / str(next(_organizations))
    folder.mkdir()
    async with open_workshop(folder, held=True) as held:
        await held.start(concurrency=concurrency, batch=2)
        if not passing:
            held.office.intake.worker = Office.__dict__.get("worker", type(held.office.intake).worker)
        await check_order(held, lanes, random, ["org_a", "org_b"])


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
    from pulse.core.errors import Unavailable

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
