"""Workers that die, stop or are overtaken: what is recorded stays, the rest is done by another, once."""

import asyncio

import pytest

from pulse.prompts.caller import Ask
from pulse.prompts.templates.runs.records import Row
from tests.contract.conftest import OpenDatabase
from tests.contract.prompts.bench import Bench, Models, result, working
from tests.contract.prompts.conftest import Desk


@pytest.fixture
def bench(desk: Desk) -> Bench:
    return Bench(desk)


async def test_what_was_cut_off_is_done_by_another_and_what_is_recorded_never_again(bench: Bench, desk: Desk) -> None:
    """A process dies with one cell recorded and another half way: the next one repeats the second, under its key."""
    run = await bench.run(rows=[Row("a"), Row("b"), Row("c")])
    dying = bench.queue()
    recorded, cut_off = await dying.claim(2)
    assert await dying.record(recorded, "done", '{"response": "kept"}')
    assert await bench.queue().claim(10) != []
    desk.clock.ms += 20_000
    await bench.queue().sweep()
    done = await bench.worked_off(run)
    assert result(done.cells[recorded.place]) == {"response": "kept"}
    assert {cell.state for cell in done.cells} == {"done"}
    assert sorted(bench.models.keys) == sorted({cell.id for cell in run.cells} - {recorded.id})
    assert not await dying.record(cut_off, "failed", '{"response": "too late"}')
    assert await bench.runs.get(desk.ours.id, run.id) == done


async def test_a_worker_that_stops_hands_back_what_it_cannot_finish(bench: Bench, desk: Desk) -> None:
    begun = asyncio.Event()

    async def endless(_ask: Ask) -> None:
        begun.set()
        await asyncio.Event().wait()

    bench.models = Models(before=endless)
    run = await bench.run()
    worker = bench.worker()
    worker._grace_s = 0.01
    async with working(worker):
        await begun.wait()
    assert (await bench.runs.get(desk.ours.id, run.id)).cells[0].state == "waiting"
    bench.models = Models()
    assert (await bench.worked_off(run)).cells[0].state == "done"


async def test_canceling_stops_what_runs(bench: Bench, desk: Desk) -> None:
    begun, stopped = asyncio.Event(), asyncio.Event()

    async def endless(_ask: Ask) -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()

    bench.models = Models(before=endless)
    run = await bench.run()
    async with working(bench.worker()) as worker:
        await begun.wait()
        store = bench.runs
        store.on_cancel = worker.cancelled
        canceled = await store.cancel(desk.ours.id, run.id)
        await stopped.wait()
    assert canceled.status == "canceled"
    assert (await bench.runs.get(desk.ours.id, run.id)).cells[0].state == "canceled"


async def test_what_was_canceled_meanwhile_is_not_overwritten(bench: Bench, desk: Desk) -> None:
    run = await bench.run()
    queue = bench.queue()
    (work,) = await queue.claim(1)
    await bench.runs.cancel(desk.ours.id, run.id)
    assert not await queue.record(work, "done", "{}")
    assert (await bench.runs.get(desk.ours.id, run.id)).cells[0].state == "canceled"


async def test_a_cell_under_which_its_worker_died_three_times_fails(bench: Bench, desk: Desk) -> None:
    run = await bench.run()
    queue = bench.queue()
    for _ in range(2):
        assert len(await queue.claim(1)) == 1
        desk.clock.ms += 20_000
        await queue.sweep()
    for _ in range(3):
        assert await queue.claim_suspect() is not None
        desk.clock.ms += 20_000
        await queue.sweep()
    worker = bench.worker()
    async with working(worker):
        worker.suspects_may_wait()
        done = await bench.until(run, lambda found: found.status == "done")
    assert done.cells[0].state == "failed"
    assert "died three times" in result(done.cells[0])["error"]["message"]
    assert bench.models.asked == []


async def test_several_processes_share_a_run(bench: Bench, open_database: OpenDatabase, desk: Desk) -> None:
    run = await bench.run(rows=[Row(f"{number}") for number in range(12)])
    queues = [bench.queue(open_database(clock=desk.clock)) for _ in range(2)]
    async with working(bench.worker(queues[0], 2)), working(bench.worker(queues[1], 2)):
        done = await bench.until(run, lambda found: found.status == "done")
    assert {cell.state for cell in done.cells} == {"done"}
    assert sorted(bench.models.keys) == sorted(cell.id for cell in run.cells)
