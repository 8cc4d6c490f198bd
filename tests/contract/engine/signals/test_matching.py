"""Which workflows a signal starts: by type, filters and tenant, while they are enabled."""

from typing import Any

import pytest

from pulse import Action, Engine
from pulse.core.errors import NotFound
from pulse.testing import run_until_idle
from tests.contract.engine.workshop import PLACED, A, B, again, recorder, run_of, runs_of, signal, workflow

pytestmark = pytest.mark.usefixtures("bystander")


async def test_every_workflow_of_the_type_is_started_once(engine: Engine) -> None:
    done = recorder(engine, "ship")
    for name in ("One", "Two"):
        await engine.create_workflow(workflow(Action("ship"), name=name))
    await engine.create_workflow(workflow(Action("ship"), name="Other type", on="order.returned"))
    trigger = await engine.emit(signal())
    await run_until_idle(engine)
    runs = await engine.get_runs_by_trigger(trigger.id)
    assert {run.definition_snapshot["name"] for run in runs} == {"One", "Two"}
    assert [run.status for run in runs] == ["completed", "completed"]
    assert len(done.calls) == 2


async def test_a_signal_that_nothing_matches_is_kept_and_starts_nothing(engine: Engine) -> None:
    trigger = await engine.emit(signal("nobody.listens", payload={"n": 1}))
    assert await engine.get_trigger(trigger.id) == trigger
    assert await engine.get_runs_by_trigger(trigger.id) == []


@pytest.mark.parametrize(
    ("filters", "fields", "starts"),
    [
        ({}, {}, True),
        ({}, {"environment": "production", "resource_type": "order"}, True),
        ({"environment_filter": "production"}, {"environment": "production"}, True),
        ({"environment_filter": "production"}, {"environment": "staging"}, False),
        ({"environment_filter": "production"}, {}, False),
        ({"resource_type_filter": "order"}, {"resource_type": "order"}, True),
        ({"resource_type_filter": "order"}, {"resource_type": "Order"}, False),
        (
            {"environment_filter": "production", "resource_type_filter": "order"},
            {"environment": "production", "resource_type": "invoice"},
            False,
        ),
    ],
)
async def test_filters_let_through_what_is_equal(
    engine: Engine, filters: dict[str, Any], fields: dict[str, Any], starts: bool
) -> None:
    recorder(engine, "ship")
    await engine.create_workflow(workflow(Action("ship"), **filters))
    trigger = await engine.emit(signal(**fields))
    assert (len(await engine.get_runs_by_trigger(trigger.id)) == 1) is starts


async def test_a_workflow_of_another_tenant_is_not_started(engine: Engine) -> None:
    done = recorder(engine, "ship")
    await engine.create_workflow(workflow(Action("ship"), tenant=A))
    await engine.create_workflow(workflow(Action("ship"), tenant=B))
    trigger = await engine.emit(signal(tenant=B))
    await run_until_idle(engine)
    assert [run.tenant_id for run in await engine.get_runs_by_trigger(trigger.id)] == [B]
    assert done.tenants == [B]


async def test_a_disabled_workflow_is_not_started_until_it_is_enabled(engine: Engine) -> None:
    done = recorder(engine, "ship")
    made = await engine.create_workflow(workflow(Action("ship"), is_enabled=False))
    await engine.emit(signal())
    await engine.enable_workflow(made.id)
    await engine.emit(signal())
    await engine.disable_workflow(made.id)
    await engine.emit(signal())
    await run_until_idle(engine)
    assert len(done.calls) == 1


async def test_runs_that_began_go_on_when_their_workflow_is_disabled(engine: Engine) -> None:
    done = recorder(engine, "ship")
    made = await engine.create_workflow(workflow(Action("ship")))
    await engine.emit(signal())
    await engine.disable_workflow(made.id)
    await run_until_idle(engine)
    assert len(done.calls) == 1


async def test_another_tenant_can_neither_enable_nor_disable_nor_see_a_workflow(engine: Engine) -> None:
    recorder(engine, "ship")
    made = await engine.create_workflow(workflow(Action("ship")))
    with pytest.raises(NotFound):
        await engine.disable_workflow(made.id, tenant_id=B)
    with pytest.raises(NotFound):
        await engine.enable_workflow(made.id, tenant_id=B)
    assert await engine.get_workflow(made.id, tenant_id=B) is None
    assert await engine.list_workflows(B) == []
    assert await engine.get_workflow(made.id, tenant_id=A) == made
    assert (await engine.list_workflows(A)) == [made]


async def test_enabling_what_is_not_there_is_an_error(engine: Engine) -> None:
    with pytest.raises(NotFound):
        await engine.enable_workflow("wfd_nothing")
    with pytest.raises(NotFound):
        await engine.disable_workflow("wfd_nothing")


async def test_a_workflow_of_the_same_name_is_a_new_version(engine: Engine) -> None:
    first, second = recorder(engine, "first"), recorder(engine, "second")
    before = await engine.create_workflow(workflow(Action("first")))
    after = await engine.create_workflow(workflow(Action("second"), config={"n": 2}))
    assert (before.id, before.version) == (after.id, after.version - 1)
    assert (await engine.list_workflows(A)) == [after]
    run = await run_of(engine, signal())
    assert (run.definition_version, run.definition_snapshot["config"]) == (2, {"n": 2})
    assert (len(first.calls), len(second.calls)) == (0, 1)


async def test_the_same_name_at_another_tenant_is_another_workflow(engine: Engine) -> None:
    recorder(engine, "ship")
    mine = await engine.create_workflow(workflow(Action("ship"), tenant=A))
    theirs = await engine.create_workflow(workflow(Action("ship"), tenant=B))
    assert mine.id != theirs.id
    assert (mine.version, theirs.version) == (1, 1)


async def test_runs_keep_the_version_with_which_they_began(engine: Engine, beside: Engine) -> None:
    first, second = recorder(engine, "first"), recorder(engine, "second")
    await engine.create_workflow(workflow(Action("first"), config={"n": 1}))
    trigger = await engine.emit(signal())
    await beside.create_workflow(workflow(Action("second"), config={"n": 2}))
    await run_until_idle(engine)
    (run,) = await runs_of(engine)
    assert run.trigger_id == trigger.id
    assert (run.definition_version, run.definition_snapshot["config"]) == (1, {"n": 1})
    assert (len(first.calls), len(second.calls)) == (1, 0)
    assert first.calls[0].config == {"n": 1}


async def test_a_new_version_for_another_type_no_longer_matches_the_old_one(engine: Engine, beside: Engine) -> None:
    recorder(engine, "ship")
    await engine.create_workflow(workflow(Action("ship")))
    await beside.create_workflow(workflow(Action("ship"), on="order.returned"))
    old, new = await engine.emit(signal(PLACED)), await engine.emit(signal("order.returned"))
    assert await engine.get_runs_by_trigger(old.id) == []
    assert len(await engine.get_runs_by_trigger(new.id)) == 1


async def test_two_processes_that_create_a_workflow_at_once_make_two_versions(engine: Engine, beside: Engine) -> None:
    recorder(engine, "ship")
    for _ in range(5):
        await engine.create_workflow(workflow(Action("ship")))
        await beside.create_workflow(workflow(Action("ship")))
    (made,) = await engine.list_workflows(A)
    assert made.version == 10
    run = await run_of(engine, signal())
    assert (await again(beside, run)).definition_version == 10


async def test_workflows_are_listed_in_pages(engine: Engine) -> None:
    recorder(engine, "ship")
    made = [(await engine.create_workflow(workflow(Action("ship"), name=f"Number {n}"))).id for n in range(5)]
    first = await engine.list_workflows(A, limit=3)
    rest = await engine.list_workflows(A, limit=3, after=first[-1].id)
    assert [each.id for each in first + rest] == made
