"""`pulse workflows apply` and `export` for workflows that start each other, themselves, and others that are there."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.integration.cli.conftest import Run, Told
from tests.integration.cli.running import PULSE, environment


def document(name: str, *started: str, **more: Any) -> dict[str, Any]:
    """A workflow that starts these, by their names."""
    nodes = {
        f"s{at}": {"entityType": "workflow", "name": f"Start {to}", "workflowId": to} for at, to in enumerate(started)
    }
    return {
        "name": name,
        "entities": {"start": {"name": "Start", "entityType": "event"}},
        "workflowData": {
            "nodes": {"start": {"entityId": "start"}, **nodes},
            "workflow": {"ref": "start", "children": [{"ref": ref, "children": []} for ref in nodes]},
        },
        **more,
    }


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "files").mkdir()
    return tmp_path / "files"


def write(files: Path, *documents: dict[str, Any]) -> None:
    for old in files.glob("*.yaml"):
        old.unlink()
    for at, one in enumerate(documents):
        (files / f"{at}.yaml").write_text(yaml.safe_dump(one, sort_keys=False))


def applied(run: Run, folder: Path, files: Path, *arguments: str) -> dict[str, str]:
    told = run("workflows", "apply", files, *arguments, "--data", folder, "--json")
    assert told.code == 0, told.err
    return {change["workflow"]: change["change"] for change in told.json}


def stored(run: Run, folder: Path) -> dict[str, dict[str, Any]]:
    rows: list[dict[str, Any]] = run("workflows", "list", "--data", folder, "--json").json["data"]
    return {row["name"]: row for row in rows}


def started(rows: dict[str, dict[str, Any]]) -> dict[str, list[str]]:
    """Who starts whom, by name."""
    names = {row["id"]: name for name, row in rows.items()}
    return {
        name: [names[node["workflowId"]] for node in row["workflowData"]["nodes"].values() if "workflowId" in node]
        for name, row in rows.items()
    }


FAMILIES: dict[str, list[dict[str, Any]]] = {
    "one after the other": [document("C"), document("B", "C"), document("A", "B")],
    "the other way round": [document("A", "B"), document("B", "C"), document("C")],
    "itself": [document("A", "A")],
    "each other": [document("A", "B"), document("B", "A")],
    "three in a ring": [document("A", "B"), document("B", "C"), document("C", "A")],
    "one several times": [document("A", "B", "B", "A"), document("B")],
}


@pytest.mark.parametrize("documents", FAMILIES.values(), ids=FAMILIES)
def test_a_family_is_made_and_comes_back(
    run: Run, folder: Path, files: Path, tmp_path: Path, documents: list[dict[str, Any]]
) -> None:
    write(files, *documents)
    assert applied(run, folder, files, "--diff") == {one["name"]: "create" for one in documents}
    assert stored(run, folder) == {}
    assert applied(run, folder, files) == {one["name"]: "create" for one in documents}
    rows = stored(run, folder)
    assert started(rows) == {
        one["name"]: [node["workflowId"] for node in one["workflowData"]["nodes"].values() if "workflowId" in node]
        for one in documents
    }
    assert all(row["isActive"] for row in rows.values())
    assert applied(run, folder, files) == {one["name"]: "unchanged" for one in documents}
    assert stored(run, folder) == rows
    out = tmp_path / "out"
    assert run("workflows", "export", out, "--data", folder).code == 0
    assert not any("wf_" in file.read_text() for file in out.iterdir())
    assert set(applied(run, folder, out).values()) == {"unchanged"}
    run("environments", "create", "prod", "--organization", "Acme", "--data", folder)
    place = ("--environment", "prod")
    assert set(applied(run, folder, out, *place).values()) == {"create"}
    assert set(applied(run, folder, files, *place).values()) == {"unchanged"}


HANGING: dict[str, list[dict[str, Any]]] = {
    "two rings that share one": [document("A", "B", "C"), document("B", "A"), document("C", "A", "C")],
    "a ring and what starts it": [document("D", "A"), document("A", "B"), document("B", "A"), document("E", "D")],
}


@pytest.mark.parametrize("documents", HANGING.values(), ids=HANGING)
def test_rings_that_hang_together(run: Run, folder: Path, files: Path, documents: list[dict[str, Any]]) -> None:
    write(files, *documents)
    command = [str(PULSE), "workflows", "apply", str(files), "--data", str(folder)]
    try:
        done = subprocess.run(command, timeout=6, capture_output=True, text=True, env=environment(), check=False)
    except subprocess.TimeoutExpired:
        pytest.fail("it never ends")
    assert done.returncode == 0, done.stderr
    assert {name: len(theirs) for name, theirs in started(stored(run, folder)).items()} == {
        one["name"]: len(one["workflowData"]["nodes"]) - 1 for one in documents
    }


def test_a_ring_that_changes_direction(run: Run, folder: Path, files: Path) -> None:
    write(files, document("A", "B"), document("B", "C"), document("C"))
    applied(run, folder, files)
    write(files, document("A"), document("B", "A"), document("C", "B"))
    assert applied(run, folder, files) == {"A": "change", "B": "change", "C": "change"}
    assert started(stored(run, folder)) == {"A": [], "B": ["A"], "C": ["B"]}


def test_a_new_one_may_start_what_is_there(run: Run, folder: Path, files: Path) -> None:
    write(files, document("Old"))
    applied(run, folder, files)
    write(files, document("New", "Old"))
    assert applied(run, folder, files) == {"New": "create"}
    write(files, document("Old", "New"), document("Third", "Old", "New"))
    assert applied(run, folder, files) == {"Old": "change", "Third": "create"}
    assert started(stored(run, folder)) == {"Old": ["New"], "New": ["Old"], "Third": ["Old", "New"]}


def test_a_workflow_may_be_started_by_its_id(run: Run, folder: Path, files: Path) -> None:
    write(files, document("Old"))
    applied(run, folder, files)
    write(files, document("New", stored(run, folder)["Old"]["id"]))
    assert applied(run, folder, files) == {"New": "create"}
    assert started(stored(run, folder))["New"] == ["Old"]


def refused(told: Told) -> str:
    assert told.code == 1
    return told.sentence


def test_one_that_is_not_there_is_refused_with_its_path(run: Run, folder: Path, files: Path) -> None:
    write(files, document("A", "Nobody"))
    sentence = refused(run("workflows", "apply", files, "--data", folder))
    assert "Nobody" in sentence
    assert "workflowData.nodes" in sentence or "workflowData.workflow" in sentence


@pytest.mark.parametrize(
    "documents",
    [[document("A"), document("B", "Nobody")], [document("A", "B"), document("B", "A", "Nobody")]],
    ids=["others", "a ring"],
)
def test_a_family_with_a_stranger_changes_nothing(
    run: Run, folder: Path, files: Path, documents: list[dict[str, Any]]
) -> None:
    """As a bad file does: a family is applied whole, or not at all."""
    write(files, *documents)
    assert "Nobody" in refused(run("workflows", "apply", files, "--data", folder))
    assert stored(run, folder) == {}


def test_one_that_is_switched_off_stays_so(run: Run, folder: Path, files: Path) -> None:
    write(files, document("A", "B", isActive=False), document("B", "A", priority=3, description="words"))
    applied(run, folder, files)
    rows = stored(run, folder)
    assert [(rows[name]["isActive"], rows[name]["priority"]) for name in "AB"] == [(False, 100), (True, 3)]
    assert rows["B"]["description"] == "words"
    assert applied(run, folder, files) == {"A": "unchanged", "B": "unchanged"}


def test_names_that_two_workflows_have(run: Run, folder: Path, files: Path) -> None:
    """A workflow is known by its name: of two, the one that is tried first."""
    write(files, document("A", "B"), document("B"))
    applied(run, folder, files)
    first = stored(run, folder)["B"]["id"]
    (files / "again.yaml").write_text(yaml.safe_dump(document("B")))
    sentence = refused(run("workflows", "apply", files, "--data", folder))
    assert "both of the workflow 'B'" in sentence
    assert started(stored(run, folder)) == {"A": ["B"], "B": []}
    assert stored(run, folder)["B"]["id"] == first
