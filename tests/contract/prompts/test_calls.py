"""Calls through everything: stored configuration, opened credential, shared limit, format; credentials tried."""

import asyncio
from dataclasses import replace

import pytest

from pulse.core.errors import Misconfigured, NotFound
from pulse.models.port import ModelFailed
from pulse.prompts.buckets import Limits
from pulse.prompts.caller import Answered, Ask, LimitReached, ModelCaller
from pulse.prompts.checks import CredentialChecks
from pulse.prompts.credentials import CredentialInactive
from pulse.prompts.records import SYSTEM
from tests.contract.prompts.conftest import CANARY, CATALOGUE, KEY, Desk, Theirs
from tests.unit.prompts.calling import ScriptedModels, completed

ASK = Ask("What is the capital of France?", timeout_ms=1_000)


def caller(desk: Desk, models: ScriptedModels) -> ModelCaller:
    return ModelCaller(desk.configurations, desk.limits, {"openai": models})


async def test_a_call_reaches_its_provider_with_its_own_key(desk: Desk, theirs: Theirs) -> None:
    models = ScriptedModels()
    made = await desk.configuration()
    called = await caller(desk, models).call(desk.ours.id, made.id, ASK)
    assert called == replace(
        Answered(completed(), 1, 0, 60, "gpt-4o-2024-08-06", "openai"), duration_ms=called.duration_ms
    )
    await caller(desk, models).call(desk.theirs.id, theirs.configuration.id, ASK)
    assert [access.api_key for access, _ in models.asked] == [CANARY, "theirs"]


async def test_a_foreign_configuration_reaches_nobody(desk: Desk, theirs: Theirs) -> None:
    models = ScriptedModels()
    with pytest.raises(NotFound):
        await caller(desk, models).call(desk.ours.id, theirs.configuration.id, ASK)
    assert models.asked == []


async def test_one_limit_for_all_who_use_the_credential(desk: Desk) -> None:
    models = ScriptedModels()
    key = await desk.credential(limits=Limits(requests_per_minute=3))
    made = [await desk.configuration(key, name=name) for name in ("A", "B")]
    calls = [caller(desk, models).call(desk.ours.id, made[number % 2].id, ASK) for number in range(6)]
    answers = await asyncio.gather(*calls, return_exceptions=True)
    assert sum(isinstance(answer, Answered) for answer in answers) == 3
    reached = [answer for answer in answers if isinstance(answer, LimitReached)]
    assert [error.retry_after_s for error in reached] == [20.0] * 3
    assert len(models.asked) == 3


async def test_tokens_that_a_call_did_not_use_are_there_for_the_next(desk: Desk) -> None:
    models = ScriptedModels()
    key = await desk.credential(limits=Limits(tokens_per_minute=4_200))
    made = await desk.configuration(key)
    for _ in range(6):
        await caller(desk, models).call(desk.ours.id, made.id, ASK)
    assert len(models.asked) == 6
    with pytest.raises(LimitReached):
        await caller(desk, models).call(desk.ours.id, made.id, replace(ASK, text="x" * 400))


async def test_trying_a_credential_is_remembered(desk: Desk) -> None:
    models = ScriptedModels([ModelFailed("unauthorized", "The provider does not know this key."), completed()])
    checks = CredentialChecks(desk.credentials, CATALOGUE, {"openai": models})
    made = await desk.credential()
    desk.clock.ms += 5
    tried = await checks.validate(desk.ours.id, made.id)
    assert (tried.last_validated, tried.validation_error) == (
        desk.clock.now_ms(),
        "The provider does not know this key.",
    )
    good = await checks.validate(desk.ours.id, made.id)
    assert (good.validation_error, await desk.credentials.get(desk.ours.id, made.id)) == (None, good)
    assert {access.api_key for access in models.checked} == {CANARY}


async def test_only_ones_own_credentials_are_tried(desk: Desk, theirs: Theirs) -> None:
    models = ScriptedModels()
    checks = CredentialChecks(desk.credentials, CATALOGUE, {"openai": models})
    shared = await desk.credential(organization_id=SYSTEM)
    for credential_id in (theirs.credential.id, shared.id, "mcr_none"):
        with pytest.raises(NotFound):
            await checks.validate(desk.ours.id, credential_id)
    assert models.checked == []
    assert (await checks.validate(SYSTEM, shared.id)).last_validated is not None


async def test_what_cannot_be_tried_says_why(desk: Desk) -> None:
    checks = CredentialChecks(desk.credentials, CATALOGUE, {"openai": ScriptedModels()})
    resting = await desk.credential(is_active=False)
    with pytest.raises(CredentialInactive):
        await checks.validate(desk.ours.id, resting.id)
    other = await desk.credential(replace(KEY, name="Other", provider="anthropic"))
    with pytest.raises(Misconfigured, match="cannot speak to anthropic"):
        await checks.validate(desk.ours.id, other.id)


async def test_each_use_of_a_credential_is_told(desk: Desk, theirs: Theirs) -> None:
    """Whatever came of it; what never reached the provider is no use."""
    told: list[str] = []
    failing = ScriptedModels([ModelFailed("invalid_request", "no"), completed()])
    made = await desk.configuration()
    listening = ModelCaller(
        desk.configurations, desk.limits, {"openai": failing}, note_use=lambda used, _at: told.append(used)
    )
    with pytest.raises(ModelFailed):
        await listening.call(desk.ours.id, made.id, ASK)
    await listening.call(desk.ours.id, made.id, ASK)
    with pytest.raises(NotFound):
        await listening.call(desk.ours.id, theirs.configuration.id, ASK)
    assert told == [made.credential_id] * 2
