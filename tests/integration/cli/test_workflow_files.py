"""`pulse workflows`: what is drawn goes into a folder of YAML and comes back; applied again, it changes nothing."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.integration.cli.conftest import Run, Told

SCRIPT = "// a comment: with [brackets] and :bug:\nif (payload.amount > 100) {\n\tprint('é', `${1}`);\n}\n"
DOCUMENT: dict[str, Any] = {
    "name": "Large orders",
    "description": "Orders over a limit",
    "priority": 20,
    "entities": {
        "order": {
            "name": "An order",
            "entityType": "event",
            "condition": {"type": "rule", "field": "type", "comparison": "equals", "value": "order"},
        },
        "note": {"name": "Note it", "entityType": "action", "postScript": SCRIPT},
    },
    "workflowData": {
        "nodes": {
            "start": {"entityId": "order", "name": "An order", "entityType": "event"},
            "then": {"entityId": "note", "name": "Note it", "entityType": "action", "extra": {"kept": True}},
        },
        "connectors": {},
        "workflow": {"ref": "start", "children": [{"ref": "then", "children": []}]},
    },
}


def write(path: Path, document: Any = None, **changes: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump({**(document or DOCUMENT), **changes}, allow_unicode=True, sort_keys=False))
    return path


@pytest.fixture
def files(tmp_path: Path) -> Path:
    return write(tmp_path / "workflows" / "orders.yaml").parent


def apply(run: Run, folder: Path, files: Path, *arguments: str) -> Told:
    return run("workflows", "apply", files, *arguments, "--data", folder)


def kinds(told: Told) -> list[tuple[str, str]]:
    assert told.code == 0, told.err
    return [(change["workflow"], change["change"]) for change in told.json]


def entities(run: Run, folder: Path) -> int:
    """How many entities there are, as the file says that they are exported."""
    listed = run("workflows", "list", "--data", folder, "--json").json["data"]
    return sum(len(row["workflowData"]["nodes"]) for row in listed)


def test_apply_then_apply_again(run: Run, folder: Path, files: Path) -> None:
    assert kinds(apply(run, folder, files, "--diff", "--json")) == [("Large orders", "create")]
    assert run("workflows", "list", "--data", folder).out == "No workflows yet.\n"
    assert kinds(apply(run, folder, files, "--json")) == [("Large orders", "create")]
    assert kinds(apply(run, folder, files, "--json")) == [("Large orders", "unchanged")]
    assert apply(run, folder, files).out.split() == ["unchanged", "Large", "orders"]
    (listed,) = run("workflows", "list", "--data", folder, "--json").json["data"]
    assert (listed["version"], listed["priority"]) == (1, 20)


def test_tests_may_lie_beside_the_workflows(run: Run, folder: Path, files: Path) -> None:
    """As the README's first workflow does it."""
    case = "{name: Large, message: {type: order, payload: {amount: 120}}, expect: {status: success}}"
    (files / "orders.test.yaml").write_text(f"workflow: orders.yaml\ncases: [{case}]\n")
    assert run("test", files, "--data", folder).code == 0
    told = run("workflows", "apply", files, "--data", folder)
    assert told.code == 0, told.err
    assert run("workflows", "apply", files, "--diff", "--data", folder).code == 0


def test_what_is_exported_is_what_is_there(run: Run, folder: Path, files: Path, tmp_path: Path) -> None:
    apply(run, folder, files)
    exported = tmp_path / "deep" / "out"
    told = run("workflows", "export", exported, "--data", folder, "--json")
    assert told.json == {"files": [str(exported / "large-orders.yaml")]}
    assert kinds(apply(run, folder, exported, "--diff", "--json")) == [("Large orders", "unchanged")]
    text = (exported / "large-orders.yaml").read_text()
    document = yaml.safe_load(text)
    assert document["entities"]["note-it"]["postScript"] == SCRIPT
    assert document["workflowData"]["nodes"]["then"]["extra"] == {"kept": True}
    assert "ent_" not in text
    assert run("workflows", "export", exported, "--data", folder).out == f"1 workflow written to {exported}\n"


def test_a_change_shows_and_is_applied(run: Run, folder: Path, files: Path) -> None:
    apply(run, folder, files)
    changed = {**DOCUMENT["entities"], "note": {**DOCUMENT["entities"]["note"], "postScript": "print('new')\n"}}
    write(files / "orders.yaml", entities=changed, priority=5)
    shown = apply(run, folder, files, "--diff")
    assert shown.out.startswith("change")
    assert '-  "priority": 20' in shown.out
    assert '+  "priority": 5' in shown.out
    assert "print('new')" in shown.out
    assert kinds(apply(run, folder, files, "--diff", "--json")) == [("Large orders", "change")]
    assert kinds(apply(run, folder, files, "--json")) == [("Large orders", "change")]
    assert kinds(apply(run, folder, files, "--json")) == [("Large orders", "unchanged")]
    shown_now = run("workflows", "show", "Large orders", "--data", folder, "--json").json
    assert (shown_now["priority"], shown_now["entities"]["note-it"]["postScript"]) == (5, "print('new')\n")


def test_show_is_yaml_that_can_be_applied(run: Run, folder: Path, files: Path, tmp_path: Path) -> None:
    apply(run, folder, files)
    shown = run("workflows", "show", "Large orders", "--data", folder).out
    assert yaml.safe_load(shown)["entities"]["note-it"]["postScript"] == SCRIPT
    (tmp_path / "again.yaml").write_text(shown)
    assert kinds(apply(run, folder, tmp_path / "again.yaml", "--json")) == [("Large orders", "unchanged")]
    assert "'none'" in run("workflows", "show", "none", "--data", folder).sentence


def test_switching_off_and_on(run: Run, folder: Path, files: Path) -> None:
    apply(run, folder, files)
    assert run("workflows", "disable", "Large orders", "--data", folder).out == "Large orders is off\n"
    assert kinds(apply(run, folder, files, "--diff", "--json")) == [("Large orders", "change")]
    listed = run("workflows", "list", "--data", folder, "--json").json["data"][0]
    assert listed["isActive"] is False
    assert run("workflows", "enable", listed["id"], "--data", folder, "--json").json["isActive"] is True
    assert kinds(apply(run, folder, files, "--diff", "--json")) == [("Large orders", "unchanged")]
    assert "'none'" in run("workflows", "enable", "none", "--data", folder).sentence


def test_names_that_make_the_same_file_name_are_all_exported(
    run: Run, folder: Path, files: Path, tmp_path: Path
) -> None:
    names = ["Large orders", "large/orders!", "日本", "中国"]
    for at, name in enumerate(names):
        write(files / f"{at}.yaml", name=name)
    (files / "orders.yaml").unlink()
    apply(run, folder, files)
    told = run("workflows", "export", tmp_path / "out", "--data", folder, "--json").json
    exported = {yaml.safe_load(Path(file).read_text())["name"] for file in told["files"]}
    assert (exported, len(told["files"])) == (set(names), 4)
    assert {kind for _, kind in kinds(apply(run, folder, tmp_path / "out", "--diff", "--json"))} == {"unchanged"}


FAULTS: dict[str, tuple[str, str]] = {
    "no YAML": ("name: [", "line 1, column 8"),
    "no mapping": ("- a\n- b\n", "mapping"),
    "nothing": ("", "mapping"),
    "no name": ("priority: 1\n", "name"),
    "an unknown field": ("name: x\ncolour: red\n", "colour"),
    "a date": (
        "name: x\nentities: {a: {name: a, entityType: event, description: 2026-01-01}}\n",
        "entities.a.description",
    ),
    "a name that is no text": ("name: x\nworkflowData: {nodes: {yes: {}}}\n", "True in quotes"),
    "not a number": ("name: x\npriority: .nan\n", "priority"),
    "a priority that is none": ("name: x\npriority: high\n", "priority"),
    "an entity without a name": ("name: x\nentities: {a: {entityType: event}}\n", "entities.a.name"),
    "an entity without a type": ("name: x\nentities: {a: {name: a}}\n", "entities.a.entityType"),
    "an entity that is none": ("name: x\nentities: {a: 1}\n", "entities"),
    "an unknown field of an entity": (
        "name: x\nentities: {a: {name: a, entityType: event, scrpt: x}}\n",
        "entities.a.scrpt",
    ),
    "arguments that are none": (
        "name: x\nentities: {a: {name: a, entityType: event, arguments: x}}\n",
        "entities.a.arguments",
    ),
    "an unknown reference": ("name: x\nworkflowData: {root: {entityId: gone}}\n", "workflowData.root.entityId"),
    "a program": ("name: !!python/object/apply:os.system ['true']\n", "line 1, column 7"),
    "binary": ("name: !!binary aGVsbG8=\n", "name"),
    "itself": ("name: x\nworkflowData: &a {root: *a}\n", "holds itself"),
    "not text": ("\x00\x01", "unacceptable character"),
}


@pytest.mark.parametrize(("text", "where"), FAULTS.values(), ids=FAULTS)
@pytest.mark.parametrize("diff", [True, False])
def test_a_bad_file_changes_nothing(run: Run, folder: Path, files: Path, text: str, where: str, diff: bool) -> None:
    write(files / "good.yaml", name="Good")
    (files / "orders.yaml").write_text(text)
    sentence = apply(run, folder, files, *(["--diff"] if diff else []), "--json").sentence
    assert where in sentence
    assert "orders.yaml" in sentence
    if not diff:
        assert run("workflows", "list", "--data", folder, "--json").json["data"] == []


def test_a_condition_that_is_wrong_has_its_path(run: Run, folder: Path, files: Path) -> None:
    rule = {"field": "a", "comparison": "resembles", "value": 1}
    wrong = {**DOCUMENT["entities"], "order": {"name": "o", "entityType": "event", "condition": rule}}
    write(files / "orders.yaml", entities=wrong)
    assert "resembles" in apply(run, folder, files).sentence


def test_two_files_of_one_workflow(run: Run, folder: Path, files: Path) -> None:
    write(files / "twice.yaml")
    sentence = apply(run, folder, files).sentence
    assert "orders.yaml" in sentence
    assert "twice.yaml" in sentence


def test_folders_that_are_none(run: Run, folder: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    for path in (empty, tmp_path / "none"):
        assert "no YAML files" in apply(run, folder, path).sentence
    file = tmp_path / "file"
    file.write_text("x")
    assert str(file) in run("workflows", "export", file, "--data", folder).sentence


def test_each_environment_has_its_own(run: Run, folder: Path, files: Path) -> None:
    run("environments", "create", "prod", "--organization", "Acme", "--data", folder)
    assert "--environment" in apply(run, folder, files).sentence
    for name in ("dev", "prod"):
        assert kinds(apply(run, folder, files, "--environment", name, "--json")) == [("Large orders", "create")]
        assert kinds(apply(run, folder, files, "--environment", name, "--json")) == [("Large orders", "unchanged")]
