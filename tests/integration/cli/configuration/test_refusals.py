"""What cannot be applied or exported is refused whole, with every fault, before anything is changed."""

import os
from pathlib import Path

import anyio
import httpx2
import pytest

from pulse.bootstrap.platform import OpenData
from pulse.bootstrap.settings import load_settings
from pulse.cli.session import Refused, Session, session
from pulse.cli.tenancy.configuration.applying import carry_out, plan
from pulse.cli.tenancy.configuration.folder import read_folder
from pulse.core.errors import InvalidInput
from tests.integration.cli.configuration.conftest import Organizations
from tests.integration.cli.configuration.house import CANARY, FILES, contents, written
from tests.integration.cli.conftest import Run
from tests.integration.cli.models.stored import post

DEV = "environments/dev"
OPENAI, FAST, SUMMARY = "credentials/openai.yaml", "models/fast.yaml", f"{DEV}/prompts/summary.yaml"
TEAM, OLD, ORDERS = "teams/support.yaml", "legacy-models/old.yaml", f"{DEV}/workflows/orders.yaml"
ENVIRONMENT = f"{DEV}/environment.yaml"

# What a file cannot say, wherever it is applied.
FAULTS: dict[str, tuple[str, str, str]] = {
    "a list": (TEAM, "- name: Support\n", "This is a mapping"),
    "nothing": (TEAM, "", "This is a mapping"),
    "no YAML": (TEAM, "name: [", "not YAML that can be read"),
    "no text": (TEAM, "name: \x00", "not YAML that can be read"),
    "itself": (SUMMARY, "name: x\ntext: x\nvariableSets: [&a {name: x, values: {a: *a}}]\n", "holds itself"),
    "a date": (TEAM, "name: 2026-01-01\n", "name: Put this in quotes"),
    "a number": (TEAM, "name: 1\n", "name: Input should be a valid string"),
    "a NUL": (TEAM, 'name: "a\\0b"\n', "name: A name is Unicode text without NUL characters."),
    "a name too long": (TEAM, f"name: {'x' * 201}\n", "name: String should have at most 200 characters."),
    "a field twice": (TEAM, "name: Support\nrights: {dev: User, dev: Admin}\n", "found a name twice at line 2"),
    "an unknown field": (TEAM, "name: Support\ncolour: red\n", "colour: There is no such field."),
    "no name": (TEAM, "rights: {}\n", "name: Field required."),
    "a name of another thing": ("teams/other.yaml", "name: Support\n", "name: teams/other.yaml has the same name"),
    "an unknown role": (TEAM, "name: Support\nrights: {dev: King}\n", "rights.dev: Input should be 'Admin'"),
    "a secret": (OPENAI, f"name: OpenAI\nprovider: openai\napiKey: {CANARY}\n", "apiKey: What is secret has no place"),
    "a secret for its name": (OPENAI, f"name: OpenAI\nprovider: openai\napiKeyFrom: {CANARY}\n", "names a variable"),
    "a secret that is an alias": (
        OPENAI,
        f"name: OpenAI\napiKeyFrom: *{CANARY}\n",
        "found undefined alias … at line 2",
    ),
    "a secret that is a tag": (OPENAI, f"name: OpenAI\napiKeyFrom: !{CANARY} x\n", "for the tag … at line 2"),
    "a value": (ENVIRONMENT, f"name: dev\nvariables: [{{name: A, value: {CANARY}}}]\n", "variables.0.value: What is"),
    "a source's secret": (ENVIRONMENT, f"name: dev\nsources: [{{name: a, kind: hmac, secret: {CANARY}}}]\n", "secret"),
    "two variables": (
        ENVIRONMENT,
        "name: dev\nvariables: [{name: A}, {name: A}]\n",
        "variables.1.name: There is another",
    ),
    "an unknown kind": (ENVIRONMENT, "name: dev\nsources: [{name: a, kind: b}]\n", "sources.0.kind: Input should be"),
    "two sets": (SUMMARY, "name: x\ntext: x\nvariableSets: [{name: a}, {name: a}]\n", "variableSets.1.name: There is"),
    "a date in a set": (
        SUMMARY,
        "name: x\ntext: x\nvariableSets: [{name: a, values: {b: 2026-01-01}}]\n",
        "values.b: Put",
    ),
    "an unknown reference": (ORDERS, FILES[ORDERS].replace("entityId: ask\n", "entityId: gone\n"), "gone"),
    "two workflows": (f"{DEV}/workflows/two.yaml", FILES[ORDERS], "has the same name"),
}
# What it cannot say beside the other files, or beside what is there.
CONTRADICTIONS: dict[str, tuple[str, str, str]] = {
    "an unknown environment": (TEAM, "name: Support\nrights: {prod: User}\n", "rights.prod: There is no environment"),
    "an unknown provider": (OPENAI, "name: OpenAI\nprovider: none\n", "provider: There is no such provider"),
    "an address that is none": (OPENAI, FILES[OPENAI] + "baseUrl: ftp://x\n", "baseUrl: This is an address"),
    "a variable's name": (ENVIRONMENT, "name: dev\nvariables: [{name: payload}]\n", "variables.payload: payload means"),
    "the name of an id": (f"{DEV}2/environment.yaml", "name: env_01k5m3v8g00000000000000000\n", "the form of an id"),
    "an unknown model": (FAST, FILES[FAST].replace("gpt-4o-mini", "none"), "model: There is no such model"),
    "an unknown credential": (FAST, FILES[FAST].replace("OpenAI", "None"), "credential: There is no credential 'None'"),
    "a credential of all": (FAST, FILES[FAST].replace("OpenAI", "Shared"), "say credentialScope: system"),
    "another's credential": (
        FAST,
        FILES[FAST].replace("openai/gpt-4o-mini", "mock/mock-small"),
        "This credential is for",
    ),
    "two defaults": ("models/other.yaml", FILES[FAST].replace("Fast", "Other"), "is the default for"),
    "a temperature": (FAST, FILES[FAST].replace("null", "3"), "defaultTemperature: This is a number from 0 to 2."),
    "no model of its own": (SUMMARY, "name: x\ntext: x\nmodelConfiguration: Standard\n", "say modelConfigurationScope"),
    "a legacy address": (OLD, FILES[OLD].replace("https", "ftp"), "modelUrl"),
    "an unknown workflow": (ORDERS, FILES[ORDERS].replace("workflowId: Follow", "workflowId: Fall"), "Fall up"),
    "a workflow's model": (ORDERS, FILES[ORDERS].replace("Fast", "Slow"), "no model configuration 'Slow'"),
}


@pytest.mark.parametrize(("path", "text", "words"), FAULTS.values(), ids=FAULTS)
def test_a_file_that_is_wrong(tmp_path: Path, path: str, text: str, words: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        read_folder(written(tmp_path / "files", {path: text}))
    assert words in refused.value.message
    assert f"\n  {Path(path).parent.as_posix()}/" in refused.value.message
    assert CANARY not in refused.value.message


@pytest.mark.parametrize(("path", "text", "words"), CONTRADICTIONS.values(), ids=CONTRADICTIONS)
def test_a_file_that_does_not_fit(
    organizations: Organizations, furnished: Path, tmp_path: Path, path: str, text: str, words: str
) -> None:
    """On an installation that all these share: none of them changes it."""
    told = organizations("apply", written(tmp_path / "files", {path: text}), "--diff", "--data", furnished).sentence
    assert words in told
    assert f"\n  {path}: " in told


def test_all_faults_are_told_at_once_and_nothing_is_changed(
    organizations: Organizations, house: Path, tmp_path: Path
) -> None:
    organizations("export", "Acme", tmp_path / "before", "--data", house)
    wrong = {path: text for path, text, _ in (FAULTS[name] for name in ("a list", "an unknown reference", "a secret"))}
    files = written(tmp_path / "files", {**wrong, f"{DEV}/prompts/new.yaml": "name: New\ntext: Hello\n"})
    told = organizations("apply", files, "--data", house, "--json").sentence
    assert f"pulse: Nothing was changed: {files} has 3 faults.\n  {OPENAI}: apiKey: " in told
    assert f"\n  {ORDERS}: workflowData.root.children.0.entityId: " in told
    assert f"\n  {TEAM}: This is a mapping" in told
    organizations("export", "Acme", tmp_path / "after", "--data", house)
    assert contents(tmp_path / "before") == contents(tmp_path / "after")


def test_folders_that_are_none_or_half_there(organizations: Organizations, furnished: Path, tmp_path: Path) -> None:
    half = written(tmp_path / "half", {"organization.yaml": None, ENVIRONMENT: None})
    told = organizations("apply", half, "--data", furnished).sentence
    assert "  organization.yaml: There is no such file" in told
    assert f"  {ENVIRONMENT}: There is no such file" in told
    assert "is no folder" in organizations("apply", tmp_path / "none", "--data", furnished).sentence
    (half / "teams/directory.yaml").mkdir()
    (half / "teams/latin.yaml").write_bytes(b"name: \xe4")
    told = organizations("apply", half, "--data", furnished).sentence
    assert "teams/directory.yaml: This file cannot be read: Is a directory." in told
    assert "teams/latin.yaml: This file is not YAML that can be read" in told


def test_an_export_over_what_is_there(organizations: Organizations, house: Path, tmp_path: Path) -> None:
    mine = written(tmp_path / "mine", files={"notes.txt": "mine", "organization.yaml": "name: Acme\n"})
    for folder in (mine, mine / "notes.txt", Path(os.devnull)):
        assert str(folder) in organizations("export", "Acme", folder, "--data", house).sentence
    assert contents(mine) == {"notes.txt": "mine", "organization.yaml": "name: Acme\n"}
    stale = {f"{DEV}/workflows/gone.yaml": "name: Gone\n", "environments/old/environment.yaml": "name: old\n"}
    kept = {
        "README.md": "ours",
        f"{DEV}/workflows/orders.test.yaml": "cases: []\n",
        ".git/config.yaml": "x",
        "environments/old/workflows/x.test.yaml": "",
    }
    files = written(tmp_path / "files", {**stale, **kept, OPENAI: "rubbish: ["})
    told = organizations("export", "Acme", files, "--data", house)
    assert f"Removed {DEV}/workflows/gone.yaml, which is no longer there.\n" in told.out
    assert "Note: What was in the folder has faults: the shell variables" in told.out
    assert contents(files / "environments/old") == {"workflows/x.test.yaml": ""}
    assert organizations("apply", files, "--diff", "--data", house).code == 0
    assert {path: contents(files).get(path) for path in (*kept, *stale)} == {**kept, **dict.fromkeys(stale)}


def test_an_export_keeps_the_names_of_shell_variables(
    organizations: Organizations, house: Path, tmp_path: Path
) -> None:
    files = written(tmp_path / "files", {".git": "as good as empty"})
    assert organizations("export", "Acme", files, "--data", house, "--json").json["removed"] == []
    assert contents(files) == {**FILES, ".git": "as good as empty"}
    hidden = written(tmp_path / "hidden", files={".git/HEAD": "as good as empty"})
    assert organizations("export", "Acme", hidden, "--data", house).code == 0


def test_what_a_folder_cannot_hold(organizations: Organizations, bare: Path, tmp_path: Path) -> None:
    entity = post(bare, "/api/workflow-entities", {"name": "Unused", "entityType": "event"})
    for _ in range(2):
        post(bare, "/api/sources", {"name": "twin", "kind": "none"})
    told = organizations("export", "Acme", tmp_path / "out", "--data", bare)
    assert "Note: dev has 2 sources 'twin' of kind none: the folder names them once.\n" in told.out
    assert "Note: Entities of dev that belong to no workflow are not in the folder: 'Unused'.\n" in told.out
    for _ in range(2):
        post(bare, "/api/workflows", {"name": "Twin", "workflowData": {"root": {"entityId": entity["id"]}}})
    told = organizations("export", "Acme", tmp_path / "twins", "--data", bare)
    assert "'dev' has several workflows of one name: 'Twin'." in told.sentence
    assert not (tmp_path / "twins").exists()
    assert "no organization 'None'" in organizations("export", "None", tmp_path / "none", "--data", bare).sentence


def test_files_that_are_no_part_of_it_are_told(organizations: Organizations, furnished: Path, tmp_path: Path) -> None:
    files = written(
        tmp_path / "files", {"team/x.yaml": "name: x\n", f"{DEV}/workflows/x.test.yml": "", ".ci/x.yml": ""}
    )
    told = organizations("apply", files, "--diff", "--data", furnished, "--json").json
    assert told["notes"] == ["team/x.yaml is no part of the configuration, and was not read."]


def test_a_key_may_not(run: Run, bare: Path, tmp_path: Path) -> None:
    """The API refuses it what it needs to look at first."""
    key = run("keys", "create", "--organization", "Acme", "--data", bare, "--json").json["key"]
    folder = read_folder(written(tmp_path / "files"))

    async def work() -> None:
        data = OpenData(load_settings(bare))
        await data.prepare()
        headers, transport = {"Authorization": f"Bearer {key}"}, httpx2.ASGITransport(data.app())
        async with httpx2.AsyncClient(base_url=data.url, headers=headers, transport=transport) as client:
            with pytest.raises(Refused, match="An API key may not do organizations:read"):
                await plan(Session(client, is_running=False), folder, None)
        await data.close()

    anyio.run(work)


def test_what_is_refused_on_the_way_is_told_with_what_was_done(
    organizations: Organizations, bare: Path, tmp_path: Path, shell: None
) -> None:
    folder = read_folder(written(tmp_path / "files"))

    class Forbidding(Session):
        """Lets nobody make prompt templates."""

        async def send(self, method: str, path: str, **options: object) -> httpx2.Response:
            if (method, path) == ("POST", "/api/prompt-templates"):
                raise Refused("Your role here is Guest, which may not write prompts.")
            return await super().send(method, path, **options)

    async def work() -> None:
        async with session(bare) as pulse:
            guest = Forbidding(pulse.client, is_running=False)
            planned = await plan(guest, folder, None)
            with pytest.raises(
                Refused, match=r"prompt template 'Summary' of dev: Your role .* 8 changes before it stay"
            ):
                await carry_out(guest, planned)

    anyio.run(work)
    assert "change" in organizations("apply", folder.path, "--data", bare).out
    assert "Nothing differs" in organizations("apply", folder.path, "--data", bare).out
