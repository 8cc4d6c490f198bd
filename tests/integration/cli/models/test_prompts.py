"""`pulse prompts`: templates are shown, and runs of them are stored, or answered where a `pulse up` is running."""

import json
from itertools import count
from pathlib import Path

import pytest

from tests.integration.cli.conftest import Run
from tests.integration.cli.models.stored import post, template
from tests.integration.cli.running import Up, pulse, up

_numbers = count(1)


@pytest.fixture
def models(run: Run, folder: Path) -> Path:
    """A folder with two models ready to use."""
    run("credentials", "create", "Mock", "--provider", "mock", "--data", folder)
    for name in ("small", "large"):
        words = ("--model", f"mock/mock-{name}", "--data", folder)
        assert run("models", "configure", name.title(), *words).code == 0
    return folder


@pytest.fixture
def place(running: Up, run: Run) -> tuple[str, ...]:
    """An organization that nobody else uses with a model, on the running platform; as options of a command."""
    name = f"Prompts {next(_numbers)}"
    where = ("--organization", name, "--data", str(running.folder))
    assert run("organizations", "create", name, "--data", running.folder).code == 0
    assert run("environments", "create", "dev", *where).code == 0
    assert run("credentials", "create", "Mock", "--provider", "mock", *where).code == 0
    assert run("models", "configure", "Small", "--model", "mock/mock-small", *where).code == 0
    return where


def test_list_and_show(run: Run, folder: Path) -> None:
    assert run("prompts", "list", "--data", folder).out == "None yet.\n"
    made = template(folder, system="Be short.")
    assert run("prompts", "list", "--data", folder, "--json").json == {"data": [made]}
    assert "issue.title, reader" in run("prompts", "list", "--data", folder).out
    for wanted in (made["id"], "Summary"):
        assert run("prompts", "show", wanted, "--data", folder, "--json").json == made
    told = run("prompts", "show", "Summary", "--data", folder).out
    assert told == f"Summary (version 1)\n\nsystem\nBe short.\n\ntext\n{made['text']}\n"
    first = run("prompts", "show", "Summary", "--version", "1", "--data", folder, "--json").json
    assert first.items() >= {"templateId": made["id"], "version": 1, "isCurrent": True}.items()
    assert "no version 2" in run("prompts", "show", "Summary", "--version", "2", "--data", folder).sentence
    assert "no prompt template 'None'" in run("prompts", "show", "None", "--data", folder).sentence


def test_without_a_platform_a_run_waits(run: Run, models: Path, tmp_path: Path) -> None:
    made = template(models)
    post(models, f"/api/prompt-templates/{made['id']}/variable-sets", {"name": "A crash", "values": {"reader": "Kim"}})
    rows = tmp_path / "rows.ndjson"
    rows.write_text('{"reader": "Ada"}\n\n{"issue": {"title": "Typo"}}\n')
    words = ("Summary", "--model", "Large", "--model", "Small", "--variable-set", "A crash", "--set", "issue.title=x=y")
    told = run("prompts", "run", *words, "--values", rows, "--data", models)
    assert told.code == 0
    assert told.out.endswith(" waits for 8 answers, which are asked for once `pulse up` runs\n")
    found = run("prompts", "run", *words, "--values", "-", "--data", models, "--json", stdin='[{"reader": "Ada"}]').json
    assert [row["values"] for row in found["rows"]] == [{"reader": "Kim"}, {"issue.title": "x=y"}, {"reader": "Ada"}]
    assert (found["status"], found["counts"]) == ("running", {"waiting": 6})


@pytest.mark.parametrize(
    ("words", "stdin", "said"),
    [
        (("None",), "", "no prompt template 'None'"),
        (("Summary", "--model", "None"), "", "no model configuration 'None'"),
        (("Summary", "--variable-set", "None"), "", "no set of values 'None'"),
        (("Summary", "--values", "-"), "{", "Line 1"),
        (("Summary", "--values", "-"), "[1]", "JSON objects"),
        (("Summary", "--values", "-"), "[]", "JSON objects"),
        (("Summary", "--values", "/nowhere"), "", "/nowhere"),
    ],
)
def test_what_cannot_be_is_said(run: Run, models: Path, words: tuple[str, ...], stdin: str, said: str) -> None:
    template(models)
    assert said in run("prompts", "run", *words, "--data", models, stdin=stdin).sentence


def test_a_placeholder_needs_its_text(run: Run, models: Path) -> None:
    for text in ("reader", "=Kim"):
        told = run("prompts", "run", "Summary", "--set", text, "--data", models)
        assert (told.code, "issue.title=Crash" in told.err) == (2, True)


def test_while_pulse_runs_it_is_answered(running: Up, run: Run, place: tuple[str, ...]) -> None:
    template(running.folder, place[1])
    told = run("prompts", "run", "Summary", "--set", "issue.title=Crash", "--set", "reader=Kim", *place)
    assert told.code == 0, told.err
    assert told.out.startswith("row 1 · Small · version 1 · done\nYou asked: “Summarise Crash for Kim.”.")
    assert "1 done, $0.0" in told.err
    found = run("prompts", "run", "Summary", *place, "--json").json
    assert (found["status"], found["cells"][0]["result"]["missing"]) == ("done", ["issue.title", "reader"])
    begun = run("prompts", "run", "Summary", "--no-wait", *place)
    assert begun.out.endswith(" waits for 1 answer\n")


def test_a_failure_ends_with_1(running: Up, run: Run, place: tuple[str, ...]) -> None:
    words = ("--model", "mock/mock-small", "--model-id", "mock-fail-forbidden")
    assert run("models", "configure", "Broken", *words, *place).code == 0
    template(running.folder, place[1])
    told = run("prompts", "run", "Summary", "--model", "Broken", "--model", "Small", *place)
    assert (told.code, "1 done, 1 failed" in told.err) == (1, True)
    assert told.out.startswith("Broken · version 1 · failed\nMock does not allow this")
    assert run("prompts", "run", "Summary", "--model", "Broken", *place, "--json").code == 1


def test_commands_of_their_own_processes(running: Up, place: tuple[str, ...]) -> None:
    made = pulse("credentials", "create", "Keyed", "--provider", "openai", *place, "--json", stdin="sk-canary-secret")
    assert made.returncode == 0, made.stderr
    listed = pulse("credentials", "list", *place, "--json")
    assert (listed.returncode, listed.stderr) == (0, "")
    assert [row["name"] for row in json.loads(listed.stdout)["data"]] == ["Mock", "Keyed"]
    assert "canary" not in made.stdout + listed.stdout


def counts(started: Up, path: str) -> dict[str, int]:
    """How many of the run's cells are in each state."""
    with started.client() as client:
        return dict(client.get(path).json()["counts"])


def test_a_run_that_was_cut_off_is_finished_by_the_next_start(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    where = ("--data", str(folder))
    with up(folder, "--no-demo") as first:
        assert run("credentials", "create", "Mock", "--provider", "mock", *where).code == 0
        words = ("--model", "mock/mock-small", "--model-id", "mock-slow-2000", "--default")
        assert run("models", "configure", "Slow", *words, *where).code == 0
        made = template(folder)
        begun = run("prompts", "run", "Summary", "--no-wait", *where, "--json").json
        path = f"/api/prompt-templates/{made['id']}/runs/{begun['id']}"
        while counts(first, path) != {"running": 1}:
            pass
    # It was killed there, in the middle of the call.
    with up(folder, "--no-demo") as second:
        while counts(second, path) != {"done": 1}:
            pass
