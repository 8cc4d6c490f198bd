"""`pulse variables`: a value comes as an argument, a file, standard input or at a prompt, and is never printed."""

import os
import pty
import subprocess
from pathlib import Path

import pytest

from tests.integration.cli.conftest import Run
from tests.integration.cli.running import PULSE, Up, environment, pulse

CANARY = "canary-of-a-secret"


def values(run: Run, folder: Path) -> dict[str, int]:
    """The names of the variables, and their versions."""
    listed = run("variables", "list", "--data", folder, "--json").json["data"]
    return {row["name"]: row["version"] for row in listed}


def holds(run: Run, folder: Path, name: str, value: str) -> bool:
    """Whether the variable has this value: setting it to the same again makes no new version."""
    before = values(run, folder)[name]
    return bool(run("variables", "set", name, value, "--data", folder, "--json").json["version"] == before)


def test_set_list_delete(run: Run, folder: Path) -> None:
    assert run("variables", "list", "--data", folder).out == "None yet.\n"
    made = run("variables", "set", "API_KEY", CANARY, "--data", folder, "--json")
    assert (made.code, made.json["name"], made.json["version"], made.err) == (0, "API_KEY", 1, "")
    assert made.json["organization"] == {"name": "Acme"}
    changed = run("variables", "set", "API_KEY", CANARY[::-1], "--data", folder)
    assert changed.out == "API_KEY is set (version 2)\n"
    listed = run("variables", "list", "--data", folder, "--json")
    assert [row["id"] for row in listed.json["data"]] == [made.json["id"]]
    table = run("variables", "list", "--data", folder)
    assert "API_KEY" in table.out
    for told in (made, changed, listed, table):
        assert CANARY not in told.out + told.err
        assert CANARY[::-1] not in told.out + told.err
    gone = run("variables", "delete", "API_KEY", "--data", folder, "--json").json
    assert gone == {"id": made.json["id"], "name": "API_KEY", "deleted": True}
    assert "'API_KEY'" in run("variables", "delete", "API_KEY", "--data", folder).sentence
    run("variables", "set", "API_KEY", CANARY, "--data", folder)
    assert run("variables", "delete", "API_KEY", "--data", folder).out == "API_KEY deleted\n"
    assert values(run, folder) == {}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("secret", "secret"),
        ("secret\n", "secret"),
        ("secret\r\n", "secret"),
        ("secret\n\n", "secret\n"),
        ("a\nb\n", "a\nb"),
        (" ä€😀 ", " ä€😀 "),
        ("\ufeffsecret", "secret"),
    ],
    ids=range(7),
)
def test_a_value_that_is_read(run: Run, folder: Path, tmp_path: Path, text: str, value: str) -> None:
    file = tmp_path / "value"
    file.write_bytes(text.encode())
    for name, words, stdin in (
        ("DASH", ("-",), text),
        ("PIPED", (), text),
        ("FILED", ("--from-file", str(file)), "not this"),
    ):
        assert run("variables", "set", name, *words, "--data", folder, stdin=stdin.encode()).code == 0
        assert holds(run, folder, name, value)


def test_each_environment_has_its_own(run: Run, folder: Path) -> None:
    run("environments", "create", "prod", "--organization", "Acme", "--data", folder)
    assert "--environment" in run("variables", "set", "KEY", "x", "--data", folder).sentence
    for name in ("dev", "prod"):
        place = ("--organization", "Acme", "--environment", name, "--data", folder, "--json")
        assert run("variables", "set", "KEY", name, *place).json["version"] == 1
        assert len(run("variables", "list", *place).json["data"]) == 1
    run("variables", "delete", "KEY", "--environment", "dev", "--data", folder)
    assert run("variables", "list", "--environment", "dev", "--data", folder, "--json").json["data"] == []
    assert len(run("variables", "list", "--environment", "prod", "--data", folder, "--json").json["data"]) == 1


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("1st", CANARY, "API_KEY"),
        ("message", CANARY, "choose another name"),
        ("\udcff", CANARY, "API_KEY"),
        ("KEY", "", "65,536"),
        ("KEY", CANARY * 10_000, "65,536"),
        ("KEY", CANARY + "\udcff", "base64"),
        ("KEY", CANARY + "\0", "base64"),
    ],
    ids=range(7),
)
def test_what_cannot_be_is_said_without_the_value(run: Run, folder: Path, name: str, value: str, words: str) -> None:
    sentence = run("variables", "set", name, value, "--data", folder).sentence
    assert words in sentence
    assert CANARY not in sentence
    assert values(run, folder) == {}


def test_files_that_cannot_be_read(run: Run, folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "value"
    for path in (file, tmp_path):
        assert str(path) in run("variables", "set", "KEY", "--from-file", path, "--data", folder).sentence
    file.write_bytes(CANARY.encode() + b"\xff")
    sentence = run("variables", "set", "KEY", "--from-file", file, "--data", folder).sentence
    assert "UTF-8" in sentence
    assert CANARY not in sentence
    assert "UTF-8" in run("variables", "set", "KEY", "-", "--data", folder, stdin=b"\xff").sentence


def test_a_value_and_a_file_are_one_too_many(run: Run, folder: Path, tmp_path: Path) -> None:
    told = run("variables", "set", "KEY", CANARY, "--from-file", tmp_path / "value", "--data", folder)
    assert told.code == 2
    assert "not both" in told.err
    assert CANARY not in told.out + told.err


def test_on_a_terminal_it_is_asked_for_and_not_shown(run: Run, folder: Path) -> None:
    terminal, side = pty.openpty()
    command = [str(PULSE), "variables", "set", "KEY", "--data", str(folder)]
    process = subprocess.Popen(
        # In a session of its own it has no other terminal than this one.
        command,
        stdin=side,
        stdout=side,
        stderr=side,
        start_new_session=True,
        env=environment(),
    )
    os.close(side)
    told = b""
    try:
        # The space comes when the terminal has stopped to show what is typed.
        while not told.endswith(b": "):
            told += os.read(terminal, 1_000)
        os.write(terminal, f"{CANARY}\n".encode())
        told += rest(terminal)
        assert process.wait(timeout=30) == 0
    finally:
        process.kill()
        process.wait(timeout=10)
        os.close(terminal)
    assert b"KEY is set (version 1)" in told
    assert CANARY.encode() not in told
    assert holds(run, folder, "KEY", CANARY)


def rest(terminal: int) -> bytes:
    """What is written until the other side is closed."""
    told = b""
    try:
        while part := os.read(terminal, 1_000):
            told += part
    except OSError:
        # How Linux says that nobody has the other side open any more.
        pass
    return told


def test_while_pulse_runs(running: Up) -> None:
    # Other tests make organizations there.
    place = ("--data", running.folder, "--organization", "Demo")
    done = pulse("variables", "set", "WHILE_RUNNING", "-", *place, "--json", stdin=CANARY)
    assert done.returncode == 0, done.stderr
    with running.client() as client:
        rows = client.get("/api/variables").json()["data"]
    assert "WHILE_RUNNING" in [row["name"] for row in rows]
    assert pulse("variables", "delete", "WHILE_RUNNING", *place).returncode == 0
