"""docs/reference/workflow-format.md is true: each example in it is executed in a real sandbox."""

import json
from typing import Any

import pytest
import yaml

from pulse.cli.trials import of_document, run_case, sandbox
from pulse.cli.workflows.apply import check_contents
from pulse.core.errors import InvalidFields
from pulse.evaluator import cases
from pulse.workflows.transfer import check_document
from tests.integration.docs.page import (
    ROOT,
    Block,
    Example,
    UnknownBlock,
    differences,
    read_page,
    workflow_format,
)

PAGE = read_page(workflow_format())
SHOWN = [(example, block, file) for example in PAGE.examples for block, file in example.shown]
# In every entry of a log; one that shows how entries look shows them once.
IN_EVERY_ENTRY = {"ts", "elapsed"}


def check(document: dict[str, Any]) -> None:
    """What `pulse workflows apply` finds before it sends anything. Raises InvalidFields."""
    check_document(document)
    check_contents(document)


def file_of(example: Example, block: Block) -> cases.TestFile:
    """The test file; which workflow it is about may be left out."""
    name = example.contents["name"]
    file = cases.read_test_file({"workflow": name, **yaml.safe_load(block.text)})
    assert file.workflow == name
    return file


async def reports(example: Example, block: Block) -> list[cases.Report]:
    """The cases of a test file, in a sandbox of its own, as `pulse test` runs a single file."""
    file, found = file_of(example, block), of_document(example.contents)
    async with sandbox(None) as trials:
        return [await run_case(trials, ROOT, file, case, found) for case in file.cases]


def entries_differ(shown: list[dict[str, Any]], log: list[dict[str, Any]]) -> list[str]:
    """Where a log is not the one that is shown, fields that are not shown included."""
    found = list(differences(shown, log, "log"))
    for wanted, entry in zip(shown, log, strict=False):
        found += [f"{name} is not shown" for name in entry.keys() - wanted.keys() - IN_EVERY_ENTRY]
    return found


@pytest.mark.parametrize("example", PAGE.examples, ids=lambda example: example.document.place)
def test_a_document_can_be_applied(example: Example) -> None:
    check(example.contents)


@pytest.mark.parametrize(("example", "block"), PAGE.tests, ids=[block.place for _, block in PAGE.tests])
async def test_cases_come_out_as_expected(example: Example, block: Block) -> None:
    failed = {report.name: report.differences for report in await reports(example, block) if not report.passed}
    assert not failed


@pytest.mark.parametrize(("example", "block", "file"), SHOWN, ids=[block.place for _, block, _ in SHOWN])
async def test_what_is_shown_is_what_comes(example: Example, block: Block, file: Block) -> None:
    outcome, shown = (await reports(example, file))[-1].outcome, json.loads(block.text)
    if block.info == "json outcome":
        assert not list(differences(shown, outcome))
    else:
        assert not entries_differ(shown, outcome["context"]["____execution_log____"])


@pytest.mark.parametrize(("document", "faults"), PAGE.refused, ids=[block.place for block, _ in PAGE.refused])
def test_a_refused_document_has_these_faults(document: Block, faults: Block) -> None:
    with pytest.raises(InvalidFields) as refused:
        check(yaml.safe_load(document.text))
    assert not list(differences(json.loads(faults.text), [vars(fault) for fault in refused.value.faults]))


def test_there_are_examples_of_everything() -> None:
    assert len(PAGE.examples) >= 20
    kinds = {block.info for _, block, _ in SHOWN}
    assert kinds == {"json log", "json outcome"}
    assert PAGE.refused


# Negative controls: nothing on a page escapes.


@pytest.mark.parametrize(
    "text",
    [
        "```yaml\na: 1\n```\n",
        "```\ntext\n```\n",
        "```js\nlet a;\n```\n",
        "```json logs\n[]\n```\n",
        "```yaml test\ncases: []\n```\n",
        "```json log\n[]\n```\n",
        "```json 200\n{}\n```\n",
        "```json faults\n[]\n```\n",
        "```yaml refused\nname: a\n```\n",
        "```yaml refused\nname: a\n```\n```json 200\n{}\n```\n",
        "```yaml workflow\nname: a\n```\n",
        "# One\n```yaml workflow\nname: a\n```\n# Two\n```yaml test\ncases: []\n```\n",
        "```yaml workflow\nname: a\n",
        "* ```yaml\n  a: 1\n",
        "  ```yaml workflow\n  a: 1\n  ```\n",
        "~~~yaml workflow\na: 1\n~~~\n",
        "    name: a\n",
    ],
)
def test_a_block_that_no_test_looks_at_is_a_fault(text: str) -> None:
    with pytest.raises(UnknownBlock):
        read_page(text)


@pytest.mark.parametrize(
    ("shown", "real", "same"),
    [
        ({"a": 1}, {"a": 1, "b": 2}, True),
        ({"a": 1, "b": 2}, {"a": 1}, False),
        ({"a": {"b": [1, {"c": "x"}]}}, {"a": {"b": [1, {"c": "x", "d": 1}]}}, True),
        ([1], [1, 2], False),
        (1, True, False),
        ("msg_…", "msg_01", True),
        ("msg_…", "wf_01", False),
        ("a…c.e", "abbcde", False),
        ({"durationMs": 1}, {"durationMs": 7}, True),
        ({"durationMs": 1}, {"durationMs": "7"}, False),
        ({"durationMs": 1}, {}, False),
        ({"count": 1}, {"count": 2}, False),
        (None, {}, False),
    ],
)
def test_a_difference_is_seen(shown: Any, real: Any, same: bool) -> None:
    assert (not list(differences(shown, real))) is same


def test_a_field_that_is_not_shown_is_seen() -> None:
    assert not entries_differ([{"type": "a"}], [{"ts": 1, "elapsed": 0, "type": "a"}])
    assert entries_differ([{"type": "a"}], [{"type": "a", "more": 1}])
    assert entries_differ([{"type": "a"}], [{"type": "a"}, {"type": "b"}])


async def test_a_case_that_comes_out_otherwise_is_seen() -> None:
    text = PAGE.examples[0].tests[0].text.replace("status: success", "status: fail")
    wrong = Block("yaml test", text, "Wrong", 1)
    assert not all(report.passed for report in await reports(PAGE.examples[0], wrong))
