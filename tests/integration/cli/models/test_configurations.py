"""`pulse models`: the catalogue, and names under which models are ready to use."""

from pathlib import Path
from typing import Any

import pytest

from tests.integration.cli.conftest import Run, Told
from tests.integration.cli.models.stored import post, template


def rows(run: Run, folder: Path, *more: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = run("models", "list", *more, "--data", folder, "--json").json["data"]
    return found


def create(run: Run, folder: Path, name: str = "Mock", provider: str = "mock") -> None:
    told = run("credentials", "create", name, "--provider", provider, "--data", folder, stdin="sk-canary")
    assert told.code == 0, told.err


def configure(run: Run, folder: Path, *words: str) -> Told:
    return run("models", "configure", *words, "--data", folder, "--json")


def test_the_catalogue_is_listed(run: Run, folder: Path) -> None:
    found = run("models", "providers", "--data", folder, "--json").json
    assert [row["id"] for row in found["data"]][:2] == ["openai", "anthropic"]
    assert found["dated"]
    table = run("models", "providers", "--data", folder).out
    assert "https://api.anthropic.com/v1" in table
    models = run("models", "providers", "--models", "--data", folder).out
    assert "openai/gpt-4o " in models
    assert "128000" in models
    assert "grok-2" not in models


def test_configure_list_delete(run: Run, folder: Path) -> None:
    assert run("models", "list", "--data", folder).out == "None yet.\n"
    create(run, folder)
    made = run("models", "configure", "Small", "--model", "mock/mock-small", "--default", "--data", folder)
    assert made.out == "Small asks mock/mock-small with Mock\n"
    row = rows(run, folder)[0]
    assert row.items() >= {"name": "Small", "isDefault": True, "defaultTemperature": 0.7, "revision": 1}.items()
    table = run("models", "list", "--data", folder).out
    assert "mock/mock-small" in table
    gone = run("models", "delete", "Small", "--data", folder, "--json").json
    assert gone == {"id": row["id"], "name": "Small", "deleted": True}
    assert rows(run, folder) == []


def test_a_change_keeps_what_is_not_given(run: Run, folder: Path) -> None:
    create(run, folder)
    create(run, folder, "OpenAI", "openai")
    first = configure(run, folder, "Answers", "--model", "mock/mock-small", "--temperature", "0.2", "--timeout", "9000")
    changed = configure(run, folder, "Answers", "--max-tokens", "50", "--hidden", "--model-id", "mock-large").json
    wanted = {"defaultMaxTokens": 50, "isVisible": False, "modelId": "mock-large", "revision": 2}
    kept = {name: first.json[name] for name in ("id", "defaultTemperature", "defaultTimeout", "modelDefinitionId")}
    assert changed.items() >= {**kept, **wanted}.items()
    # With a model of another provider goes the only credential of that.
    moved = configure(run, folder, "Answers", "--model", "openai/gpt-4o", "--model-id", "gpt-4o").json
    assert (moved["credential"]["name"], moved["revision"]) == ("OpenAI", 3)
    assert len(rows(run, folder)) == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("New",), "--model"),
        (("New", "--model", "mock/none"), "no model 'mock/none'"),
        (("New", "--model", "openai/gpt-4o"), "pulse credentials create NAME --provider openai"),
        (("New", "--model", "mock/mock-small"), "--credential: One, Two"),
        (("New", "--model", "mock/mock-small", "--credential", "Three"), "no credential 'Three'"),
        (("New", "--model", "mock/mock-small", "--credential", "One", "--temperature", "7"), "defaultTemperature"),
    ],
)
def test_what_cannot_be_is_said(run: Run, folder: Path, words: tuple[str, ...], said: str) -> None:
    create(run, folder, "One")
    create(run, folder, "Two")
    assert said in configure(run, folder, *words).sentence
    assert rows(run, folder) == []
    assert configure(run, folder, "New", "--model", "mock/mock-small", "--credential", "Two").code == 0


def test_the_installations_are_for_all(run: Run, folder: Path) -> None:
    run("credentials", "create", "Mock", "--provider", "mock", "--system", "--data", folder)
    shared = configure(run, folder, "Shared", "--model", "mock/mock-small", "--system").json
    own = configure(run, folder, "Shared", "--model", "mock/mock-large").json
    assert (shared["scope"], own["scope"]) == ("system", "organization")
    assert own["credential"]["id"] == shared["credential"]["id"]
    assert {row["id"] for row in rows(run, folder)} == {shared["id"], own["id"]}
    assert [row["id"] for row in rows(run, folder, "--system")] == [shared["id"]]
    again = configure(run, folder, "Shared", "--system", "--max-tokens", "9").json
    assert (again["id"], again["defaultMaxTokens"], again["revision"]) == (shared["id"], 9, 2)


def test_what_is_used_stays(run: Run, folder: Path) -> None:
    create(run, folder)
    model = configure(run, folder, "Small", "--model", "mock/mock-small").json
    template(folder, modelConfigurationId=model["id"])
    entity = {"name": "Ask", "entityType": "prompt", "prompt": "?", "modelConfigurationId": model["id"]}
    post(folder, "/api/workflow-entities", entity)
    assert "'Ask', 'Summary'" in run("models", "delete", "Small", "--data", folder).sentence
    assert "'Small'" in run("credentials", "delete", "Mock", "--data", folder).sentence
