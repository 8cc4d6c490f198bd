"""An organization goes into a folder and comes back: here, elsewhere, and again, without a change that nobody made."""

from pathlib import Path

from tests.integration.cli.configuration.conftest import Organizations
from tests.integration.cli.configuration.house import CANARY, FILES, contents, without, written
from tests.integration.cli.conftest import Run, Told
from tests.integration.cli.running import Up

ACME = "format: pulse-organization-1\nname: Acme\n"
TEAM = FILES["teams/support.yaml"]
SHELL_FIELDS = {
    "credentials/openai.yaml": ("apiKeyFrom", "customHeadersFrom"),
    "legacy-models/old.yaml": ("tokenFrom",),
}


def kinds(told: Told) -> set[str]:
    assert told.code == 0, told.err
    return {change["change"] for change in told.json["changes"]}


def exported() -> dict[str, str]:
    """The files of the house as an export has them that finds no folder: nobody told it of the shell."""
    bare = {path: without(path, *fields) for path, fields in SHELL_FIELDS.items()}
    environment = FILES["environments/dev/environment.yaml"].replace("  valueFrom: DEV_TOKEN\n", "")
    return {**FILES, **bare, "environments/dev/environment.yaml": environment}


def test_what_was_applied_is_exported_and_applying_it_changes_nothing(
    organizations: Organizations, run: Run, house: Path, tmp_path: Path
) -> None:
    told = organizations("export", "Acme", tmp_path / "out", "--data", house)
    assert told.out == f"Acme written to {tmp_path / 'out'}: 11 files.\n"
    assert contents(tmp_path / "out") == exported()
    for arguments in (("--diff",), ()):
        same = organizations("apply", tmp_path / "out", *arguments, "--data", house)
        assert (same.code, same.out) == (0, "Nothing differs: Acme is as the folder says.\n")
    assert kinds(organizations("apply", tmp_path / "out", "--data", house, "--json")) == {"unchanged"}
    drawn, place = tmp_path / "out/environments/dev/workflows", ("--environment", "dev", "--data", house, "--json")
    changes = run("workflows", "apply", drawn, "--diff", *place).json
    assert [change["change"] for change in changes] == ["unchanged", "unchanged"]


def test_into_a_new_organization_and_out_again(
    organizations: Organizations, run: Run, bare: Path, tmp_path: Path, shell: None
) -> None:
    files = written(tmp_path / "files")
    shown = organizations("apply", files, "--organization", "Other", "--diff", "--data", bare, "--json")
    assert kinds(shown) == {"create"}
    assert len(run("organizations", "list", "--data", bare, "--json").json["data"]) == 1
    made = organizations("apply", files, "--organization", "Other", "--data", bare)
    assert "create  workflow 'Orders' of dev\n" in made.out
    assert "kim@acme.example does not belong to the organization 'Other'" in made.out
    again = organizations("apply", files, "--organization", "Other", "--data", bare)
    assert "Nothing differs: Other is as the folder says, but for the notes." in again.out
    organizations("export", "Other", tmp_path / "out", "--data", bare)
    unlike = {
        "organization.yaml": ACME.replace("Acme", "Other"),
        "teams/support.yaml": TEAM.replace("\n- kim@acme.example", " []"),
    }
    assert contents(tmp_path / "out") == {**exported(), **unlike}
    names = [
        row["name"]
        for row in run(
            "variables", "list", "--organization", "Other", "--environment", "dev", "--data", bare, "--json"
        ).json["data"]
    ]
    assert names == ["TOKEN"]


def test_differences_are_shown_then_made_and_the_rest_is_left_alone(
    organizations: Organizations, run: Run, house: Path, tmp_path: Path
) -> None:
    folder = written(
        tmp_path / "files",
        {
            "environments/live-eu/environment.yaml": None,
            "environments/dev/workflows/follow-up.yaml": None,
            "teams/support.yaml": "name: Support\nrights: {dev: Admin}\n",
            "credentials/openai.yaml": without("credentials/openai.yaml", "description"),
            "environments/dev/prompts/summary.yaml": "name: Summary\ntext: |\n  Other\n  words\n",
            "environments/dev/environment.yaml": "name: dev\nvariables: [{name: TOKEN}, {name: MORE}]\n",
        },
    )
    shown = organizations("apply", folder, "--diff", "--data", house)
    assert "change  team 'Support'\n" in shown.out
    assert "  -  dev: User\n  +  dev: Admin\n" in shown.out
    assert "  -description: 'Ours: for everything'" in shown.out
    assert "  -  Summarise {{issue.title}}." in shown.out
    assert "3 differences to Acme, 7 the same. Nothing was changed." in shown.out
    for line in (
        "environment 'Live / EU'",
        "workflow 'Follow up' of dev",
        "source 'shop (none)' of dev",
        "variable set 'Summary / A wish' of dev",
    ):
        assert f"left alone: {line}\n" in shown.out
    assert "pulse variables set MORE --organization Acme --environment dev" in shown.out
    assert organizations("apply", folder, "--diff", "--data", house).out == shown.out
    assert "3 changes made to Acme" in organizations("apply", folder, "--data", house).out
    assert kinds(organizations("apply", folder, "--data", house, "--json")) == {"unchanged"}
    # A right on an environment that the folder does not have stays, as the members do, and every secret.
    organizations("export", "Acme", tmp_path / "out", "--data", house)
    assert contents(tmp_path / "out")["teams/support.yaml"] == TEAM.replace("dev: User", "dev: Admin")
    shown_credential = run("credentials", "show", "OpenAI", "--organization", "Acme", "--data", house).out
    assert "API key, headers" in shown_credential


def test_a_credential_that_is_not_there_needs_its_secrets_before_anything_is_changed(
    organizations: Organizations, run: Run, bare: Path, tmp_path: Path
) -> None:
    plain = {path: without(path, *fields) for path, fields in SHELL_FIELDS.items()}
    for files, example in (
        (written(tmp_path / "named"), "is not set."),
        (written(tmp_path / "bare", plain), "API_KEY."),
    ):
        told = organizations("apply", files, "--data", bare).sentence
        assert told.startswith(f"pulse: Nothing was changed: {files} has 3 faults.\n")
        assert "credentials/openai.yaml: apiKeyFrom: There is no model credential 'OpenAI' there yet" in told
        assert "legacy-models/old.yaml: tokenFrom: There is no legacy model 'Old' there yet" in told
        assert example in told
    assert (
        run("environments", "list", "--organization", "Acme", "--data", bare, "--json").json["pagination"]["total"] == 1
    )


def test_secrets_do_not_go_to_another_place_by_themselves(
    organizations: Organizations, house: Path, tmp_path: Path
) -> None:
    moved = {
        "credentials/openai.yaml": FILES["credentials/openai.yaml"] + "baseUrl: https://elsewhere.example.com/v1\n",
        "legacy-models/old.yaml": FILES["legacy-models/old.yaml"].replace("models.example", "elsewhere.example"),
    }
    files = written(tmp_path / "files", moved)
    told = organizations("apply", files, "--data", house).sentence
    assert "credentials/openai.yaml: apiKeyFrom: The model credential 'OpenAI' goes to another place here" in told
    assert "legacy-models/old.yaml: tokenFrom: The legacy model 'Old' goes to another place here" in told


def test_with_the_secrets_in_the_shell_it_goes_to_another_place(
    organizations: Organizations, house: Path, tmp_path: Path, shell: None
) -> None:
    moved = FILES["legacy-models/old.yaml"].replace("models.example", "elsewhere.example")
    files = written(tmp_path / "files", {"legacy-models/old.yaml": moved})
    assert "change  legacy model 'Old'\n" in organizations("apply", files, "--data", house).out
    assert kinds(organizations("apply", files, "--data", house, "--json")) == {"unchanged"}


def test_names_that_no_file_can_have(organizations: Organizations, bare: Path, tmp_path: Path) -> None:
    names = [
        "..",
        ".",
        "a/b",
        "A/B",
        "a\\b",
        "-",
        "日本",
        "con",
        "x" * 199,
        "~",
        "null",
        "2026-01-01",
        " ",
        "e\u0301\u2028\t'",
    ]
    quoted = [name.replace("\\", "\\\\").replace("\t", "\\t").replace("\u2028", "\\L") for name in names]
    files = {"organization.yaml": ACME}
    for at, name in enumerate(quoted):
        files[f"environments/{at}/environment.yaml"] = f'name: "{name}"\n'
        files[f"environments/0/prompts/{at}.yaml"] = f'name: "{name}-"\ntext: "{name} x"\n'
        files[f"environments/0/workflows/{at}.yaml"] = f'name: "{name}"\n'
        files[f"teams/{at}.yaml"] = f'name: "{name}"\nrights: {{"{name}": Guest}}\n'
    told = organizations("apply", written(tmp_path / "files", files=files), "--data", bare)
    assert told.code == 0, told.err
    for out in (tmp_path / "one", tmp_path / "two"):
        organizations("export", "Acme", out, "--data", bare)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    paths = set(contents(tmp_path / "one"))
    assert {
        "teams/a-b.yaml",
        "teams/a-b-2.yaml",
        "teams/a-b-3.yaml",
        "teams/unnamed.yaml",
        f"teams/{'x' * 199}.yaml",
    } <= paths
    assert len(paths) == 2 + 4 * len(names)
    assert kinds(organizations("apply", tmp_path / "one", "--data", bare, "--json")) == {"unchanged"}


def test_while_pulse_runs(organizations: Organizations, running: Up, tmp_path: Path) -> None:
    files = written(
        tmp_path / "files", files={"organization.yaml": ACME, "environments/dev/environment.yaml": "name: dev\n"}
    )
    place = ("--organization", "Applied while it runs", "--data", running.folder)
    assert "2 changes made" in organizations("apply", files, *place).out
    assert "Nothing differs" in organizations("apply", files, "--diff", *place).out


def test_no_secret_is_in_a_file(organizations: Organizations, house: Path, tmp_path: Path) -> None:
    told = organizations("export", "Acme", tmp_path / "out", "--data", house, "--json").json
    assert (told["organization"], told["removed"], told["notes"]) == ("Acme", [], [])
    assert told["files"] == sorted(contents(tmp_path / "out"))
    assert CANARY not in "".join(contents(tmp_path / "out").values())
