"""What somebody does who has just installed Pulse, in an empty folder."""

import json
import shutil
import stat
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.installed import ROOT, pulse_up, run
from tests.chaos.rig.process import free_port

LABELS = {"repository": "demo/app", "issue": 1, "labels": ["bug"]}


def pasted(greeting: str) -> str:
    """The lines of the curl command, as they stand there."""
    lines = greeting.splitlines()
    first = next(number for number, line in enumerate(lines) if line.startswith("curl "))
    last = next(number for number, line in enumerate(lines[first:], first) if not line.endswith("\\"))
    return "\n".join(lines[first : last + 1])


def credentials(folder: Path) -> dict[str, str]:
    found: dict[str, str] = json.loads((folder / ".pulse" / "credentials.json").read_text())
    return found


def listed(folder: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(run(folder, "pulse", "messages", "list", "--json"))["data"]
    return rows


@pytest.mark.timeout(180)
@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_the_first_minutes(tmp_path: Path) -> None:
    port = free_port()
    with pulse_up(tmp_path, port) as greeting:
        assert f"Pulse is ready at http://127.0.0.1:{port}" in greeting
        answer = json.loads(run(tmp_path, "bash", "-c", pasted(greeting)))
        assert (answer["status"], answer["result"]) == ("success", LABELS)
        assert "pulse messages list" in greeting.splitlines()
        shown = run(tmp_path, "pulse", "messages", "list")
        assert answer["id"] in shown
        assert "success" in shown
        check_credentials(tmp_path, greeting, port)
        key = credentials(tmp_path)["apiKey"]

    # It is there while Pulse is not, and after it has come back; so is the key.
    assert [row["id"] for row in listed(tmp_path)] == [answer["id"]]
    with pulse_up(tmp_path, port) as greeting:
        assert credentials(tmp_path)["apiKey"] == key
        again = json.loads(run(tmp_path, "bash", "-c", pasted(greeting)))
        assert again["status"] == "success"
        assert [row["id"] for row in listed(tmp_path)] == [again["id"], answer["id"]]
        assert json.loads(run(tmp_path, "pulse", "messages", "show", answer["id"], "--json"))["result"] == LABELS
        names = [row["name"] for row in json.loads(run(tmp_path, "pulse", "workflows", "list", "--json"))["data"]]
        assert len(names) == len(set(names)) > 1


def check_credentials(folder: Path, greeting: str, port: int) -> None:
    file = folder / ".pulse" / "credentials.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    found = credentials(folder)
    assert {"url", "apiKey", "organizationId", "environmentId"} <= set(found)
    assert found["url"] == f"http://127.0.0.1:{port}"
    assert f"Bearer {found['apiKey']}" in greeting
    # The administrator has no password yet: each start has another link.
    assert found["signInUrl"] in greeting.splitlines()


@pytest.mark.timeout(60)
def test_nothing_is_left_outside_the_folder(tmp_path: Path) -> None:
    with pulse_up(tmp_path, free_port()):
        pass
    assert sorted(path.name for path in tmp_path.iterdir()) == [".pulse", "printed.txt"]
    private = [path for path in (tmp_path / ".pulse").iterdir() if path.suffix in (".json", ".key")]
    assert {stat.S_IMODE(path.stat().st_mode) for path in private} == {0o600}


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_make_up() -> None:
    planned = run(ROOT, "make", "--dry-run", "up")
    assert planned.splitlines()[-1].split() == ["exec", ".venv/bin/pulse", "up"]
