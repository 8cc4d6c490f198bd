"""The worker of runs: every cell once, with what came of it; after a crash the rest, and never what is recorded."""

import asyncio
from collections.abc import Sequence

import pytest

from pulse.core.errors import Unavailable
from pulse.models.port import Image, ModelFailed
from pulse.prompts.caller import Ask
from pulse.prompts.records import CredentialDraft
from pulse.prompts.secrets import Secrets
from pulse.prompts.templates.runs.records import Row, RunDraft, Variant
from tests.contract.prompts.bench import Bench, Models, failing, result, working
from tests.contract.prompts.conftest import CANARY, Desk, Theirs


@pytest.fixture
def bench(desk: Desk) -> Bench:
    return Bench(desk)


ROWS = [Row("Good", {"topic": "wonderful things", "name": "Ada", "mood": "brief"}), Row("Bare")]
TALK = {"text": "Talk about {{topic}}, {{name}}.", "system": "Be {{mood}}."}


async def test_every_cell_has_its_answer_tokens_cost_and_latency(bench: Bench, desk: Desk) -> None:
    run = await bench.run(template=TALK, rows=ROWS, assertions=[{"type": "contains", "value": "Ada"}])
    desk.clock.ms += 9
    done = await bench.worked_off(run)
    assert (done.status, {cell.state for cell in done.cells}) == ("done", {"done"})
    assert {cell.completed_at for cell in done.cells} == {desk.clock.now_ms()}
    good, bare = map(result, done.cells)
    sentiment = good.pop("sentiment")
    assert good == {
        "response": "You said: Talk about wonderful things, Ada.",
        "stop": "end",
        "model": "gpt-4o",
        "provider": "openai",
        "inputTokens": 10,
        "outputTokens": 5,
        "costMicros": 75,
        "latencyMs": 120,
        "attempts": 1,
        "missing": [],
        "passed": True,
        "assertions": [{"type": "contains", "passed": True, "message": "", "costMicros": 0}],
        "checkCostMicros": 0,
    }
    assert (sentiment["label"], sentiment["profile"]) == ("positive", "enthusiastic")
    assert (bare["missing"], bare["passed"]) == (["mood", "topic", "name"], False)
    assert bare["response"] == "You said: Talk about , ."


async def test_a_cell_asks_its_variants_model_under_a_key_of_its_own(bench: Bench, desk: Desk) -> None:
    model = await desk.configuration()
    variant = Variant(model.id, temperature=0, max_tokens=9)
    run = await bench.run(template=TALK, variants=[variant], rows=ROWS[:1], schema={"type": "string"}, sentiment=None)
    done = await bench.worked_off(run)
    assert "sentiment" not in result(done.cells[0])
    ask = Ask(
        "Talk about wonderful things, Ada.",
        system="Be brief.",
        temperature=0,
        max_tokens=9,
        schema={"type": "string"},
        key=run.cells[0].id,
    )
    assert bench.models.asked == [(desk.ours.id, model.id, ask)]


async def test_judge_and_sentiment_by_model_are_calls_of_their_own(bench: Bench, desk: Desk) -> None:
    model = await desk.configuration()
    rules = [{"type": "judge", "criteria": "Polite?"}]
    done = await bench.worked_off(await bench.run(variants=[Variant(model.id)], assertions=rules, sentiment=model.id))
    found = result(done.cells[0])
    # These models answer with what they were asked, which is no JSON.
    assert found["passed"] is False
    assert "error" in found["sentiment"]
    assert (found["assertions"][0]["costMicros"], found["checkCostMicros"]) == (75, 75)
    cell = done.cells[0].id
    assert sorted(bench.models.keys) == [cell, f"{cell}:0", f"{cell}:tone"]


class Album:
    """Pictures whose bytes are their addresses."""

    async def images(self, addresses: Sequence[str]) -> Sequence[Image]:
        return [Image(data=address.encode()) for address in addresses]


async def test_pictures_go_with_the_text(bench: Bench) -> None:
    bench.pictures = Album()
    addresses = ("https://example.com/a.png", "data:image/png;base64,AAAA")
    done = await bench.worked_off(await bench.run(rows=[Row("a", images=addresses), Row("b")]))
    assert [cell.state for cell in done.cells] == ["done", "done"]
    asked = {ask.key: ask.images for _, _, ask in bench.models.asked}
    assert asked[done.cells[0].id] == [Image(data=address.encode()) for address in addresses]
    assert asked[done.cells[1].id] == ()


async def test_where_nobody_gets_pictures_a_cell_says_so(bench: Bench) -> None:
    done = await bench.worked_off(await bench.run(rows=[Row("a", images=["https://example.com/a.png"]), Row("b")]))
    assert [cell.state for cell in done.cells] == ["failed", "done"]
    assert result(done.cells[0])["error"]["code"] == "not_available"


async def test_no_more_at_once_than_the_worker_may(bench: Bench) -> None:
    gate, waiting = asyncio.Event(), asyncio.Semaphore(0)

    async def hold(_ask: Ask) -> None:
        waiting.release()
        await gate.wait()

    bench.models = Models(before=hold)
    run = await bench.run(rows=[Row(f"{number}") for number in range(9)])
    async with working(bench.worker(concurrency=3)):
        for _ in range(3):
            await waiting.acquire()
        assert bench.models.at_once == 3
        gate.set()
        await bench.until(run, lambda found: found.status == "done")
    assert (bench.models.most_at_once, len(bench.models.asked)) == (3, 9)


async def test_a_model_that_fails_fails_its_cell_alone(bench: Bench, desk: Desk) -> None:
    async def fail_one(ask: Ask) -> None:
        if "bad" in ask.text:
            error = ModelFailed("content_filtered", "Refused by the provider.")
            error.details["attempts"] = 2
            raise error

    bench.models = Models(before=fail_one)
    rows = [Row("a", {"topic": "good"}), Row("b", {"topic": "bad"}), Row("c", {"topic": "fine"})]
    done = await bench.worked_off(await bench.run(template={"text": "{{topic}}"}, rows=rows))
    assert [cell.state for cell in done.cells] == ["done", "failed", "done"]
    assert done.status == "done"
    assert result(done.cells[1]) == {
        "error": {
            "code": "model_failed",
            "message": "Refused by the provider.",
            "reason": "content_filtered",
            "attempts": 2,
        },
        "missing": [],
    }
    bench.models = Models()
    again = await bench.worked_off(await bench.runs.retry(desk.ours.id, done.id))
    assert [cell.state for cell in again.cells] == ["done"] * 3
    assert again.cells[0] == done.cells[0]
    assert [ask.text for _, _, ask in bench.models.asked] == ["bad"]


async def test_a_fault_of_pulse_fails_the_cell_and_tells_no_secret(bench: Bench) -> None:
    async def broken(_ask: Ask) -> None:
        raise ValueError(CANARY)

    bench.models = Models(before=broken)
    done = await bench.worked_off(await bench.run())
    assert result(done.cells[0])["error"] == {"code": "internal", "message": "Pulse failed at this (ValueError)."}


async def test_while_the_database_is_away_nothing_is_decided(bench: Bench, desk: Desk) -> None:
    bench.models = Models(before=failing(Unavailable()))
    run = await bench.run()
    async with working(bench.worker()):
        found = await bench.until(run, lambda found: bool(bench.models.asked) and found.cells[0].state == "waiting")
    assert found.cells[0].result is None
    bench.models = Models()
    desk.clock.ms += 1_000
    assert (await bench.worked_off(run)).cells[0].state == "done"


async def test_an_answer_is_paid_for_once_though_its_judge_is_away(bench: Bench, desk: Desk) -> None:
    judging = asyncio.Event()

    async def no_judge(ask: Ask) -> None:
        if str(ask.key).endswith(":0"):
            judging.set()
            raise Unavailable

    bench.models = Models(before=no_judge)
    run = await bench.run(assertions=[{"type": "judge", "criteria": "Polite?"}])
    async with working(bench.worker()):
        await judging.wait()
        await bench.until(run, lambda found: found.cells[0].state == "waiting")
    bench.models.before = None
    desk.clock.ms += 1_000
    done = await bench.worked_off(run)
    assert (done.cells[0].state, result(done.cells[0])["response"]) == ("done", "You said: Answer  about .")
    assert (result(done.cells[0])["missing"], result(done.cells[0])["costMicros"]) == (["customer.name", "topic"], 75)
    assert bench.models.keys == [run.cells[0].id, f"{run.cells[0].id}:0", f"{run.cells[0].id}:0"]


@pytest.mark.parametrize(
    ("said", "kept"), [("\0", "\0"), ("\ud83d", "\ufffd"), ("😀", "😀"), ("\u2028", "\u2028")], ids=range(4)
)
async def test_whatever_a_model_says_is_kept(bench: Bench, said: str, kept: str) -> None:
    bench.models = Models(prefix=said)
    done = await bench.worked_off(await bench.run(template={"text": "x"}))
    assert result(done.cells[0])["response"] == f"{kept}x"


async def test_each_organization_has_its_own_credentials_asked(bench: Bench, desk: Desk, theirs: Theirs) -> None:
    draft = RunDraft([Variant(theirs.configuration.id)])
    foreign = await bench.runs.start(desk.theirs.id, theirs.template.id, draft)
    ours = await bench.run()
    async with working(bench.worker()):
        await bench.until(ours, lambda found: found.status == "done")
        await bench.until(foreign, lambda found: found.status == "done")
    asked = {str(ask.key): (organization, configuration) for organization, configuration, ask in bench.models.asked}
    assert asked == {
        ours.cells[0].id: (desk.ours.id, ours.plan.columns[0].configuration_id),
        foreign.cells[0].id: (desk.theirs.id, theirs.configuration.id),
    }


async def test_no_secret_is_in_what_a_run_keeps(bench: Bench, desk: Desk) -> None:
    key = await desk.credential(CredentialDraft("Canary", "openai", secrets=Secrets(api_key=CANARY)))
    model = await desk.configuration(key)
    done = await bench.worked_off(await bench.run(variants=[Variant(model.id)]))
    async with desk.database.read() as connection:
        rows = [(await connection.execute(table.select())).all() for table in (desk.tables.runs, desk.tables.cells)]
    assert CANARY not in f"{rows!r}{done!r}"
