"""`runAction`, on an engine of its own: each call is one run, however often it is asked for."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from pulse import Engine, Fatal, WorkflowContext
from pulse.bootstrap.joining.actions import EngineActions
from pulse.sandbox.port import Tenant
from tests.integration.effects.functions.bench import CANARY, Bench, hides


@dataclass
class Shop:
    """An application: what its actions were called with."""

    engine: Engine
    charged: list[Any] = field(default_factory=list)
    at_once: int = 0
    all_there: asyncio.Event = field(default_factory=asyncio.Event)

    def register(self) -> None:
        @self.engine.action("charge")
        async def charge(ctx: WorkflowContext) -> dict[str, Any]:
            self.charged.append((ctx.tenant_id, dict(ctx.trigger.payload)))
            return {"charged": ctx.trigger.payload.get("amount"), "attempt": ctx.step.attempt}

        @self.engine.action("decline")
        async def decline(ctx: WorkflowContext) -> dict[str, Any]:
            raise Fatal(f"Card {ctx.trigger.payload.get('card')} was declined.")

        @self.engine.action("meet")
        async def meet(ctx: WorkflowContext) -> dict[str, Any]:
            self.at_once += 1
            if self.at_once == 3:
                self.all_there.set()
            await self.all_there.wait()
            return {"n": ctx.trigger.payload["n"]}


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Shop]:
    made = Shop(Engine(f"sqlite+aiosqlite:///{tmp_path}/shop.db", grace_s=5))
    made.register()
    await made.engine.migrate()
    async with made.engine:
        yield made


@pytest.fixture
def actions(bench: Bench, shop: Shop) -> Bench:
    return bench.reaching(actions=EngineActions(shop.engine))


async def test_an_action_runs_and_answers(actions: Bench, shop: Shop) -> None:
    ran = await actions.tried("await runAction('charge', { amount: 12.5, currency: 'EUR' })")
    assert ran.result == {"charged": 12.5, "attempt": 1}
    assert shop.charged == [("org_ours", {"amount": 12.5, "currency": "EUR"})]
    assert ran.entry == {"type": "api", "service": "action", "action": "charge", "success": True}


async def test_the_run_can_be_found_by_the_calls_key(actions: Bench, shop: Shop) -> None:
    ran = await actions.tried("await runAction('charge', { amount: 1 })")
    (run,) = await shop.engine.list_runs()
    trigger = await shop.engine.get_trigger(run.trigger_id)
    assert trigger is not None
    assert (trigger.idempotency_key, trigger.source) == (f"{ran.message_id}:wf_1:1", "script")
    assert (run.tenant_id, run.status) == ("org_ours", "completed")


async def test_a_call_that_was_cut_off_is_the_same_run(actions: Bench, shop: Shop) -> None:
    call = "await runAction('charge', { amount: 7 })"
    first = await actions.tried(call)
    again = await actions.tried(call, like=first, past=first.cut_off())
    assert again.result == first.result
    assert len(shop.charged) == len(await shop.engine.list_runs()) == 1
    other = await actions.tried(call)
    assert (other.result, len(shop.charged)) == (first.result, 2)


async def test_so_it_is_for_a_process_that_has_just_begun(actions: Bench, shop: Shop) -> None:
    call = "await runAction('charge', { amount: 7 })"
    first = await actions.tried(call)
    anew = actions.reaching(actions=EngineActions(shop.engine))
    assert (await anew.tried(call, like=first, past=first.cut_off())).result == first.result
    assert len(shop.charged) == 1


async def test_several_at_once(actions: Bench) -> None:
    ran = await actions.tried("await Promise.all([1, 2, 3].map((n) => runAction('meet', { n })))")
    assert ran.result == [{"n": 1}, {"n": 2}, {"n": 3}]


async def test_each_organization_has_runs_of_its_own(actions: Bench, shop: Shop) -> None:
    theirs = Bench(actions.sandbox, actions.world, Tenant("org_theirs", "env_production"))
    for bench in (actions, theirs):
        await bench.tried("await runAction('charge', {})")
    assert [tenant for tenant, _ in shop.charged] == ["org_ours", "org_theirs"]


async def test_without_input_it_is_empty(actions: Bench, shop: Shop) -> None:
    assert (await actions.tried("await runAction('charge')")).result == {"charged": None, "attempt": 1}
    assert shop.charged == [("org_ours", {})]


async def test_an_action_that_fails_says_why(actions: Bench, shop: Shop) -> None:
    call = "await runAction('decline', { card: '4111' })"
    ran = await actions.tried(call)
    assert (ran.failure.code, ran.failure.retryable, ran.failure.effect) == ("action_failed", False, "runAction")
    assert "Card 4111 was declined." in ran.failure.message
    assert ran.entry == {
        "type": "api",
        "service": "action",
        "action": "decline",
        "success": False,
        "code": "action_failed",
    }
    again = await actions.tried(call, like=ran, past=ran.recorded())
    assert (again.failure, len(await shop.engine.list_runs())) == (ran.failure, 1)


async def test_an_action_that_nobody_has(actions: Bench, shop: Shop) -> None:
    failure = (await actions.tried("await runAction('refund', {})")).failure
    assert (failure.code, failure.message) == ("unknown_action", "The application has no action 'refund'.")
    assert await shop.engine.list_runs() == []


async def test_there_may_be_no_application(bench: Bench) -> None:
    failure = (await bench.tried("await runAction('charge', {})")).failure
    assert (failure.code, "--app" in failure.message) == ("not_available", True)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        ("runAction(5)", "name: Expected `str`, got `int`."),
        ("runAction('charge', [1])", "Expected `object`, got `array`."),
        ("runAction('charge', 'amount=5')", "Expected `object`, got `str`."),
        ("runAction()", "Call it as await runAction(name, input?)."),
    ],
)
async def test_faults_of_arguments(actions: Bench, shop: Shop, call: str, words: str) -> None:
    failure = (await actions.tried(f"await {call}")).failure
    assert failure.code == "invalid_arguments"
    assert words in failure.message
    assert shop.charged == []


async def test_a_secret_reaches_the_action_and_is_shown_to_nobody(actions: Bench, shop: Shop) -> None:
    ran = await actions.tried("await runAction('charge', { amount: KEY })", variables={"KEY": CANARY})
    assert (shop.charged[0][1], ran.result["charged"]) == ({"amount": CANARY}, "***")
    hides(ran)
    ran = await actions.tried("await runAction('decline', { card: KEY })", variables={"KEY": CANARY})
    assert "Card *** was declined." in ran.failure.message
