"""`pulse prompts`: templates are made, changed, compared and deleted, and so are their sets of values."""

from pathlib import Path

import pytest

from tests.integration.cli.conftest import Run, Told
from tests.integration.cli.models.stored import post, template
from tests.integration.cli.running import Up, pulse

TEXT = "Summarise {{issue.title}} for {{reader}}."
VALUES = {"issue": {"title": "Crash"}, "reader": "Kim"}


@pytest.fixture
def models(run: Run, folder: Path) -> dict[str, str]:
    """The ids of two models that are ready to use, by name."""
    run("credentials", "create", "Mock", "--provider", "mock", "--data", folder)
    ids = {}
    for name in ("Small", "Large"):
        told = run("models", "configure", name, "--model", f"mock/mock-{name.lower()}", "--data", folder, "--json")
        ids[name] = told.json["id"]
    return ids


def prompts(run: Run, folder: Path, *words: str | Path, stdin: str | bytes = "") -> Told:
    return run("prompts", *words, "--data", folder, stdin=stdin)


def test_create_with_everything_that_a_template_has(run: Run, folder: Path, models: dict[str, str]) -> None:
    words = ("--text", TEXT, "--system", "Be short.", "--model", "Large", "--description", "For the weekly mail")
    made = prompts(run, folder, "create", "Summary", *words, "--json").json
    wanted = {
        "name": "Summary",
        "text": TEXT,
        "system": "Be short.",
        "description": "For the weekly mail",
        "modelConfigurationId": models["Large"],
        "variables": ["issue.title", "reader"],
        "version": 1,
    }
    assert made.items() >= wanted.items()
    assert prompts(run, folder, "show", "Summary", "--json").json == made
    other = prompts(run, folder, "create", "Other", "--text", "Hello")
    listed = prompts(run, folder, "list", "--json").json["data"]
    assert other.out == f"{listed[1]['id']}  Other\n"
    assert "Summary" in prompts(run, folder, "create", "Summary", "--text", "Hello").sentence


def test_texts_from_files_and_standard_input(run: Run, folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "prompt.txt"
    file.write_bytes(b"\xef\xbb\xbfBe short.\n\n")
    words = ("create", "Summary", "--text-file", "-", "--system-file", file, "--json")
    made = prompts(run, folder, *words, stdin="Sag es.\r\nKürzer.\r\n").json
    assert (made["text"], made["system"]) == ("Sag es.\r\nKürzer.", "Be short.\n")
    edited = prompts(run, folder, "edit", "Summary", "--text-file", file, "--json").json
    assert (edited["text"], edited["version"]) == ("Be short.\n", 2)
    assert "UTF-8" in prompts(run, folder, "edit", "Summary", "--text-file", "-", stdin=b"\xff").sentence
    assert "/nowhere" in prompts(run, folder, "edit", "Summary", "--text-file", "/nowhere").sentence


def test_edit_keeps_what_is_not_given(run: Run, folder: Path, models: dict[str, str]) -> None:
    made = template(folder, system="Be short.", description="Mine", modelConfigurationId=models["Small"])
    told = prompts(run, folder, "edit", made["id"], "--text", "Shorter.", "--name", "Brief")
    assert told.out == "Brief is saved (version 2)\n"
    kept = {name: made[name] for name in ("id", "system", "description", "modelConfigurationId", "createdAt")}
    changed = prompts(run, folder, "show", "Brief", "--json").json
    assert changed.items() >= {**kept, "name": "Brief", "text": "Shorter.", "version": 2}.items()
    moved = prompts(run, folder, "edit", "Brief", "--model", "Large", "--json").json
    assert moved.items() >= {"modelConfigurationId": models["Large"], "text": "Shorter.", "version": 3}.items()
    nothing = ("--system", "", "--description", "", "--model", "")
    bare = prompts(run, folder, "edit", "Brief", *nothing, "--json").json
    assert (bare["system"], bare["description"], bare["modelConfigurationId"]) == (None, None, None)
    assert bare["text"] == "Shorter."


def test_versions_and_what_differs_between_them(run: Run, folder: Path) -> None:
    template(folder, text="one\ntwo\n")
    for text in ("one\nthree\n", "four\n"):
        assert prompts(run, folder, "edit", "Summary", "--text", text).code == 0
    rows = prompts(run, folder, "versions", "Summary", "--json").json["data"]
    assert [(row["version"], row["isCurrent"]) for row in rows] == [(3, True), (2, False), (1, False)]
    assert prompts(run, folder, "versions", "Summary").out.split()[:2] == ["version", "name"]
    shown = prompts(run, folder, "diff", "Summary", "1", "2").out
    assert shown == "--- text (version 1)\n+++ text (version 2)\n@@ -1,2 +1,2 @@\n one\n-two\n+three\n"
    newest = prompts(run, folder, "diff", "Summary", "2", "--json").json
    assert (newest["from"], newest["to"]) == (2, 3)
    assert "+four\n" in newest["diff"]
    assert prompts(run, folder, "diff", "Summary", "2", "2").out == "Versions 2 and 2 ask the same.\n"
    assert "no version 9" in prompts(run, folder, "diff", "Summary", "1", "9").sentence


def test_delete(run: Run, folder: Path) -> None:
    made = template(folder)
    gone = prompts(run, folder, "delete", "Summary", "--json").json
    assert gone == {"id": made["id"], "name": "Summary", "deleted": True}
    assert prompts(run, folder, "list").out == "None yet.\n"
    assert "no prompt template 'Summary'" in prompts(run, folder, "delete", "Summary").sentence
    template(folder)
    assert prompts(run, folder, "delete", "Summary").out == "Summary deleted\n"


def test_sets_of_values(run: Run, folder: Path, tmp_path: Path) -> None:
    template(folder)
    assert prompts(run, folder, "sets", "list", "Summary").out == "None yet.\n"
    told = prompts(run, folder, "sets", "set", "Summary", "A crash", "issue.title=x=y", "reader=Kim")
    assert told.out == 'A crash is set: {"issue.title": "x=y", "reader": "Kim"}\n'
    file = tmp_path / "values.json"
    file.write_text('{"issue": {"title": "Crash"}, "reader": "Ada"}')
    words = ("sets", "set", "Summary", "A crash", "reader=Kim", "--values", file, "--json")
    stored = prompts(run, folder, *words).json
    assert stored.items() >= {"name": "A crash", "values": VALUES, "revision": 2}.items()
    other = prompts(run, folder, "sets", "set", "Summary", "Other", "--values", "-", "--json", stdin="{}").json
    assert prompts(run, folder, "sets", "list", "Summary", "--json").json == {"data": [stored, other]}
    assert '{"issue": {"title": "Crash"}, "reader": "Kim"}' in prompts(run, folder, "sets", "list", "Summary").out
    gone = prompts(run, folder, "sets", "delete", "Summary", "A crash", "--json").json
    assert gone == {"id": stored["id"], "name": "A crash", "deleted": True}
    assert prompts(run, folder, "sets", "delete", "Summary", other["id"]).out == "Other deleted\n"
    assert prompts(run, folder, "sets", "list", "Summary", "--json").json == {"data": []}


@pytest.mark.parametrize(
    ("words", "stdin", "said"),
    [
        (("create", "New", "--text", "x", "--model", "None"), "", "no model configuration 'None'"),
        (("create", "New", "--text", ""), "", "text: "),
        (("create", "", "--text", "x"), "", "name: "),
        (("edit", "None", "--text", "x"), "", "no prompt template 'None'"),
        (("edit", "Summary", "--model", "None"), "", "no model configuration 'None'"),
        (("versions", "None"), "", "no prompt template 'None'"),
        (("diff", "None", "1"), "", "no prompt template 'None'"),
        (("diff", "Summary", "0"), "", "from: "),
        (("sets", "list", "None"), "", "no prompt template 'None'"),
        (("sets", "set", "None", "A", "a=b"), "", "no prompt template 'None'"),
        (("sets", "set", "Summary", "A", "--values", "-"), "{", "line 1"),
        (("sets", "set", "Summary", "A", "--values", "-"), "[1]", "one JSON object"),
        (("sets", "set", "Summary", "A", "--values", "-"), '{"a": NaN}', "The values: "),
        (("sets", "set", "Summary", "A", "--values", "-"), "[" * 100_000, "The values: "),
        (("sets", "set", "Summary", "A", "--values", "/nowhere"), "", "/nowhere"),
        (("sets", "delete", "Summary", "None"), "", "no set of values 'None'"),
    ],
)
def test_what_cannot_be_is_said(run: Run, folder: Path, words: tuple[str, ...], stdin: str, said: str) -> None:
    made = template(folder)
    assert said in prompts(run, folder, *words, stdin=stdin).sentence
    assert prompts(run, folder, "list", "--json").json == {"data": [made]}
    assert prompts(run, folder, "sets", "list", "Summary", "--json").json == {"data": []}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("create", "New"), "--text-file"),
        (("create", "New", "--text", "x", "--text-file", "-"), "not both"),
        (("create", "New", "--text-file", "-", "--system-file", "-"), "Standard input is one text"),
        (("edit", "Summary"), "Say what changes"),
        (("edit", "Summary", "--system", "x", "--system-file", "-"), "not both"),
        (("diff", "Summary", "first"), "FROM"),
        (("sets", "set", "Summary", "A"), "--values"),
        (("sets", "set", "Summary", "A", "reader"), "issue.title=Crash"),
    ],
)
def test_mistakes_in_usage_end_with_2(run: Run, folder: Path, words: tuple[str, ...], said: str) -> None:
    made = template(folder)
    told = prompts(run, folder, *words)
    assert (told.code, said in told.err) == (2, True), told.err
    assert prompts(run, folder, "list", "--json").json == {"data": [made]}


def test_another_organization_has_none_of_it(run: Run, folder: Path, models: dict[str, str]) -> None:
    made = template(folder)
    post(folder, f"/api/prompt-templates/{made['id']}/variable-sets", {"name": "A crash", "values": VALUES})
    run("organizations", "create", "Other", "--data", folder)
    other = ("--organization", "Other")
    run("environments", "create", "dev", *other, "--data", folder)
    foreign: list[tuple[str, ...]] = [
        ("edit", made["id"], "--text", "x"),
        ("versions", made["id"]),
        ("diff", made["id"], "1"),
        ("delete", made["id"]),
        ("sets", "list", made["id"]),
        ("sets", "set", made["id"], "B", "a=b"),
        ("sets", "delete", made["id"], "A crash"),
    ]
    for words in foreign:
        assert "no prompt template" in prompts(run, folder, *words, *other).sentence
    model = ("create", "New", "--text", "x", "--model", models["Small"])
    assert "no model configuration" in prompts(run, folder, *model, *other).sentence
    acme = ("--organization", "Acme")
    assert prompts(run, folder, "show", "Summary", *acme, "--json").json == made
    assert len(prompts(run, folder, "sets", "list", "Summary", *acme, "--json").json["data"]) == 1


def test_while_pulse_runs_a_new_template_is_answered(running: Up, run: Run) -> None:
    place = ("--organization", "Templates", "--data", str(running.folder))
    assert run("organizations", "create", "Templates", "--data", running.folder).code == 0
    assert run("environments", "create", "dev", *place).code == 0
    assert run("credentials", "create", "Mock", "--provider", "mock", *place).code == 0
    for name in ("Small", "Large"):
        assert run("models", "configure", name, "--model", "mock/mock-small", *place).code == 0
    made = pulse("prompts", "create", "Summary", "--text-file", "-", *place, "--json", stdin=f"{TEXT}\n")
    assert (made.returncode, made.stderr) == (0, "")
    for name, pair in (("One", "reader=Kim"), ("Two", "reader=Ada")):
        assert run("prompts", "sets", "set", "Summary", name, "issue.title=Crash", pair, *place).code == 0
    chosen = ("--variable-set", "One", "--variable-set", "Two", "--model", "Small", "--model", "Large")
    told = run("prompts", "run", "Summary", *chosen, *place, "--json")
    assert told.code == 0, told.err
    assert (told.json["status"], told.json["counts"]) == ("done", {"done": 4})
    assert [row["name"] for row in told.json["rows"]] == ["One", "Two"]
    assert pulse("prompts", "delete", "Summary", *place).stdout == "Summary deleted\n"
