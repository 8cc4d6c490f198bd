"""Workflows as files name their models: what is exported here is applied where the same model has another id."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.integration.cli.conftest import Run, Told

DOCUMENT: dict[str, Any] = {
    "name": "Summaries",
    "priority": 100,
    "entities": {
        "start": {"name": "Start", "entityType": "event"},
        "ask": {"name": "Ask", "entityType": "prompt", "prompt": "Hello", "modelConfiguration": "Fast"},
    },
    "workflowData": {"root": {"entityId": "start", "children": [{"entityId": "ask"}]}},
}
EXPORTED = {**DOCUMENT["entities"]["ask"], "tfCondition": "Single Path"}


def configure(run: Run, name: str, *where: str | Path) -> str:
    """A model that is ready to use under the name; its id."""
    run("credentials", "create", "Mock", "--provider", "mock", *where)
    told = run("models", "configure", name, "--model", "mock/mock-small", "--credential", "Mock", *where, "--json")
    assert told.code == 0, told.err
    return str(told.json["id"])


@pytest.fixture
def here(folder: Path) -> tuple[str | Path, ...]:
    """Options of a command: the only organization of an installation."""
    return ("--data", folder)


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A folder for files of workflows, with one that asks *Fast*."""
    folder = tmp_path / "workflows"
    folder.mkdir()
    return written(folder, "Fast")


def written(files: Path, model: str, field: str = "modelConfiguration") -> Path:
    ask = {"name": "Ask", "entityType": "prompt", "prompt": "Hello", field: model}
    document = {**DOCUMENT, "entities": {**DOCUMENT["entities"], "ask": ask}}
    (files / "summaries.yaml").write_text(yaml.safe_dump(document, sort_keys=False))
    return files


def kinds(told: Told) -> list[str]:
    assert told.code == 0, told.err
    return [change["change"] for change in told.json]


def asked(run: Run, *where: str | Path) -> dict[str, Any]:
    """The prompt, as `pulse workflows show` has it."""
    shown: dict[str, Any] = run("workflows", "show", "Summaries", *where, "--json").json["entities"]["ask"]
    return shown


def exported(run: Run, folder: Path, *where: str | Path) -> dict[str, Any]:
    """The prompt, as `pulse workflows export` writes it."""
    assert run("workflows", "export", folder, *where).code == 0
    document = yaml.safe_load((folder / "summaries.yaml").read_text())
    return dict(document["entities"]["ask"])


def is_used(run: Run, model: str, *where: str | Path) -> bool:
    """Whether the model of that id is what the stored prompt asks: one that is used cannot be deleted."""
    told = run("models", "delete", model, *where)
    return told.code == 1 and "Ask" in told.err


def test_from_one_organization_into_another(
    run: Run, here: tuple[str | Path, ...], files: Path, tmp_path: Path
) -> None:
    acme, other = ("--organization", "Acme", *here), ("--organization", "Other", *here)
    run("organizations", "create", "Other", *here)
    run("environments", "create", "dev", *other)
    first, second = configure(run, "Fast", *acme), configure(run, "Fast", *other)
    assert kinds(run("workflows", "apply", files, *acme, "--json")) == ["create"]
    out = tmp_path / "out"
    assert exported(run, out, *acme) == EXPORTED
    assert kinds(run("workflows", "apply", out, *acme, "--diff", "--json")) == ["unchanged"]
    assert kinds(run("workflows", "apply", out, *other, "--json")) == ["create"]
    assert kinds(run("workflows", "apply", out, *other, "--diff", "--json")) == ["unchanged"]
    assert (is_used(run, first, *acme), is_used(run, second, *other)) == (True, True)
    assert exported(run, tmp_path / "again", *other) == EXPORTED


def test_a_model_of_another_organization_is_none(run: Run, here: tuple[str | Path, ...], files: Path) -> None:
    run("organizations", "create", "Other", *here)
    foreign = configure(run, "Fast", "--organization", "Other", *here)
    acme = ("--organization", "Acme", *here)
    assert "no model configuration 'Fast' here" in run("workflows", "apply", files, *acme).sentence
    written(files, foreign, "modelConfigurationId")
    assert "no model configuration of this id here" in run("workflows", "apply", files, *acme).sentence


def test_from_one_installation_into_another(
    run: Run, here: tuple[str | Path, ...], template: Path, files: Path, tmp_path: Path
) -> None:
    there = ("--data", shutil.copytree(template, tmp_path / "second"))
    # There it is the installation's, for all its organizations.
    configure(run, "Fast", *here)
    second = configure(run, "Fast", "--system", *there)
    assert kinds(run("workflows", "apply", files, *here, "--json")) == ["create"]
    exported(run, tmp_path / "out", *here)
    assert kinds(run("workflows", "apply", tmp_path / "out", *there, "--json")) == ["create"]
    assert kinds(run("workflows", "apply", tmp_path / "out", *there, "--json")) == ["unchanged"]
    assert exported(run, tmp_path / "again", *there) == EXPORTED
    assert run("models", "delete", second, "--system", *there).code == 1


def test_what_is_not_there_is_refused_before_anything_changes(
    run: Run, here: tuple[str | Path, ...], files: Path
) -> None:
    # It comes first, and would be made first.
    (files / "a.yaml").write_text("name: Plain\n")
    for more in ((), ("--diff",)):
        sentence = run("workflows", "apply", files, *more, *here, "--json").sentence
        assert f"{files / 'summaries.yaml'}: entities.ask.modelConfiguration: There is no" in sentence
        assert "pulse models configure" in sentence
    assert run("workflows", "list", *here, "--json").json["data"] == []
    configure(run, "Fast", *here)
    assert kinds(run("workflows", "apply", files, *here, "--json")) == ["create", "create"]


def test_a_name_that_two_have_is_refused_and_its_id_is_exported(
    run: Run, here: tuple[str | Path, ...], files: Path, tmp_path: Path
) -> None:
    own, system = configure(run, "Fast", *here), configure(run, "Fast", "--system", *here)
    sentence = run("workflows", "apply", files, *here).sentence
    assert f"{files / 'summaries.yaml'}: entities.ask.modelConfiguration: " in sentence
    assert "modelConfigurationId" in sentence
    assert run("workflows", "list", *here, "--json").json["data"] == []
    for model in (own, system):
        run("workflows", "apply", written(files, model, "modelConfigurationId"), *here)
        assert exported(run, tmp_path / "out", *here)["modelConfigurationId"] == model
        assert kinds(run("workflows", "apply", tmp_path / "out", *here, "--diff", "--json")) == ["unchanged"]


def test_files_with_ids_go_on_working(run: Run, here: tuple[str | Path, ...], files: Path) -> None:
    model = configure(run, "Fast", *here)
    for field in ("modelConfigurationId", "modelId"):
        written(files, model, field)
        assert kinds(run("workflows", "apply", files, *here, "--json"))[0] in ("create", "unchanged")
        assert kinds(run("workflows", "apply", files, *here, "--diff", "--json")) == ["unchanged"]
        assert asked(run, *here)["modelConfiguration"] == "Fast"
    assert kinds(run("workflows", "apply", written(files, "Fast"), *here, "--diff", "--json")) == ["unchanged"]
    sentence = run("workflows", "apply", written(files, "mcf_gone", "modelConfigurationId"), *here).sentence
    assert f"{files / 'summaries.yaml'}: entities.ask.modelConfigurationId: There is no" in sentence


def test_another_model_shows_by_its_name_and_is_applied(
    run: Run, here: tuple[str | Path, ...], files: Path, tmp_path: Path
) -> None:
    configure(run, "Fast", *here)
    slow = configure(run, "Slow", *here)
    run("workflows", "apply", files, *here)
    written(files, "Slow")
    shown = run("workflows", "apply", files, "--diff", *here).out
    assert '-      "modelConfiguration": "Fast"' in shown
    assert '+      "modelConfiguration": "Slow"' in shown
    assert kinds(run("workflows", "apply", files, *here, "--json")) == ["change"]
    assert kinds(run("workflows", "apply", files, *here, "--json")) == ["unchanged"]
    assert is_used(run, slow, *here)
    assert exported(run, tmp_path / "out", *here)["modelConfiguration"] == "Slow"


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"modelConfiguration": 3}, "is text"),
        ({"modelConfiguration": "Fast", "modelConfigurationId": "mcf_1"}, "not both"),
    ],
)
def test_what_names_no_model_is_said(
    run: Run, here: tuple[str | Path, ...], files: Path, fields: dict[str, Any], said: str
) -> None:
    ask = {"name": "Ask", "entityType": "prompt", **fields}
    document = {**DOCUMENT, "entities": {**DOCUMENT["entities"], "ask": ask}}
    (files / "summaries.yaml").write_text(yaml.safe_dump(document))
    sentence = run("workflows", "apply", files, *here).sentence
    assert f"{files / 'summaries.yaml'}: entities.ask.modelConfiguration: " in sentence
    assert said in sentence


def test_test_files_need_no_such_model(run: Run, here: tuple[str | Path, ...], files: Path) -> None:
    case = "{name: Asked, message: {}, effects: {executePromptWithModel: Hi}, expect: {log: [{type: prompt}]}}"
    (files / "summaries.test.yaml").write_text(f"workflow: summaries.yaml\ncases: [{case}]\n")
    told = run("test", files, *here)
    assert told.code == 0, told.out
