"""`pulse test`: cases in files beside a workflow. What fails says why, and a file that cannot be run says where."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

import pulse.bootstrap
from tests.integration.cli.conftest import Run, Told
from tests.integration.cli.running import pulse as process

EXAMPLES = Path(pulse.bootstrap.__file__).parent / "examples"
SCRIPT = "sum = n + 1; print('sum', sum); sent = await triggerWorkflow('wf_other'); ___result___ = { sum }"
WORKFLOW: dict[str, Any] = {
    "name": "Sums",
    "entities": {
        "start": {
            "name": "A number",
            "entityType": "event",
            "condition": {"field": "n", "comparison": "exists"},
            "postScript": SCRIPT,
        },
        "deed": {"name": "Deed", "entityType": "action", "postScript": "done = typeof sum"},
    },
    "workflowData": {
        "nodes": {"a": {"entityId": "start"}, "b": {"entityId": "deed"}},
        "workflow": {"ref": "a", "children": [{"ref": "b", "children": []}]},
    },
}
PASSES: dict[str, Any] = {"name": "passes", "message": {"n": 1}, "expect": {"result": {"sum": 2}}}


@pytest.fixture
def beside(tmp_path: Path) -> Path:
    """A folder with a workflow in it."""
    return write(tmp_path / "cases" / "sums.yaml", WORKFLOW).parent


def write(path: Path, document: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(document, allow_unicode=True, sort_keys=False))
    return path


def ran(run: Run, folder: Path, beside: Path, *cases: dict[str, Any], **more: Any) -> Told:
    """Runs a file of these cases."""
    file = write(beside / "sums.test.yaml", {"workflow": "sums.yaml", **more, "cases": list(cases)})
    return run("test", file, "--data", folder, "--json")


def test_the_examples_of_the_demo_pass(run: Run, folder: Path) -> None:
    told = run("test", EXAMPLES / "tests", "--data", folder, "--json")
    assert told.code == 0, [report for report in told.json if not report["passed"]]
    files = {Path(report["file"]).name.removesuffix(".test.yaml") for report in told.json}
    assert files == {example.stem for example in EXAMPLES.glob("*.yaml")}
    assert all(report["differences"] == [] for report in told.json)


def test_cases_that_pass(run: Run, folder: Path, beside: Path) -> None:
    place = {"organizationId": "test", "environmentId": "test"}
    expect = {
        "status": "success",
        "result": {"sum": 2},
        "globals": {"sum": 2, "done": "number"},
        "log": [{"type": "event", "conditionResult": True}, {"type": "print", "args": ["sum", 2]}, {"type": "action"}],
        "effects": [{"function": "triggerWorkflow", "arguments": ["wf_other", {**place, "n": 1, "sum": 2}]}],
    }
    everything = {"name": "everything", "message": {"n": 1}, "expect": expect}
    ignored = {"name": "ignored", "message": {"m": 1}, "expect": {"status": "ignore", "globals": {}}}
    told = ran(run, folder, beside, everything, ignored)
    assert (told.code, [(report["name"], report["passed"]) for report in told.json]) == (
        0,
        [("everything", True), ("ignored", True)],
    )
    shown = run("test", beside, "--data", folder)
    assert (shown.code, shown.out.splitlines()[-1]) == (0, "2 cases, 0 failed.")


FAILURES: list[tuple[dict[str, Any], list[str]]] = [
    ({"status": "fail"}, ["status"]),
    ({"result": {"sum": 3}}, ["result"]),
    ({"result": None}, ["result"]),
    ({"result": {"sum": 2, "more": 1}}, ["result"]),
    ({"globals": {"sum": 3, "none": 1, "n": 1}}, ["globals.sum", "globals.none"]),
    ({"log": [{"type": "print"}, {"type": "event"}]}, ["log[1]"]),
    ({"log": [{"type": "print", "args": ["sum"]}]}, ["log[0]"]),
    ({"effects": []}, ["effects"]),
    ({"effects": [{"function": "triggerWorkflow"}, {"function": "triggerWorkflow"}]}, ["effects"]),
    ({"effects": [{"function": "other"}]}, ["effects"]),
    ({"error": "boom"}, ["error"]),
    ({"seen": {"n": 1}}, ["seen"]),
    ({"status": "ignore", "result": 1}, ["status", "result"]),
]


@pytest.mark.parametrize(("expect", "parts"), FAILURES, ids=lambda value: json.dumps(value)[:50])
def test_cases_that_fail(run: Run, folder: Path, beside: Path, expect: dict[str, Any], parts: list[str]) -> None:
    told = ran(run, folder, beside, PASSES, {"name": "fails", "message": {"n": 1}, "expect": expect})
    good, bad = told.json
    assert (told.code, good["passed"], bad["passed"]) == (1, True, False)
    assert [difference["part"] for difference in bad["differences"]] == parts
    shown = run("test", beside, "--data", folder)
    assert shown.code == 1
    assert "FAILED  sums.test.yaml: fails" in shown.out
    assert shown.out.splitlines()[-1] == "2 cases, 1 failed."
    assert shown.err == ""


def test_an_error_of_a_script_is_expected_by_its_words(run: Run, folder: Path, beside: Path) -> None:
    broken = {**WORKFLOW["entities"]["start"], "postScript": "throw new Error('no sum today')"}
    write(beside / "sums.yaml", {**WORKFLOW, "entities": {**WORKFLOW["entities"], "start": broken}})
    cases = [{"name": words, "message": {"n": 1}, "expect": {"error": words}} for words in ("sum today", "other")]
    assert [report["passed"] for report in ran(run, folder, beside, *cases).json] == [True, False]


def test_why_a_message_is_ignored(run: Run, folder: Path, beside: Path) -> None:
    rule = {"field": "n", "comparison": "greater_than", "value": 5}
    start = {**WORKFLOW["entities"]["start"], "condition": rule}
    write(beside / "sums.yaml", {**WORKFLOW, "entities": {**WORKFLOW["entities"], "start": start}})
    cases = [{"name": f"{n}", "message": {"n": 1}, "expect": {"status": "ignore", "seen": {"n": n}}} for n in (1, 2)]
    assert [report["passed"] for report in ran(run, folder, beside, *cases).json] == [True, False]


def test_what_a_file_says_of_the_environment(run: Run, folder: Path, beside: Path) -> None:
    script = (
        "___result___ = [KEY.length, getWorkflowByName('Other').id, getWorkflowByName('none'), Date.now()]; print(KEY)"
    )
    start = {**WORKFLOW["entities"]["start"], "postScript": script}
    write(beside / "sums.yaml", {**WORKFLOW, "entities": {**WORKFLOW["entities"], "start": start}})
    around = {"variables": {"KEY": "a secret value"}, "workflows": ["Other"], "at": "2026-02-03T04:05:06Z"}
    expect = {"result": [14, "Other", None, 1_770_091_506_000], "log": [{"type": "print", "args": ["***"]}]}
    told = ran(run, folder, beside, {"name": "around", "message": {"n": 1}, "expect": expect}, **around)
    assert told.code == 0, told.out
    assert "a secret value" not in told.out


def test_pins_effects_and_an_entity(run: Run, folder: Path, beside: Path) -> None:
    answer = {"success": True, "workflowId": "w", "sequenceNumber": "mine"}
    cases = [
        {**PASSES, "name": "mock", "effects": {"triggerWorkflow": answer}, "expect": {"globals": {"sent": answer}}},
        {
            "name": "failure",
            "message": {"n": 1},
            "effects": {"triggerWorkflow": {"error": {"code": "too_deep", "message": "Too deep"}}},
            "expect": {"status": "fail", "error": "Too deep"},
        },
        {
            "name": "pins",
            "message": {"m": 1},
            "pins": {"A number": {"condition": True, "globals": {"sum": "pinned"}}},
            "expect": {"globals": {"sum": "pinned", "done": "string"}, "effects": []},
        },
        {"name": "entity", "message": {"n": 1}, "entity": "Deed", "expect": {"globals": {"done": "undefined"}}},
    ]
    told = ran(run, folder, beside, *cases)
    assert told.code == 0, [report["differences"] for report in told.json]


def test_a_message_in_a_file_beside_it(run: Run, folder: Path, beside: Path) -> None:
    (beside / "message.json").write_text('{"n": 41}')
    case = {"name": "file", "messageFile": "message.json", "expect": {"result": {"sum": 42}}}
    assert ran(run, folder, beside, case).code == 0


def test_a_stored_workflow_by_its_name(run: Run, folder: Path, beside: Path) -> None:
    run("workflows", "apply", beside / "sums.yaml", "--data", folder)
    file = write(beside / "stored.test.yaml", {"workflow": "Sums", "cases": [PASSES]})
    assert run("test", file, "--data", folder).code == 0
    listed = run("workflows", "list", "--data", folder, "--json").json["data"][0]
    file = write(beside / "stored.test.yaml", {"workflow": listed["id"], "cases": [PASSES]})
    assert run("test", file, "--data", folder).code == 0
    assert run("messages", "list", "--data", folder, "--json").json["pagination"]["total"] == 0


FAULTS: dict[str, tuple[Any, str]] = {
    "no mapping": ([PASSES], "Expected `object`"),
    "no workflow": ({"cases": [PASSES]}, "workflow"),
    "no cases": ({"workflow": "sums.yaml", "cases": []}, "at least one case"),
    "an unknown field": ({"workflow": "sums.yaml", "cases": [PASSES], "variable": {}}, "variable"),
    "an unknown field of a case": ({"workflow": "sums.yaml", "cases": [{**PASSES, "expects": {}}]}, "expects"),
    "an unknown expectation": ({"workflow": "sums.yaml", "cases": [{**PASSES, "expect": {"x": 1}}]}, "`x`"),
    "nothing expected": ({"workflow": "sums.yaml", "cases": [{**PASSES, "expect": {}}]}, "expect"),
    "no such status": ({"workflow": "sums.yaml", "cases": [{**PASSES, "expect": {"status": "ok"}}]}, "status"),
    "no message": ({"workflow": "sums.yaml", "cases": [{"name": "x", "expect": {"result": 1}}]}, "messageFile"),
    "two messages": ({"workflow": "sums.yaml", "cases": [{**PASSES, "messageFile": "m.json"}]}, "messageFile"),
    "a message file that is not there": (
        {"workflow": "sums.yaml", "cases": [{"name": "x", "messageFile": "m.json", "expect": {"result": 1}}]},
        "m.json",
    ),
    "an entity that is not there": ({"workflow": "sums.yaml", "cases": [{**PASSES, "entity": "none"}]}, "'none'"),
    "a pin that is not there": ({"workflow": "sums.yaml", "cases": [{**PASSES, "pins": {"none": {}}}]}, "none"),
    "a time that is none": ({"workflow": "sums.yaml", "cases": [PASSES], "at": "soon"}, "at is a time"),
    "a workflow file that is not there": ({"workflow": "other.yaml", "cases": [PASSES]}, "other.yaml"),
    "a workflow that is not stored": ({"workflow": "Other", "cases": [PASSES]}, "'Other'"),
    "a variable that is no text": ({"workflow": "sums.yaml", "cases": [PASSES], "variables": {"A": 1}}, "variables"),
}


@pytest.mark.parametrize(("document", "words"), FAULTS.values(), ids=FAULTS)
def test_a_file_that_cannot_be_run(run: Run, folder: Path, beside: Path, document: Any, words: str) -> None:
    file = write(beside / "bad.test.yaml", document)
    sentence = run("test", file, "--data", folder).sentence
    assert words in sentence, sentence
    assert "bad.test.yaml" in sentence or words == "none" or "other.yaml" in sentence or "m.json" in sentence


@pytest.mark.parametrize("text", ["name: [", "\x00", "- !!python/object/apply:os.system ['true']", "&a [*a]"])
def test_a_file_that_is_no_yaml(run: Run, folder: Path, beside: Path, text: str) -> None:
    (beside / "bad.test.yaml").write_text(text)
    assert "bad.test.yaml" in run("test", beside / "bad.test.yaml", "--data", folder).sentence


def test_a_workflow_that_cannot_be_used(run: Run, folder: Path, beside: Path) -> None:
    for document in ({"name": "Empty"}, {**WORKFLOW, "entities": {}}):
        write(beside / "sums.yaml", document)
        assert "sums" in ran(run, folder, beside, PASSES).sentence


def test_folders_without_tests(run: Run, folder: Path, tmp_path: Path) -> None:
    assert "no test files" in run("test", tmp_path, "--data", folder).sentence
    assert str(tmp_path / "none") in run("test", tmp_path / "none", "--data", folder).sentence


def test_files_and_folders_of_folders(run: Run, folder: Path, beside: Path) -> None:
    deeper = write(beside / "deep" / "er" / "sums.yaml", WORKFLOW).parent
    for where in (beside, deeper):
        write(where / "one.test.yaml", {"workflow": "sums.yaml", "cases": [PASSES]})
    write(beside / "ignored.yaml", {"not": "a test"})
    assert len(run("test", beside, "--data", folder, "--json").json) == 2
    assert len(run("test", deeper, beside / "one.test.yaml", "--data", folder, "--json").json) == 2


def test_exit_codes_as_a_shell_sees_them(beside: Path, tmp_path: Path) -> None:
    data = ("--data", str(tmp_path / "data"))
    write(beside / "good.test.yaml", {"workflow": "sums.yaml", "cases": [PASSES]})
    done = process("test", beside / "good.test.yaml", *data)
    assert (done.returncode, done.stdout.splitlines()[-1], done.stderr) == (0, "1 case, 0 failed.", "")
    write(beside / "bad.test.yaml", {"workflow": "sums.yaml", "cases": [{**PASSES, "expect": {"result": 1}}]})
    done = process("test", beside, *data)
    assert (done.returncode, done.stdout.splitlines()[-1], done.stderr) == (1, "2 cases, 1 failed.", "")
    assert not (tmp_path / "data" / "pulse.db").exists()
