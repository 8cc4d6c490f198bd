"""What the index of messages says of an error must be text that every database can hold, however odd the error is."""

import pytest

from pulse.sandbox.port import Verdict
from tests.unit.evaluator.evaluating import evaluator
from tests.unit.evaluator.fake_sandbox import FakeSandbox, work
from tests.unit.workflows.drawn import inline, workflow


@pytest.mark.parametrize(
    ("error_type", "error"),
    [("Error", "no\0thing"), ("Err\0or", "nothing"), ("\0", ""), ("SyntaxError", "Unexpected token '\0', \"\0\0\"")],
)
async def test_no_nul_reaches_the_index(error_type: str, error: str) -> None:
    """A script throws what it likes; V8 itself quotes the text that JSON.parse could not read."""
    verdict = Verdict("fail", b"{}", error_type=error_type, error=error)
    outcome = await evaluator(FakeSandbox(verdict), workflow({"root": inline("start")})).evaluate(work())
    assert outcome.error is not None
    assert "\0" not in outcome.error


async def test_a_name_without_words_is_short_too() -> None:
    verdict = Verdict("fail", b"{}", error_type="E" * 4_000, error="")
    outcome = await evaluator(FakeSandbox(verdict), workflow({"root": inline("start")})).evaluate(work())
    assert outcome.error is not None
    assert len(outcome.error) <= 500
