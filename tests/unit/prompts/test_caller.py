"""Calls of models: what is asked, when it is tried again, what the limits are told, and how long it may all take."""

import asyncio
from dataclasses import dataclass, field, replace
from typing import Any, cast

import pytest

from pulse.core.errors import Misconfigured
from pulse.models.port import Access, Embeddings, Image, ModelFailed, Prompt, Usage
from pulse.prompts.buckets import Limits
from pulse.prompts.caller import (
    Answered,
    Ask,
    LimitReached,
    ModelCaller,
    cost_micros,
    input_tokens,
    most_tokens,
    prompt_of,
)
from pulse.prompts.configurations import Defaults, ResolvedModel
from pulse.prompts.limits import RateLimits
from tests.unit.prompts.calling import CANARY, GPT, ScriptedModels, Step, completed, resolved

ORG = "org_1"
ASK = Ask("What is the capital of France?")


@dataclass
class FakeLimits:
    """Limits that let wait as they are told, and write down what they hear."""

    waits: list[int] = field(default_factory=list)
    reserved: list[int] = field(default_factory=list)
    settled: list[tuple[int, int]] = field(default_factory=list)

    async def reserve(self, credential_id: str, limits: Limits, tokens: int) -> int:
        self.reserved.append(tokens)
        return self.waits.pop(0) if self.waits else 0

    async def settle(self, credential_id: str, limits: Limits, reserved: int, used: int) -> None:
        self.settled.append((reserved, used))


@dataclass
class Stage:
    """A caller with everything around it in the test's hands: time passes only where it waits."""

    models: ScriptedModels = field(default_factory=ScriptedModels)
    limits: FakeLimits = field(default_factory=FakeLimits)
    model: ResolvedModel = field(default_factory=resolved)
    now: float = 1_000.0
    draw: float = 1.0
    slept: list[float] = field(default_factory=list)
    resolved_for: list[tuple[str, str]] = field(default_factory=list)

    async def resolve(self, organization_id: str, configuration_id: str) -> ResolvedModel:
        self.resolved_for.append((organization_id, configuration_id))
        return self.model

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    @property
    def caller(self) -> ModelCaller:
        return ModelCaller(
            self,
            cast(RateLimits, self.limits),
            {"openai": self.models},
            monotonic=lambda: self.now,
            draw=lambda: self.draw,
            sleep=self.sleep,
        )

    async def failure(self, ask: Ask = ASK) -> ModelFailed:
        with pytest.raises(ModelFailed) as failed:
            await self.caller.call(ORG, "mcf_1", ask)
        return failed.value


def staged(*steps: Step, **more: Any) -> Stage:
    return Stage(models=ScriptedModels(list(steps)) if steps else ScriptedModels(), **more)


async def test_an_answer_says_what_it_took() -> None:
    stage = staged()
    called = await stage.caller.call(ORG, "mcf_1", replace(ASK, key="msg:wf:1"))
    assert called == Answered(completed(), 1, 0, 60, "gpt-4o-2024-08-06", "openai")
    assert stage.resolved_for == [(ORG, "mcf_1")]
    access, prompt = stage.models.asked[0]
    assert access == Access("https://api.openai.com/v1", api_key=CANARY)
    assert prompt == Prompt(
        model="gpt-4o",
        text=ASK.text,
        temperature=0.7,
        max_tokens=4096,
        timeout_ms=30_000,
        takes=GPT.takes,
        key="msg:wf:1",
    )
    assert CANARY not in f"{called!r} {stage.model!r}"


@pytest.mark.parametrize("reason", ["rate_limited", "overloaded", "timeout", "unreachable", "provider_error"])
async def test_what_may_pass_is_tried_again(reason: str) -> None:
    stage = staged(ModelFailed(reason, "no"), ModelFailed(reason, "no"), completed())
    called = await stage.caller.call(ORG, "mcf_1", replace(ASK, key="k"))
    assert (called.attempts, called.duration_ms, stage.slept) == (3, 1_500, [0.5, 1.0])
    assert {prompt.key for _, prompt in stage.models.asked} == {"k"}


@pytest.mark.parametrize(
    "reason",
    [
        *("unauthorized", "forbidden", "model_not_found", "invalid_request", "context_too_long", "content_filtered"),
        *("quota_exceeded", "address_refused", "bad_answer"),
    ],
)
async def test_what_does_not_pass_is_not_tried_again(reason: str) -> None:
    stage = staged(ModelFailed(reason, "no"))
    failed = await stage.failure()
    assert (failed.reason, failed.details["attempts"], stage.slept) == (reason, 1, [])


async def test_after_three_retries_the_last_error_is_raised() -> None:
    steps = [ModelFailed("overloaded", f"try {number}") for number in range(1, 5)]
    stage = staged(*steps)
    failed = await stage.failure()
    assert (failed.message, failed.details["attempts"], len(stage.models.asked)) == ("try 4", 4, 4)
    assert stage.slept == [0.5, 1.0, 2.0]


async def test_jitter_is_full() -> None:
    stage = staged(ModelFailed("overloaded", "no"), completed(), draw=0.25)
    await stage.caller.call(ORG, "mcf_1", ASK)
    assert stage.slept == [0.125]


async def test_what_the_provider_asks_for_is_waited() -> None:
    stage = staged(ModelFailed("rate_limited", "no", retry_after_s=12.5), completed())
    await stage.caller.call(ORG, "mcf_1", ASK)
    assert stage.slept == [12.5]


async def test_a_pause_that_ends_too_late_is_not_begun() -> None:
    stage = staged(ModelFailed("rate_limited", "no", retry_after_s=30))
    failed = await stage.failure()
    assert (failed.retry_after_s, failed.details["attempts"], stage.slept) == (30, 1, [])


async def test_each_try_gets_the_time_that_is_left() -> None:
    async def slow(_prompt: Prompt) -> Any:
        stage.now += 10
        raise ModelFailed("overloaded", "no")

    stage = staged(slow, slow, completed())
    await stage.caller.call(ORG, "mcf_1", ASK)
    assert [prompt.timeout_ms for _, prompt in stage.models.asked] == [30_000, 19_500, 8_500]


async def test_a_try_that_does_not_end_is_ended() -> None:
    async def endless(_prompt: Prompt) -> Any:
        await asyncio.Event().wait()

    stage = staged(endless)
    failed = await stage.failure(replace(ASK, timeout_ms=20))
    assert (failed.reason, failed.message) == ("timeout", "The model did not answer within 20 ms.")
    assert stage.limits.settled[0] == (4096 + 8, 8)


async def test_a_call_may_have_less_time_than_the_configuration_gives_and_not_more() -> None:
    stage = staged()
    for timeout_ms in (5_000, 90_000):
        await stage.caller.call(ORG, "mcf_1", replace(ASK, timeout_ms=timeout_ms))
    assert [prompt.timeout_ms for _, prompt in stage.models.asked] == [5_000, 30_000]


async def test_limits_are_waited_for_and_settled() -> None:
    stage = staged(limits=FakeLimits(waits=[2_000, 500]))
    called = await stage.caller.call(ORG, "mcf_1", ASK)
    assert (stage.slept, called.attempts, called.duration_ms) == ([2.0, 0.5], 1, 2_500)
    assert stage.limits.reserved == [4096 + 8] * 3
    assert stage.limits.settled == [(4096 + 8, 15)]


async def test_a_limit_that_lasts_too_long_is_an_error_at_once() -> None:
    stage = staged(limits=FakeLimits(waits=[30_000]))
    failed = await stage.failure()
    assert isinstance(failed, LimitReached)
    assert (failed.reason, failed.retry_after_s, stage.slept, stage.models.asked) == ("rate_limited", 30.0, [], [])
    assert "try again in 30 s" in failed.message


async def test_each_try_takes_from_the_limits_and_gives_back_what_it_did_not_use() -> None:
    stage = staged(ModelFailed("overloaded", "no"), ModelFailed("timeout", "late"), completed())
    await stage.caller.call(ORG, "mcf_1", ASK)
    whole = 4096 + 8
    assert stage.limits.settled == [(whole, 0), (whole, 8), (whole, 15)]


async def test_an_answer_without_a_count_costs_what_was_reserved() -> None:
    stage = staged(completed(input_tokens=0, output_tokens=0))
    await stage.caller.call(ORG, "mcf_1", ASK)
    assert stage.limits.settled == [(4104, 4104)]


async def test_a_cancelled_call_is_over_and_keeps_what_it_reserved() -> None:
    begun = asyncio.Event()

    async def endless(_prompt: Prompt) -> Any:
        begun.set()
        await asyncio.Event().wait()

    stage = staged(endless)
    task = asyncio.create_task(stage.caller.call(ORG, "mcf_1", ASK))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert stage.limits.settled == [(4104, 4104)]


async def test_a_format_that_is_not_set_up_is_told() -> None:
    stage = staged(model=resolved(provider=replace(resolved().provider, api_format="google", name="Google")))
    with pytest.raises(Misconfigured, match="cannot speak to Google"):
        await stage.caller.call(ORG, "mcf_1", ASK)


async def test_vectors_go_the_same_way() -> None:
    vectors = Embeddings([[0.5], [0.25]], Usage(9, 0), "")
    stage = staged(ModelFailed("overloaded", "no"), vectors)
    embedded = await stage.caller.embed(ORG, "mcf_1", ["one text", "another"])
    assert embedded == Answered(vectors, 2, 500, 23, "gpt-4o", "openai")
    assert stage.models.embedded == [("gpt-4o", ["one text", "another"])] * 2
    assert stage.limits.settled == [(4, 0), (4, 9)]


def test_a_prompt_has_the_defaults_of_its_configuration_within_what_the_model_can_do() -> None:
    model = resolved(defaults=Defaults(0.2, 20_000, 9_000), model_id="ft:gpt-4o:team")
    image = Image(url="https://example.com/a.png")
    prompt = prompt_of(model, Ask("Look.", system="Be brief.", images=[image], schema={"type": "object"}))
    assert (prompt.model, prompt.max_tokens, prompt.temperature, prompt.timeout_ms) == (
        "ft:gpt-4o:team",
        16_384,
        0.2,
        9_000,
    )
    assert (prompt.system, prompt.images, prompt.schema) == ("Be brief.", [image], {"type": "object"})
    own = prompt_of(model, Ask("Look.", temperature=0, max_tokens=5))
    assert (own.temperature, own.max_tokens) == (0, 5)
    unlimited = resolved(definition=replace(GPT, max_output_tokens=None), defaults=Defaults(None, 10**6, 9_000))
    assert (prompt_of(unlimited, ASK).max_tokens, prompt_of(unlimited, ASK).temperature) == (128_000, None)


@pytest.mark.parametrize(
    "wrong", [{"max_tokens": 0}, {"max_tokens": -(10**9)}, {"timeout_ms": 0}, {"temperature": -0.1}, {"temperature": 3}]
)
async def test_numbers_that_no_model_takes_reach_neither_model_nor_limits(wrong: dict[str, Any]) -> None:
    """A script must not be able to put tokens into a bucket by asking for fewer than none."""
    stage = staged()
    assert (await stage.failure(replace(ASK, **wrong))).reason == "invalid_request"
    assert (stage.models.asked, stage.limits.reserved, stage.limits.settled) == ([], [], [])


def test_tokens_are_counted_generously_before_the_model_does() -> None:
    prompt = Prompt("m", "x" * 9, system="é" * 4, images=[Image(url="https://example.com/a.png")], max_tokens=100)
    assert input_tokens(prompt) == 3 + 2 + 1_600
    assert most_tokens(prompt) == 1_705
    assert most_tokens(Prompt("m", "")) == 0


def test_costs_are_exact_and_rounded_up() -> None:
    assert cost_micros(GPT, Usage(1_000_000, 0)) == 2_500_000
    assert cost_micros(GPT, Usage(1, 0)) == 3
    assert cost_micros(GPT, Usage(0, 7)) == 70
    assert cost_micros(GPT, Usage()) == 0
