"""What goes wrong ends in a sentence on stderr, exit code 1, and never in a traceback."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from pulse.storage.lockfile import FolderLock
from tests.integration.cli.conftest import Run

COMMANDS: list[tuple[str, ...]] = [
    ("organizations", "list"),
    ("messages", "list"),
    ("messages", "tail"),
    ("workflows", "list"),
    ("keys", "create"),
    ("send", "-"),
    ("migrate",),
    ("up", "--port", "0"),
]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_data_folder_that_is_a_file(run: Run, tmp_path: Path, command: tuple[str, ...]) -> None:
    file = tmp_path / "file"
    file.write_text("x")
    for data in (file, file / "below"):
        assert str(data) in run(*command, "--data", data).sentence


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_database_that_is_none(run: Run, tmp_path: Path, command: tuple[str, ...]) -> None:
    (tmp_path / "pulse.db").write_bytes(b"this is no database, however long it may be " * 100)
    assert "database" in run(*command, "--data", tmp_path).sentence
    FolderLock(tmp_path).release()


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_folder_that_another_process_holds(run: Run, folder: Path, command: tuple[str, ...]) -> None:
    lock = FolderLock(folder)
    sentence = run(*command, "--data", folder).sentence
    lock.release()
    assert "Process" in sentence
    assert str(folder) in sentence
    assert "--data" in sentence


@pytest.mark.parametrize("command", [*COMMANDS, ("doctor",), ("backup", "b"), ("restore", "b")], ids=" ".join)
def test_bad_settings(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]) -> None:
    monkeypatch.setenv("MAX_MESSAGE_BYTES", "lots")
    assert "MAX_MESSAGE_BYTES" in run(*command, "--data", tmp_path / "data").sentence
    monkeypatch.setenv("MAX_MESSAGE_BYTES", "")
    monkeypatch.setenv("PULSE_CONFIG", str(tmp_path / "none.toml"))
    assert "none.toml" in run(*command, "--data", tmp_path / "data").sentence
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("text", ["PULSE_DATA =", "[", "PULSE_DTA = 'x'", "MAX_MESSAGE_BYTES = 'x'", "\x00"])
def test_a_bad_configuration_file(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    file = tmp_path / "pulse.toml"
    file.write_text(text)
    monkeypatch.setenv("PULSE_CONFIG", str(file))
    sentence = run("organizations", "list", "--data", tmp_path / "data").sentence
    assert "pulse.toml" in sentence or "MAX_MESSAGE_BYTES" in sentence


@pytest.mark.parametrize("key", ["short", "x" * 44, "é", ","])
def test_a_bad_master_key(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    monkeypatch.setenv("PULSE_SECRET_KEY", key)
    sentence = run("organizations", "list", "--data", tmp_path / "data").sentence
    assert "PULSE_SECRET_KEY" in sentence
    assert key == "," or key not in sentence
    FolderLock(tmp_path / "data").release()


def test_another_master_key_than_the_stored_secrets_have(
    run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = run("sources", "create", "--kind", "hmac", "--data", folder, "--json").json
    monkeypatch.setenv("PULSE_SECRET_KEY", "A" * 43 + "=")
    sentence = run("sources", "rotate", made["id"], "--data", folder).sentence
    assert "PULSE_SECRET_KEY" in sentence


@pytest.mark.parametrize(
    "url",
    [
        "nonsense",
        "mysql://x/y",
        "sqlite://",
        "sqlite:///:memory:",
        "postgresql://u:hunter2@127.0.0.1:1/none",
        "postgres://x/y",
    ],
)
def test_a_bad_database_address(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("PULSE_DATABASE_URL", url)
    monkeypatch.setenv("PULSE_SECRET_KEY", "A" * 43 + "=")
    sentence = run("organizations", "list", "--data", tmp_path / "data").sentence
    assert "hunter2" not in sentence


def test_a_server_needs_a_master_key(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULSE_DATABASE_URL", "postgresql://127.0.0.1:1/none")
    assert "openssl" in run("organizations", "list", "--data", tmp_path / "data").sentence


def test_listening_to_the_world_needs_a_master_key(run: Run, tmp_path: Path) -> None:
    assert "PULSE_SECRET_KEY" in run("up", "--host", "0.0.0.0", "--data", tmp_path / "data").sentence


@pytest.mark.parametrize("host", ["no.such.host.invalid", "203.0.113.7", "not a host"])
def test_an_address_that_cannot_be_listened_to(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    monkeypatch.setenv("PULSE_SECRET_KEY", "A" * 43 + "=")
    assert "--port" in run("up", "--host", host, "--data", tmp_path / "data").sentence


def test_names_of_nobody(run: Run, folder: Path) -> None:
    assert "'Nobody'" in run("messages", "list", "--organization", "Nobody", "--data", folder).sentence
    assert "'none'" in run("messages", "list", "--environment", "none", "--data", folder).sentence
    assert "'Nobody'" in run("environments", "create", "x", "--organization", "Nobody", "--data", folder).sentence
    assert "msg_none" in run("messages", "show", "msg_none", "--data", folder).sentence
    assert "msg_none" in run("messages", "cancel", "msg_none", "--data", folder).sentence


def test_what_must_be_said_is_asked_for(run: Run, folder: Path, tmp_path: Path) -> None:
    fresh = tmp_path / "fresh"
    assert "pulse organizations create NAME" in run("messages", "list", "--data", fresh).sentence
    run("organizations", "create", "First", "--data", fresh)
    assert "pulse environments create NAME --organization NAME" in run("messages", "list", "--data", fresh).sentence
    run("organizations", "create", "Second", "--data", folder)
    sentence = run("messages", "list", "--data", folder).sentence
    assert "--organization" in sentence
    assert "Acme, Second" in sentence


@pytest.mark.parametrize("since", ["", "1", "h", "1w", "-1h", "1.5h", "yesterday", "1h 2m"])
def test_a_while_that_is_none(run: Run, folder: Path, since: str) -> None:
    assert "30m" in run("messages", "list", "--since", since, "--data", folder).sentence


def test_a_very_long_while(run: Run, folder: Path) -> None:
    assert run("messages", "list", "--since", "9" * 30 + "d", "--data", folder).code == 0


def test_a_status_that_is_none(run: Run, folder: Path) -> None:
    sentence = run("messages", "list", "--status", "done", "--data", folder).sentence
    assert "status" in sentence
    assert "'success'" in sentence


@pytest.mark.parametrize("word", ["[/red]", "[red]x", ":bug:", "\x1b[31m", "\u202e", "\x9b", "\\[/x]"])
def test_what_is_typed_is_shown_as_it_is(run: Run, folder: Path, word: str) -> None:
    sentence = run("messages", "show", word, "--data", folder).sentence
    assert not {"\x1b", "\u202e", "\x9b"} & set(sentence)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "7", '{"url": "http://127.0.0.1:1"}', json.dumps({"url": 1, "token": 2, "pid": 3})]
)
def test_what_a_killed_process_left_behind_is_passed_over(run: Run, folder: Path, text: str) -> None:
    (folder / "run.json").write_text(text)
    assert run("organizations", "list", "--data", folder).code == 0


def test_a_running_pulse_that_does_not_answer(run: Run, folder: Path) -> None:
    (folder / "run.json").write_text(json.dumps({"url": "http://127.0.0.1:1", "token": "t", "pid": 1}))
    lock = FolderLock(folder)
    sentence = run("organizations", "list", "--data", folder).sentence
    lock.release()
    assert "http://127.0.0.1:1" in sentence


def test_a_newer_schema(run: Run, folder: Path) -> None:
    with closing(sqlite3.connect(folder / "pulse.db")) as database:
        database.execute("INSERT INTO pulse_schema_versions VALUES ('messages_9999')")
        database.commit()
    assert "messages_9999" in run("organizations", "list", "--data", folder).sentence
