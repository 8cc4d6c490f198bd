"""Once, and not twice: a webhook that is delivered again, and a payment that was made before the worker could say so.

Steps are executed at least once. Whoever is called in a step gets `ctx.step.id`, which is the same on every attempt.
"""

from typing import Any

from pulse import Action, Engine, RetryPolicy, Signal, Workflow, WorkflowContext, WorkflowRun
from pulse.testing import FakeClock, run_until_idle


class Bank:
    """A provider that takes an idempotency key, as payment providers do; its first answer is lost on the way."""

    def __init__(self) -> None:
        self.payments: dict[str, int] = {}
        self.calls = 0

    def pay(self, amount: int, *, key: str) -> str:
        self.calls += 1
        self.payments.setdefault(key, amount)
        if self.calls == 1:
            raise ConnectionError("the answer was lost")
        return f"payment {list(self.payments).index(key) + 1}"


async def main(engine: Engine) -> tuple[list[WorkflowRun], Bank]:
    """The same webhook three times: one run, two calls of the bank, one payment."""
    bank = Bank()

    async def pay(ctx: WorkflowContext) -> dict[str, Any]:
        return {"payment": bank.pay(ctx.trigger.payload["amount"], key=ctx.step.id)}

    engine.register_action("pay", pay)
    tries = RetryPolicy(max_attempts=5, backoff_ms=1_000, retry_on=("ConnectionError",))
    await engine.create_workflow(
        Workflow("acme", "Pay", "invoice.approved", steps=(Action("pay", retry_policy=tries),))
    )

    delivery = Signal("acme", "webhook", "invoice.approved", payload={"amount": 40}, idempotency_key="delivery-81")
    triggers = [await engine.emit(delivery) for _ in range(3)]
    assert len({trigger.id for trigger in triggers}) == 1
    await run_until_idle(engine)
    runs = await engine.get_runs_by_trigger(triggers[0].id)
    print(f"runs: {len(runs)}, calls of the bank: {bank.calls}, payments: {list(bank.payments.values())}")
    return runs, bank


if __name__ == "__main__":
    from running import run

    run(main, clock=FakeClock())
