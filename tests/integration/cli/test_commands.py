"""Every command on a folder that no process holds: it opens the data itself, and speaks JSON when it is asked to."""

import json
from pathlib import Path
from typing import Any

import pytest
import typer

from pulse.cli.main import tree
from tests.integration.cli.conftest import Run

PLACE = ("--organization", "Acme", "--environment", "dev")


def sent(run: Run, folder: Path, *messages: Any) -> list[str]:
    text = "\n".join(json.dumps(message) for message in messages)
    return [answer["id"] for answer in run("send", "-", "--data", folder, "--json", stdin=text).json]


def test_organizations(run: Run, tmp_path: Path) -> None:
    data = tmp_path / "data"
    assert run("organizations", "list", "--data", data).out == "None yet.\n"
    made = run("organizations", "create", "Acme", "--data", data, "--json")
    assert (made.code, made.json["name"], made.err) == (0, "Acme", "")
    assert run("organizations", "list", "--data", data, "--json").json["data"] == [made.json]
    assert "Acme" in run("organizations", "list", "--data", data).out
    assert "'Acme' already" in run("organizations", "create", "Acme", "--data", data).sentence


def test_environments(run: Run, folder: Path) -> None:
    made = run("environments", "create", "prod", "--organization", "Acme", "--data", folder, "--json").json
    listed = run("environments", "list", "--data", folder, "--json").json["data"]
    assert [row["name"] for row in listed] == ["dev", "prod"]
    assert listed[1] == made
    assert run("environments", "list", "--organization", "Acme", "--data", folder, "--json").json["data"] == listed


def test_keys(run: Run, folder: Path) -> None:
    made = run("keys", "create", "--name", "ci", "--scope", "messages:read", *PLACE, "--data", folder, "--json").json
    assert made["key"].startswith("pk_dev_")
    assert made["scopes"] == ["messages:read"]
    plain = run("keys", "create", "--data", folder)
    assert plain.out.startswith("pk_dev_")
    assert plain.out.count("\n") == 1
    listed = run("keys", "list", "--data", folder, "--json")
    assert [row["name"] for row in listed.json["data"]] == ["ci", "key"]
    assert made["key"].rpartition("_")[2] not in listed.out + run("keys", "list", "--data", folder).out
    rotated = run("keys", "rotate", made["id"], "--data", folder, "--json").json
    assert (rotated["name"], rotated["scopes"]) == ("ci", ["messages:read"])
    assert run("keys", "rotate", rotated["id"], "--grace", "0", "--data", folder).out.startswith("pk_")
    assert run("keys", "create", "--days", "7", "--data", folder, "--json").json["expiresAt"] > made["createdAt"]
    assert run("keys", "create", "--days", "99999999999", "--data", folder).code == 2
    assert "messages:read" in run("keys", "create", "--scope", "message:read", "--data", folder).sentence
    assert run("keys", "revoke", made["id"], "--data", folder, "--json").json["id"] == made["id"]
    assert run("keys", "revoke", made["id"], "--data", folder).out == f"{made['id']} revoked\n"
    assert run("keys", "list", "--data", folder, "--json").json["data"][0]["revokedAt"]
    assert "key_none" in run("keys", "revoke", "key_none", "--data", folder).sentence


def test_sources(run: Run, folder: Path) -> None:
    made = run("sources", "create", "--kind", "github", "--name", "hooks", "--data", folder, "--json").json
    assert made["path"].startswith("/v1/hooks/src_")
    rotated = run("sources", "rotate", made["id"], "--data", folder, "--json").json
    assert rotated["secret"] not in (None, made["secret"])
    listed = run("sources", "list", "--data", folder, "--json")
    assert [row["id"] for row in listed.json["data"]] == [made["id"]]
    assert made["secret"] not in listed.out
    told = run("sources", "create", "--kind", "hmac", "--data", folder).out
    assert told.startswith("address  /v1/hooks/src_")
    assert "secret   " in told
    none = run("sources", "create", "--kind", "none", "--data", folder).out
    assert "None" not in none
    assert "no signature is checked" in none
    open_id = run("sources", "create", "--kind", "none", "--data", folder, "--json").json["id"]
    assert "no secret to rotate" in run("sources", "rotate", open_id, "--data", folder).sentence
    assert run("sources", "delete", open_id, "--data", folder).out == f"{open_id} deleted\n"
    assert open_id in run("sources", "delete", open_id, "--data", folder).sentence
    assert "github" in run("sources", "create", "--kind", "svix", "--data", folder).sentence


def test_messages(run: Run, folder: Path) -> None:
    ids = sent(run, folder, {"type": "a", "n": 1}, {"type": "b", "n": 2})
    listed = run("messages", "list", "--data", folder, "--json").json
    assert [row["id"] for row in listed["data"]] == ids[::-1]
    assert listed["pagination"]["total"] == 2
    assert run("messages", "list", "--type", "a", "--data", folder, "--json").json["pagination"]["total"] == 1
    assert run("messages", "list", "--status", "success", "--data", folder).out == "No messages yet.\n"
    assert run("messages", "list", "--since", "1h", "--data", folder, "--json").json["pagination"]["total"] == 2
    table = run("messages", "list", "--limit", "1", "--data", folder)
    assert ids[1] in table.out
    assert ids[0] not in table.out
    assert "2 in all" in table.err
    shown = run("messages", "show", ids[0], "--data", folder, "--json").json
    assert (shown["id"], shown["status"], shown["message"]["n"]) == (ids[0], "pending", 1)
    assert "pending" in run("messages", "show", ids[0], "--data", folder).out


def test_cancel_and_replay(run: Run, folder: Path) -> None:
    first, second = sent(run, folder, {"n": 1}, {"n": 2})
    assert run("messages", "cancel", first, "--data", folder, "--json").json == {"id": first, "status": "canceled"}
    assert run("messages", "cancel", second, "--data", folder).out == f"{second} canceled\n"
    assert "ended already" in run("messages", "cancel", second, "--data", folder).sentence
    dry = run("messages", "replay", "--status", "canceled", "--since", "1h", "--dry-run", "--data", folder, "--json")
    assert dry.json == {"count": 2}
    assert run("messages", "replay", first, "--data", folder).out == "1 message sent again.\n"
    again = run("messages", "replay", first, second, "--data", folder, "--json").json
    assert (again["count"], len(again["messageIds"])) == (2, 2)
    assert run("messages", "list", "--data", folder, "--json").json["pagination"]["total"] == 5


def test_a_replay_without_a_filter_is_refused(run: Run, folder: Path) -> None:
    sent(run, folder, {"n": 1})
    for arguments in ((), ("--dry-run",)):
        assert "which messages" in run("messages", "replay", *arguments, "--data", folder).sentence
    assert run("messages", "list", "--data", folder, "--json").json["pagination"]["total"] == 1


def test_a_replay_of_what_is_not_there(run: Run, folder: Path) -> None:
    (first,) = sent(run, folder, {"n": 1})
    told = run("messages", "replay", first, "msg_none", "--data", folder)
    assert (told.code, told.out) == (1, "1 message sent again.\n")
    assert "1 of them" in told.err


def test_nothing_ends_where_nothing_runs(run: Run, folder: Path) -> None:
    assert "pulse up" in run("messages", "tail", "--data", folder).sentence


def test_migrate_twice(run: Run, tmp_path: Path) -> None:
    data = tmp_path / "data"
    first = run("migrate", "--data", data, "--json").json["applied"]
    assert {name.partition("_")[0] for name in first} >= {"tenancy", "workflows", "messages"}
    assert run("migrate", "--data", data, "--json").json == {"applied": []}
    assert run("migrate", "--data", data).out == "The schema is up to date.\n"
    assert run("migrate", "--data", tmp_path / "other").out.startswith("Applied: ")


def test_scripts(run: Run, tmp_path: Path) -> None:
    listed = run("scripts", "--json").json
    assert "print" in [function["name"] for function in listed]
    assert [function["name"] for function in run("scripts", "print", "--json").json] == ["print"]
    assert "print(" in run("scripts", "print", "--data", tmp_path / "none").out
    for arguments in ((), ("--json",)):
        assert "'nothing'" in run("scripts", "nothing", *arguments).sentence
    assert not (tmp_path / "none").exists()


def test_no_command_makes_a_folder_where_it_only_looks(run: Run, tmp_path: Path) -> None:
    """A folder's name that is mistyped leaves nothing behind."""
    for command in (("backup", tmp_path / "b"), ("restore", tmp_path / "none"), ("scripts",)):
        run(*command, "--data", tmp_path / "typo")
    assert not (tmp_path / "typo").exists() or not any((tmp_path / "typo").iterdir())


@pytest.mark.parametrize(
    "command",
    [
        ("nonsense",),
        ("messages",),
        ("messages", "list", "--limit", "0"),
        ("messages", "list", "--limit", "x"),
        ("messages", "show"),
        ("environments", "create", "x"),
        ("sources", "create"),
        ("up", "--port", "70000"),
        ("send",),
        ("keys", "list", "--nonsense"),
        ("workflows", "apply"),
    ],
    ids=" ".join,
)
def test_a_command_that_is_none_is_usage(run: Run, command: tuple[str, ...]) -> None:
    told = run(*command)
    assert told.code == 2
    assert "Traceback" not in told.err
    assert "Usage" in told.err + told.out


def every_command() -> list[list[str]]:
    """The words of every command there is."""

    def below(command: Any, words: list[str]) -> list[list[str]]:
        commands = getattr(command, "commands", None)
        if commands is None:
            return [words]
        return [found for name, inner in commands.items() for found in below(inner, [*words, name])]

    return below(typer.main.get_command(tree()), [])


@pytest.mark.parametrize("command", every_command(), ids=" ".join)
def test_every_command_takes_json_and_data_and_says_what_it_does(run: Run, command: list[str]) -> None:
    told = run(*command, "--help")
    assert told.code == 0
    assert "--json" in told.out
    assert "--data" in told.out
    assert told.out.splitlines()[2].strip(), told.out


def test_version(run: Run) -> None:
    assert run("--version").out.strip().count(".") == 2


def test_users(run: Run, folder: Path) -> None:
    made = run(
        "users", "create", "Ada@example.com", "--organization", "Acme", "--role", "admin", "--data", folder, "--json"
    )
    assert (made.json["email"], len(made.json["password"]) >= 20) == ("ada@example.com", True)
    plain = run("users", "create", "bob@example.com", "--organization", "Acme", "--data", folder)
    assert plain.out.startswith("bob@example.com usr_")
    assert "\npassword " in plain.out
    given = run(
        "users",
        "create",
        "op@example.com",
        "--role",
        "System",
        "--password-stdin",
        "--data",
        folder,
        stdin="correct horse\n",
    )
    assert "password" not in given.out
    listed = run("users", "list", "--data", folder, "--json")
    assert [row["email"] for row in listed.json["data"]] == ["ada@example.com", "bob@example.com", "op@example.com"]
    assert made.json["password"] not in listed.out + run("users", "list", "--data", folder).out
    assert "organizationId" in run("users", "create", "eve@example.com", "--data", folder).sentence
    assert "already" in run("users", "create", "op@example.com", "--role", "System", "--data", folder).sentence
