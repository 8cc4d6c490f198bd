"""A codec seals what the application gives at rest."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import MetaData, select
from sqlalchemy.ext.asyncio import create_async_engine

from pulse import Action, Delay, Emit, Engine, Wait, WorkflowContext
from pulse.core.errors import InvalidInput
from pulse.testing import FakeClock, run_until_idle
from tests.contract.engine.workshop import A, OpenEngine, again, recorder, run_of, signal, workflow

CANARY = "canary-5f1d"


class Backwards:
    """A codec that anyone can break, and that leaves nothing as it was."""

    def encode(self, plain: bytes) -> bytes:
        return bytes(byte ^ 0x55 for byte in reversed(plain))

    def decode(self, stored: bytes) -> bytes:
        return bytes(byte ^ 0x55 for byte in reversed(stored))


@pytest.fixture
async def sealed(open_engine: OpenEngine) -> Engine:
    engine = open_engine(codec=Backwards())
    await engine.migrate()
    return engine


async def stored(url: str, prefix: str, folder: Path) -> str:
    """All that the database holds: every value of every table, and on SQLite the bytes of its files."""
    database, metadata = create_async_engine(url), MetaData()
    async with database.connect() as connection:
        await connection.run_sync(lambda sync: metadata.reflect(sync, only=lambda name, _: name.startswith(prefix)))
        rows = [str(row) for table in metadata.sorted_tables for row in await connection.execute(select(table))]
    await database.dispose()
    return "\n".join(rows + _files(folder))


def _files(folder: Path) -> list[str]:
    return [path.read_bytes().decode("latin-1") for path in sorted(folder.glob("pulse.db*"))]


async def everything(engine: Engine, on_failure: Mapping[str, Any]) -> None:
    """Puts the canary into all that a run stores."""

    @engine.action("ship")
    async def ship(ctx: WorkflowContext) -> dict[str, Any]:
        ctx.log("shipped", {"data": CANARY})
        return {"result": CANARY}

    @engine.action("bad")
    async def bad(_ctx: WorkflowContext) -> None:
        raise ValueError("no")

    recorder(engine, "tell", {"told": CANARY})
    await engine.create_workflow(workflow(Action("tell"), name="Failures", on="unused"))
    steps = (
        Action("ship"),
        Emit("packed", payload={"sent": "$.payload.secret"}),
        Wait("approval", signal_type="approved", match={"payload.secret": "$.payload.secret"}),
        Delay("later", days=1),
        Wait(
            "open", signal_type="never", match={"payload.x": "$.context.ship.result"}, timeout_ms=1, on_timeout="skip"
        ),
        Action("bad"),
    )
    await engine.create_workflow(workflow(*steps, **on_failure))


async def test_nothing_of_it_is_readable_at_rest(
    sealed: Engine, database_url: str, prefix: str, tmp_path: Path
) -> None:
    limited = {"concurrency": 1, "concurrency_key": "payload.secret", "on_failure": "Failures"}
    await everything(sealed, limited)
    held: dict[str, Any] = {"debounce_key": "payload.secret", "debounce_ms": 1_000}
    await sealed.create_workflow(workflow(Action("ship"), name="Held back", on="held", **held))
    run = await run_of(sealed, signal(payload={"secret": CANARY}))
    await sealed.emit(signal("held", payload={"secret": CANARY}))
    assert run.status == "waiting"
    assert CANARY not in await stored(database_url, prefix, tmp_path)
    await sealed.emit(signal("approved", payload={"secret": CANARY}))
    await run_until_idle(sealed)
    ended = await again(sealed, run)
    assert (ended.status, ended.context["ship"]) == ("failed", {"result": CANARY})
    assert CANARY not in await stored(database_url, prefix, tmp_path)


async def test_without_a_codec_the_search_finds_it(
    engine: Engine, database_url: str, prefix: str, tmp_path: Path
) -> None:
    await everything(engine, {})
    await run_of(engine, signal(payload={"secret": CANARY}))
    assert CANARY in await stored(database_url, prefix, tmp_path)


async def test_what_is_sealed_is_read_as_it_was(sealed: Engine, open_engine: OpenEngine) -> None:
    await everything(sealed, {})
    run = await run_of(sealed, signal(payload={"secret": CANARY}))
    beside = open_engine(codec=Backwards())
    found = await again(beside, run)
    assert found.context["ship"] == {"result": CANARY}
    trigger = await beside.get_trigger(run.trigger_id)
    assert trigger is not None
    assert trigger.payload == {"secret": CANARY}
    assert [log.data for log in await beside.get_run_logs(run.id)] == [{"data": CANARY}]


async def test_an_engine_without_the_codec_says_so(sealed: Engine, open_engine: OpenEngine) -> None:
    trigger = await sealed.emit(signal(payload={"secret": CANARY}))
    with pytest.raises(InvalidInput, match="codec"):
        await open_engine().get_trigger(trigger.id)


async def test_what_was_stored_before_the_codec_is_still_read(
    engine: Engine, open_engine: OpenEngine, clock: FakeClock
) -> None:
    trigger = await engine.emit(signal(payload={"n": 1}))
    assert await open_engine(codec=Backwards()).get_trigger(trigger.id) == trigger
    assert trigger.tenant_id == A
