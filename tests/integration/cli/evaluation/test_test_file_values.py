"""`pulse test`: what YAML can say and JSON cannot, and pins that are none, are told in a sentence with their place."""

from pathlib import Path

import pytest

from tests.integration.cli.conftest import Run

WORKFLOW = """
name: W
entities: {a: {name: A, entityType: event, postScript: "___result___ = typeof a"}}
workflowData: {root: {entityId: a}}
"""
CASE = "workflow: w.yaml\ncases: [{{name: x, {}}}]\n"
PASSES = "expect: {status: success}"


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "cases").mkdir()
    (tmp_path / "cases" / "w.yaml").write_text(WORKFLOW)
    return tmp_path / "cases"


def sentence(run: Run, folder: Path, files: Path, case: str) -> str:
    """What a file with this case is refused with."""
    (files / "w.test.yaml").write_text(CASE.format(case))
    said = run("test", files, "--data", folder).sentence
    assert "w.test.yaml" in said
    return said


def test_numbers_are_no_names(run: Run, folder: Path, files: Path) -> None:
    """As in a workflow's document: JSON has none, and what was meant is not known."""
    assert "Put 1 in quotes" in sentence(run, folder, files, f"message: {{a: {{1: 1}}}}, {PASSES}")


@pytest.mark.parametrize(
    ("case", "words"),
    [
        (f"message: {{yes: 1}}, {PASSES}", "cases.0.message"),
        (f"message: [1], {PASSES}", "cases[0].message"),
        (f"message: {{}}, pins: {{A: 5}}, {PASSES}", "cases[0].pins"),
        (f"message: {{}}, effects: [1], {PASSES}", "cases[0].effects"),
        ("message: {}, expect: {log: {type: event}}", "cases[0].expect.log"),
        ("message: {}, expect: [success]", "cases[0].expect"),
    ],
)
def test_what_is_of_another_form(run: Run, folder: Path, files: Path, case: str, words: str) -> None:
    assert words in sentence(run, folder, files, case)


@pytest.mark.parametrize(
    ("case", "words"),
    [
        (f"message: {{}}, pins: {{B: {{}}}}, {PASSES}", "pins.B"),
        (f"message: {{}}, effects: {{triggerWorkflow: {{error: x}}}}, {PASSES}", "effects.triggerWorkflow.error"),
    ],
)
def test_what_is_found_when_a_case_is_run(run: Run, folder: Path, files: Path, case: str, words: str) -> None:
    assert words in sentence(run, folder, files, case)


@pytest.mark.parametrize(
    "case",
    [
        f"message: {{a: {{yes: 1}}}}, {PASSES}",
        f'message: {{a: "\\ud800"}}, {PASSES}',
        f"message: &m {{a: *m}}, {PASSES}",
        "message: {}, expect: {result: 2026-01-01}",
        "message: {}, expect: {globals: {a: !!binary aGVsbG8=}}",
        "message: {}, expect: {log: [{type: 2026-01-01}]}",
    ],
)
def test_what_json_cannot_say(run: Run, folder: Path, files: Path, case: str) -> None:
    try:
        assert "w.test.yaml" in sentence(run, folder, files, case)
    except (TypeError, ValueError, RecursionError) as error:
        pytest.fail(f"a traceback: {error!r}")


@pytest.mark.parametrize(
    "message",
    ["{a: .nan}", "{a: .inf}", '{a: "\\0"}', "{a: 2026-01-01}", "{a: !!binary aGVsbG8=}", "{type: 5}"],
)
def test_messages_that_the_receiver_would_refuse(run: Run, folder: Path, files: Path, message: str) -> None:
    sentence(run, folder, files, f"message: {message}, {PASSES}")


@pytest.mark.parametrize("pin", ["{global: {a: 1}}", "{globals: 5}", "{globals: abc}", "{condition: maybe}"])
def test_pins_that_are_none(run: Run, folder: Path, files: Path, pin: str) -> None:
    assert "pins" in sentence(run, folder, files, f"message: {{}}, pins: {{A: {pin}}}, {PASSES}")
