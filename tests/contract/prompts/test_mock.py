"""The whole of it with the catalogue that Pulse comes with and its mock model: no network, no key, every part real."""

import json

import pytest

from pulse.models.catalogue import read
from pulse.models.mock import MockModels
from pulse.models.port import ModelFailed
from pulse.prompts.buckets import Limits
from pulse.prompts.caller import Ask, ModelCaller
from pulse.prompts.checks import CredentialChecks
from pulse.prompts.configurations import ConfigurationStore
from pulse.prompts.credentials import CredentialStore
from pulse.prompts.records import SYSTEM, Configuration, ConfigurationDraft, CredentialDraft
from pulse.prompts.secrets import SecretKeys
from pulse.prompts.templates.assertions.checking import Assertions
from pulse.prompts.templates.runs.records import Row, Variant
from pulse.prompts.templates.runs.results import CellFiller
from pulse.prompts.templates.runs.worker import PromptWorker
from pulse.tenancy.secrets.vault import Vault
from tests.contract.prompts.bench import Bench, result
from tests.contract.prompts.conftest import Desk

FORMATS = {"mock": MockModels()}
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}


def credentials(desk: Desk) -> CredentialStore:
    keys = SecretKeys(desk.tenancy, desk.tables.system_keys, SYSTEM, Vault([desk.master_key]), desk.clock)
    return CredentialStore(desk.database, desk.tables, keys, read(), desk.ids, desk.clock)


def configurations(desk: Desk) -> ConfigurationStore:
    return ConfigurationStore(desk.database, desk.tables, credentials(desk), read(), desk.ids, desk.clock)


async def mock_model(desk: Desk, model_id: str | None = None) -> Configuration:
    draft = CredentialDraft("Mock", "mock", "none", limits=Limits(1_000, 1_000_000, 10_000_000))
    key = await credentials(desk).create(desk.ours.id, draft)
    assert (await CredentialChecks(credentials(desk), read(), FORMATS).validate(desk.ours.id, key.id)).last_validated
    definition = next(one for one in read().definitions if one.provider == "mock" and one.category == "chat")
    wanted = ConfigurationDraft("Mock", definition.id, key.id, model_id=model_id)
    return await configurations(desk).create(desk.ours.id, wanted)


def caller(desk: Desk) -> ModelCaller:
    return ModelCaller(configurations(desk), desk.limits, FORMATS, draw=lambda: 0.0)


async def test_a_call(desk: Desk) -> None:
    made = await mock_model(desk)
    called = await caller(desk).call(desk.ours.id, made.id, Ask("Where is the tower?", schema=SCHEMA))
    assert set(json.loads(called.completion.text)) >= {"city"}
    assert (called.provider, called.attempts, called.completion.usage.input_tokens > 0) == ("mock", 1, True)


async def test_a_call_that_fails(desk: Desk) -> None:
    made = await mock_model(desk, "mock-fail-overloaded")
    with pytest.raises(ModelFailed) as failed:
        await caller(desk).call(desk.ours.id, made.id, Ask("Where is the tower?"))
    assert (failed.value.reason, failed.value.details["attempts"]) == ("overloaded", 4)


async def test_a_run(desk: Desk) -> None:
    bench, made = Bench(desk), await mock_model(desk)
    rules = [
        {"type": "json_schema", "schema": SCHEMA},
        {"type": "judge", "criteria": "It names a city."},
        {"type": "regex", "pattern": r"\"city\"\s*:"},
    ]
    rows = [Row("Tower", {"topic": "the tower"}), Row("Bridge", {"topic": "the bridge"})]
    run = await bench.run(variants=[Variant(made.id)], rows=rows, assertions=rules, schema=SCHEMA, sentiment=made.id)
    worker = PromptWorker(bench.queue(), CellFiller(caller(desk), Assertions(caller(desk))))
    done = await bench.worked_off(run, worker)
    for cell in done.cells:
        found = result(cell)
        checked = {each["type"]: each for each in found["assertions"]}
        assert (checked["json_schema"]["passed"], checked["regex"]["passed"]) == (True, True)
        # What the mock decides is its own affair; that it could be read is ours.
        assert "error" not in checked["judge"]
        assert found["sentiment"]["label"] in ("positive", "negative", "neutral")
