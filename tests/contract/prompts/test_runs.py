"""Runs: what is started is written down whole, and can be looked at, canceled, tried again and deleted."""

from typing import Any

import pytest

from pulse.core.errors import Conflict, InvalidFields, NotFound
from pulse.core.ids import is_id
from pulse.prompts.records import Part
from pulse.prompts.templates.records import TemplateDraft
from pulse.prompts.templates.runs.records import Column, Plan, Row, RunDraft, Variant
from tests.contract.prompts.bench import Bench
from tests.contract.prompts.conftest import Desk, Theirs


@pytest.fixture
def bench(desk: Desk) -> Bench:
    return Bench(desk)


async def test_a_run_is_every_row_with_every_variant(bench: Bench, desk: Desk) -> None:
    template = await desk.template(text="One: {{topic}}", system="Be {{mood}}.")
    await desk.templates.save(desk.ours.id, template.id, TemplateDraft("Reply", "Two: {{topic}}"))
    usual = await desk.sets.create(desk.ours.id, template.id, "Usual", {"topic": "bills"})
    one, other = await desk.configuration(name="One"), await desk.configuration(name="Other")
    draft = RunDraft(
        variants=[Variant(one.id), Variant(other.id, version=1, temperature=0.5, max_tokens=50)],
        set_ids=[usual.id],
        rows=[Row("Pasted", {"topic": "rent"})],
        assertions=[{"type": "contains", "value": "x"}],
        sentiment=None,
        schema={"type": "object"},
    )
    run = await bench.runs.start(desk.ours.id, template.id, draft)
    assert run.plan == Plan(
        columns=(
            Column(one.id, 2, "Two: {{topic}}"),
            Column(other.id, 1, "One: {{topic}}", "Be {{mood}}.", 0.5, 50),
        ),
        rows=(Row("Usual", {"topic": "bills"}), Row("Pasted", {"topic": "rent"})),
        assertions=({"type": "contains", "value": "x"},),
        sentiment=None,
        schema={"type": "object"},
    )
    assert is_id(run.id, "prun")
    assert (run.status, run.template_id, run.environment_id) == ("running", template.id, desk.here.id)
    assert [(cell.place, cell.state, cell.result) for cell in run.cells] == [(at, "waiting", None) for at in range(4)]
    assert run.plan.at(3) == (run.plan.rows[1], run.plan.columns[1])
    assert await bench.runs.get(desk.ours.id, run.id) == run


async def test_a_run_does_not_change_with_its_template(bench: Bench, desk: Desk) -> None:
    run = await bench.run()
    await desk.templates.save(desk.ours.id, run.template_id, TemplateDraft("Changed", "Changed"))
    await desk.templates.delete(desk.ours.id, run.template_id)
    assert await bench.runs.get(desk.ours.id, run.id) == run


async def test_without_rows_there_is_one_that_is_empty(bench: Bench) -> None:
    run = await bench.run()
    assert (run.plan.rows, len(run.cells)) == ((Row(""),), 1)


async def test_what_a_run_refers_to_must_be_there_and_ones_own(bench: Bench, desk: Desk, theirs: Theirs) -> None:
    template = await desk.template()
    foreign = theirs.configuration.id
    draft = RunDraft(
        variants=[Variant(foreign), Variant("mcf_none", version=9)],
        set_ids=[theirs.set_id],
        assertions=[{"type": "judge", "criteria": "x", "modelConfigurationId": foreign}],
        sentiment=foreign,
    )
    with pytest.raises(InvalidFields) as refused:
        await bench.runs.start(desk.ours.id, template.id, draft)
    assert [(fault.path, fault.code) for fault in refused.value.faults] == [
        ("variants.0.modelConfigurationId", "unknown_configuration"),
        ("variants.1.modelConfigurationId", "unknown_configuration"),
        ("assertions.0.modelConfigurationId", "unknown_configuration"),
        ("sentiment", "unknown_configuration"),
        ("setIds.0", "unknown_set"),
        ("variants.1.version", "unknown_version"),
    ]
    with pytest.raises(InvalidFields):
        await bench.runs.start(desk.ours.id, template.id, RunDraft([]))
    assert await bench.runs.list(desk.ours.id, template.id) == ([], 0)


async def test_what_a_run_runs_has_a_limited_size(bench: Bench) -> None:
    rows = [Row(f"{number}", {"topic": "x" * 260_000}) for number in range(16)]
    with pytest.raises(InvalidFields, match="fewer rows"):
        await bench.run(rows=rows)


async def test_nobody_sees_or_changes_what_is_anothers(bench: Bench, desk: Desk, theirs: Theirs) -> None:
    draft = RunDraft([Variant(theirs.configuration.id)])
    foreign = await bench.runs.start(desk.theirs.id, theirs.template.id, draft)
    runs, ours = bench.runs, desk.ours.id
    for attempt in (
        runs.start(ours, theirs.template.id, draft),
        runs.get(ours, foreign.id),
        runs.cancel(ours, foreign.id),
        runs.retry(ours, foreign.id),
        runs.delete(ours, foreign.id),
    ):
        with pytest.raises(NotFound):
            await attempt
    assert await runs.list(ours, theirs.template.id) == ([], 0)
    assert await runs.get(desk.theirs.id, foreign.id) == foreign


async def test_lists_are_newest_first_and_count_cells(bench: Bench, desk: Desk) -> None:
    template, model = await desk.template(), await desk.configuration()
    made = []
    for rows in (1, 2, 3):
        desk.clock.ms += 1
        draft = RunDraft([Variant(model.id)], rows=[Row(f"{number}") for number in range(rows)])
        made.append(await bench.runs.start(desk.ours.id, template.id, draft))
    await bench.runs.cancel(desk.ours.id, made[0].id)
    listed, total = await bench.runs.list(desk.ours.id, template.id)
    assert total == 3
    assert [(each.id, each.status, each.cells) for each in listed] == [
        (made[2].id, "running", {"waiting": 3}),
        (made[1].id, "running", {"waiting": 2}),
        (made[0].id, "canceled", {"canceled": 1}),
    ]
    assert await bench.runs.list(desk.ours.id, template.id, Part(1, 1)) == (listed[1:2], 3)


async def test_canceling_ends_what_waits(bench: Bench, desk: Desk) -> None:
    run = await bench.run(rows=[Row("a"), Row("b")])
    told: list[str] = []
    store = bench.runs
    store.on_cancel = told.append
    desk.clock.ms += 5
    canceled = await store.cancel(desk.ours.id, run.id)
    assert (canceled.status, canceled.canceled_at) == ("canceled", desk.clock.now_ms())
    assert {cell.state for cell in canceled.cells} == {"canceled"}
    assert sorted(told) == sorted(cell.id for cell in run.cells)
    with pytest.raises(Conflict):
        await store.cancel(desk.ours.id, run.id)
    assert await bench.queue().claim(10) == []


async def test_what_was_canceled_can_be_tried_again_as_something_new(bench: Bench, desk: Desk) -> None:
    run = await bench.run(rows=[Row("a"), Row("b")])
    with pytest.raises(Conflict):
        await bench.runs.retry(desk.ours.id, run.id)
    await bench.runs.cancel(desk.ours.id, run.id)
    heard: list[Any] = []
    store = bench.runs
    store.on_start = lambda: heard.append(True)
    again = await store.retry(desk.ours.id, run.id)
    assert (again.status, again.canceled_at, heard) == ("running", None, [True])
    assert [cell.place for cell in again.cells] == [0, 1]
    assert {cell.id for cell in again.cells}.isdisjoint({cell.id for cell in run.cells})


async def test_a_run_that_is_over_can_be_deleted(bench: Bench, desk: Desk) -> None:
    run = await bench.run()
    with pytest.raises(Conflict, match="cancel it first"):
        await bench.runs.delete(desk.ours.id, run.id)
    await bench.runs.cancel(desk.ours.id, run.id)
    await bench.runs.delete(desk.ours.id, run.id)
    with pytest.raises(NotFound):
        await bench.runs.get(desk.ours.id, run.id)
